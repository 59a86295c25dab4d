"""The list of workers in the store: each is a row that its worker writes, and nobody else but who finds it dead.

A row is told apart from its worker's death by the same rule as a job's: see `runner`. Who was taken for dead and lives,
because its machine slept, finds itself not listed with its next sign of life and joins again. Functions on a
connection of the store, inside its transaction; `now` is the time by the store's clock.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError

from eichi.jobs.nodes import WorkerView
from eichi.jobs.runner import alive
from eichi.jobs.schema import jobs, workers
from eichi.jobs.view import ACTIVE

OWN = ("runner", "node", "device", "since", "beat")  # columns of their own; everything else is in the body


def join(connection: sa.Connection, worker: WorkerView, now: float) -> None:
    """List a worker, in place of what was known of it."""
    connection.execute(sa.delete(workers).where(workers.c.runner == worker.runner))
    connection.execute(sa.insert(workers).values(_row(worker.model_copy(update={"beat": now}))))


def tell(connection: sa.Connection, runner: str, changes: Mapping[str, Any], now: float) -> bool:
    """Change what is known of a worker; whether it is listed."""
    row = connection.execute(sa.select(workers).where(workers.c.runner == runner).with_for_update()).first()
    worker = None if row is None else _view(row)
    if worker is None:
        return False
    values = _row(WorkerView.model_validate(worker.model_dump() | dict(changes) | {"beat": now}))
    connection.execute(sa.update(workers).where(workers.c.runner == runner).values(values))
    return True


def beat(connection: sa.Connection, runner: str, now: float) -> bool:
    """A sign of life; whether the worker is listed."""
    mine = sa.update(workers).where(workers.c.runner == runner).values(beat=now)
    return bool(connection.execute(mine).rowcount)


def leave(connection: sa.Connection, runner: str) -> None:
    connection.execute(sa.delete(workers).where(workers.c.runner == runner))


def living(connection: sa.Connection, now: float) -> tuple[list[WorkerView], list[tuple[str, float]]]:
    """The workers that live, by machine and device, and the others: their names and last signs of life."""
    has = sa.select(sa.func.max(jobs.c.id)).where(jobs.c.runner == workers.c.runner, jobs.c.status.in_(ACTIVE))
    asked = sa.select(workers, has.scalar_subquery().label("job"))
    found, dead = list[WorkerView](), list[tuple[str, float]]()
    for row in connection.execute(asked.order_by(workers.c.node, workers.c.device, workers.c.since)):
        worker = _view(row)
        if worker is not None and alive(worker.runner, worker.beat, now):
            found.append(worker.model_copy(update={"job": row.job}))
        else:
            dead.append((row.runner, row.beat))
    return found, dead


def sweep(connection: sa.Connection, dead: list[tuple[str, float]]) -> None:
    """Forget workers that were found dead and have given no sign of life since."""
    for runner, heard in dead:
        connection.execute(sa.delete(workers).where(workers.c.runner == runner, workers.c.beat == heard))


def _row(worker: WorkerView) -> dict[str, object]:
    values = worker.model_dump(mode="json")
    return {name: values.pop(name) for name in OWN} | {"body": values | {"job": None, "message": None}}


def _view(row: sa.Row[Any]) -> WorkerView | None:
    """What a row tells; None for one that is damaged, whose worker joins again."""
    body = row.body if isinstance(row.body, dict) else {}
    try:
        return WorkerView.model_validate(body | {name: getattr(row, name) for name in OWN})
    except ValidationError:
        return None
