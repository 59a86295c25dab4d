"""What is done to the machines: something dies, by the seed, after so many lines of the diary.

A worker, a machine's command, the page, the connections to the database, its server, Ray's head. A job that loses its
worker three times in one section counts as one that kills workers, and has failed; so nobody is killed who has a job
that lost two.
"""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import psutil
import psycopg

from benchmarks.cluster.disguise import OVER, Diary, Line, keep
from benchmarks.cluster.machines import Machine
from benchmarks.postgres import Server
from eichi.jobs.store import ATTEMPTS
from eichi.jobs.view import Status

KILL = 9  # SIGKILL, a name that Windows lacks
Kind = Literal["worker", "machine", "page", "connection", "connections", "server", "head"]
WEIGHTS: dict[Kind, int] = {"worker": 8, "machine": 3, "page": 4, "connection": 3, "connections": 2, "server": 1}
HEAD, HEADS = "gcs_server", 4  # the process of Ray's head, and its weight where there is one
ENDED = [status.value for status in Status if status.terminal]
BACKENDS = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid() ORDER BY pid"

NEAR = 0.1  # seconds


@contextmanager
def burying(path: Path) -> Iterator[None]:
    """Take down all the time who is not there any more: not everybody is killed by name, or says that he leaves."""
    over, diary = threading.Event(), Diary(path)

    def watch() -> None:
        while not over.wait(NEAR):
            diary.look()
            bury(diary)

    watching = threading.Thread(target=watch, name="burying")
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()


def bury(diary: Diary) -> None:
    """Take down who is not there any more and has not said so, as Ray's workers do not when their head dies."""
    known = {line.process for line in diary.lines if line.what in OVER}
    for process in {line.process for line in diary.lines if line.what == "claim"} - known:
        if not _lives(process):
            keep(diary.path, Line("gone", process, "", 0, time.monotonic()))


def _lives(process: int) -> bool:
    """Whether a process does something yet."""
    with suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(process).status() != psutil.STATUS_ZOMBIE)
    return False


class Killer:
    """Kills, and remembers whom: `dead` are processes and when they died, by the clock of the diary."""

    def __init__(self, seed: int, server: Server, database: str, machines: list[Machine], diary: Diary) -> None:
        ray = any(machine.variables.get("EICHI_EXECUTOR") == "ray" for machine in machines)
        self.weights: dict[Kind, int] = {**WEIGHTS, "head": HEADS if ray else 0}
        self.seed, self.chance = seed, random.Random(seed)
        self.server, self.database, self.machines, self.diary = server, database, machines, diary
        self.done: Counter[Kind] = Counter()

    def strike(self) -> str:
        """Kill something; what it was, nothing where nothing of the kind is there."""
        kind = self.chance.choices(list(self.weights), list(self.weights.values()))[0]
        hit = {
            "worker": self._worker,
            "machine": lambda: self._command(self.chance.choice(self.machines[1:])),
            "page": lambda: self._command(self.machines[0]),
            "connection": lambda: self._connections(1),
            "connections": lambda: self._connections(1000),
            "server": self._crash,
            "head": self._head,
        }[kind]()
        self.done[kind] += bool(hit)
        return f"{kind} {hit}" if hit else ""

    def _worker(self) -> str:
        """One of the processes that take jobs."""
        names = {line.process: line.runner for line in self.diary.lines if line.what == "claim"}
        living = [process for process in names if psutil.pid_exists(process) and not self._worn(names[process])]
        return self._kill(self.chance.choice(sorted(living))) if living else ""

    def _worn(self, runner: str) -> bool:
        """Whether a worker, or one of a machine, has a job that lost its worker too often already."""
        with self._reached() as connection:
            asked = "SELECT max(attempts) FROM jobs WHERE starts_with(runner, %s)"
            found = connection.execute(asked, (runner,)).fetchone()
        return found is not None and int(str(found[0] or 0)) >= ATTEMPTS - 1

    def _command(self, machine: Machine) -> str:
        return self._kill(machine.process.pid) if machine.process.poll() is None else ""

    def _head(self) -> str:
        machine = self.machines[0]
        heads = [process.pid for process in machine.processes() if process.name() == HEAD]
        return self._kill(heads[0]) if heads and not self._worn(f"{machine.name}/") else ""

    def ended(self) -> int:
        """How many jobs have ended, 0 while nobody can say."""
        with suppress(psycopg.Error), self._reached() as connection:
            found = connection.execute("SELECT count(*) FROM jobs WHERE status = ANY(%s)", (ENDED,)).fetchone()
            return 0 if found is None else int(str(found[0]))
        return 0

    def _connections(self, most: int) -> str:
        with self._reached() as connection:
            there = [int(str(row[0])) for row in connection.execute(BACKENDS, (self.database,)).fetchall()]
            chosen = self.chance.sample(there, min(most, len(there)))
            for process in chosen:
                connection.execute("SELECT pg_terminate_backend(%s)", (process,))
        return f"{len(chosen)} of {len(there)}" if chosen else ""

    def _crash(self) -> str:
        self.server.crash()
        return "crashed"

    def _reached(self) -> psycopg.Connection[tuple[object, ...]]:
        return self.server.connect(self.database)

    def _kill(self, process: int) -> str:
        with suppress(ProcessLookupError):
            os.kill(process, KILL)
            keep(self.diary.path, Line("killed", process, "", 0, time.monotonic()))
            return str(process)
        return ""
