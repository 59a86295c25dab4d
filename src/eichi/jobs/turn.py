"""Whose turn it is: which of the waiting jobs a worker takes. Functions on a connection, inside its transaction.

Jobs of the highest priority come first, among them those with the earliest place. A worker takes only what it can run.
To load a model takes minutes, so one that holds a model looks at the first WINDOW jobs that it could take and have the
same priority, and takes the first of them with its model; each one before that is overtaken once more. A job that was
overtaken PASSES times is overtaken no more, so that nobody waits for ever behind jobs of another model.

Where the database locks rows, whoever takes a job passes over those that somebody else is just taking.
"""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from eichi.jobs.schema import jobs, state
from eichi.jobs.view import Status

WINDOW = 16  # jobs that a worker looks at for one with the model that it holds
PASSES = 4  # times that a job may be overtaken

# In the bin. What a damaged row has there is no time, and hides no job.
BINNED = sa.func.coalesce(sa.cast(jobs.c.binned, sa.Float), 0) > 0
# Counted with every change of a row but signs of life and places.
TURNED: dict[str, object] = {"version": jobs.c.version + 1}

WAITS = (jobs.c.status == Status.WAITING) & ~BINNED
ORDER = (jobs.c.priority.desc(), jobs.c.position, jobs.c.id)

Models = Collection[str] | None


def waits(connection: sa.Connection, models: Models, without: Collection[int] = ()) -> bool:
    """Whether a job waits that a worker with these models could take, were the queue not held."""
    found = connection.scalar(sa.select(jobs.c.id).where(WAITS & _runs(models, without)).limit(1))
    return found is not None


def models_asked(connection: sa.Connection) -> list[str]:
    """The models of the jobs that wait."""
    return [model for model in connection.scalars(sa.select(jobs.c.model).where(WAITS).distinct())]


def take(
    connection: sa.Connection, runner: str, models: Models, holds: str | None, without: Collection[int], now: float
) -> sa.Row[Any] | None:
    """Give a worker the next job that it can run: its row, None where there is none or the queue is held."""
    if holds is not None and (ahead := _ahead(connection, _runs(models, without), holds)):
        *passed, chosen = ahead
        # Locked in one order by all, so that no two wait for each other.
        there = sa.select(jobs.c.id).where(jobs.c.id.in_(ahead), WAITS).order_by(jobs.c.id).with_for_update()
        if chosen in connection.scalars(there).all() and (row := _taken(connection, runner, jobs.c.id == chosen, now)):
            counted = sa.update(jobs).where(jobs.c.id.in_(passed), jobs.c.status == Status.WAITING)
            connection.execute(counted.values(overtaken=jobs.c.overtaken + 1))
            return row
    return _taken(connection, runner, _runs(models, without), now)


def _ahead(connection: sa.Connection, runs: sa.ColumnElement[bool], holds: str) -> list[int]:
    """The first job of the window with the model that is held, behind those that it may overtake; else nothing."""
    asked = sa.select(jobs.c.id, jobs.c.model, jobs.c.overtaken, jobs.c.priority).where(WAITS & runs)
    found: list[int] = []
    first = None
    for row in connection.execute(asked.order_by(*ORDER).limit(WINDOW)):
        first = row.priority if first is None else first
        if row.priority != first:
            break
        found.append(row.id)
        if row.model == holds:
            return found if len(found) > 1 else []
        if not isinstance(row.overtaken, int) or row.overtaken >= PASSES:
            break
    return []


def _taken(connection: sa.Connection, runner: str, which: sa.ColumnElement[bool], now: float) -> sa.Row[Any] | None:
    """Take the next of the jobs that are meant, in one statement, so that no two workers take the same one."""
    queue = (
        sa.select(jobs.c.id)
        .where(WAITS, which, ~sa.exists().where(state.c.held))
        .order_by(*ORDER)
        .limit(1)
        .with_for_update(skip_locked=True)  # on databases with row locks; SQLite has one writer
    )
    taken = {"status": Status.RUNNING, "runner": runner, "beat": now, "ask": None, "said": jobs.c.said + 1}
    taken |= {"started": sa.func.coalesce(jobs.c.started, now), "ended": None, "attempts": jobs.c.attempts + 1}
    taken |= {"overtaken": 0, **TURNED}
    mine = (jobs.c.id == queue.scalar_subquery()) & (jobs.c.status == Status.WAITING)
    return connection.execute(sa.update(jobs).where(mine).values(taken).returning(jobs)).first()


def _runs(models: Models, without: Collection[int] = ()) -> sa.ColumnElement[bool]:
    """What a worker with these models can run, `without` some jobs; one that does not say which takes anything."""
    right = sa.true() if models is None else jobs.c.model.in_(["", *models])
    return right & jobs.c.id.not_in(without) if without else right
