"""The store: the one place that reads and writes the tables, from any number of processes at once.

Every change is one transaction that writes the row first and the event second; where two want the same row, the
database decides. So a row can be trusted at any time, and an event only says that a row is worth looking at.
Followers ask again and again: a database file has no way to call them, and asking costs a fraction of a millisecond.

SQLite writes ahead (WAL), so readers wait for nobody and writers in turn. Knows no order of jobs, no executor and no
pipeline.
"""

import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa

from eichi.errors import InputError
from eichi.events import Changed, Event, Failed, Preparing, SectionDone, Step, dump
from eichi.jobs import listing, roster, turn
from eichi.jobs.clock import Clock
from eichi.jobs.listing import GAP, NUMBERED, Brief, Listing, Marks, Wanted
from eichi.jobs.measures import Measures, measure
from eichi.jobs.nodes import WorkerView
from eichi.jobs.runner import alive
from eichi.jobs.schema import Draft, Job, events, jobs, state, told
from eichi.jobs.turn import BINNED, TURNED, Models
from eichi.jobs.upgrade import open_engine, reaching
from eichi.jobs.view import ACTIONS, ACTIVE, IDLE, Action, Status, Told, states

PACE = 0.1  # seconds between two looks of a follower
GLANCE = 1.0  # seconds between two of them at whether the worker lives, which costs as much as the look
ATTEMPTS = 3  # times that a job may lose its worker in one section before it counts as failed
# Of no worker: a damaged state has none either.
IDLE_ROW = jobs.c.status.not_in([status for status, possible in ACTIONS.items() if Action.REMOVE not in possible])

Reached = Callable[[Job], bool]


class Lost(Exception):
    """The job is not this worker's any more: it was taken for dead, or the job was removed."""


