"""Who runs a job: a worker's name, from which every process can tell whether the worker still lives.

On the same machine the system is asked. Of a worker elsewhere nothing is known but its last sign of life, so that one
counts as dead when it was silent for a whole lease. A container is a machine that begins anew with each start: the next
worker has the number of the one before it, perhaps seconds later, so that the moment of its start has to be exact.
"""

import socket
from pathlib import Path
from uuid import uuid4

import psutil

BEAT = 5.0  # seconds between two signs of life
LEASE = 60.0  # seconds of silence after which a worker on another machine counts as dead
# Seconds by which the start of a process may seem to move when the clock is set, where the system counts no ticks.
DRIFT = 60.0
TICKS = 19  # where they stand behind the name of a process


def new_runner() -> str:
    """The name of a worker in this process: machine, process, when that process started, something unique.

    The ticks of its start, where the system counts them, stand before what is unique.
    """
    process = psutil.Process()
    ticks = _ticks(process.pid)
    unique = uuid4().hex[:8] if ticks is None else f"{ticks}-{uuid4().hex[:8]}"
    return f"{socket.gethostname()}/{process.pid}/{process.create_time():.0f}/{unique}"


def alive(runner: str, beat: float | None, now: float) -> bool:
    """Whether the worker of that name still lives; `beat` is its last sign of life, `now` the time of that clock."""
    try:
        host, number, started, unique = runner.rsplit("/", 3)
        process, begun = int(number), float(started)
    except ValueError:  # no worker of ours has such a name
        return False
    if host != socket.gethostname():
        return _heard(beat, now)
    try:
        found = psutil.Process(process)
        # A process that ended and was not waited for keeps its number.
        dead = found.status() == psutil.STATUS_ZOMBIE
        same = bool(abs(found.create_time() - begun) < DRIFT)
        ticks, _, named = unique.partition("-")
        if named:
            same = same and ticks == str(_ticks(process))
        return same and not dead
    except psutil.AccessDenied:  # somebody else's, or on Windows one of the system's that was given the number
        return _heard(beat, now)
    except (psutil.NoSuchProcess, OverflowError, ValueError):  # or a number that no process can have
        return False


def _heard(beat: float | None, now: float) -> bool:
    """Whether the last sign of life is not long ago."""
    return beat is not None and now - beat < LEASE


def _ticks(process: int) -> int | None:
    """When a process started, in ticks since the machine did, which no clock moves; None where none are counted."""
    try:
        told = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
        return int(told.rpartition(")")[2].split()[TICKS])
    except (OSError, ValueError, IndexError):
        return None
