"""The device that a worker has, and the lock by which one of several that want it works.

A file for each device, in the home folder, which the system lets go of when its holder dies. Who computes one video
with several cards has those of all of them. Knows no jobs.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from eichi.errors import EichiError, FolderError
from eichi.files import private
from eichi.jobs.slots import physical
from eichi.models.device import pick_device
from eichi.settings import Settings

LOCKS = "devices"


class Devices:
    """The locks of what a worker computes with: it has all of them or none."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.folder = folder
        # In one order for all, so that of two who want the same cards one gets them.
        self._locks = [FileLock(folder / f"{name}.lock", timeout=0, thread_local=False) for name in sorted(names)]

    @property
    def is_locked(self) -> bool:
        return all(lock.is_locked for lock in self._locks)

    def acquire(self, timeout: float = 0) -> None:
        """Raises Timeout where one of them is somebody else's, OSError."""
        try:
            for lock in self._locks:
                lock.acquire(timeout)
        except (Timeout, OSError):
            self.release()
            raise

    def release(self) -> None:
        for lock in self._locks:
            lock.release()


@contextmanager
def locked(settings: Settings, number: int) -> Iterator[Devices]:
    """The locks of a worker's device, not taken yet, which are let go in the end. Raises FolderError."""
    folder = settings.home / LOCKS
    with _locking(folder):
        private(folder)
    locks = Devices(folder, _names(settings, number))
    try:
        yield locks
    finally:
        locks.release()


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


def _names(settings: Settings, number: int) -> list[str]:
    """What a worker's devices are called, each of those that compute one video."""
    with suppress(EichiError):
        device = pick_device(settings.device)
        if device.type == "cuda" and settings.gpus > 1:
            return [f"cuda-{physical(index)}" for index in range(settings.gpus)]
    return [device_name(settings, number)]


def take(device: Devices) -> bool:
    """Take a device unless it is ours or somebody else's; whether it is ours. Raises FolderError."""
    with _locking(device.folder), suppress(Timeout):
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
