"""`python -m benchmarks.cluster`: 200 jobs over three machines on PostgreSQL, while 60 times something is killed.

The page takes the jobs, one by one, and is asked again where it did not answer; machines work on them; the killer goes
by its seed, which is printed. In the end every job must be done, once, by one worker at a time, and have left the bytes
that it leaves when nobody disturbs it, and nothing else may be left. Takes half an hour or so.
"""

import argparse
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.cluster.checks import (
    check_alone,
    check_done,
    check_nothing_left,
    check_once,
    check_same,
    digests,
    exchanged,
    stem,
)
from benchmarks.cluster.disguise import Diary
from benchmarks.cluster.kills import Killer, Kind, burying
from benchmarks.cluster.machines import Machine, Page, Shape, machines
from benchmarks.postgres import postgres
from benchmarks.printing import printing
from eichi.jobs.store import Store

KINDS: dict[str, dict[str, Any]] = {
    "reverse": {"model": "tiny", "output": {"latents": True, "stills": True}},
    "forward": {"model": "tiny-f1", "output": {"frames": "last"}},
    "loop": {"model": "tiny", "keyframes": {"loop": "seamless"}},
}
COMMON = {"prompt": "star", "seconds": 2, "section_size": 0.5, "seed": 1, "sampling": {"steps": 2}}
LINES = 16  # of the diary for a job that nobody disturbs
SPACING = 1.8  # a kill comes after up to so many times the lines that there are for one
WAITING = 20  # jobs that are asked for and not done, at the most
QUIET = 900  # seconds in which something has to happen
LOOK = 0.2

Say = Callable[[str], object]


class Asker:
    """Asks the page for jobs, one by one, for as long as it takes; `jobs` are those that it was told of, by kind."""

    def __init__(self, page: Page, count: int) -> None:
        self.page, self.count = page, count
        self.picture = str(files("eichi") / "demo" / "picture.jpg")
        self.jobs: dict[int, str] = {}
        self.repeated = 0

    def ask(self) -> None:
        """Ask for the next job; what was not answered is asked again, by the same key."""
        kind = list(KINDS)[len(self.jobs) % len(KINDS)]
        made = self.page.start({"image": self.picture, **COMMON, **KINDS[kind]}, f"cluster-{len(self.jobs)}")
        if made is None:
            self.repeated += 1
            return
        assert made not in self.jobs, f"two requests have become job {made}"
        self.jobs[made] = kind

    @property
    def over(self) -> bool:
        return len(self.jobs) == self.count


def undisturbed(folder: Path, say: Say) -> dict[str, dict[str, str]]:
    """What a job of each kind leaves on one machine, in peace."""
    folder.mkdir()
    url = f"sqlite:///{folder / 'jobs.db'}"
    with machines(folder, url, folder / "diary", Shape(1)) as (made, page), Store(url) as store:
        asker, ended = Asker(page, len(KINDS)), 0
        until = time.monotonic() + QUIET
        while ended < len(KINDS):
            assert time.monotonic() < until, f"nobody works: {told(made)}"
            if not asker.over:
                asker.ask()
            ended = sum(job.status.terminal for job in store.jobs())
            time.sleep(LOOK)
        jobs = check_done(store, asker.jobs)
    left = digests(folder / "outputs")
    say(f"undisturbed: {', '.join(KINDS)}")
    return {asker.jobs[job.id]: left[stem(job)] for job in jobs}


def torture(jobs: int, kills: int, seed: int, folder: Path, shape: Shape, say: Say) -> Counter[Kind]:
    """Have jobs made while things are killed; what was killed, by kind. Raises AssertionError."""
    say(f"seed {seed}")
    whole = undisturbed(folder / "whole", say)
    here = folder / "cluster"
    here.mkdir()
    diary = Diary(here / "diary")
    with postgres(folder / "server") as server:
        url = server.database()
        with machines(here, url, diary.path, shape) as (made, page):
            asker = Asker(page, jobs)
            killer = Killer(seed, server, str(sa.make_url(url).database), made, diary)
            with burying(diary.path):
                rest(made, asker, killer, kills, say)
            fetched(url, made)
        diary.look()
        with Store(url) as store:
            done = check_done(store, asker.jobs)
            check_nothing_left(store, [machine.home for machine in made])
    check_same(done, asker.jobs, here / "outputs", whole)
    check_once(diary.lines, asker.jobs)
    moved = check_alone(diary.lines)
    say(
        f"{killer.done.total()} kills ({', '.join(f'{kind} {count}' for kind, count in killer.done.items())}), "
        f"{jobs} jobs, seed {seed}: each made once, the same bytes; {moved} changed hands, "
        f"{asker.repeated} requests were sent again"
    )
    return killer.done


def rest(made: list[Machine], asker: Asker, killer: Killer, kills: int, say: Say) -> None:
    """Ask, kill and start again until all is done."""
    chance, diary, after, news = random.Random(killer.seed), killer.diary, 0, time.monotonic()
    finished, lines = 0, 0
    while finished < asker.count:
        for machine in made:
            machine.mend()
        if not asker.over and len(asker.jobs) - finished < WAITING:
            asker.ask()
        if (now := diary.look()) > lines:
            lines, news = now, time.monotonic()
        finished = max(finished, killer.ended())
        assert time.monotonic() < news + QUIET, f"nothing happens: {told(made)}"
        left = kills - killer.done.total()
        if left and lines >= after and (hit := killer.strike()):
            say(f"  {finished} done; {hit}")
            # As many lines as a job has, times those that are to come, parted by the kills to come.
            to_come = max(asker.count - finished, 1) * LINES / left
            after = lines + chance.randint(1, max(1, round(SPACING * to_come)))
        time.sleep(LOOK)


def fetched(url: str, made: list[Machine]) -> None:
    """Wait until the first machine has fetched what the others made."""
    until = time.monotonic() + QUIET
    with Store(url) as store:
        while left := exchanged(store):
            assert time.monotonic() < until, f"not fetched: {left}, {told(made)}"
            for machine in made:
                machine.mend()
            time.sleep(LOOK)


def told(made: list[Machine]) -> str:
    """The last that the machines said."""
    return "\n".join((machine.folder / "said.txt").read_text(encoding="utf-8")[-2000:] for machine in made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--place", default="", help="where files are exchanged: store; one folder for all if empty")
    parser.add_argument("--ray", action="store_true", help="the first machine's worker is started by Ray")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(number))  # so that nothing is left running
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server is somebody else
        shape = Shape(given.workers, given.place, given.ray)
        torture(given.jobs, given.kills, given.seed, folder, shape, say)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with printing():
        main()
