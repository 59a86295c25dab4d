"""Upscalers on this machine: the one that ships, those in the folder for them, ComfyUI's. Without torch.

An upscaler is called by its file's name without the ending, or by its path. How many times larger it makes a picture
stands nowhere in a file that could be read without building the network, so a process of its own builds it once
(`models.upscale`), and what it finds is kept in the cache by the file's name, size and time, also where it is
no upscaler.
"""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from eichi.catalog import ModelFolders
from eichi.errors import ModelError
from eichi.files import aside, read_file
from eichi.models.comfy import comfy_places, folders
from eichi.models.spandrel import NAME
from eichi.said import Refusal, last_line, read_said

FOLDER, COMFY = "upscalers", ("upscale_models",)
ENDINGS = (".safetensors", ".pth")
SHIPPED = Path(__file__).parent / "upscaler"
FACTS = "upscalers"  # in the cache
LONGEST = 300.0  # seconds for building a network
# What builds a network and says what it is; the page's own process has no torch.
LOOK = "import sys; from eichi.models.upscale import tell; tell(sys.argv[1])"


_one = threading.Lock()


class Facts(BaseModel):
    """What an upscaler is: how many times larger it makes pictures, its architecture as spandrel calls it, whether it
    computes in half precision.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    scale: int
    architecture: str
    half: bool


SHIPPED_FACTS = Facts(scale=2, architecture="RealESRGAN Compact", half=True)


@dataclass(frozen=True)
class UpscalerFile:
    """A file with an upscaler, and what it is called."""

    name: str
    path: Path

    @property
    def shipped(self) -> bool:
        return self.path.parent == SHIPPED


def list_upscalers(models: ModelFolders) -> tuple[UpscalerFile, ...]:
    """All that there are, the one that ships first; of two of a name the first counts."""
    found: dict[str, UpscalerFile] = {}
    for path in _files(models):
        found.setdefault(path.stem, UpscalerFile(path.stem, path))
    return tuple(found.values())


def find_upscaler(name: str, models: ModelFolders) -> UpscalerFile:
    """The upscaler of a name, or at a path. Raises ModelError."""
    known = list_upscalers(models)
    for one in known:
        if name in (one.name, one.path.name):
            return one
    path = Path(os.path.expanduser(name))
    if os.path.isfile(path) and path.suffix.lower() in ENDINGS:
        return UpscalerFile(path.stem, path.absolute())
    own = models.own / FOLDER
    raise ModelError("error.upscaler.unknown", name=name, folder=own, known=", ".join(one.name for one in known))


def facts_of(file: UpscalerFile, cache: Path | None) -> Facts:
    """What an upscaler is. Raises ModelError for a file that is none, or that cannot be looked into here."""
    if file.shipped:
        return SHIPPED_FACTS
    with _one:  # who plans at every keystroke starts one process, not many
        return _facts_of(file, cache)


def _facts_of(file: UpscalerFile, cache: Path | None) -> Facts:
    kept = None if cache is None else cache / FACTS / f"{_mark(file.path)}.json"
    if kept is not None:
        with suppress(OSError, ValueError):
            return read_said(read_file(kept), Facts, ModelError)
    try:
        made = _look(file.path)
    except ModelError as error:
        if not str(error.plain.get("reason", "")).startswith("reason.os."):  # such may be over the next time
            _keep(kept, Refusal.of(error))
        raise
    _keep(kept, made)
    return made


def _keep(kept: Path | None, said: Facts | Refusal) -> None:
    if kept is not None:
        with suppress(OSError):  # it is looked into again
            kept.parent.mkdir(parents=True, exist_ok=True)
            with aside(kept, lasting=False) as draft:
                draft.write_text(said.model_dump_json(), encoding="utf-8")


def _look(path: Path) -> Facts:
    """What a process of its own says of a file."""
    try:
        made = subprocess.run(
            [sys.executable, "-c", LOOK, str(path)],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            encoding="utf-8",
            errors="replace",
            timeout=LONGEST,
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError("error.upscaler.read", path=path, reason="reason.os.late") from error
    try:
        return read_said(last_line(made.stdout), Facts, ModelError)
    except ValueError as error:
        raise ModelError("error.upscaler.read", path=path, reason="reason.damaged") from error


def _files(models: ModelFolders) -> Iterator[Path]:
    places = [SHIPPED, models.own / FOLDER]
    places += [folder for place in comfy_places(models) for folder in folders(place, COMFY)]
    for place in places:
        with suppress(OSError):
            yield from sorted(path for path in place.iterdir() if path.suffix.lower() in ENDINGS and path.is_file())


def _mark(path: Path) -> str:
    state = path.stat()
    library = version(NAME) if find_spec(NAME) else ""
    told = f"{path.absolute()}\0{state.st_size}\0{state.st_mtime_ns}\0{library}"
    return hashlib.blake2b(told.encode("utf-8", "surrogateescape"), digest_size=12).hexdigest()
