"""The latent files and videos in the folder of results, each read once for as long as it does not change.

Whoever asks for one says its mark, which is looked for among the files that are there: no name from outside becomes a
path, whatever the folder is.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from eichi.errors import EichiError
from eichi.text import encodable
from eichi.video.splice import LatentsReport, report
from eichi.web.toolruns import LATENTS, MOVING

SHOWN = 60  # files, the newest first
PICTURE = ".png"
KINDS = {LATENTS: "latents", PICTURE: "picture"} | dict.fromkeys(MOVING, "video")


@dataclass(frozen=True)
class ResultFile:
    """A video, or a latent file with what is in it, among the results."""

    name: str
    path: Path
    report: LatentsReport | None


class Files:
    """The latent files and videos of folders; a file is read again when it has changed."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int], ResultFile | None] = {}

    def list(self, folder: Path) -> list[ResultFile]:
        """What there is, the newest first."""
        found = [(state.st_mtime_ns, path, state) for path, state in _states(folder)]
        newest = sorted(found, key=lambda one: one[:2], reverse=True)[:SHOWN]
        return [one for _, path, state in newest if (one := self._describe(path, state)) is not None]

    def _describe(self, path: Path, state: os.stat_result) -> ResultFile | None:
        key = (str(path), state.st_mtime_ns, state.st_size)
        if key not in self._known:
            self._known[key] = _describe(path)
        return self._known[key]


def _states(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Latent files and videos with what the system says of them; one that is deleted meanwhile is none."""
    for path in files_in(folder):
        if path.suffix.lower() != PICTURE:
            with suppress(OSError):
                yield path, path.stat()


def files_in(folder: Path) -> Iterator[Path]:
    """The results in a folder, those of pictures too: files of the kinds that are made here."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        path = Path(entry.path)
        if path.suffix.lower() in KINDS and not path.name.startswith(".") and encodable(path) and path.is_file():
            yield path


def mark_of(path: Path) -> str:
    """What a file is known by to those who may not know its path."""
    mark = sha256(str(path).encode("utf-8", "replace")).hexdigest()[:16]
    return f"a{mark[1:]}" if mark.isdecimal() else mark  # or it could be read as the strength of a LoRA


def _describe(path: Path) -> ResultFile | None:
    if path.suffix.lower() in MOVING:
        return ResultFile(path.name, path, None)
    try:
        return ResultFile(path.name, path, report(path))
    except EichiError:
        return None  # some other safetensors file
