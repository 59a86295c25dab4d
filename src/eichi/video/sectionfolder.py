"""A hidden folder with the sections of a video, one file of latents each, and the card that says what they are of.

Of two kinds: the folder of a job that is not finished (`jobfolder`), and what is left of it when the job is. On both
another job can build: it takes over the sections that were made first. For those who list jobs, without torch.
"""

import os
import re
import shutil
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count, takewhile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from eichi.catalog import Entry, find
from eichi.errors import DiskError, InputError
from eichi.files import remove, settle
from eichi.options import VideoOptions
from eichi.plan.plan import Plan, make_plan
from eichi.video.card import CARD, FILES, TWIN, file_checksum, read_card, write_card
from eichi.video.latentfile import Latents, save_latents
from eichi.video.metadata import Record

LEFT = ".made"  # how the folder is called that a finished job leaves
KEPT, RECORD, LATENTS = "kept", "record", "latents"
SECTION = re.compile(r"section-(\d+)\.safetensors")
AROUND = re.compile(r"source-[a-z]+(\.[a-z0-9]{1,5})?")  # copies of the videos and the sound that it is made for
JOINED = re.compile(rf"kept-(\d+\.safetensors|{AROUND.pattern})")
ENDED = re.compile(r"\.[a-z0-9]{1,5}")
LIMIT = 4 * 2**30  # bytes of sections that finished jobs keep in one folder: about a thousand of 640 pixels
SHARE = 4  # no more than this part of what is free


@dataclass(frozen=True)
class SectionFolder:
    """A folder of sections and its card."""

    folder: Path

    @property
    def begun(self) -> bool:
        """Whether there is something to go on from."""
        return any((self.folder / name).is_file() for name in (CARD, TWIN))

    @property
    def made(self) -> int:
        """How many sections lie here, from the first one made on, without one that is missing."""
        try:
            names = set(os.listdir(self.folder))
        except OSError:
            return 0
        return sum(1 for _ in takewhile(lambda order: section_file(order) in names, count()))

    @property
    def settled(self) -> int:
        """How many sections were made, whether they are whole now or lost: what is lost is made as it was."""
        card = self.card()
        if FILES not in card:  # of a version before there were any
            return self.made
        found = [int(section[1]) for name in card[FILES] if (section := SECTION.fullmatch(name))]
        return max(found, default=-1) + 1

    def card(self) -> Record:
        """What the sections are of. Raises InputError."""
        return read_card(self.folder)[0]

    def files(self) -> dict[str, str]:
        """The checksums of the files that are finished. Raises InputError."""
        return dict(self.card().get(FILES, {}))

    def plan(self, entry: Entry | None = None, options: VideoOptions | None = None) -> Plan:
        """The plan that the sections are made by; `options` are those of the card if left out. Raises InputError."""
        card = self.card()
        options = options or VideoOptions.parse(card["request"])
        # The pictures were fitted already, and a fitted picture's own size is the nearest.
        plan = make_plan(options, entry or find(options.model), (card["width"], card["height"]))
        return replace(plan, kept=card.get(KEPT, 0))

    def latents(self, plan: Plan, orders: int) -> Latents:
        """The latents of the first sections of a plan, in the order of time. Raises InputError for a damaged one."""
        sections, sums = plan.sections[:orders], self.files()
        runs = {one.first: self._section(one.order, sums.get(section_file(one.order), "")) for one in sections}
        return Latents(np.concatenate([runs[first] for first in sorted(runs)], axis=2), min(runs))

    def _section(self, order: int, checksum: str) -> NDArray[np.float32]:
        path = self.folder / section_file(order)
        try:
            if checksum and file_checksum(path) != checksum:
                raise InputError("error.latents.damaged", path=path, reason="reason.checksum")
            return load_file(path)[LATENTS]
        except (OSError, SafetensorError, KeyError) as error:
            raise InputError("error.latents.damaged", path=path, reason=error) from error


