"""Who runs a job: a worker's name, from which every process can tell whether the worker still lives.

On the same machine the system is asked. Of a worker elsewhere nothing is known but its last sign of life, so that one
counts as dead when it was silent for a whole lease.
"""

import socket
import time
from uuid import uuid4

import psutil

BEAT = 5.0  # seconds between two signs of life
LEASE = 60.0  # seconds of silence after which a worker on another machine counts as dead
# Seconds by which the start of a process may seem to move when the clock is set; numbers are not reused so soon.
DRIFT = 60.0


def new_runner() -> str:
    """The name of a worker in this process: machine, process, when that process started, something unique."""
    process = psutil.Process()
    return f"{socket.gethostname()}/{process.pid}/{process.create_time():.0f}/{uuid4().hex[:8]}"


def alive(runner: str, beat: float | None) -> bool:
    """Whether the worker of that name still lives; `beat` is its last sign of life."""
    try:
        host, number, started, _ = runner.rsplit("/", 3)
        process, begun = int(number), float(started)
    except ValueError:  # no worker of ours has such a name
        return False
    if host != socket.gethostname():
        return beat is not None and time.time() - beat < LEASE
    try:
        found = psutil.Process(process)
        # A process that ended and was not waited for keeps its number.
        dead = found.status() == psutil.STATUS_ZOMBIE
        return not dead and bool(abs(found.create_time() - begun) < DRIFT)
    except (psutil.NoSuchProcess, OverflowError, ValueError):  # or a number that no process can have
        return False
