"""Models onto this machine and off it again: what a model still needs, fetched; what is here, checked; what was
fetched, removed.

A model's parts come from a few repositories, of which only the folders in the catalogue and only the kinds of files
that are loaded are fetched, into `<models>/<owner>/<name>`. Parts that are here already, in whatever place, are left
as they are. Beside the files lies a list of them with their checksums, so that they can be verified without the hub.
Of every folder the file that marks it as complete comes last.

A part in the hub library's cache is verified by that cache's own names, which are checksums. Files that nobody knows
a checksum of (a user's folder, the embedded model) are only checked for being whole: weights as long as their header
says, JSON that can be read. Has no torch.
"""

import json
import re
import shutil
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from safetensors import SafetensorError, safe_open

from eichi.catalog import WEIGHTS, Entry, PartSource, Shelves, find, known
from eichi.errors import FolderError, ModelError
from eichi.files import aside, private
from eichi.models.hub import RemoteFile, Wait, checksum, fetch, list_files, part_of
from eichi.models.locate import LIST, MARKS, locate, locate_part

KINDS = (".json", ".jinja", ".model", ".txt", WEIGHTS)
ROOM = 2**30  # bytes that stay free on the disk

Sums = dict[str, str]


@dataclass(frozen=True)
class Fetching:
    """A part of a file has come: file `index` of `files`, and bytes of the whole download."""

    file: str
    index: int
    files: int
    done: int
    size: int
    kind: Literal["fetching"] = "fetching"


@dataclass(frozen=True)
class Checked:
    """A file was looked at: `how` is "checksum" or "whole", `good` what came of it."""

    part: str
    file: Path
    how: str
    good: bool


def download(entry: Entry, models: Shelves, wait: Wait = time.sleep) -> Iterator[Fetching]:
    """Fetch what a model lacks; goes on where it was interrupted. Yields nothing where nothing is missing.

    `wait` spends the seconds between two tries. Raises ModelError, RunError, and FolderError before anything is
    fetched where the disk has too little room.
    """
    yield from bring(want(entry, models), models, wait)


def want(entry: Entry, models: Shelves) -> list[RemoteFile]:
    """The files that a model lacks, asked of the hub. Raises ModelError, RunError, and FolderError for want of room."""
    wanted = _missing(entry, models)
    size = sum(file.size for file in wanted)
    here = sum(_here(file, models) for file in wanted)
    _check_room(models, size - here)
    return wanted


def bring(wanted: list[RemoteFile], models: Shelves, wait: Wait = time.sleep) -> Generator[Fetching, None, None]:
    """Fetch these files; goes on where it was interrupted. Closed early, it keeps what has come.

    Raises ModelError, RunError, FolderError.
    """
    size = sum(file.size for file in wanted)
    _write_lists(models, wanted)
    before = 0
    for i, file in enumerate(wanted, start=1):
        name = f"{file.repository}/{file.path}"
        target = _place(file, models)
        if not target.is_file():
            yield from (Fetching(name, i, len(wanted), before + done, size) for done in fetch(file, target, wait))
        before += file.size


def verify(entry: Entry, models: Shelves) -> Iterator[Checked]:
    """Look at every file of a model that is here. Raises ModelError where a part is not."""
    for part, place in locate(entry, models).items():
        if place == entry.spare.get(part):
            continue  # the package's own
        files = [place] if place.is_file() else sorted(place.glob("[!.]*"))
        for file in files:
            if file.suffix not in KINDS:
                continue
            wanted = _sum(entry.parts[part], file, models)
            good = _whole(file) if wanted is None else checksum(file, wanted) == wanted
            yield Checked(part, file, "whole" if wanted is None else "checksum", good)


def remove(entry: Entry, models: Shelves) -> tuple[list[Path], int]:
    """Remove what was fetched for a model and is no other model's; returns the files and their bytes.

    Only files that were fetched by `download` go. Raises ModelError where there are none.
    """
    gone, freed = [], 0
    for source in _own_sources(entry, models):
        sums = _read_list(models, source)
        for path in [path for path in sums if RemoteFile("", "", path, 0, "").folder == source.folder]:
            file = models.own / str(source.repository) / path
            for old in (file, *file.parent.glob(f".{file.name}.*.part")):
                if old.is_file():
                    freed += old.stat().st_size
                    old.unlink()
                    gone.append(old)
            del sums[path]
        _write_list(models.own / str(source.repository) / LIST, sums)
        _tidy(models, models.own / str(source.repository) / source.folder)
    if not gone:
        raise ModelError("error.model.not_fetched", model=entry.name, models=models.own)
    return gone, freed