@dataclass(frozen=True)
class Leavings(SectionFolder):
    """What a finished job has left to build on: its sections, the videos and the sound that it was made for, and the
    files that other jobs take these over from.
    """

    def join(self, source: SectionFolder, plan: Plan, orders: int) -> Path:
        """A latent file with the first sections of a plan. Raises InputError, DiskError."""
        latents, path = source.latents(plan, orders), self.folder / joined_file(orders)
        try:
            self.folder.mkdir(0o700, exist_ok=True)
            save_latents(path, latents, source.card().get(RECORD, {}))
        except OSError as error:
            raise DiskError("error.checkpoint.write", folder=self.folder, reason=error) from error
        return path

    def lend(self, source: SectionFolder, name: str, path: Path) -> Path:
        """Where a video or a sound lies that sections were made for: where it lay, or here, a second name of the copy.

        Raises InputError where neither is what it was, DiskError.
        """
        copied = source.folder / source_file(name, path)
        checksum = source.files().get(copied.name, "")
        if not checksum or _holds(path, checksum) or not (path.is_file() or copied.is_file()):
            return path
        if not _holds(copied, checksum):
            raise InputError("error.resume.original", folder=source.folder, path=path, reason="reason.checksum")
        lent = self.folder / f"kept-{copied.name}"
        try:
            self.folder.mkdir(0o700, exist_ok=True)
            if not _holds(lent, checksum):
                remove(lent)
                copy_file(copied, lent)
        except OSError as error:
            raise DiskError("error.checkpoint.write", folder=self.folder, reason=error) from error
        return lent

    def take(self, source: SectionFolder) -> None:
        """Take over the card, the sections and the copies of a job that is finished, whose folder is no job's then.

        Raises OSError, InputError.
        """
        card, files = source.card(), source.files()
        names = [name for name in files if SECTION.fullmatch(name) or AROUND.fullmatch(name)]
        self.forget()
        self.folder.mkdir(0o700, exist_ok=True)
        write_card(self.folder, card | {FILES: {name: files[name] for name in names}})
        for name in (CARD, TWIN):
            remove(source.folder / name)
        for name in names:
            settle(source.folder / name, self.folder / name, lasting=False)

    def forget(self) -> None:
        """Give back the space of the sections. What was joined of them for other jobs stays. Raises OSError."""
        for path in self._there():
            if not JOINED.fullmatch(path.name):
                remove(path)
        self._close()

    def part(self, needed: Collection[Path]) -> None:
        """Remove what was joined for other jobs, but for what is needed. Raises OSError."""
        for path in self._there():
            if JOINED.fullmatch(path.name) and path not in needed:
                remove(path)
        self._close()

    @property
    def joined(self) -> bool:
        """Whether something lies here that was joined for other jobs."""
        with suppress(OSError):
            return any(JOINED.fullmatch(path.name) for path in self._there())
        return True  # whoever removes it finds out

    def _there(self) -> list[Path]:
        return list(self.folder.iterdir()) if self.folder.is_dir() else []

    def _close(self) -> None:
        with suppress(OSError):  # not empty, or not there
            self.folder.rmdir()


def trim_leavings(folder: Path) -> None:
    """Give back the space of the jobs that ended first, where all together keep more than is good. Raises OSError."""
    found = sorted(folder.glob(f".*{LEFT}"), key=lambda path: -path.stat().st_mtime_ns)
    sizes = {
        path: sum(_taken(file) for kind in ("section-*", "source-*") for file in path.glob(kind)) for path in found
    }
    limit = min(LIMIT, (shutil.disk_usage(folder).free + sum(sizes.values())) // SHARE)
    size = 0
    for path in found:
        size += sizes[path]
        if size > limit:
            Leavings(path).forget()


def _taken(file: Path) -> int:
    """The bytes that a file takes alone: what has another name, too, costs nothing."""
    state = file.stat()
    return state.st_size if state.st_nlink == 1 else 0


def _holds(path: Path, checksum: str) -> bool:
    try:
        return file_checksum(path) == checksum
    except OSError:
        return False


def joined_in(folder: Path) -> list[Path]:
    """What was joined of the sections of jobs whose results lie in a folder."""
    return sorted(path for path in folder.glob(f".*{LEFT}/*") if JOINED.fullmatch(path.name))


def section_file(order: int) -> str:
    """What the latents of a section are called."""
    return f"section-{order:04d}.safetensors"


def joined_file(orders: int) -> str:
    """What the latents of so many sections are called in one file."""
    return f"kept-{orders:04d}.safetensors"


def source_file(name: str, path: Path) -> str:
    """What the copy of a video or of a sound is called; by its ending its kind is known sooner."""
    ending = path.suffix.lower()
    return f"source-{name}{ending if ENDED.fullmatch(ending) else ''}"


def copy_file(path: Path, target: Path) -> None:
    """A file under a second name, which on the same disk costs nothing. Raises OSError."""
    try:
        os.link(path.resolve(), target)
    except OSError:  # another disk, somebody else's file, a disk that knows no second names
        shutil.copyfile(path, target)
