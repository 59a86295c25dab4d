"""What every Python process of a machine that is played begins with: another name, a short lease, a diary.

The machines are real commands in processes of this one. By its name a process is told from those of other machines, of
which nothing is known but their signs of life; with the lease that is real, every kill would cost a minute. In the
diary stands, line by line, what the store let whom do: it outlasts the process, as a file does.
"""

import atexit
import json
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME, DIARY = "CLUSTER_NAME", "CLUSTER_DIARY"
BEAT, LEASE = 2.0, 20.0
# Put into a folder that Python looks into first, under the name that it loads at the start of every process.
START = "from benchmarks.cluster.disguise import put_on; put_on()"


OVER = ("left", "killed", "gone")


@dataclass(frozen=True)
class Line:
    """Somebody did something, at a time of the clock that all processes here have in common.

    `what` is what was done to the store, "lost" where it was too late for that; "left", "killed" and "gone" where a
    process has ended, the last where that was only seen: it is about no job then, which is 0. `kind` is the kind of an
    event, or the state that a job ended in.
    """

    what: str
    process: int
    runner: str
    job: int
    time: float
    kind: str = ""


def put_on() -> None:
    """Become a process of a machine."""
    name = os.environ.get(NAME)
    if name is None:
        return
    socket.gethostname = lambda: name
    from eichi.jobs import runner

    runner.BEAT, runner.LEASE = BEAT, LEASE
    from eichi.jobs.store import Lost, Store

    def told(what: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(store: Store, first: Any, *given: Any, **named: Any) -> Any:
            whose, job = (first, 0) if isinstance(first, str) else (str(first.runner), int(first.id))
            kind = "" if what != "record" else str(getattr(next(iter(given), None), "kind", ""))
            try:
                answer = call(store, first, *given, **named)
            except Lost:
                write("lost", whose, job, kind)
                raise
            if answer is not None:
                write(what, whose, int(answer.id), str(answer.status) if what == "end" else kind)
            return answer

        return wrapped

    for what in ("claim", "record", "end"):
        setattr(Store, what, told(what, getattr(Store, what)))
    atexit.register(write, "left", "", 0)


def write(what: str, runner: str, job: int, kind: str = "") -> None:
    """A line of the diary about this process."""
    keep(Path(os.environ[DIARY]), Line(what, os.getpid(), runner, job, time.monotonic(), kind))


def keep(diary: Path, line: Line) -> None:
    """Put a line into a diary that others write to as well, whole or not at all."""
    file = os.open(diary, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(file, json.dumps(vars(line)).encode() + b"\n")
    finally:
        os.close(file)


class Diary:
    """What stands there so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[Line] = []
        self._read = 0
        path.touch()

    def look(self) -> int:
        """Read on; how many lines there are."""
        with self.path.open("rb") as file:
            file.seek(self._read)
            for line in file:
                if line.endswith(b"\n"):
                    self._read += len(line)
                    self.lines.append(Line(**json.loads(line)))
        return len(self.lines)
