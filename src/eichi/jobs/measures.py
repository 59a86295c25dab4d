"""What those ask who watch over a queue: how many jobs are in which state, how long they wait, how fast steps are.

Read from the rows when somebody asks, so that any process says the same and nothing is counted on the side. Functions
on a connection of the store.
"""

from collections import defaultdict
from dataclasses import dataclass
from statistics import median

import sqlalchemy as sa

from eichi.jobs.schema import jobs
from eichi.jobs.turn import BINNED, WAITS
from eichi.jobs.view import Status

LATEST = 100  # jobs that waiting times and paces are of, the last ones


@dataclass(frozen=True)
class Measures:
    """Times in seconds. `states` counts jobs by their state, those with a damaged one as failed.

    `oldest` is when the job was added that waits longest, None where none does; `waited` is how long the last ones to
    be begun had waited, in ascending order; `steps` what a step of each model takes, the median of the last ones.
    """

    states: dict[str, int]
    oldest: float | None
    waited: tuple[float, ...]
    steps: dict[str, float]


def measure(connection: sa.Connection) -> Measures:
    states = {str(status): 0 for status in Status}
    counted = sa.select(jobs.c.status, sa.func.count()).where(~BINNED).group_by(jobs.c.status)
    for status, count in connection.execute(counted):
        states[status if status in states else Status.FAILED] += count
    oldest = connection.scalar(sa.select(sa.func.min(jobs.c.created)).where(WAITS))
    begun = sa.select(jobs.c.started, jobs.c.created).where(jobs.c.started.is_not(None))
    times = connection.execute(begun.order_by(jobs.c.started.desc()).limit(LATEST)).all()
    waited = sorted(max(0.0, row.started - row.created) for row in times if _numbers(row.started, row.created))
    return Measures(states, oldest if _numbers(oldest) else None, tuple(waited), _steps(connection))


def _steps(connection: sa.Connection) -> dict[str, float]:
    """What a step of each model takes, from the sections that were measured."""
    asked = sa.select(jobs.c.model, jobs.c.request, jobs.c.pace).where(jobs.c.pace.is_not(None))
    found: defaultdict[str, list[float]] = defaultdict(list)
    for model, request, pace in connection.execute(asked.order_by(jobs.c.ended.desc()).limit(LATEST)):
        sampling = request.get("sampling") if isinstance(request, dict) else None
        steps = sampling.get("steps") if isinstance(sampling, dict) else None
        if _numbers(steps, pace) and steps and pace > 0:
            found[str(model)].append(pace / steps)
    return {model: median(times) for model, times in sorted(found.items())}


def _numbers(*values: object) -> bool:
    """Whether all are numbers; a damaged row may have anything."""
    return all(isinstance(value, int | float) for value in values)
