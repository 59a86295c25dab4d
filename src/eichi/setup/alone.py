"""One set-up at a time: a lock of the system's beside the environment, which goes with the process that holds it.

A mark in the environment cannot tell a set-up that was interrupted from one that is running. Nothing here but the
standard library: the program's own locks are a library's, which is not there yet.
"""

import errno
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

TAKEN = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)  # what systems say of a lock that somebody holds
PAUSE = 0.2  # seconds between two looks


@contextmanager
def alone(environment: Path, waiting: Callable[[], object]) -> Iterator[None]:
    """Hold the lock of an environment; `waiting` is called once where another process has it. Raises OSError.

    Where the disk knows no locks, as some of a network's do, nobody is kept out.
    """
    with environment.with_name(f"{environment.name}.lock").open("ab") as file:
        if not _take(file):
            waiting()
            while not _take(file):
                time.sleep(PAUSE)
        yield


def _take(file: BinaryIO) -> bool:
    """Whether the lock is ours, until the file is closed."""
    try:
        _lock(file)
    except OSError as error:
        return error.errno not in TAKEN
    return True


if sys.platform == "win32":
    import msvcrt

    def _lock(file: BinaryIO) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
