"""Models onto this machine, for the page and the command line alike: what a model still needs, where it goes, what it
weighs and under which terms it is; then fetched, with a rate and the time that is left.

A model's parts come from a few repositories, of which only the folders in the catalogue and only the kinds of files
that are loaded are fetched, into `<models>/<owner>/<name>`. Parts that are here already, in whatever place, are left
as they are. Of every folder the file that marks it as complete comes last. What was begun is ended with the versions
it was begun with, also after a restart; two that fetch at once, here or in another process, wait for each other.

What becomes of the files afterwards is in `fetched`. Has no torch.
"""

import shutil
import time
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from huggingface_hub import constants

from eichi.catalog import Entry, ModelFolders, PartSource
from eichi.errors import FolderError, ModelError
from eichi.files import size_of
from eichi.models.fetched import KINDS, Pins, alone, listed, note, pin, pinned, read_list, take_away, unpin
from eichi.models.hub import (
    RemoteFile,
    Repository,
    Server,
    Trouble,
    Wait,
    boundary,
    check_path,
    fetch,
    look,
    part_of,
)
from eichi.models.licences import Licence, licences
from eichi.models.locate import MARKS, places
from eichi.reasons import Reason
from eichi.words import say

ROOM = 2**30  # bytes that stay free on the disk
SPAN = 5.0  # seconds that a rate is measured over
TURN = 2.0  # seconds between two looks at whether another one is done
Clock = Callable[[], float]


@dataclass(frozen=True)
class Wanted:
    """A file that a part lacks: where it goes, and its bytes that need not be fetched."""

    part: str
    file: RemoteFile
    target: Path
    here: int


@dataclass(frozen=True)
class Order:
    """What is to be fetched for a model. `found` are the parts that are here, and where; `free` bytes of the disk.

    `repositories` are those that something comes from, without their files.
    """

    entry: Entry
    models: ModelFolders
    server: Server
    files: tuple[Wanted, ...]
    found: dict[str, Path]
    repositories: tuple[Repository, ...]
    free: int

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that lack something."""
        return tuple(dict.fromkeys(wanted.part for wanted in self.files))

    @property
    def size(self) -> int:
        return sum(wanted.file.size for wanted in self.files)

    @property
    def here(self) -> int:
        return sum(wanted.here for wanted in self.files)

    @property
    def left(self) -> int:
        """Bytes that come over the network."""
        return self.size - self.here

    @property
    def after(self) -> int:
        """Bytes of the disk that are free when all of it is here, fewer than none where it has no room."""
        return self.free - self.left

    @property
    def fits(self) -> bool:
        return not self.left or self.after >= ROOM

    @property
    def licences(self) -> tuple[Licence, ...]:
        return licences(self.entry.parts, self.parts)


@dataclass(frozen=True)
class Fetching:
    """Bytes have come: of the file `index` of `files`, and of the whole, by its latest rate and what is left by it."""

    file: str
    index: int
    files: int
    file_done: int
    file_size: int
    done: int
    size: int
    speed: float | None = None
    left: float | None = None
    kind: Literal["fetching"] = "fetching"


@dataclass(frozen=True)
class Stalled:
    """Nothing comes for a while, for this reason; after so many seconds it goes on by itself, after 0 when it can."""

    file: str
    seconds: float
    reason: Reason = field(default_factory=dict)
    kind: Literal["stalled"] = "stalled"

    def say(self, language: str) -> str:
        """The same as a sentence."""
        if self.seconds:
            return say("models.stalled", language, seconds=round(self.seconds), **self.reason)
        return say("models.meanwhile", language, file=self.file.rpartition("/")[2], **self.reason)


Told = Fetching | Stalled


class Rate:
    """Bytes in a second, by the latest few."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._marks: deque[tuple[float, int]] = deque()

    def hear(self, done: int) -> None:
        """Note how many have come until now."""
        now = self._clock()
        self._marks.append((now, done))
        while now - self._marks[0][0] > SPAN and len(self._marks) > 2:
            self._marks.popleft()

    @property
    def speed(self) -> float | None:
        """None before anybody knows, and where nothing comes."""
        if len(self._marks) < 2:
            return None
        (first, before), (last, now) = self._marks[0], self._marks[-1]
        return (now - before) / (last - first) if last > first and now > before else None


def download(
    entry: Entry,
    models: ModelFolders,
    wait: Wait = time.sleep,
    server: Server | None = None,
    again: Collection[str] = (),
) -> Generator[Told, None, None]:
    """Fetch what a model lacks; goes on where it was interrupted. Yields nothing where nothing is missing.

    `wait` spends the seconds between two tries. Raises ModelError, RunError, and FolderError before anything is
    fetched where the disk has too little room.
    """
    yield from bring(order(entry, models, server, again), wait)


def order(entry: Entry, models: ModelFolders, server: Server | None = None, again: Collection[str] = ()) -> Order:
    """What a model lacks, asked of the hub; parts in `again` count as missing. Raises ModelError, RunError."""
    server = server or Server()
    here = dict(places(entry, models))
    lacking = {part: entry.parts[part] for part in _lacking(entry, models, here, again)}
    if lacking and constants.HF_HUB_OFFLINE:
        raise ModelError("error.hub.offline", what=entry.name)
    begun = pinned(entry, models)
    commits = {} if begun is None else begun.commits
    names = dict.fromkeys(str(source.repository) for source in lacking.values())
    repositories = [_look(name, server, commits.get(name)) for name in names]
    files = [wanted for repository in repositories for wanted in _wanted(repository, lacking, models, server)]
    marks = {f"{source.folder}/{MARKS.get(part, 'config.json')}".lstrip("/") for part, source in lacking.items()}
    return Order(
        entry,
        models,
        server,
        tuple(sorted(files, key=lambda wanted: wanted.file.path in marks)),
        {part: place for part, place in here.items() if place is not None and part not in lacking},
        tuple(replace(repository, files=()) for repository in repositories),
        free(models),
    )


