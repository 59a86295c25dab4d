"""What of a job goes between machines, through a place that all of them reach, and by which paths each knows it.

A row names the files of a job by the paths of the machine that it was added at, its home, and says what was in them
(`inputs`). A worker elsewhere fetches them by content, works in a folder of its own, and tells the row of it in the
paths of the home. After every section the latents and the card of the job go to the place, so that whoever gets the job
next goes on from there. What it made at the end goes there, too; the home fetches it, and clears the place.

    inputs/CONTENT, spare/CONTENT   pictures, LoRAs, latents; which of them no job needs any more
    parts/JOB/FILE                  the card, fitted pictures, sections, the newest look; of chains see `segments`
    results/HOME/JOB/FILE, done/HOME/JOB     what was made, and the list of it, which comes last

Without a place nothing goes anywhere: paths mean the same on all machines, or there is one only.
"""

import math
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from eichi.declare import Plain
from eichi.errors import DiskError, InputError, StoreError
from eichi.events import Finished, FrameFinished, Result, Stopped
from eichi.files import digest, private, remove
from eichi.jobs.inputs import INPUTS, assure, bring, shed
from eichi.jobs.places import Place, reaching
from eichi.jobs.schema import Draft, Job
from eichi.jobs.store import Store
from eichi.jobs.view import Status
from eichi.jobs.waybill import DAMAGED, MOST, Waybill, named, number
from eichi.models.lorasettings import config_beside
from eichi.options import QUEUED, Options, VideoOptions, files_of, put
from eichi.settings import Settings
from eichi.video.card import CARD, FILES, TWIN, file_checksum, read_card, write_card
from eichi.video.jobfolder import JobFolder
from eichi.video.metadata import Record, last_part
from eichi.video.sectionfolder import SECTION

AWAY = "away"  # the folder in the home folder where jobs of other machines are worked on
PEEK = 5.0  # seconds between two looks at a job that runs elsewhere
WEIGHTS, REQUEST = "weights", "request"

Prints = Mapping[str, str]  # of weights, by parts
Asked = TypeVar("Asked", bound=Options)


def node_name() -> str:
    """What this machine is called among others."""
    return socket.gethostname()


