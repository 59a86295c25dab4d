"""A model from another folder: a disk that was carried over, the models of another machine, a cache of the hub library.

What the model lacks is copied from there into the models folder, every file checked as it is copied: against the list
that lies beside files which eichi fetched, or the names of a cache, which are checksums. Of files that nobody knows a
checksum of, weights must be as long as their header says; theirs is noted, so that later damage is found. Asks no
network. Has no torch.
"""

import os
import shutil
import time
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from eichi.catalog import Entry, ModelFolders
from eichi.errors import FolderError, ModelError, RunError
from eichi.files import private, settle
from eichi.models.download import ROOM, Clock, Fetching, Rate, free, lacking_parts
from eichi.models.fetched import alone, files_of, known_sum, note, whole
from eichi.models.found import best, look
from eichi.models.hub import CHUNK, MARK, RemoteFile, Summing
from eichi.models.locate import MARKS, locate_part


@dataclass(frozen=True)
class Source:
    """A file to copy: the checksum that it should have is None where nobody knows."""

    file: Path
    repository: str
    path: str
    size: int
    sum: str | None


def take(
    entry: Entry, folder: Path, models: ModelFolders, clock: Clock = time.monotonic
) -> Generator[Fetching, None, tuple[str, ...]]:
    """Copy what a model lacks and a folder has; returns the parts that are still missing.

    Raises ModelError where the folder has nothing of it, or only as ComfyUI has it, FolderError, and RunError for a
    damaged file.
    """
    try:
        os.scandir(folder).close()
    except OSError as error:
        raise FolderError("error.model.import_folder", folder=folder, reason=error) from error
    there = ModelFolders(folder, hubs=(folder,))
    wanted = lacking_parts(entry, models)
    found = {part: place for part in wanted if (place := locate_part(entry, part, there)) is not None}
    sources = [one for part, place in found.items() for one in _sources(entry, part, place, there)]
    if wanted and not sources:
        seen = look(entry, ModelFolders(models.own, comfy=(folder,)))
        if any(best(seen, part, entry.direction) for part in wanted):
            raise ModelError("error.model.import_comfy", model=entry.name, folder=folder)
        raise ModelError("error.model.import", model=entry.name, folder=folder)
    size, done, rate = sum(one.size for one in sources), 0, Rate(clock)
    if size and size + ROOM > free(models):
        values = {"needed": size, "room": ROOM, "free": free(models)}
        raise FolderError("error.folder.room", folder=models.own, **values)
    if not sources:
        return ()
    with alone(models):
        for i, one in enumerate(sources, start=1):
            for come in _copy(one, models):
                rate.hear(done + come)
                speed = rate.speed
                left = (size - done - come) / speed if speed else None
                name = f"{one.repository}/{one.path}"
                yield Fetching(name, i, len(sources), come, one.size, done + come, size, speed, left)
            done += one.size
    return tuple(part for part in wanted if part not in found)


def _sources(entry: Entry, part: str, place: Path, there: ModelFolders) -> list[Source]:
    """The files of a part, the one that marks it as complete last."""
    source, mark = entry.parts[part], MARKS.get(part, "config.json")
    files = sorted(files_of(place), key=lambda file: file.name == mark)
    return [
        Source(
            file,
            str(source.repository),
            f"{source.folder}/{file.name}".lstrip("/"),
            file.stat().st_size,
            known_sum(source, file, there),
        )
        for file in files
    ]


def _copy(one: Source, models: ModelFolders) -> Generator[int, None, None]:
    """Copy a file and check it on the way; yields its bytes that are there."""
    target = models.own / one.repository / one.path
    part, done = target.with_name(f".{target.name}.{'0' * MARK}.part"), 0
    summing = Summing(one.sum or "0" * 64, one.size)
    try:
        private(target.parent)
        with one.file.open("rb") as content, part.open("wb") as out:
            while chunk := content.read(CHUNK):
                summing.add(chunk)
                out.write(chunk)
                yield (done := done + len(chunk))
        good = whole(part, target.suffix) if one.sum is None else summing.sum == one.sum
        if not good:
            raise RunError("error.model.import_damaged", file=one.file)
        with suppress(OSError):
            shutil.copystat(one.file, part)
        note(models, [RemoteFile(one.repository, "", one.path, one.size, summing.sum)])
        settle(part, target)
    except OSError as error:
        raise FolderError("error.folder.write", folder=target.parent, reason=error) from error
    finally:
        part.unlink(missing_ok=True)
