"""Jobs that are killed again and again must end in the same bytes as jobs that nobody disturbs: `make torture`.

And frames that are encoded again and again, under load, must be one file; see `encodes`.

The real commands run in child processes and die by SIGKILL at a moment drawn from a seed, which is printed: after so
many events, at so many openings and renamings of files, or once so many bytes are in the folder. Nothing here sleeps
or times. Children are forked from a process that has loaded the libraries, so that a kill costs little.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import select
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.resources import files
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

from benchmarks.encodes import encodes
from benchmarks.printing import printing
from eichi.pipeline.checkpoint import sweep
from eichi.video.jobfolder import ENDING

KILL = 9  # SIGKILL, a name that Windows lacks
PATIENCE = 5  # kills of one job before it is left in peace
PRELOAD = ["eichi.cli", "eichi.pipeline.generate", "eichi.prepare"]
COMMON = ["--prompt", "star", "--seconds", "2", "--steps", "2", "--seed", "1", "--set", "section_size=0.5"]
JOBS = {
    "reverse": ["--model", "tiny", "--latents", "--stills"],
    "forward": ["--model", "tiny-f1", "--latents", "--frames", "last"],
    "loop": ["--model", "tiny", "--loop", "seamless"],
}

Kind = Literal["events", "files", "bytes"]
Counted = dict[Kind, int]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Moment:
    """When a child dies."""

    kind: Kind
    count: int

    def __str__(self) -> str:
        return f"{self.kind} {self.count}"


@dataclass
class Run:
    """How a child ended, and what it did until then."""

    code: int = 0
    seen: Counted = field(default_factory=dict)

    @property
    def killed(self) -> bool:
        return self.code == -KILL


class Torture:
    """One job in a folder of its own, tortured until it is done."""

    def __init__(self, name: str, out: Path, say: Say) -> None:
        picture = Path(str(files("eichi"))) / "demo" / "picture.jpg"
        self.start = ["generate", "--image", str(picture), *COMMON, *JOBS[name], "--out", str(out), "--json"]
        self.resume = ["resume", "--out", str(out), "--json"]
        self.name, self.out, self.say = name, out, say

    def undisturbed(self) -> Run:
        """Run the job in peace."""
        run = launch(self.start, self.out, None)
        assert run.code == 0, f"{self.name} ended with {run.code}"
        return run

    def disturbed(self, chance: random.Random, size: Run, most: int) -> int:
        """Kill the job up to `most` times, then let it finish; returns the number of kills. `size` is a whole run."""
        kills = 0
        while not self._finished():
            words = self.resume if list(self.out.glob(f".*{ENDING}/job.json")) else self.start
            moment = draw(chance, size) if kills < most else None
            run = launch(words, self.out, moment)
            assert run.killed or run.code == 0, f"{self.name}: {' '.join(words)} ended with {run.code}"
            kills += run.killed
            self.say(f"  {self.name}: {words[0]} {'killed at ' + str(moment) if run.killed else 'finished'}")
        sweep(self.out)
        return kills

    def _finished(self) -> bool:
        """Whether the result is there and nothing is left to go on with: a job can die while it clears up."""
        return bool(list(self.out.glob("*.mp4"))) and not list(self.out.glob(f".*{ENDING}/job.json"))


def draw(chance: random.Random, size: Run) -> Moment:
    """A moment somewhere in a whole run."""
    kind = chance.choice(list(size.seen))
    return Moment(kind, chance.randint(1, size.seen[kind]))


def digests(folder: Path) -> dict[str, str]:
    """Everything in a folder, hidden files too; a job's name is the time of its start, and left out."""
    stem = len("yymmdd_hhmmss_mmm")
    found = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder))[stem:]: hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def launch(words: Sequence[str], out: Path, moment: Moment | None) -> Run:
    """Run a command in a child that dies at a moment."""
    if sys.platform == "win32":
        raise NotImplementedError("children are forked")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    reader, writer = context.Pipe(duplex=False)
    limit = moment.count if moment is not None and moment.kind == "files" else 0
    child = context.Process(target=command, args=(list(words), str(out), dict(os.environ), limit, writer))
    child.start()
    writer.close()
    assert child.pid is not None
    run = Run()
    for run.seen in watch(reader, out):
        if moment is not None and run.seen[moment.kind] >= moment.count:
            os.kill(child.pid, KILL)
            break
    child.join()
    reader.close()
    run.code = child.exitcode or 0
    return run


def watch(reader: Connection, out: Path) -> Iterator[Counted]:
    """What a child has done so far, again and again until it ends."""
    seen: Counted = {"events": 0, "files": 0, "bytes": 0}
    before, rest = size(out), b""
    while True:
        ready, _, _ = select.select([reader.fileno()], [], [], 0.01)
        if ready:
            chunk = os.read(reader.fileno(), 65536)
            if not chunk:
                return
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                told = json.loads(line)
                seen["events"] += 1
                seen["files"] = told.get("operations", seen["files"])
        seen["bytes"] = max(seen["bytes"], size(out) - before)
        yield dict(seen)


def size(folder: Path) -> int:
    """The bytes in a folder that others write to and remove from: what goes meanwhile does not count."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += os.stat(os.path.join(place, name)).st_size
    return total


def command(words: list[str], out: str, environment: dict[str, str], limit: int, writer: Connection) -> None:
    """In the child: one command of the program. It dies at its `limit`-th operation on a file in `out`, 0 for never."""
    from eichi.cli import main

    operations = 0

    def hook(event: str, given: tuple[object, ...]) -> None:
        nonlocal operations
        if event in ("open", "os.rename", "os.remove") and str(given[0]).startswith(out):
            operations += 1
            if operations == limit:
                os.kill(os.getpid(), KILL)

    os.environ.update(environment)
    os.dup2(writer.fileno(), 1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    sys.addaudithook(hook)
    sys.argv = ["eichi", *words]
    try:
        main()
    finally:
        os.write(1, json.dumps({"operations": operations}).encode() + b"\n")


def torture(names: Sequence[str], kills: int, seed: int, folder: Path, say: Say) -> int:
    """Torture jobs in turn until there were so many kills; returns how many. Raises AssertionError for other bytes."""
    chance, done, turn = random.Random(seed), 0, 0
    say(f"seed {seed}")
    whole = {name: Torture(name, folder / name, say) for name in names}
    sizes = {name: job.undisturbed() for name, job in whole.items()}
    while done < kills:
        name = names[turn % len(names)]
        job = Torture(name, folder / f"{name}-{turn}", say)
        done += job.disturbed(chance, sizes[name], min(PATIENCE, kills - done))
        one, other = digests(whole[name].out), digests(job.out)
        different = sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))
        assert not different, f"seed {seed}, job {turn} ({name}): other bytes in {different}"
        turn += 1
    say(f"{done} kills in {turn} jobs, seed {seed}: always the same bytes")
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--encodes", type=int, default=300)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["EICHI_HOME"] = f"{folder}/home"
        torture(list(JOBS), arguments.kills, arguments.seed, Path(folder), print)
        different = encodes(arguments.encodes, arguments.seed, Path(folder), print)
        assert different == 1, f"seed {arguments.seed}: equal frames gave {different} files"


if __name__ == "__main__":
    with printing():
        main()