class Freight:
    """What one machine sends and fetches; with no place, what it does not."""

    def __init__(self, settings: Settings, place: Place | None, node: str | None = None) -> None:
        self.settings = settings
        self.place = place
        self.node = node or node_name()
        self._sent: dict[int, dict[str, str]] = {}
        self._shown = -math.inf

    # Where it was added

    def pack(self, draft: Draft) -> Draft:
        """A job with its home and its inputs, which are in the place by then. Raises StoreError."""
        if self.place is None:
            return draft
        return replace(draft, node=self.node, inputs=self.inputs(QUEUED[draft.kind].parse(draft.request)))

    def inputs(self, options: Options) -> dict[str, str]:
        """What is in the files of a request, by their paths; it is in the place by then. Raises StoreError."""
        return {} if self.place is None else bring(self.place, _inputs(options))

    def assure(self, drafts: Iterable[Draft]) -> None:
        """See to it that the inputs of jobs are there still, now that the store knows of these. Raises StoreError."""
        if self.place is not None:
            assure(self.place, {path: content for one in drafts for path, content in (one.inputs or {}).items()})

    # By which paths this machine knows a job

    def mine(self, job: Job) -> bool:
        """Whether the paths of a job mean the same here."""
        return self.place is None or job.node in ("", self.node)

    def here(self, job: Job) -> Job:
        """A job by the paths of this machine."""
        if self.mine(job):
            return job
        folder = self._away(job)
        request = _renamed(type(job.options).parse(job.request), self._local(job))
        checkpoint = None if job.checkpoint is None else str(folder / last_part(job.checkpoint))
        return replace(job, folder=str(folder), request=request, checkpoint=checkpoint)

    def options(self, job: Job, options: Asked) -> Asked:
        """A request of a job, as it is run here, by the paths of its home."""
        back = {local: path for path, local in self._local(job).items()}
        return options if self.mine(job) else type(options).parse(_renamed(options, back))

    def path(self, job: Job, path: Path) -> str:
        """Something beside the result of a job by its path at the job's home."""
        return str(path) if self.mine(job) else _below(job.folder, path.name)

    # Where it runs

    def fetch(self, job: Job, prints: Prints, marks: Prints) -> None:
        """Bring here what a job needs: its inputs, and what of it is made by now.

        `prints` tell the weights of its model on any machine, `marks` on this one, both by parts. Raises StoreError,
        InputError for a file that is not in the place, DiskError.
        """
        if self.place is None:
            return
        if not self.mine(job):
            self._fetch_inputs(job)
        if job.checkpoint is not None:
            folder = JobFolder(Path(str(self.here(job).checkpoint)))
            self._fetch_parts(job, folder, self._local(job))
            if folder.begun:
                _own(folder, dict(prints), marks)

    def bring_home(self, job: Job) -> None:
        """Bring the files of a job to their own places where they were made elsewhere and are not there yet. Raises
        StoreError.
        """
        if self.place is None or not self.mine(job):
            return
        for path, content in (job.inputs or {}).items():
            if not os.path.exists(path):
                with reaching(path):
                    Path(path).parent.mkdir(parents=True, exist_ok=True)
                self.place.get(f"{INPUTS}{content}", Path(path))

    def send(self, job: Job, prints: Prints) -> None:
        """Bring to the place what is made of a job, and is not there yet. Raises StoreError, InputError."""
        if self.place is None or job.checkpoint is None:
            return
        folder = JobFolder(Path(str(self.here(job).checkpoint)))
        card, sent = folder.card(), self._sent.setdefault(job.id, {})
        files = {name: checksum for name, checksum in folder.files().items() if _travels(name)}
        new = [name for name, checksum in files.items() if sent.get(name) != checksum]
        if not new:
            return
        for name in new:
            self.place.put(f"{parts_of(job)}{name}", folder.folder / name)
        back = {local: path for path, local in self._local(job).items()}
        options = VideoOptions.parse(card[REQUEST])
        weights = {part: prints.get(part, mark) for part, mark in card[WEIGHTS].items()}
        self._put_card(job, card | {REQUEST: _renamed(options, back), WEIGHTS: weights, FILES: files})
        self._sent[job.id] = files

    def show(self, job: Job, picture: Path) -> None:
        """Let the home have a look at the section that is drawn, every few seconds at the most."""
        if self.place is None or self.mine(job) or time.monotonic() < self._shown + PEEK:
            return
        self._shown = time.monotonic()
        with suppress(StoreError):  # a look at the work is not worth the work
            self.place.put(f"{parts_of(job)}{picture.name}", picture)

    def deliver(self, job: Job, event: Result) -> Result:
        """What a job ended with, by the paths of its home; the files are in the place. Raises StoreError."""
        if self.place is None or self.mine(job):
            return event
        file = _file_of(event)
        told, start = event, f"results/{self._home(job)}/{_key(job)}/"
        files = dict[str, str]()
        if file is not None:
            told = _moved(event, job.folder)
            for path in sorted(file.parent.glob(f"{_stem(job, file)}[._]*")):
                for one in sorted(path.rglob("*")) if path.is_dir() else (path,):
                    name = one.relative_to(file.parent).as_posix()
                    files[name] = file_checksum(one)
                    self.place.put(f"{start}{name}", one)
        Waybill.write(self.place, f"done/{self._home(job)}/{_key(job)}", files, told)
        return told

    def delivered(self, job: Job) -> Finished | FrameFinished | None:
        """What a job has ended with whose worker died before it could say so."""
        if self.place is None or self.mine(job):
            return None
        try:
            told = Waybill.read(self.place, f"done/{self._home(job)}/{_key(job)}")
        except StoreError as error:
            if error.values["reason"] != DAMAGED:
                raise
            return None  # it is made again, and another list with it
        event = None if told is None else told.event
        right = isinstance(event, Finished | FrameFinished) and event == _moved(event, job.folder)
        return event if right else None  # type: ignore[return-value]

    def leave(self, job: Job) -> None:
        """Give back the space of a job of another machine that does not run here any more."""
        self._sent.pop(job.id, None)
        if not self.mine(job):
            with suppress(OSError):
                remove(self._away(job))

    def over(self, job: Job, event: Result) -> None:
        """Clear the place of a job that is finished at its home, and gone on with by nobody. Raises StoreError."""
        if self.place is not None and self.mine(job) and isinstance(event, Finished):
            self._clear(parts_of(job))

    def tidy(self, store: Store) -> None:
        """Give back the space that a dead worker has left taken: here by jobs of other machines, in the place by those
        of this one that are finished. Raises StoreError.
        """
        self._sweep(store)
        self.shed(store)
        for folder in (self.settings.home / AWAY).glob("*-*"):
            id = number(folder.name)
            job = None if id is None else store.find(id)
            if job is None or job.status.terminal or _key(job) != folder.name:
                with suppress(OSError):
                    remove(folder)

    def shed(self, store: Store) -> None:
        """Remove from the place what no job of anybody has needed for long. Raises StoreError."""
        if self.place is not None:
            shed(self.place, store)

    def _sweep(self, store: Store) -> None:
        """Clear the place of what was made of jobs that are finished here, at their home."""
        if self.place is None:
            return
        coming = self.arrived()
        for start in {key.rpartition("/")[0] for key in self.place.keys("parts/")}:
            id = number(start.rpartition("/")[2])
            job = None if id is None else store.find(id)
            if job is None or job.status != Status.DONE or job.id in coming or not self.mine(job):
                continue
            if parts_of(job) == f"{start}/":
                self._clear(parts_of(job))

    # Where it was added, once more

    def arrived(self) -> list[int]:
        """The jobs of this home whose results are in the place."""
        if self.place is None:
            return []
        found = [number(key.rpartition("/")[2]) for key in self.place.keys(f"done/{_mark(self.node)}/")]
        return [id for id in found if id is not None]

    def receive(self, job: Job) -> Job | None:
        """Bring home what a job made elsewhere, and clear the place of it: the job with the names that its files have
        here, None where nothing is there. Raises StoreError, DiskError.
        """
        assert self.place is not None
        start, done = f"results/{_mark(self.node)}/{_key(job)}/", f"done/{_mark(self.node)}/{_key(job)}"
        told = Waybill.read(self.place, done)
        if told is None:
            return None
        files, folder = told.files, Path(job.folder)
        names = _free(job, folder, files)
        for name, here in names.items():
            path = folder / here
            with reaching(str(path)):
                path.parent.mkdir(parents=True, exist_ok=True)
            if not _holds(path, files[name]) and not self.place.get(f"{start}{name}", path):
                raise StoreError("error.place.missing", file=last_part(name))
        moved = _called(job, names)
        if moved.checkpoint is not None:
            parts = JobFolder(Path(moved.checkpoint))
            self._fetch_parts(job, parts, {})
            if isinstance(told.event, Finished):
                if parts.begun:
                    parts.retire()
                self._clear(parts_of(job))
        self._clear(start)
        self.place.remove(done)
        return moved

    def mirror(self, job: Job) -> None:
        """Bring home what of a job is made elsewhere so far, so that it can be looked at and built on."""
        if self.place is not None and job.checkpoint is not None and job.node == self.node:
            folder = JobFolder(Path(job.checkpoint))
            self._fetch_parts(job, folder, {})
            if folder.begun:  # a folder with nothing else in it would be that of a job that is begun
                self.place.get(f"{parts_of(job)}{folder.preview.name}", folder.preview, MOST)

    def forget(self, job: Job) -> None:
        """Clear the place of a job that is not wanted any more. Raises StoreError."""
        if self.place is not None:
            self._clear(parts_of(job))
            self._clear(f"results/{self._home(job)}/{_key(job)}/")
            self.place.remove(f"done/{self._home(job)}/{_key(job)}")

    # How

    def _home(self, job: Job) -> str:
        return _mark(job.node or self.node)

    def _away(self, job: Job) -> Path:
        """Where a job of another machine is worked on."""
        return self.settings.home / AWAY / _key(job)

    def _local(self, job: Job) -> dict[str, str]:
        """Where the inputs of a job lie here, by their paths at its home: those of one folder in one."""
        if self.mine(job):
            return {}
        inputs = job.inputs or {}
        folders = {folder: number for number, folder in enumerate(sorted({_folder(path) for path in inputs}))}
        root = self._away(job) / "inputs"
        return {path: str(root / str(folders[_folder(path)]) / last_part(path)) for path in inputs}

    def _fetch_inputs(self, job: Job) -> None:
        assert self.place is not None
        with reaching(str(self._away(job))):
            private(self._away(job))
        for path, local in self._local(job).items():
            file, content = Path(local), (job.inputs or {})[path]
            with reaching(local):
                file.parent.mkdir(parents=True, exist_ok=True)
                if file.is_file() and digest(file) == content:
                    continue
                if not self.place.get(f"inputs/{content}", file) or digest(file) != content:
                    raise InputError("error.place.missing", file=last_part(path))

    def _fetch_parts(self, job: Job, folder: JobFolder, local: Mapping[str, str]) -> None:
        """Bring the card and the sections of a job here, where the place has more of them."""
        assert self.place is not None
        card = self._card(job)
        if card is None:
            return
        files: dict[str, str] = card[FILES]
        self._sent[job.id] = dict(files)
        if folder.begun and folder.settled >= sum(map(bool, map(SECTION.fullmatch, files))):
            return
        try:
            folder.folder.mkdir(0o700, parents=True, exist_ok=True)
            for name, checksum in list(files.items()):
                path = folder.folder / name
                if not _holds(path, checksum):
                    self.place.get(f"{parts_of(job)}{name}", path)
                if not _holds(path, checksum):
                    del files[name]  # is made again
            options = VideoOptions.parse(card[REQUEST])
            write_card(folder.folder, card | {REQUEST: _renamed(options, local), FILES: files})
        except OSError as error:
            raise DiskError("error.checkpoint.write", folder=folder.folder, reason=error) from error

    def _card(self, job: Job) -> Record | None:
        """The card of a job in the place, None where there is none that can be read."""
        assert self.place is not None
        with reaching(str(self.settings.home)), tempfile.TemporaryDirectory() as draft:
            if not self.place.get(f"{parts_of(job)}{CARD}", Path(draft) / CARD, MOST):
                return None
            shutil.copyfile(Path(draft) / CARD, Path(draft) / TWIN)
            with suppress(InputError):
                card, _ = read_card(Path(draft))
                return card if _ours(job, card) else None
        return None

    def _put_card(self, job: Job, card: Record) -> None:
        assert self.place is not None
        with reaching(str(self.settings.home)), tempfile.TemporaryDirectory() as draft:
            write_card(Path(draft), card)
            self.place.put(f"{parts_of(job)}{CARD}", Path(draft) / CARD)

    def _clear(self, start: str) -> None:
        assert self.place is not None
        for key in self.place.keys(start):
            self.place.remove(key)


