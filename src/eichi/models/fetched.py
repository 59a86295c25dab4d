"""What was fetched for models: listed with its checksums, checked, taken from another folder, removed again.

Beside the files of a repository lies a list of them with their checksums, so that they can be verified without the
hub. A part in the hub library's cache is verified by that cache's own names, which are checksums. Files that nobody
knows a checksum of (a user's folder, the embedded model) are only checked for being whole: weights as long as their
header says, JSON that can be read. Only what stands in a list of ours is ever removed. Has no torch.
"""

import json
import re
from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open

from eichi import files as disk
from eichi.catalog import WEIGHTS, Entry, ModelFolders, PartSource, find, known
from eichi.errors import FolderError, ModelError
from eichi.files import aside, private, size_of
from eichi.models.hub import CHUNK, RemoteFile, Summing, begun
from eichi.models.locate import LIST, locate, locate_part

KINDS = (".json", ".jinja", ".model", ".txt", WEIGHTS)
LOCK = ".eichi-download.lock"
PINS = ".eichi-download-{name}.json"

Sums = dict[str, str]


@dataclass(frozen=True)
class Checking:
    """Bytes of a check that were read: of the file `index` of `files`, and of all of them."""

    file: Path
    index: int
    files: int
    done: int
    size: int
    kind: Literal["checking"] = "checking"


@dataclass(frozen=True)
class Checked:
    """A file was looked at: `how` is "checksum" or "whole", `good` what came of it."""

    part: str
    file: Path
    how: str
    good: bool
    kind: Literal["checked"] = "checked"


@dataclass(frozen=True)
class Pins:
    """A download that was begun: the commits of its repositories, so that it ends with the versions it began with."""

    commits: Mapping[str, str]
    size: int = 0


def verify(entry: Entry, models: ModelFolders) -> Generator[Checking | Checked, None, None]:
    """Look at every file of a model that is here, but the package's own. Raises ModelError where a part is not."""
    here = {part: place for part, place in locate(entry, models).items() if place != entry.spare.get(part)}
    found = [(part, file) for part, place in here.items() for file in files_of(place)]
    size, before = sum(size_of(file) for _, file in found), 0
    for i, (part, file) in enumerate(found, start=1):
        wanted = known_sum(entry.parts[part], file, models)
        if wanted is None:
            good = whole(file, file.suffix)
        else:
            summing = Summing(wanted, size_of(file))
            try:
                with file.open("rb") as content:
                    while chunk := content.read(CHUNK):
                        summing.add(chunk)
                        yield Checking(file, i, len(found), before + content.tell(), size)
                good = summing.sum == wanted
            except OSError:
                good = False
        before += size_of(file)
        yield Checked(part, file, "whole" if wanted is None else "checksum", good)


def discard(entry: Entry, models: ModelFolders, bad: Collection[Checked]) -> set[str]:
    """Make room for damaged files: those that were fetched go; returns the parts with others, which stay as they are.

    Raises ModelError for one that cannot be fetched.
    """
    elsewhere = set()
    for one in bad:
        source = entry.parts[one.part]
        if source.repository is None:
            raise ModelError("error.model.mend", file=one.file)
        if one.file.is_relative_to(models.own / source.repository) and listed(one.file, source, models):
            take_away(one.file)
        else:
            elsewhere.add(one.part)
    return elsewhere


def remove(entry: Entry, models: ModelFolders) -> tuple[list[Path], int]:
    """Remove what was fetched for a model and is no other model's; returns the files and their bytes.

    Only files that were fetched go. Raises ModelError where there are none, or where something is being fetched.
    """
    gone, freed = [], 0
    if models.own.is_dir():
        with alone(models):
            for file in removable(entry, models):
                size = size_of(file)
                take_away(file)
                freed += size
                gone.append(file)
            for source in _own_sources(entry, models):
                sums = read_list(models, source)
                for path in list(sums):
                    if folder_of(path) == source.folder:
                        del sums[path]
                _write_list(models.own / str(source.repository) / LIST, sums)
                _tidy(models, models.own / str(source.repository) / source.folder)
            unpin(entry, models)
    if not gone:
        raise ModelError("error.model.not_fetched", model=entry.name, models=models.own)
    return gone, freed


def take_away(file: Path) -> None:
    """Remove a file. Raises FolderError for one that cannot be removed: on Windows what a job runs with."""
    try:
        disk.remove(file)
    except OSError as error:
        raise FolderError("error.file.left", file=file, reason=error) from error


def removable(entry: Entry, models: ModelFolders) -> list[Path]:
    """The files that go when a model is removed."""
    found = []
    for source in _own_sources(entry, models):
        for path in read_list(models, source):
            if folder_of(path) == source.folder:
                file = models.own / str(source.repository) / path
                found += [old for old in (file, *begun(file)) if old.is_file()]
    return found