def lacking_parts(entry: Entry, models: ModelFolders) -> tuple[str, ...]:
    """The parts that a model lacks. Raises ModelError for one that no hub has."""
    return _lacking(entry, models, dict(places(entry, models)))


def bring(asked: Order, wait: Wait = time.sleep, clock: Clock = time.monotonic) -> Generator[Told, None, None]:
    """Fetch what was ordered; goes on where it was interrupted. Closed early, it keeps what has come.

    Raises ModelError, RunError, FolderError.
    """
    if not asked.files:
        return
    check_room(asked)
    with boundary(asked.entry.name, asked.server), ExitStack() as held:
        yield from _turn(asked.models, held, wait)
        missing = [wanted for wanted in asked.files if not _is_here(wanted.file, asked.models)]
        for wanted in missing:
            take_away(wanted.target)  # of another version
        note(asked.models, [wanted.file for wanted in missing])
        commits = {repository.name: repository.commit for repository in asked.repositories}
        pin(asked.entry, asked.models, Pins(commits, asked.size))
        yield from _bring(asked, missing, wait, Rate(clock))
        unpin(asked.entry, asked.models)


def check_room(asked: Order) -> None:
    """Refuse what the disk has no room for. Raises FolderError."""
    if not asked.fits:
        values = {"needed": asked.left, "room": ROOM, "free": asked.free}
        raise FolderError("error.folder.room", folder=asked.models.own, **values)


def free(models: ModelFolders) -> int:
    """Free bytes where models lie, or will."""
    folder = models.own.absolute()
    place = next((place for place in (folder, *folder.parents) if place.is_dir()), None)
    return 0 if place is None else shutil.disk_usage(place).free  # on a drive of Windows that is not there


def _bring(asked: Order, missing: Collection[Wanted], wait: Wait, rate: Rate) -> Iterator[Told]:
    """File after file, those that are missing."""
    before, come, count = 0, 0, len(asked.files)
    rate.hear(0)
    for i, wanted in enumerate(asked.files, start=1):
        file, last = wanted.file, _here(wanted.file, asked.models)
        if wanted in missing:
            for told in fetch(file, wanted.target, wait, asked.server):
                if isinstance(told, Trouble):
                    yield Stalled(told.file, told.seconds, told.reason)
                    continue
                come, last = come + max(0, told - last), told
                rate.hear(come)
                speed, done = rate.speed, before + told
                left = (asked.size - done) / speed if speed else None
                yield Fetching(file.name, i, count, told, file.size, done, asked.size, speed, left)
        before += file.size


def _turn(models: ModelFolders, held: ExitStack, wait: Wait) -> Iterator[Stalled]:
    """Wait until nobody else fetches into these folders."""
    while True:
        try:
            held.enter_context(alone(models))
        except ModelError:
            yield Stalled("", TURN, {"reason": "reason.elsewhere"})
            wait(TURN)
        else:
            return


def _look(name: str, server: Server, commit: str | None) -> Repository:
    """A repository as it was when the download was begun; as it is now, where that is no more."""
    if commit is not None:
        try:
            return look(name, server, commit)
        except ModelError as error:
            if error.id != "error.hub.missing":
                raise
    return look(name, server)


def _wanted(
    repository: Repository, lacking: dict[str, PartSource], models: ModelFolders, server: Server
) -> Iterator[Wanted]:
    """The files of a repository that parts need. Raises ModelError where it has none, or none that can be trusted."""
    parts = {source.folder: part for part, source in lacking.items() if source.repository == repository.name}
    found = set()
    for file in repository.files:
        hidden = file.path.rpartition("/")[2].startswith(".")
        if file.folder in parts and file.path.endswith(KINDS) and not hidden:
            check_path(file)
            found.add(file.folder)
            yield Wanted(parts[file.folder], file, _place(file, models), _here(file, models))
    for folder in parts.keys() - found:
        raise ModelError("error.hub.empty", repository=repository.name, folder=folder or "/", **server.named)


def _lacking(
    entry: Entry, models: ModelFolders, here: Mapping[str, Path | None], again: Collection[str] = ()
) -> tuple[str, ...]:
    """The parts that are not `here`, or not with all that was fetched of them, and those in `again`."""
    lacking = tuple(part for part in entry.parts if part in again or _lacks(entry.parts[part], here[part], models))
    for part in lacking:
        source = entry.parts[part]
        if source.repository is None:
            where = source.root or entry.root
            raise ModelError("error.model.absent", model=entry.name, part=part, where=where, models=models.own)
    return lacking


def _lacks(source: PartSource, place: Path | None, models: ModelFolders) -> bool:
    if place is None or source.repository is None:
        return place is None
    base = models.own / source.repository
    noted = [base / path for path in read_list(models, source)]
    return any(file.parent == place and not file.is_file() for file in noted)


def _place(file: RemoteFile, models: ModelFolders) -> Path:
    return models.own / file.repository / file.path


def _noted(file: RemoteFile, models: ModelFolders) -> str | None:
    return listed(_place(file, models), PartSource(file.repository, ""), models)


def _is_here(file: RemoteFile, models: ModelFolders) -> bool:
    """Whether a file needs not be fetched: it is this version, or it is none of ours."""
    target, noted = _place(file, models), _noted(file, models)
    return target.is_file() and (noted is None or (noted == file.sum and size_of(target) == file.size))


def _here(file: RemoteFile, models: ModelFolders) -> int:
    """Bytes of a file that need not be fetched."""
    if _is_here(file, models):
        return file.size
    return min(size_of(part_of(file, _place(file, models))), file.size)
