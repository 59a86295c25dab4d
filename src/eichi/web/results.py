"""The latent files and videos in the folder of results, each read once for as long as it does not change."""

from dataclasses import dataclass
from pathlib import Path

from eichi.errors import EichiError
from eichi.text import encodable
from eichi.video.splice import LatentsReport, report
from eichi.web.toolruns import LATENTS, VIDEO

SHOWN = 60  # files, the newest first


@dataclass(frozen=True)
class ResultFile:
    """A video, or a latent file with what is in it, among the results."""

    name: str
    report: LatentsReport | None


class Files:
    """The latent files and videos of folders; a file is read again when it has changed."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int], ResultFile | None] = {}

    def list(self, folder: Path) -> list[ResultFile]:
        """What there is, the newest first."""
        found = []
        for path in folder.glob("*") if folder.is_dir() else ():
            shown = encodable(path) and not path.name.startswith(".")
            if shown and path.suffix in (LATENTS, VIDEO) and path.is_file():
                found.append((path.stat().st_mtime_ns, path))
        return [one for _, path in sorted(found, reverse=True)[:SHOWN] if (one := self._describe(path)) is not None]

    def _describe(self, path: Path) -> ResultFile | None:
        state = path.stat()
        key = (str(path), state.st_mtime_ns, state.st_size)
        if key not in self._known:
            self._known[key] = _describe(path)
        return self._known[key]


def _describe(path: Path) -> ResultFile | None:
    if path.suffix == VIDEO:
        return ResultFile(path.name, None)
    try:
        return ResultFile(path.name, report(path))
    except EichiError:
        return None  # some other safetensors file