class Store:
    """The jobs behind a URL. A context manager; made when it is not there, brought up to date when it is old."""

    def __init__(self, url: str) -> None:
        """Raises InputError for a store that cannot be opened or was made by a newer program, StoreError for damage."""
        self._engine = open_engine(url)
        self._clock = Clock(self._engine)
        self._pulse: sa.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> sa.URL:
        """Where the store is; written without its password."""
        return self._engine.url

    def close(self) -> None:
        if self._pulse is not None:
            self._pulse.close()
        self._engine.dispose()

    def now(self) -> float:
        """The time by the clock of the database, which is the same for all machines, in seconds since 1970."""
        with reaching(self._engine.url):
            return self._clock.now()

    def pulse(self) -> object:
        """What is another after any change of anybody, so that nothing need be read where it is the same.

        Where the database cannot tell, it never is. For one thread at a time.
        """
        # PostgreSQL's is made of the numbers of transactions that write, begun and not ended, on the whole server.
        told = {"sqlite": "PRAGMA data_version", "postgresql": "SELECT CAST(pg_current_snapshot() AS text)"}
        if self._engine.dialect.name not in told:
            return object()
        with reaching(self._engine.url):
            self._pulse = self._pulse or self._engine.connect()
            try:
                with self._pulse.begin():
                    return self._pulse.exec_driver_sql(told[self._engine.dialect.name]).scalar()
            except sa.exc.DBAPIError:
                self._pulse.close()
                self._pulse = None  # a connection that was lost is made anew
                raise

    def add(
        self,
        drafts: Sequence[Draft],
        priority: int = 0,
        batch: str | None = None,
        once: str | None = None,
        owner: str = "",
        quota: int = 0,
        runner: str | None = None,
    ) -> list[Job]:
        """New jobs at the end of the queue, in the order given; with `once` those that were added with it before.

        Those that a `runner` runs at once wait for nobody else.

        `owner` is the name of who asks for them, nothing for who sits at the machine; no more than `quota` of theirs
        are to come then, where it is any. Raises InputError for more.
        """
        now = self.now()
        with self.writing(lasting=True) as connection:
            if once is not None and (known := _asked(connection, once)):
                return known
            if owner and quota and (waiting := listing.owned(connection, owner)) + len(drafts) > quota:
                raise InputError("error.job.quota", owner=owner, waiting=waiting, quota=quota)
            last = listing.last(connection)
            rows: list[dict[str, Any]] = []
            for place, draft in enumerate(drafts, start=1):
                values = {**vars(draft), "plan": draft.plan.model_dump(mode="json"), "batch": batch, "once": once}
                values |= {"model": draft.model, "owner": owner, "priority": priority, "position": last + place * GAP}
                values |= {"status": Status.WAITING, "created": now, "attempts": 0, "said": 1, "version": 1}
                if runner is not None:
                    values |= {"status": Status.RUNNING, "runner": runner, "beat": now, "started": now, "attempts": 1}
                rows.append(values)
            if not rows:
                return []
            adding = sa.insert(jobs).returning(jobs, sort_by_parameter_order=True)
            added = [Job.of(row) for row in connection.execute(adding, rows)]
            said = dump(Changed(Status.WAITING if runner is None else Status.RUNNING))
            told = [{"job": job.id, "number": 1, "time": job.created, "body": said} for job in added]
            connection.execute(sa.insert(events), told)
            return added

    def asked(self, once: str) -> list[Job]:
        """The jobs that were added with this `once`, in their order, also those in the bin."""
        with self.reading() as connection:
            return _asked(connection, once)

    def job(self, id: int) -> Job:
        """The row of a job. Raises InputError for a number that is not there."""
        found = self.find(id)
        if found is None:
            raise InputError("error.job.unknown", job=id)
        return found

    def find(self, id: int) -> Job | None:
        """The row of a job, None where it was removed or never was."""
        return next(iter(self._rows((jobs.c.id == id) & ~BINNED)), None)

    def select(self, ids: Collection[int]) -> list[Job]:
        """The rows of these jobs, as far as they are there, in no order."""
        return self._rows(jobs.c.id.in_(ids) & ~BINNED) if ids else []

    def marks(self, wanted: Wanted) -> Marks:
        """Marks of so many jobs of each kind, however many there are: to look costs next to nothing."""
        with self.reading() as connection:
            return listing.marks(connection, wanted)

    def numbers(self, after: int = 0) -> frozenset[int]:
        """The numbers of all jobs above one."""
        with self.reading() as connection:
            return listing.numbers(connection, after)

    def jobs(self, statuses: Collection[Status] = tuple(Status), batch: str | None = None) -> list[Job]:
        """All jobs of these states: who works comes first, then who waits in their order, then who ended last."""
        return self.page(Listing(statuses, batch))[0]

    def page(self, asked: Listing) -> tuple[list[Job], int]:
        """A part of a list of jobs, and how many the whole list has."""
        with self.reading() as connection:
            return listing.page(connection, asked)

    def briefs(self, asked: Listing) -> list[Brief]:
        """A whole list of jobs, as little of each as is searched."""
        with self.reading() as connection:
            return listing.briefs(connection, asked)

    def column(self, name: str) -> list[Any]:
        """What stands in a column of all jobs, also of those in the bin; a damaged row may have anything."""
        with self.reading() as connection:
            return listing.column(connection, name)

    def inputs_needed(self) -> set[str]:
        """What is in the files that jobs may still need, which those that are done do not."""
        with self.reading() as connection:
            return listing.inputs_needed(connection)

    def working_in(self, folder: str) -> list[Job]:
        """The jobs that work in a folder of this name, wherever it is."""
        return self._rows(jobs.c.checkpoint.endswith(folder, autoescape=True) & ~BINNED)

    def measures(self) -> Measures:
        """What those ask who watch over the queue."""
        with self.reading() as connection:
            return measure(connection)

    def next(self) -> int | None:
        """The job that is the next for a worker that can run anything."""
        with self.reading() as connection:
            return connection.scalar(sa.select(jobs.c.id).where(turn.WAITS).order_by(*turn.ORDER).limit(1))

    def rank(self, id: int) -> tuple[int, int]:
        """The place of a job among those to come that have its priority, from 1, and how many those are; 0 for none."""
        with self.reading() as connection:
            return listing.rank(connection, id)

    def paces(self, key: str, count: int = 5) -> list[float]:
        """The newest measured section times of jobs with this key, in seconds."""
        asked = sa.select(jobs.c.pace).where(jobs.c.pace_key == key, jobs.c.pace.is_not(None))
        with self.reading() as connection:
            found = connection.scalars(asked.order_by(jobs.c.ended.desc()).limit(count))
            return [pace for pace in found if isinstance(pace, float) and pace > 0]  # a damaged one was not measured

    @property
    def held(self) -> bool:
        """Whether the whole queue is held: no worker takes another job."""
        with self.reading() as connection:
            return bool(connection.scalar(sa.select(state.c.held.is_(True))))

    def hold(self, held: bool) -> None:
        """Hold the whole queue, or let it go on."""
        with self.writing() as connection:
            if not connection.execute(sa.update(state).values(held=held)).rowcount:  # a damaged store has lost its row
                connection.execute(sa.insert(state).values(id=1, held=held))

    def waits(self, models: Models = None, without: Collection[int] = ()) -> bool:
        """Whether a job waits that a worker with these models could take, were the queue not held; None for any."""
        with self.reading() as connection:
            return turn.waits(connection, models, without)

    def models_asked(self) -> list[str]:
        """The models of the jobs that wait; where a row is damaged, what stands there."""
        with self.reading() as connection:
            return turn.models_asked(connection)

    def claim(
        self, runner: str, models: Models = None, holds: str | None = None, without: Collection[int] = ()
    ) -> Job | None:
        """Take the next job for a worker that has these models, None for any, and the one that it `holds` in memory;
        `without` those that it has given back.

        No two workers take the same one. Which is the next says `turn`: that of the highest priority with the earliest
        place, or one of the next few that have the model held, none of which overtakes another for ever.
        """
        if not self.waits(models, without):  # most looks find nothing, and disturb nobody who writes
            return None
        now = self.now()
        with self.writing() as connection:
            row = turn.take(connection, runner, models, holds, without, now)
            return None if row is None else _say(connection, now, Job.of(row), Changed(Status.RUNNING))

    def join(self, worker: WorkerView) -> None:
        """List a worker, in place of what was known of it."""
        now = self.now()
        with self.writing() as connection:
            roster.join(connection, worker, now)

    def tell(self, runner: str, **changes: Any) -> bool:
        """What has changed of a worker, by the fields of its view; whether it is listed, else it joins again."""
        now = self.now()
        with self.writing() as connection:
            return roster.tell(connection, runner, changes, now)

    def leave(self, runner: str) -> None:
        """A worker is gone."""
        with self.writing() as connection:
            roster.leave(connection, runner)

    def workers(self) -> list[WorkerView]:
        """The workers that live, by machine and device, each with the job that it has; dead ones are forgotten."""
        now = self.now()
        with self.reading() as connection:
            found, dead = roster.living(connection, now)
        if dead:
            with self.writing() as connection:
                roster.sweep(connection, dead)
        return found

    def beat(self, runner: str) -> bool:
        """A worker's sign of life; whether it is listed among the workers, else it joins again."""
        now = self.now()
        with self.writing(passing=True) as connection:
            connection.execute(sa.update(jobs).where(_of(runner)).values(beat=now))
            return roster.beat(connection, runner, now)

    def record(self, job: Job, event: Event | None = None, **values: Any) -> Job:
        """What happened to a job, told by its worker: values of the row, then the event.

        How far it is is kept as the row's progress only, the latest in place of the one before it. A job that gets on
        by a section is not what its workers died of. Raises Lost.
        """
        assert job.runner is not None
        if isinstance(event, SectionDone) and event.computed:
            values |= {"attempts": 0}
        if isinstance(event, Step | Preparing):
            values, event = {**values, "progress": dump(event)}, None
        row = self._turn(_of(job.runner) & (jobs.c.id == job.id), values, [] if event is None else [event])
        if row is None:
            raise Lost(job.id)
        return row

    def end(self, job: Job, status: Status, event: Event | None = None, **values: Any) -> Job:
        """A worker gives a job back in a state, after a last event. Raises Lost."""
        assert job.runner is not None
        values |= {"status": status, "runner": None, "beat": None, "ask": None, "progress": None}
        values |= {"ended": self.now() if status.terminal else None}
        said: list[Event] = [Changed(status)] if event is None else [event, Changed(status)]
        row = self._turn(_of(job.runner) & (jobs.c.id == job.id), values, said)
        if row is None:
            raise Lost(job.id)
        return row

    def change(self, id: int, before: Collection[Status], said: Sequence[Event] = (), **values: Any) -> Job:
        """Change a job if it is in one of these states; what is `said`, and a new state, is told. Raises InputError
        where it is not.
        """
        told: list[Event] = [*said, Changed(values["status"])] if "status" in values else [*said]
        row = self._turn((jobs.c.id == id) & jobs.c.status.in_(before) & ~BINNED, values, told)
        if row is None:
            raise refused(self.job(id), before)
        return row

    def place(self, id: int, to: int) -> Job:
        """Put a job at a place, from 1, among those to come that have its priority. Raises InputError."""
        with self.writing() as connection:
            now, count = listing.rank(connection, id)
            if not now:
                raise refused(self.job(id), IDLE)
            if not 1 <= to <= count:
                raise InputError("error.job.place", job=id, place=to, last=count)
            if to != now and (position := listing.between(connection, id, to)) is not None:
                connection.execute(sa.update(jobs).where(jobs.c.id == id).values(position=position))
        return self.job(id)

    def remove(self, id: int) -> None:
        """Forget a job that no worker has. Raises InputError."""
        with self.writing() as connection:
            gone = connection.execute(sa.delete(jobs).where(jobs.c.id == id, IDLE_ROW)).rowcount
        if not gone:
            raise refused(self.job(id), states(Action.REMOVE))

    def bin(self, id: int, files: bool = False) -> None:
        """Put a job that no worker has into the bin, to be removed later, with its results or without.

        There it is no job for anybody, until it is restored. Raises InputError.
        """
        thrown = {"binned": self.now(), "binned_files": files, **TURNED}
        mine = (jobs.c.id == id) & IDLE_ROW & ~BINNED
        with self.writing() as connection:
            gone = connection.execute(sa.update(jobs).where(mine).values(thrown)).rowcount
        if not gone:
            raise refused(self.job(id), states(Action.REMOVE))

    def bin_new(self) -> list[int]:
        """Put all jobs into the bin that wait and were never begun: their numbers, in their order."""
        thrown = {"binned": self.now(), "binned_files": False, **TURNED}
        with self.writing() as connection:
            return listing.bin_new(connection, thrown)

    def restore(self, id: int) -> Job:
        """Take a job out of the bin, as it was. Raises InputError for a number that is in no bin, nor anywhere."""
        back = {"binned": None, "binned_files": None, **TURNED}
        with self.writing() as connection:
            connection.execute(sa.update(jobs).where(jobs.c.id == id, BINNED).values(back))
        return self.job(id)

    def binned(self) -> list[Job]:
        """The jobs in the bin."""
        return self._rows(BINNED)

    def recover(self) -> list[Job]:
        """Find the jobs whose worker died and let them wait again, to go on from their checkpoints.

        A job that takes its worker with it again and again has failed, one that was to be stopped has stopped.
        """
        asked = sa.select(jobs.c.id, jobs.c.runner, jobs.c.beat).where(jobs.c.status.in_(ACTIVE), ~BINNED)
        now = self.now()
        with self.reading() as connection:  # of a thousand jobs that run, only what tells who is dead
            dead = [id for id, runner, beat in connection.execute(asked) if not _lives(runner, beat, now)]
        found = [job for job in self.select(dead) if job.status.active and not self._alive(job)]
        return [row for job in found if (row := self._bury(job)) is not None]

    def events(self, id: int, after: int = 0) -> list[Told]:
        """What a job said, without what it said up to number `after`."""
        asked = sa.select(events).where(events.c.job == id, events.c.number > after, NUMBERED)
        with self.reading() as connection:
            return [told(row) for row in connection.execute(asked.order_by(events.c.number))]

    def follow(self, id: int, after: int = 0, until: Reached = lambda job: job.status.terminal) -> Iterator[Told]:
        """What a job said and says, from the beginning or behind a number, until its row is `until`.

        Blocks between two events. Any number of followers may follow from any process, and see the same, but for
        how far it is: of that each sees the latest. A job whose worker dies meanwhile is recovered. Ends where the job
        is removed.
        """
        self.job(id)
        progress, glanced = None, -math.inf
        while (job := self.find(id)) is not None:  # read before its events, so that none of them is missing
            for entry in self.events(id, after) if job.said > after or job.status.terminal or job.damaged else ():
                after = entry.number
                yield entry
            if job.progress is not None and job.progress != progress:
                yield Told(job=id, number=after, time=self.now(), event=job.progress)
            progress = job.progress
            if until(job):
                return
            if job.status.active and (now := time.monotonic()) >= glanced + GLANCE:
                glanced = now
                if not self._alive(job):
                    self._bury(job)
                    continue
            time.sleep(PACE)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        with reaching(self._engine.url), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, lasting: bool = False, passing: bool = False) -> Iterator[sa.Connection]:
        """A transaction of its own; on SQLite it is the only writer from its beginning on.

        A `lasting` one outlasts a power cut from its end on, and others once there was such a one or some time later.
        On a server, whose crash workers live through, all do but `passing` ones, which are written anew within seconds.
        """
        with (
            reaching(self._engine.url),
            self._engine.connect().execution_options(writing=True, lasting=lasting, passing=passing) as connection,
            connection.begin(),
        ):
            yield connection

    def _rows(self, where: sa.ColumnElement[bool]) -> list[Job]:
        with self.reading() as connection:
            return [Job.of(row) for row in connection.execute(sa.select(jobs).where(where))]

    def _turn(self, where: sa.ColumnElement[bool], values: Mapping[str, Any], said: Sequence[Event]) -> Job | None:
        """Change the row that is meant, then say so; None where it is not as it was meant."""
        new, now = {**values, **TURNED, "said": jobs.c.said + len(said)}, self.now()
        with self.writing("status" in values, passing=values.keys() == {"progress"}) as connection:
            row = connection.execute(sa.update(jobs).where(where).values(new).returning(jobs)).first()
            if row is None:
                return None
            return _say(connection, now, Job.of(row), *said)

    def _alive(self, job: Job) -> bool:
        return job.runner is not None and alive(job.runner, job.beat, self.now())

    def _bury(self, job: Job) -> Job | None:
        """Take a job from its dead worker; None where somebody else has done so."""
        values: dict[str, Any] = {"runner": None, "beat": None, "ask": None, "progress": None, "status": Status.WAITING}
        said: list[Event] = []
        if job.status == Status.STOPPING:
            values |= {"status": Status.STOPPED, "ended": self.now()}
        elif job.attempts >= ATTEMPTS:
            lost = Failed("error.job.died", {"attempts": job.attempts})
            values |= {"status": Status.FAILED, "ended": self.now(), "error": {"id": lost.id, "values": lost.values}}
            said.append(lost)
        mine = (jobs.c.id == job.id) & jobs.c.status.in_(ACTIVE)
        if "runner" not in job.damaged:
            mine &= jobs.c.runner == job.runner
        return self._turn(mine, values, [*said, Changed(values["status"])])


