"""The hidden folder beside a result in which its job works: what it is called, whether a job is there, giving it back;
and the jobs of folders that are not finished.

For those who list and remove jobs, without torch; what a job keeps there is the business of `pipeline.checkpoint`.
"""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from eichi.errors import InputError
from eichi.files import remove
from eichi.video.card import CARD, TWIN
from eichi.video.sectionfolder import LEFT, Leavings, SectionFolder, trim_leavings

ENDING = ".parts"
FINISH = "chain.json"  # the card of a job that finishes a video, which is nothing that sections are made from


@dataclass(frozen=True)
class JobFolder(SectionFolder):
    """The folder of one unfinished job."""

    @property
    def result(self) -> Path:
        """The video that the job makes."""
        return self.folder.parent / f"{self._stem}.mp4"

    @property
    def latents_file(self) -> Path:
        """The latents of the video, where they were asked for."""
        return self.result.with_suffix(".safetensors")

    @property
    def preview(self) -> Path:
        """The newest look at the section that is being drawn, where its worker has left one."""
        return self.folder / "preview.png"

    @property
    def leavings(self) -> Leavings:
        """What stays of the job for others to build on."""
        return Leavings(self.folder.parent / f".{self._stem}{LEFT}")

    @property
    def source(self) -> SectionFolder:
        """Where the sections of the job lie, finished or not."""
        return self if self.made else self.leavings

    def discard(self) -> bool:
        """Give the space back; whether all of it. Without its card a folder that is half gone is no job any more.

        On Windows something may be read for longer than anybody waits, and that is worth no job's end.
        """
        with suppress(OSError):
            for name in (CARD, TWIN):
                remove(self.folder / name)
        shutil.rmtree(self.folder, ignore_errors=True)
        return not self.folder.exists()

    def retire(self) -> None:
        """Give the space of a job back that is finished, but for its sections, so that others can build on them."""
        try:
            self.leavings.take(self)
            trim_leavings(self.folder.parent)
        except (OSError, InputError):  # the video is there; nothing is lost but this
            with suppress(OSError):
                self.leavings.forget()
        self.discard()

    @property
    def _stem(self) -> str:
        return self.folder.name.removeprefix(".").removesuffix(ENDING)


def free_name(folder: Path, suffix: str) -> Path:
    """A name for the result that nothing in the folder has yet: date, time and milliseconds."""
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        path = folder / f"{datetime.now():%y%m%d_%H%M%S_%f}"[:-3]
        if not any(path.parent.glob(f"{path.name}*")):
            return path.with_suffix(suffix)


def unfinished(*folders: Path) -> list[Path]:
    """The folders of unfinished jobs whose results are to lie in these, the one that was worked at last first."""
    found: list[tuple[int, Path]] = []
    there = [folder for folder in folders if os.path.isdir(folder)]  # also false for a name that no folder can have
    names = CARD, TWIN, FINISH
    for card in (path for folder in there for name in names for path in folder.glob(f".*{ENDING}/{name}")):
        with suppress(FileNotFoundError):  # its job may end at this moment
            found.append((card.stat().st_mtime_ns, card.parent))
    return list(dict.fromkeys(place for _, place in sorted(found, reverse=True)))


def find(job: str | None, *folders: Path) -> Path:
    """The folder of the unfinished job of that name or result, or of the newest one of the folders. Raises
    InputError.
    """
    found, looked = unfinished(*folders), ", ".join(map(str, folders))
    if job is not None:
        stem = Path(job).stem.removeprefix(".").removesuffix("_stopped")
        found = [place for place in found if JobFolder(place).result.stem == stem]
    if found:
        return found[0]
    if job is None:
        raise InputError("error.resume.nothing", folders=looked)
    raise InputError("error.resume.none", job=job, folders=looked)
