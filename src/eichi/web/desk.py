"""What all pages work on: the store and its queue, who runs the jobs, pictures that were given, what was last set.

One desk for a server. A page that is closed loses nothing, because nothing is kept in it: jobs are in the store,
pictures are files in the home folder, and the controls' values are remembered in the library. Knows no component.
"""

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import click

from eichi.catalog import find
from eichi.declare import Plain
from eichi.errors import EichiError, FolderError, InputError
from eichi.events import Adjusted
from eichi.files import aside, digest, private, read_file
from eichi.jobs.queue import Queue
from eichi.jobs.schema import Job
from eichi.jobs.store import Store
from eichi.jobs.view import Status
from eichi.library.imports import Item, import_folder
from eichi.library.restore import restore
from eichi.library.store import FOLDER
from eichi.library.whereabouts import Places
from eichi.models.lorafile import check_numbers, read_lora
from eichi.models.tokens import Meter, find_meter
from eichi.names import fit_name
from eichi.options import FrameOptions, Request, VideoOptions, place
from eichi.settings import UPLOADS, Settings
from eichi.video import images
from eichi.video.latentfile import measure_latents
from eichi.video.reader import measure_video
from eichi.web.downloads import Downloads
from eichi.web.live import Live
from eichi.web.lorafolder import LoraFolder
from eichi.web.machine import Probe
from eichi.web.results import Files, ResultFile
from eichi.web.toolruns import LATENTS, VIDEO, ToolRuns

MOST = 5000  # pictures that were given and are kept
LARGEST = 2**30  # bytes of a file that is given
STALE = 30 * 24 * 3600.0  # seconds after which a picture goes that nothing names: most are strokes of a brush


