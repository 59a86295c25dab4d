"""What must be so when all is over. Each check raises AssertionError, naming what is not.

Knows the store, the diary and the folders; not who was killed when, or why.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from difflib import unified_diff
from pathlib import Path

import sqlalchemy as sa

from benchmarks.cluster.disguise import OVER, Line
from eichi.events import Finished
from eichi.jobs.freight import AWAY
from eichi.jobs.schema import Job, pieces, workers
from eichi.jobs.store import Store
from eichi.jobs.view import Status

STEM = len("yymmdd_hhmmss_mmm")


def digests(folder: Path) -> dict[str, dict[str, str]]:
    """Digests of everything in a folder, hidden files too, by the name of the job and the rest of the file's.

    A card is told as it is, so that it can be seen what another one has in its place.
    """
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for path in (path for path in folder.rglob("*") if path.is_file()):
        whole = str(path.relative_to(folder))
        name = whole.removeprefix(".")
        found[name[:STEM]][whole[: -len(name)] + name[STEM:]] = _told(path)
    return dict(found)


def _told(path: Path) -> str:
    content = path.read_bytes()
    return content.decode() if path.suffix == ".json" else hashlib.sha256(content).hexdigest()


def stem(job: Job) -> str:
    """What all files of a finished job are called by."""
    assert isinstance(job.result, Finished)
    return Path(job.result.video).name[:STEM]


def check_done(store: Store, asked: Mapping[int, str]) -> list[Job]:
    """Every job is there once, and done."""
    jobs = store.jobs()
    assert sorted(job.id for job in jobs) == sorted(asked), f"{len(jobs)} jobs, {len(asked)} were asked for"
    undone = [(job.id, job.status, job.error) for job in jobs if job.status != Status.DONE]
    assert not undone, f"not done: {undone}"
    return jobs


def check_same(
    jobs: Iterable[Job], asked: Mapping[int, str], folder: Path, whole: Mapping[str, Mapping[str, str]]
) -> None:
    """Every job has left what one of its kind leaves that nobody disturbs, and nobody has left anything else."""
    made = digests(folder)
    expected: dict[str, str] = {}
    for job in jobs:
        expected[stem(job)] = asked[job.id]
    assert made.keys() == expected.keys(), f"left over: {sorted(made.keys() ^ expected.keys())}"
    for name, kind in expected.items():
        one, other = made[name], whole[kind]
        different = sorted(file for file in one.keys() | other.keys() if one.get(file) != other.get(file))
        before, after = (files.get(next(iter(different), ""), "").splitlines() for files in (other, one))
        told = "\n".join(unified_diff(before, after, n=0, lineterm=""))
        assert not different, f"{name}, {kind}: other bytes in {different}\n{told}"


def check_alone(lines: Sequence[Line]) -> int:
    """Nobody had a job while somebody else had it: who lost one was dead by then. How many jobs changed hands."""
    over = {line.process: line.time for line in lines if line.what in OVER}
    lost = [line for line in lines if line.what == "lost"]
    assert not lost, f"taken from workers that lived: {lost}"
    has: dict[int, Line] = {}
    moved = 0
    for line in (line for line in sorted(lines, key=lambda line: line.time) if line.job):
        before = has.get(line.job)
        if before is not None and before.runner != line.runner:
            assert line.what == "claim", f"{line} after {before}"
            dead = over.get(before.process)
            assert dead is not None and dead < line.time, f"job {line.job} was taken by {line} while {before} had it"
            moved += 1
        if line.what == "end":
            has.pop(line.job, None)
        else:
            has[line.job] = line
    return moved


def check_once(lines: Iterable[Line], asked: Mapping[int, str]) -> None:
    """Every job was finished once."""
    finished = Counter(line.job for line in lines if line.what == "end" and line.kind == Status.DONE)
    wrong = {job: count for job, count in finished.items() if count != 1} | {job: 0 for job in asked.keys() - finished}
    assert not wrong, f"finished so many times: {wrong}"


def check_nothing_left(store: Store, homes: Iterable[Path]) -> None:
    """No worker is listed that is not there, and no files lie about where machines exchange them or work for others."""
    with store.reading() as connection:
        listed = connection.scalars(sa.select(workers.c.runner)).all()
    assert not listed, f"still listed: {listed}"
    assert not (kept := exchanged(store)), f"pieces of files: {kept}"
    away = [path for home in homes for path in (home / AWAY).rglob("*") if path.is_file()]
    assert not away, f"of other machines' jobs: {away}"


def exchanged(store: Store) -> list[str]:
    """The files in the database, without those of requests, which stay."""
    with store.reading() as connection:
        keys = connection.scalars(sa.select(pieces.c.key).distinct().order_by(pieces.c.key)).all()
    return [key for key in keys if not key.startswith("inputs/")]
