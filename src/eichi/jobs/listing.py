"""Long lists: a part of the jobs, the place of one among those to come, all of it by the database's own order.

Places are numbers with gaps, so that a job is put between two others by writing its own row alone; where no number is
left between them, all behind make room. One index has everything that an order or a count needs, and a row is read only
where it is shown. Functions on a connection of the store, inside its transaction.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa

from eichi.declare import LAST
from eichi.jobs.schema import Job, events, jobs, state
from eichi.jobs.turn import BINNED, ORDER
from eichi.jobs.view import ACTIVE, IDLE, OPEN, Kind, Status

Sort = Literal["queue", "newest", "oldest"]
GAP = 100  # between the places of two jobs that came one after another

COMING = jobs.c.status.in_(IDLE) & ~BINNED
# What a damaged row has instead of a number is greater than every number, and has no place among them.
PLACED, NUMBERED = jobs.c.position <= LAST, events.c.number <= LAST
ENDED = sa.func.coalesce(jobs.c.ended, jobs.c.created)


@dataclass(frozen=True)
class Listing:
    """Which jobs, in which order, and which part of them; `before` is a time in seconds since 1970."""

    statuses: Collection[Status] = tuple(Status)
    batch: str | None = None
    kind: Kind | None = None
    owner: str | None = None
    before: float | None = None
    sort: Sort = "queue"
    offset: int = 0
    limit: int | None = None

    @property
    def where(self) -> sa.ColumnElement[bool]:
        chosen: sa.ColumnElement[bool] = jobs.c.status.in_(self.statuses)
        if Status.FAILED in self.statuses:
            chosen |= jobs.c.status.not_in(tuple(Status))  # a damaged row counts as failed
        chosen &= ~BINNED
        for name in ("batch", "kind", "owner"):
            if (value := getattr(self, name)) is not None:
                chosen &= jobs.c[name] == value
        return chosen if self.before is None else chosen & (self.before > ENDED)

    @property
    def order(self) -> tuple[sa.ColumnElement[Any], ...]:
        """Of the queue: who works comes first, then who waits in their order, then who ended last."""
        match self.sort:
            case "newest":
                return ENDED.desc(), jobs.c.id.desc()
            case "oldest":
                return ENDED.asc(), jobs.c.id.asc()
        active, coming = jobs.c.status.in_(ACTIVE), jobs.c.status.in_(IDLE)
        over = sa.case((active | coming, 0), else_=sa.func.coalesce(jobs.c.ended, 0))
        return (
            sa.case((active, 0), (coming, 1), else_=2).asc(),
            sa.case((coming, jobs.c.priority), else_=0).desc(),
            sa.case((coming, jobs.c.position), else_=0).asc(),
            over.desc(),
            sa.case((active | coming, jobs.c.id), else_=-jobs.c.id).asc(),
        )


class Brief(NamedTuple):
    """What of a job is searched and sorted by where the database cannot: its prompts, the length of its video."""

    id: int
    prompts: str
    seconds: float
    ended: float


class Mark(NamedTuple):
    """What tells that a row has changed, and where it stands in a list."""

    id: int
    version: int
    status: str
    priority: int
    position: int
    ended: float | None


class Wanted(NamedTuple):
    """How many marks of each kind are wanted, and of which jobs besides."""

    active: int
    coming: int
    ended: int
    others: Collection[int] = ()


class Marks(NamedTuple):
    """Marks of jobs that workers have, of the first to come in their order, of the last that ended, of those asked for.

    `coming` counts all that are to come, `total` all jobs.
    """

    active: tuple[Mark, ...]
    next: tuple[Mark, ...]
    ended: tuple[Mark, ...]
    others: tuple[Mark, ...]
    coming: int
    total: int


def page(connection: sa.Connection, asked: Listing) -> tuple[list[Job], int]:
    """A part of a list, in one question to the database, and how many jobs the whole list has."""
    count = sa.select(sa.func.count()).select_from(jobs).where(asked.where)
    ids = sa.select(jobs.c.id).where(asked.where).order_by(*asked.order).offset(asked.offset).limit(asked.limit)
    found = sa.select(jobs, count.scalar_subquery().label("total")).where(jobs.c.id.in_(ids))
    rows = connection.execute(found.order_by(*asked.order)).all()
    if not rows:
        return [], connection.scalar(count) or 0 if asked.offset or asked.limit == 0 else 0
    return [Job.of(row) for row in rows], rows[0].total


def briefs(connection: sa.Connection, asked: Listing) -> list[Brief]:
    """A whole list in its order, as little of each job as is searched."""
    found = sa.select(jobs.c.id, jobs.c.request, jobs.c.plan, jobs.c.ended).where(asked.where).order_by(*asked.order)
    rows = connection.execute(found)
    return [Brief(row.id, _prompts(row.request), _number(_at(row.plan, "seconds")), _number(row.ended)) for row in rows]


def column(connection: sa.Connection, name: str) -> list[Any]:
    """What stands in a column of all jobs, also of those in the bin, where anything does."""
    return list(connection.scalars(sa.select(jobs.c[name]).where(jobs.c[name].is_not(None))))


def inputs_needed(connection: sa.Connection) -> set[str]:
    """What is in the files of all jobs but those that are done."""
    asked = sa.select(jobs.c.inputs).where(jobs.c.inputs.is_not(None), jobs.c.status != Status.DONE)
    found = [inputs for inputs in connection.scalars(asked) if isinstance(inputs, dict)]
    return {str(content) for inputs in found for content in inputs.values()}


def bin_new(connection: sa.Connection, thrown: dict[str, object]) -> list[int]:
    """Put all jobs into the bin that wait and were never begun: their numbers, in their order."""
    new = COMING & (jobs.c.status == Status.WAITING) & jobs.c.checkpoint.is_(None)
    # Locked in one order by all, so that no two wait for each other.
    ids = list(connection.scalars(sa.select(jobs.c.id).where(new).order_by(*ORDER).with_for_update()))
    gone = set(connection.scalars(sa.update(jobs).where(new).values(thrown).returning(jobs.c.id)))
    return [id for id in ids if id in gone]


def _prompts(request: object) -> str:
    """The prompt of a request and those of its sections, in lines."""
    own = _at(_at(request, "keyframes"), "prompts")
    return "\n".join(map(str, (_at(request, "prompt"), *(own.values() if isinstance(own, dict) else ()))))


def _at(value: object, name: str) -> object:
    """What stands under a name; a damaged row may have anything."""
    return value.get(name, "") if isinstance(value, dict) else ""


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def marks(connection: sa.Connection, wanted: Wanted) -> Marks:
    """Marks of so many jobs of each kind; of the active ones those that began last."""
    named = sa.select(*(jobs.c[name] for name in Mark._fields))
    over = jobs.c.status.not_in(OPEN) & ~BINNED

    def of(where: sa.ColumnElement[bool], limit: int, *order: sa.ColumnElement[Any]) -> tuple[Mark, ...]:
        # Found and put in order in the index; only these rows are read.
        ids = sa.select(jobs.c.id).where(where, ~BINNED).order_by(*order).limit(limit)
        return tuple(Mark(*row) for row in connection.execute(named.where(jobs.c.id.in_(ids)).order_by(*order)))

    def count(where: sa.ColumnElement[bool]) -> int:
        return connection.scalar(sa.select(sa.func.count()).select_from(jobs).where(where)) or 0

    return Marks(
        of(jobs.c.status.in_(ACTIVE), wanted.active, sa.func.coalesce(jobs.c.started, 0).desc(), jobs.c.id),
        of(COMING, wanted.coming, *ORDER),
        of(over, wanted.ended, sa.func.coalesce(jobs.c.ended, 0).desc(), jobs.c.id.desc()),
        of(jobs.c.id.in_(wanted.others), len(wanted.others), jobs.c.id) if wanted.others else (),
        count(COMING),
        count(~BINNED),
    )


def rank(connection: sa.Connection, id: int) -> tuple[int, int]:
    """The place of a job among those to come that have its priority, from 1, and how many those are; 0 for none."""
    mine = connection.execute(sa.select(jobs.c.priority, jobs.c.position).where(jobs.c.id == id, COMING)).first()
    if mine is None:
        return 0, 0
    same = COMING & (jobs.c.priority == mine.priority)
    first = (jobs.c.position < mine.position) | ((jobs.c.position == mine.position) & (jobs.c.id <= id))
    before, count = (sa.select(sa.func.count()).select_from(jobs).where(one) for one in (same & first, same))
    return connection.scalar(before) or 0, connection.scalar(count) or 0


def numbers(connection: sa.Connection, after: int) -> frozenset[int]:
    """The numbers of all jobs above one."""
    return frozenset(connection.scalars(sa.select(jobs.c.id).where(jobs.c.id > after, ~BINNED)))


def owned(connection: sa.Connection, owner: str) -> int:
    """How many jobs of somebody are to come; nobody else adds any meanwhile."""
    connection.execute(sa.select(state.c.id).with_for_update())  # on databases with row locks; SQLite has one writer
    return connection.scalar(sa.select(sa.func.count()).where(COMING, jobs.c.owner == owner)) or 0


def last(connection: sa.Connection) -> int:
    """The last place that was ever given."""
    return connection.scalar(sa.select(sa.func.max(jobs.c.position)).where(PLACED)) or 0


def between(connection: sa.Connection, id: int, to: int) -> int | None:
    """A number for the place `to`, from 1, among the others to come that have a job's priority; None where it stays.

    Those behind are moved where there is none.
    """
    priority = sa.select(jobs.c.priority).where(jobs.c.id == id).scalar_subquery()
    others = COMING & (jobs.c.priority == priority) & (jobs.c.id != id) & PLACED
    ordered = sa.select(jobs.c.id, jobs.c.position).where(others).order_by(jobs.c.position, jobs.c.id)
    if to == 1:
        after = connection.execute(ordered.limit(1)).first()
        return None if after is None else int(after.position) - GAP
    near = connection.execute(ordered.offset(to - 2).limit(2)).all()
    if len(near) < 2:
        return (near[0].position if near else last(connection)) + GAP
    before, after = near
    if after.position - before.position >= 2:
        return int(before.position + after.position) // 2
    behind = (jobs.c.position > before.position) | ((jobs.c.position == before.position) & (jobs.c.id > before.id))
    # Locked in one order by all, so that no two wait for each other.
    connection.execute(sa.select(jobs.c.id).where(others, behind).order_by(jobs.c.id).with_for_update())
    connection.execute(sa.update(jobs).where(others, behind).values(position=jobs.c.position + 2 * GAP))
    return int(before.position) + GAP
