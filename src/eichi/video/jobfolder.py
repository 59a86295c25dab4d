"""The hidden folder beside a result in which its job works: what it is called, whether a job is there, giving it back.

For those who list and remove jobs, without torch; what a job keeps there is the business of `pipeline.checkpoint`.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from eichi.files import remove
from eichi.video.card import CARD, TWIN

ENDING = ".parts"


@dataclass(frozen=True)
class JobFolder:
    """The folder of one unfinished job."""

    folder: Path

    @property
    def result(self) -> Path:
        """The video that the job makes."""
        return self.folder.parent / f"{self.folder.name.removeprefix('.').removesuffix(ENDING)}.mp4"

    @property
    def begun(self) -> bool:
        """Whether there is something to go on from."""
        return any((self.folder / name).is_file() for name in (CARD, TWIN))

    @property
    def preview(self) -> Path:
        """The newest look at the section that is being drawn, where its worker has left one."""
        return self.folder / "preview.png"

    def discard(self) -> None:
        """Give the space back. Without its card a folder that is half gone is no job any more."""
        for name in (CARD, TWIN):
            remove(self.folder / name)
        shutil.rmtree(self.folder, ignore_errors=True)
