"""`python -m benchmarks.scale`: crowds of 1 to 1,000 workers at a store with 100,000 jobs, for measured/scale.md.

Takes about an hour, most of it for the large crowds; `--jobs` and `--most` make it shorter. A PostgreSQL server has to
be installed; it is started in a folder of its own.
"""

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.postgres import postgres
from benchmarks.printing import printing
from benchmarks.scale.load import CARDS, times
from benchmarks.scale.measure import Case, Database, Databases, Files, Found, measure
from benchmarks.scale.table import COLUMNS, calls, row, table

WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)
A_DAY, AN_HOUR = 1 / 24, 1.0  # deaths of a worker
LEAST, MOST = 100, 2000  # jobs that a crowd does, unless it does all
EACH = 10  # of these, for each worker

Say = Callable[[str], object]


def crowds(counts: Sequence[int], jobs: int, done: int) -> Iterator[Case]:
    """Crowds of every size at a queue with all the jobs; the largest does so many as are to be `done`."""
    for workers in counts:
        yield Case(workers, min(done, jobs) if workers == max(WORKERS) else enough(workers, jobs))


def troubled(workers: int, jobs: int) -> Iterator[Case]:
    """A crowd whose workers die, one that loads whatever comes, and some that wait for work."""
    done = enough(workers, jobs)
    for deaths in (A_DAY, AN_HOUR):
        yield Case(workers, done, deaths=deaths)
    yield Case(workers, done, sorting=False)
    for load in (0.5, 0.8, 0.95):
        yield Case(workers, done, load=load)


def enough(workers: int, jobs: int) -> int:
    """How many jobs tell what a crowd of a size does."""
    return min(max(LEAST, EACH * workers), max(MOST, 4 * workers), jobs)


def run(database: Database, cases: Iterator[Case], say: Say) -> list[Found]:
    """Try cases; each is said when it is done."""
    made: list[Found] = []
    say(table(COLUMNS))
    for case in cases:
        made.append(measure(database, case))
        say(row(made[-1]))
    say("")
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--done", type=int, default=100_000, help="of these, by the largest crowd")
    parser.add_argument("--most", type=int, default=max(WORKERS), help="workers")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), action="append")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(number))  # so that no server is left running
    counts = [count for count in WORKERS if count <= arguments.most]
    asked = arguments.database or ["postgresql", "sqlite"]
    for card in dict.fromkeys(CARDS):
        own = times(card)
        _say(f"{card}: {own.step:.2f} s a step, {own.section:.0f} s a section, {own.model:.0f} s to read a model")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server is somebody else
        if "postgresql" in asked:
            with postgres(folder / "server") as server:
                _tables(Databases(server, arguments.jobs), counts, arguments.done)
        if "sqlite" in asked:
            _tables(Files(folder, arguments.jobs), counts, arguments.done)


def _tables(database: Database, counts: Sequence[int], done: int) -> None:
    jobs = database.count
    _say(f"\n{database.name}, {jobs} jobs to come\n")
    found = run(database, crowds(counts, jobs, done), _say)
    _say(f"What {found[-1].case.workers} workers asked\n")
    _say(calls(found[-1]))
    for workers in (8, 64, 512):
        if workers <= max(counts):
            run(database, troubled(workers, jobs), _say)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with printing():
        main()