def refused(job: Job, wanted: Collection[Status]) -> InputError:
    """What says that something is not done to a job in its state, but in those that are wanted."""
    return InputError("error.job.state", job=job.id, status=job.status, wanted=", ".join(sorted(wanted)))


def _asked(connection: sa.Connection, once: str) -> list[Job]:
    rows = connection.execute(sa.select(jobs).where(jobs.c.once == once).order_by(jobs.c.id))
    return [Job.of(row) for row in rows]


def _of(runner: str) -> sa.ColumnElement[bool]:
    return (jobs.c.runner == runner) & jobs.c.status.in_(ACTIVE)


def _lives(runner: object, beat: object, now: float) -> bool:
    """The same as of a job, by columns as they are."""
    return isinstance(runner, str) and alive(runner, beat if isinstance(beat, float) else None, now)


def _say(connection: sa.Connection, now: float, job: Job, *said: Event) -> Job:
    """Keep events under the next numbers, and the row's count of them where it was damaged; the row then."""
    number = job.said
    for event in said:
        last = sa.select(sa.func.coalesce(sa.func.max(events.c.number), 0)).where(NUMBERED, events.c.job == job.id)
        values = {"job": job.id, "number": last.scalar_subquery() + 1, "time": now, "body": dump(event)}
        number = connection.execute(sa.insert(events).values(values).returning(events.c.number)).scalar_one()
    if number != job.said:
        mended = sa.update(jobs).where(jobs.c.id == job.id).values(said=number, **TURNED).returning(jobs)
        job = Job.of(connection.execute(mended).one())
    return job