def _inputs(options: Options) -> list[Path]:
    """The files of a request, with what belongs to LoRAs by where it lies."""
    paths = list(files_of(options).values())
    weights = getattr(options, "weights", None)
    beside = [config_beside(lora.file) for lora in (weights.loras if weights is not None else ())]
    return list(dict.fromkeys([*paths, *(path for path in beside if path is not None)]))


def _renamed(options: Options, paths: Mapping[str, str]) -> Plain:
    """A request with other paths in the place of those that are named."""
    values = options.dump()
    for key, path in files_of(options).items():
        if str(path) in paths:
            put(values, key, paths[str(path)])
    return values


def _own(folder: JobFolder, prints: Prints, marks: Prints) -> None:
    """Let the card of a job that began elsewhere name these weights by what this machine knows them by, where they are
    the same.
    """
    card = folder.card()
    weights = {part: marks[part] if value == prints.get(part) else value for part, value in card[WEIGHTS].items()}
    if weights != card[WEIGHTS]:
        try:
            write_card(folder.folder, card | {WEIGHTS: weights})
        except OSError as error:
            raise DiskError("error.checkpoint.write", folder=folder.folder, reason=error) from error


def _ours(job: Job, card: Record) -> bool:
    """Whether a card can be that of a job: it has no other files than the job's own, of either kind."""
    files, weights = named(card.get(FILES)), card.get(WEIGHTS)
    asked = {str(path) for path in files_of(VideoOptions.parse(card[REQUEST])).values()}
    known = {*(job.inputs or {}), *(str(path) for path in files_of(job.options).values())}
    return bool(files is not None and all(map(_travels, files)) and isinstance(weights, dict) and asked <= known)


