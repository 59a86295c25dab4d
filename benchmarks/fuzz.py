"""Damaged files by the ten thousand: `make fuzz`.

The kinds of files and the damage are those of `tests.fuzz`, which tries some hundreds; here it is as many as are asked
for. Each is read in a process that is watched: one that does not answer in time, or dies, counts as a fault as any
exception that is not our own does. Told are the slowest file and the one that took the most memory beyond what the
libraries hold. A fault is named by its kind and number, which `damaged` makes it from again.
"""

import argparse
import multiprocessing
import os
import re
import shutil
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import click

LIMIT_SECONDS = 10.0
LIMIT_MEMORY = 600 * 2**20
START_SECONDS = 120.0  # importing the libraries, and making the real files


@dataclass(frozen=True)
class Case:
    """One damaged file and what became of it. `memory` in bytes; `fault` is empty where all was well."""

    kind: str
    number: int
    seconds: float = 0.0
    memory: int = 0
    fault: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.number}: {self.seconds:.2f} s, {self.memory / 2**20:.0f} MB {self.fault}"


def work(pipe: Connection) -> None:
    """Read what is asked for over the pipe, until nothing more is."""
    os.environ["OMP_NUM_THREADS"] = "1"
    warnings.simplefilter("error")
    from tests.fuzz.readers import KINDS, attempt, damaged

    folder = Path(tempfile.mkdtemp())
    os.environ["EICHI_HOME"] = str(folder / "home")
    try:
        while (asked := pipe.recv()) is not None:
            kind, number = asked
            data = damaged(kind, number)
            before, start, fault = _reset(), time.perf_counter(), ""
            try:
                attempt(KINDS[kind], data, folder)
            except BaseException as error:  # noqa: BLE001  # what is looked for
                last = traceback.extract_tb(error.__traceback__)[-1]
                fault = f"{type(error).__name__}: {str(error)[:160]} ({last.filename}:{last.lineno})"
            pipe.send(Case(kind, number, time.perf_counter() - start, max(0, _peak() - before), fault))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _reset() -> int:
    """Let the system measure the peak of memory anew; what is held now. Linux only; elsewhere nothing is measured."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _peak()


def _peak() -> int:
    try:
        return int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))[0]) * 1024
    except (OSError, IndexError):
        return 0


class Reader:
    """A process that reads, and is replaced where it hangs or dies."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=work, args=(other,), daemon=True)
        self.process.start()
        other.close()
        self.fresh = True

    def read(self, kind: str, number: int) -> Case:
        limit = LIMIT_SECONDS + (START_SECONDS if self.fresh else 0)
        self.fresh = False
        self.pipe.send((kind, number))
        try:
            if self.pipe.poll(limit):
                case: Case = self.pipe.recv()
                return case
            fault = "does not end"
        except EOFError:
            fault = "the process died"
        self.process.kill()
        self.process.join()
        self._start()
        return Case(kind, number, limit, 0, fault)

    def close(self) -> None:
        self.pipe.send(None)
        self.process.join()


def fuzz(count: int, jobs: int, only: str | None = None) -> Iterator[Case]:
    """Read `count` damaged files, the kinds in turn."""
    from tests.fuzz.readers import KINDS

    kinds = [only] if only else list(KINDS)
    todo = [(kinds[order % len(kinds)], order // len(kinds)) for order in range(count)]
    shares = [todo[start::jobs] for start in range(jobs)]
    readers = [Reader() for _ in shares]

    def go(pair: tuple[Reader, list[tuple[str, int]]]) -> list[Case]:
        reader, share = pair
        found = [reader.read(kind, number) for kind, number in share]
        reader.close()
        return found

    with ThreadPoolExecutor(jobs) as pool:
        for found in pool.map(go, zip(readers, shares, strict=True)):
            yield from found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--kind", help="this kind of file only")
    given = parser.parse_args()
    cases = list(fuzz(given.count, given.jobs, given.kind))
    slow = [case for case in cases if case.seconds > LIMIT_SECONDS]
    large = [case for case in cases if case.memory > LIMIT_MEMORY]
    wrong = [case for case in cases if case.fault]
    for case in wrong:
        click.echo(f"fault: {case}")
    click.echo(f"{len(cases)} files, {len(wrong)} faults, {len(slow)} too slow, {len(large)} too large")
    click.echo(f"slowest: {max(cases, key=lambda case: case.seconds)}")
    click.echo(f"largest: {max(cases, key=lambda case: case.memory)}")
    raise SystemExit(bool(wrong or slow or large))


if __name__ == "__main__":
    main()