def _own_sources(entry: Entry, models: Shelves) -> Iterator[PartSource]:
    """The sources that no other known model uses which is here as well."""
    others = [find(name) for name in known() if name != entry.name]
    kept = {
        source
        for other in others
        if locate_part(other, "transformer", models) is not None
        for source in other.parts.values()
    }
    yield from (source for source in entry.parts.values() if source.repository is not None and source not in kept)


def _missing(entry: Entry, models: Shelves) -> list[RemoteFile]:
    """The files of the parts that are not here, those that mark a part last."""
    parts = {part: source for part, source in entry.parts.items() if _lacks(entry, part, models)}
    for part, source in parts.items():
        if source.repository is None:
            where = source.root or entry.root
            raise ModelError("error.model.absent", model=entry.name, part=part, where=where, models=models.own)
    marks = {f"{source.folder}/{MARKS.get(part, 'config.json')}".lstrip("/") for part, source in parts.items()}
    files = []
    for repository in dict.fromkeys(str(source.repository) for source in parts.values()):
        folders = {source.folder for source in parts.values() if source.repository == repository}
        found = list_files(repository)
        files += [file for file in found if file.folder in folders and file.path.endswith(KINDS)]
        for folder in folders - {file.folder for file in files if file.repository == repository}:
            raise ModelError("error.hub.empty", repository=repository, folder=folder or "/")
    return sorted(files, key=lambda file: file.path in marks)


def _lacks(entry: Entry, part: str, models: Shelves) -> bool:
    """Whether a part is not here, or not with all that was fetched of it."""
    place, source = locate_part(entry, part, models), entry.parts[part]
    if place is None or source.repository is None:
        return place is None
    base = models.own / source.repository
    listed = [base / path for path in _read_list(models, source)]
    return any(file.parent == place and not file.is_file() for file in listed)


def _place(file: RemoteFile, models: Shelves) -> Path:
    return models.own / file.repository / file.path


def _here(file: RemoteFile, models: Shelves) -> int:
    """Bytes of a file that need not be fetched."""
    target = _place(file, models)
    part = part_of(file, target)
    if target.is_file():
        return file.size
    return min(part.stat().st_size, file.size) if part.is_file() else 0


def _check_room(models: Shelves, needed: int) -> None:
    """Refuse what the disk has no room for."""
    there = next(folder for folder in (models.own, *models.own.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(there).free
    if needed and needed + ROOM > free:
        values = {"folder": models.own, "needed": needed / 2**30, "room": ROOM / 2**30, "free": free / 2**30}
        raise FolderError("error.folder.room", **values)


def _write_lists(models: Shelves, files: list[RemoteFile]) -> None:
    """Note the checksums of files that are about to be fetched, beside those of files that were."""
    for repository in {file.repository for file in files}:
        sums = _read_list(models, PartSource(repository, ""))
        sums |= {file.path: file.sum for file in files if file.repository == repository}
        _write_list(models.own / repository / LIST, sums)


def _write_list(path: Path, sums: Sums) -> None:
    if not sums:
        path.unlink(missing_ok=True)
        return
    try:
        private(path.parent)
        with aside(path) as draft:
            draft.write_text(json.dumps(sums, indent=1), encoding="utf-8")
    except OSError as error:
        raise FolderError("error.folder.write", folder=path.parent, reason=error) from error


def _read_list(models: Shelves, source: PartSource) -> Sums:
    """Checksum by path of what was fetched from a repository; empty where nothing was, or the list is damaged."""
    try:
        sums: Sums = json.loads((models.own / str(source.repository) / LIST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return sums


def _sum(source: PartSource, file: Path, models: Shelves) -> str | None:
    """The checksum that a file should have, None where nobody knows."""
    if source.repository is None:
        return None
    base = models.own / source.repository
    if file.is_relative_to(base):
        return _read_list(models, source).get(file.relative_to(base).as_posix())
    name = file.resolve().name  # in a cache of the hub library, files are links to what is named by its checksum
    return name if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", name) else None


def _whole(file: Path) -> bool:
    """Whether a file is what its kind says, and all of it."""
    try:
        if file.suffix == WEIGHTS:
            with safe_open(file, framework="numpy"):
                return True
        if file.suffix == ".json":
            json.loads(file.read_text(encoding="utf-8"))
        return file.stat().st_size > 0
    except (OSError, ValueError, SafetensorError):
        return False


def _tidy(models: Shelves, folder: Path) -> None:
    """Remove folders that have become empty, up to the models folder."""
    while folder != models.own and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