def _travels(name: str) -> bool:
    """Whether a file of a job's folder is needed to go on elsewhere: frames are encoded again."""
    return SECTION.fullmatch(name) is not None or (name.endswith(".png") and "/" not in name)


def _key(job: Job) -> str:
    """What tells a job from all others that a place has seen."""
    return f"{job.id}-{round(job.created * 1000)}"


def parts_of(job: Job) -> str:
    """What the keys of all begin with that is made of a job."""
    return f"parts/{_key(job)}/"


def _mark(node: str) -> str:
    return sha256(node.encode("utf-8", "replace")).hexdigest()[:16]


def _folder(path: str) -> str:
    return path[: len(path) - len(last_part(path))]


def _below(folder: str, name: str) -> str:
    """A file in a folder of another machine, whatever system that has."""
    return f"{folder}{chr(92) if chr(92) in folder and '/' not in folder else '/'}{name}"


def _stem(job: Job, file: Path) -> str:
    """What the names of all files begin with that a job has made."""
    return file.stem if job.checkpoint is None else JobFolder(file.parent / last_part(job.checkpoint)).result.stem


def _free(job: Job, folder: Path, files: Mapping[str, str]) -> dict[str, str]:
    """What the files of a job are called at its home, by the names that they were given elsewhere: others where one of
    them is there and is another's.
    """
    if all(not (folder / name).exists() or _holds(folder / name, checksum) for name, checksum in files.items()):
        return {name: name for name in files}
    stem = _common(files)
    return {name: f"{stem}_{job.id}{name.removeprefix(stem)}" for name in files}