class Desk:
    """The things that one server has once; `submit` sees to it that a job is run.

    `local` says that whoever uses the pages sits at this machine.
    """

    def __init__(self, settings: Settings, store: Store, submit: Callable[[int], object], local: bool = False) -> None:
        self.settings = settings
        self.store = store
        self.submit = submit
        self.local = local
        self.queue = Queue(store, settings.models)
        self.boot = uuid4().hex  # tells a page that the server was started anew
        self.bench = ToolRuns(settings, store)
        self.downloads = Downloads(settings)
        self.files = Files()
        self.loras = LoraFolder(settings)
        self.probe = Probe()
        self.live = Live(self)

    @property
    def uploads(self) -> Path:
        """Where pictures are kept that were given in a browser."""
        return uploads(self.settings)

    @property
    def full(self) -> bool:
        """Whether as many pictures were given as are kept."""
        return self.uploads.is_dir() and len(os.listdir(self.uploads)) >= MOST

    def start(self, requests: Sequence[VideoOptions | FrameOptions]) -> list[Job]:
        """Put requests into the queue and see to it that somebody works. Raises InputError for the first bad one."""
        drafts, _ = self.queue.prepare(requests, self.settings.outputs)
        jobs = self.queue.add(drafts)
        self.wake()
        return jobs

    def wake(self) -> None:
        """Start the worker where a job waits and none works, after a start of the server too."""
        self.store.recover()
        waiting = self.store.jobs((Status.WAITING,))
        if waiting and not self.store.held:
            self.submit(waiting[0].id)

    def tidy(self) -> None:
        """Remove what was given long ago and is named by no job and by nothing that is kept in the library."""
        stale = [path for path in self.uploads.iterdir() if path.stat().st_mtime < time.time() - STALE]
        if not stale:  # at most starts, and jobs may be many
            return
        kept = [json.dumps(job.request) for job in self.store.jobs()]
        try:
            kept += [
                read_file(path).decode("utf-8", "replace") for path in (self.settings.home / FOLDER).glob("*.json")
            ]
        except OSError:  # what cannot be read may name any of them
            return
        for path in stale:
            if not any(path.name in text for text in kept):
                shutil.rmtree(path, ignore_errors=True)

    def meter(self, model: str) -> Meter | None:
        """What counts the tokens of a model's prompts; None where its tokenizers are not on this machine."""
        try:
            return find_meter(find(model), self.settings.models)
        except EichiError:  # what is wrong with a model is said by the plan
            return None

    def adopt(self, request: Mapping[str, Any], trusted: bool = True) -> Plain:
        """A request whose pictures are copied to the uploads, so that pages may show them; those that are gone go.

        A request that is not `trusted`, as a file that a visitor gave carries it, reaches no other folder than ours.
        """
        adopted: Plain = _map_files(request, self._copied if trusted else self._ours)
        return adopted

    def restored(
        self, path: Path, kind: type[Request], below: Callable[[], Request]
    ) -> tuple[Plain, tuple[Adjusted, ...]]:
        """The request of a file that a visitor gave, and what deserves a word. Raises InputError.

        What another program's file does not say is as it is in the request `below`. The files of one made here are
        looked for by their marks among what was given before, the results and the LoRA files; for someone at this
        machine also where it saw them last.
        """
        found = restore(path, kind)
        if not found.whole:
            return self.adopt(found.over(below()), trusted=False), found.notes
        folders = (self.uploads, self.settings.outputs.absolute(), *self.settings.loras)
        cache = self.settings.cache if self.local else None
        values, notes = found.at(Places(folders=folders, cache=cache, strict=True))
        return self.adopt(values, trusted=self.local), notes

    def adjust(self, settings: Settings) -> None:
        """Go on with other settings."""
        self.settings = self.bench.settings = self.loras.settings = self.downloads.settings = settings

    def open_folder(self) -> Path:
        """Show the folder of results in the system's own window. Raises InputError, FolderError."""
        if not self.local:
            raise InputError("error.api.local")
        folder = self.settings.outputs.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        if click.launch(str(folder), wait=True):
            raise FolderError("error.folder.open", folder=folder)
        return folder

    def take_over(self, folder: Path) -> tuple[Path, list[Item]]:
        """What a folder of eichi 1.9 on this machine holds. Raises InputError."""
        if not self.local:
            raise InputError("error.api.import")
        return import_folder(folder, self.settings.home)

    def listed(self) -> list[ResultFile]:
        """The latent files and videos among the results."""
        return self.files.list(self.settings.outputs.absolute())

    def result(self, name: str) -> Path:
        """A file in the folder of results, by its name. Raises InputError."""
        path = self.settings.outputs.absolute() / Path(name.replace("\\", "/")).name
        if path.name != name or name.startswith(".") or not os.path.isfile(path):
            raise InputError("error.file.missing", path=name)
        return path

    def receive(self, name: str, content: BinaryIO) -> Path:
        """Put a file that was given among the results: latents or a video, and not any size. Raises InputError."""
        base = fit_name(name)
        suffix = Path(base).suffix.lower()  # cameras write theirs in capitals
        if suffix not in (LATENTS, VIDEO) or base.startswith("."):
            raise InputError("error.upload.kind", name=base or "?", known=f"{LATENTS}, {VIDEO}")
        folder = self.settings.outputs.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        path, number = folder / f"{Path(base).stem}{suffix}", 1
        while path.exists():
            number += 1
            path = folder / f"{Path(base).stem}_{number}{suffix}"
        self._write(content, path, measure_latents if suffix == LATENTS else measure_video)
        return path

    def _write(self, content: BinaryIO, path: Path, check: Callable[[Path], object]) -> None:
        """A file that was given, of bounded size and only if it is what it says that it is. Raises InputError."""
        given = path.is_relative_to(self.uploads)  # nobody else's, unlike a result
        with aside(path, private=given) as draft:
            with draft.open("wb") as file:
                while part := content.read(2**20):
                    if file.tell() + len(part) > LARGEST:
                        raise InputError("error.upload.large", name=path.name, limit=LARGEST // 2**20)
                    file.write(part)
            try:
                check(draft)
            except EichiError as error:  # who gave it knows the name that it was to have
                error.values = {key: path if value == draft else value for key, value in error.values.items()}
                raise

    def receive_picture(self, name: str, content: BinaryIO) -> Path:
        """Put a picture that was given among the uploads, if it is one. Raises InputError."""
        if self.full:
            raise InputError("error.upload.count", limit=MOST)
        base = fit_name(name).lstrip(".") or "picture.png"
        path = self.uploads / uuid4().hex / base
        private(path.parent)
        try:
            self._write(content, path, images.load)
        except EichiError:
            path.parent.rmdir()
            raise
        return path

    def picture(self, name: str) -> Path:
        """A picture that was given to a page, by its name. Raises InputError."""
        try:
            path = (self.uploads / name.replace("\\", "/")).resolve()
        except (OSError, ValueError) as error:  # a name that no file can have
            raise InputError("error.file.missing", path=name) from error
        if not path.is_relative_to(self.uploads.resolve()) or not os.path.isfile(path):
            raise InputError("error.file.missing", path=name)
        return path

    def name(self, path: Path) -> str:
        """What a page calls a picture that was given to it."""
        return path.resolve().relative_to(self.uploads.resolve()).as_posix()

    def receive_lora(self, name: str, content: BinaryIO) -> Path:
        """Put a LoRA file that was given into its folder, if it is one. Raises InputError, LoraError."""
        base = fit_name(name)
        if Path(base).suffix.lower() != LATENTS or base.startswith("."):
            raise InputError("error.upload.kind", name=base or "?", known=LATENTS)
        path = self.loras.folder / base
        if path.exists():
            raise InputError("error.upload.exists", name=base)
        private(path.parent)
        self._write(content, path, lambda draft: check_numbers(read_lora(draft)))
        return path

    def extend(self, file: Path, seconds: float, prompt: str | None = None) -> Job:
        """A longer video that keeps a file's sections, as a job. Raises InputError."""
        places = Places(file.parent, (self.uploads, *self.settings.loras), self.settings.cache)
        request, _ = restore(file, VideoOptions).at(places)
        place(request, "kept.latents", file)
        place(request, "kept.sections", None)
        place(request, "output.latents", True)
        request["seconds"] = seconds
        if prompt:
            request["prompt"] = prompt
        return self.start([VideoOptions.parse(request)])[0]

    def check(self, path: Path) -> None:
        """Raise InputError for a file that is not a result of this machine and was not given to a page."""
        if not (self.inside(path) and path.is_file()):
            raise InputError("error.file.missing", path=path.name)

    def inside(self, path: Path) -> bool:
        """Whether a file lies among the results or among what was given to a page."""
        folders = (self.uploads, self.settings.outputs.absolute())
        return any(path.resolve().is_relative_to(folder.resolve()) for folder in folders)

    def _ours(self, path: Path) -> str | None:
        return self._copied(path) if self.inside(path) else None

    def _copied(self, path: Path) -> str | None:
        try:
            if path.is_relative_to(self.uploads):
                os.utime(path.parent)  # used again: it is not long ago that it was given
                return str(path) if path.is_file() else None
            name = digest(path)[:32]
            target = self.uploads / name / fit_name(path.name)
            private(target.parent)
            with aside(target, private=True) as draft:
                shutil.copyfile(path, draft)
            os.utime(target.parent)
        except OSError:
            return None
        return str(target)


def uploads(settings: Settings) -> Path:
    """Where the pictures of a machine's pages are kept."""
    return (settings.home / UPLOADS).absolute()


PICTURES = ("image", "final", "mask")


def _map_files(value: Any, change: Any, key: str = "") -> Any:
    """The same nested values with every picture's path changed."""
    if isinstance(value, Mapping):
        inner = {name: _map_files(one, change, name) for name, one in value.items()}
        tables = key == "keyframes"
        if tables:
            given = {number: change(Path(path)) for number, path in (value.get("sections") or {}).items()}
            inner["sections"] = {number: path for number, path in given.items() if path is not None}
        return inner
    if isinstance(value, list):
        return [one for one in (_map_files(one, change) for one in value) if _whole(one)]
    if key in PICTURES and isinstance(value, str):
        return change(Path(value))
    return value


def _whole(value: Any) -> bool:
    """Whether an entry of a list still has its picture."""
    return not isinstance(value, dict) or value.get("image", "") is not None
