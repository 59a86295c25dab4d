"""One crowd for a while at a store of its own, and what came of it: work, waiting, what the database had to do."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from statistics import median
from typing import Protocol
from unittest.mock import patch

import sqlalchemy as sa

from benchmarks.postgres import Server
from benchmarks.scale.clock import Clock, Meter, Tally
from benchmarks.scale.crowd import Crowd, Made
from benchmarks.scale.load import drafts, mean_job
from eichi.jobs import clock as clocks
from eichi.jobs.schema import events, jobs
from eichi.jobs.store import Store

AT_ONCE = 1000  # jobs that are added together


@dataclass(frozen=True)
class Case:
    """What is tried: so many workers until so many jobs are done, with `deaths` of each in an hour.

    `load` is the share of the workers that arriving jobs keep at work, None where the whole queue is there before.
    """

    workers: int
    jobs: int
    deaths: float = 0.0
    sorting: bool = True
    load: float | None = None
    seed: int = 1


@dataclass(frozen=True)
class Found:
    """What came of a case. `efficiency` is the share of the workers' time that is in finished sections, `loading` the
    share that went into reading models; `busy` is the database's share of its own.
    """

    database: str
    case: Case
    efficiency: float
    loading: float
    lost: float  # share of the workers' time, in sections that were not finished
    an_hour: float
    statements: float
    busy: float
    waited: tuple[float, float]  # seconds until a job was begun: in the median, and of the slowest twentieth
    deaths: int
    failed: int
    stolen: int
    seconds: float  # that this took
    tallies: dict[str, Tally]


class Database(Protocol):
    """Where stores are made, each for one case."""

    name: str
    lanes: int
    network: float
    count: int  # jobs of a store that has all

    def fresh(self, full: bool) -> AbstractContextManager[str]:
        """The URL of a store, with all the jobs to come or none; it goes with its end."""
        ...


class Files:
    """Database files in a folder."""

    name, lanes, network = "SQLite", 1, 0.0

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count = folder, count

    @contextmanager
    def fresh(self, full: bool) -> Iterator[str]:
        before, here = self.folder / "full.db", self.folder / "jobs.db"
        if full and not before.exists():
            fill(f"sqlite:///{before}", self.count)
        if full:
            shutil.copy(before, here)
        yield f"sqlite:///{here}"
        for ending in ("", "-wal", "-shm"):
            Path(f"{here}{ending}").unlink(missing_ok=True)


class Databases:
    """Databases of a server, which stands elsewhere: a statement is on its way for half a millisecond."""

    name, lanes, network = "PostgreSQL", 2, 0.0005

    def __init__(self, server: Server, count: int) -> None:
        self.server, self.count = server, count
        self._full: str | None = None

    @contextmanager
    def fresh(self, full: bool) -> Iterator[str]:
        if full and self._full is None:
            made = self.server.database()
            fill(made, self.count)
            self._full = sa.make_url(made).database
        url = self.server.database(self._full if full else None)
        yield url
        self.server.drop(str(sa.make_url(url).database))


def fill(url: str, count: int) -> None:
    """A store with so many jobs that wait: the first ones as they are added, the others like them."""
    with Store(url) as full:
        first = full.add(drafts(min(AT_ONCE, count)))
        last = max(job.position for job in first)
        with full.writing() as connection:
            for turn_of in range(1, ceil(count / AT_ONCE)):
                least = turn_of * AT_ONCE
                some = jobs.c.id <= min(AT_ONCE, count - least)
                moved = {"id": jobs.c.id + least, "position": jobs.c.position + turn_of * last}
                _copied(connection, jobs, moved, some)
                _copied(
                    connection,
                    events,
                    {"job": events.c.job + least},
                    events.c.job.in_(sa.select(jobs.c.id).where(some)),
                )


def _copied(
    connection: sa.Connection, table: sa.Table, moved: dict[str, sa.ColumnElement[int]], some: sa.ColumnElement[bool]
) -> None:
    """Rows like some that are there, with other numbers."""
    columns = [moved.get(column.name, column) for column in table.c]
    connection.execute(
        sa.insert(table).from_select([column.name for column in table.c], sa.select(*columns).where(some))
    )


def measure(database: Database, case: Case) -> Found:
    """Let a crowd work until its jobs are done."""
    begun = time.perf_counter()
    with database.fresh(case.load is None) as url, Store(url) as opened:
        clock = Clock(Meter(opened._engine), database.lanes, database.network)
        waiting = 0 if case.load is not None else database.count
        crowd = Crowd(opened, clock, case.workers, case.deaths, case.seed, case.sorting, waiting)
        if case.load is not None:
            crowd.arrive(drafts(AT_ONCE), case.load * case.workers / mean_job(crowd.cards))
        with lived(clock.time):
            crowd.start()
            clock.run(lambda: crowd.made.done + crowd.made.failed >= case.jobs)
    return found(database, case, clock, crowd.made, time.perf_counter() - begun)


def found(database: Database, case: Case, clock: Clock, made: Made, seconds: float) -> Found:
    """What came of it, by shares."""
    passed = clock.now - clock.begun
    whole, waited = passed * case.workers, sorted(made.waited) or [0.0]
    return Found(
        database=database.name,
        case=case,
        efficiency=made.useful / whole,
        loading=made.loading / whole,
        lost=made.lost / whole,
        an_hour=3600 * made.done / passed,
        statements=sum(tally.statements for tally in clock.tallies.values()) / passed,
        busy=clock.busy / passed / database.lanes,
        waited=(median(waited), waited[int(0.95 * (len(waited) - 1))]),
        deaths=made.deaths,
        failed=made.failed,
        stolen=made.stolen,
        seconds=seconds,
        tallies=clock.tallies,
    )


@contextmanager
def lived(now: Callable[[], float]) -> Iterator[None]:
    """The store goes by another clock."""
    with patch.object(clocks.Clock, "now", lambda clock: now()):
        yield