def _common(names: Iterable[str]) -> str:
    """What the names of all results of a job begin with: those of the day, the time and the milliseconds."""
    return min(names, key=len).partition(".")[0].removesuffix("_stopped")


def _called(job: Job, names: Mapping[str, str]) -> Job:
    """A job whose results have these names by now."""
    if not names or (stem := _common(names)) == (new := _common(names.values())):
        return job
    checkpoint = None if job.checkpoint is None else job.checkpoint.replace(f".{stem}.", f".{new}.")
    made = job.result
    match made:
        case Finished(video=video, poster=poster):
            made = replace(made, video=video.replace(stem, new), poster=poster.replace(stem, new))
        case FrameFinished(image=image):
            made = replace(made, image=image.replace(stem, new))
        case Stopped(video=str(video)):
            made = replace(made, video=video.replace(stem, new))
    return replace(job, checkpoint=checkpoint, result=made)


def _file_of(event: Result) -> Path | None:
    """The file that a job ended with, None where it made none."""
    match event:
        case Finished(video=file) | FrameFinished(image=file):
            return Path(file)
        case Stopped(video=video) if video is not None:
            return Path(video)
    return None


def _moved(event: Result, folder: str) -> Result:
    """The same with its files in a folder."""
    match event:
        case Finished(video=video, poster=poster):
            return replace(event, video=_below(folder, last_part(video)), poster=_below(folder, last_part(poster)))
        case FrameFinished(image=image):
            return replace(event, image=_below(folder, last_part(image)))
        case Stopped(video=video) if video is not None:
            return replace(event, video=_below(folder, last_part(video)))
    return event


def _holds(path: Path, checksum: str) -> bool:
    try:
        return file_checksum(path) == checksum
    except OSError:
        return False