@contextmanager
def alone(models: ModelFolders) -> Iterator[None]:
    """What no other process does with these models meanwhile. Raises ModelError while one does."""
    try:
        private(models.own)
        lock = FileLock(models.own / LOCK, timeout=0, thread_local=False)
        lock.acquire()
    except Timeout as error:
        raise ModelError("error.model.busy", models=models.own) from error
    except OSError as error:
        raise FolderError("error.folder.write", folder=models.own, reason=error) from error
    try:
        yield
    finally:
        lock.release()


def folder_of(path: str) -> str:
    """The folder of a file within its repository."""
    return RemoteFile("", "", path, 0, "").folder


def listed(file: Path, source: PartSource, models: ModelFolders) -> str | None:
    """The checksum that is noted of a file in the program's folder, None where none is."""
    base = models.own / str(source.repository)
    return read_list(models, source).get(file.relative_to(base).as_posix())


def note(models: ModelFolders, files: Collection[RemoteFile]) -> None:
    """Note the checksums of files that are about to be fetched, beside those of files that were."""
    for repository in {file.repository for file in files}:
        sums = read_list(models, PartSource(repository, ""))
        sums |= {file.path: file.sum for file in files if file.repository == repository}
        _write_list(models.own / repository / LIST, sums)


def read_list(models: ModelFolders, source: PartSource) -> Sums:
    """Checksum by path of what was fetched from a repository; empty where nothing was, or the list is damaged."""
    sums = _read(models.own / str(source.repository) / LIST)
    return {str(path): str(sum) for path, sum in sums.items()}


def pin(entry: Entry, models: ModelFolders, pins: Pins) -> None:
    """Note what is being fetched for a model."""
    _write(models.own / PINS.format(name=entry.name), {"commits": dict(pins.commits), "size": pins.size})


def pinned(entry: Entry, models: ModelFolders) -> Pins | None:
    """What was begun to be fetched for a model and is not all here, None where there is nothing."""
    values = _read(models.own / PINS.format(name=Path(entry.name).name))
    commits, size = values.get("commits"), values.get("size")
    if not isinstance(commits, dict) or not isinstance(size, int):
        return None
    return Pins({str(name): str(commit) for name, commit in commits.items()}, size)


def unpin(entry: Entry, models: ModelFolders) -> None:
    """Nothing more is to be fetched for a model."""
    (models.own / PINS.format(name=entry.name)).unlink(missing_ok=True)


def known_sum(source: PartSource, file: Path, models: ModelFolders) -> str | None:
    """The checksum that a file should have, None where nobody knows."""
    if source.repository is None:
        return None
    if file.is_relative_to(models.own / source.repository):
        return listed(file, source, models)
    name = file.resolve().name  # in a cache of the hub library, files are links to what is named by its checksum
    return name if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", name) else None


def _own_sources(entry: Entry, models: ModelFolders) -> Iterator[PartSource]:
    """The sources that no other known model uses which is here as well."""
    others = [find(name) for name in known() if name != entry.name]
    kept = {
        source
        for other in others
        if locate_part(other, "transformer", models) is not None
        for source in other.parts.values()
    }
    yield from (source for source in entry.parts.values() if source.repository is not None and source not in kept)


def files_of(place: Path) -> list[Path]:
    """The files of a part that are loaded."""
    files = [place] if place.is_file() else sorted(place.glob("[!.]*"))
    return [file for file in files if file.suffix in KINDS]


def whole(file: Path, kind: str) -> bool:
    """Whether a file is what its kind, by the end of its name, says, and all of it."""
    try:
        if kind == WEIGHTS:
            with safe_open(file, framework="numpy"):
                return True
        if kind == ".json":
            json.loads(file.read_text(encoding="utf-8"))
        return file.stat().st_size > 0
    except (OSError, ValueError, RecursionError, SafetensorError):
        return False


def _write_list(path: Path, sums: Sums) -> None:
    if sums:
        _write(path, sums)
    else:
        path.unlink(missing_ok=True)


def _write(path: Path, values: Mapping[str, object]) -> None:
    try:
        private(path.parent)
        with aside(path) as draft:
            draft.write_text(json.dumps(values, indent=1), encoding="utf-8")
    except OSError as error:
        raise FolderError("error.folder.write", folder=path.parent, reason=error) from error


def _read(path: Path) -> dict[str, object]:
    """A table that we wrote, empty where there is none or it is damaged."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _tidy(models: ModelFolders, folder: Path) -> None:
    """Remove folders that have become empty, up to the models folder."""
    while folder != models.own and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
