"""The device that a worker has, and the lock by which one of several that want it works.

A file for each device, in the home folder, which the system lets go of when its holder dies. Knows no jobs.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from eichi.errors import EichiError, FolderError
from eichi.files import private
from eichi.jobs.slots import physical
from eichi.models.device import pick_device
from eichi.settings import Settings

LOCKS = "devices"


@contextmanager
def locked(settings: Settings, number: int) -> Iterator[FileLock]:
    """The lock of a worker's device, not taken yet, which is let go in the end. Raises FolderError."""
    path = settings.home / LOCKS / f"{device_name(settings, number)}.lock"
    with _locking(path.parent):
        private(path.parent)
    lock = FileLock(path, timeout=0, thread_local=False)
    try:
        yield lock
    finally:
        lock.release()


def device_name(settings: Settings, number: int = 1) -> str:
    """What files of a worker are called by: its device, and its number among those that share it; none where there is
    no device, as each job will say.
    """
    try:
        device = pick_device(settings.device)
    except EichiError:
        return "none"
    kind = f"cuda-{physical(device.index or 0)}" if device.type == "cuda" else str(device)
    return re.sub(r"[^\w.-]", "-", kind if number == 1 else f"{kind}-{number}")


def take(device: FileLock) -> bool:
    """Take a device unless it is ours or somebody else's; whether it is ours. Raises FolderError."""
    with _locking(Path(device.lock_file).parent), suppress(Timeout):
        if not device.is_locked:
            device.acquire()
    return device.is_locked


@contextmanager
def _locking(folder: Path) -> Iterator[None]:
    """The one place where the system's complaints about the folder of locks become ours."""
    try:
        yield
    except OSError as error:
        raise FolderError("error.folder.write", folder=folder, reason=error) from error
