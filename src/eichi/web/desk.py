"""What all pages work on: the store and its queue, who runs the jobs, pictures that were given, what was last set.

One desk for a server. A page that is closed loses nothing, because nothing is kept in it: jobs are in the store,
pictures are files in the home folder, and the controls' values are remembered in the library. Knows no component.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import click

from eichi.catalog import find
from eichi.declare import Plain
from eichi.errors import EichiError, FolderError, InputError
from eichi.events import Adjusted
from eichi.files import read_file
from eichi.jobs.queue import Queue
from eichi.jobs.schema import Job
from eichi.jobs.store import Store
from eichi.jobs.view import Status
from eichi.library.imports import Item, import_folder
from eichi.library.restore import restore
from eichi.library.store import FOLDER
from eichi.library.whereabouts import Places
from eichi.models.tokens import Meter, find_meter
from eichi.options import FrameOptions, Request, VideoOptions, place
from eichi.settings import Settings
from eichi.web.downloads import Downloads
from eichi.web.live import Live
from eichi.web.lorafolder import LoraFolder
from eichi.web.machine import Probe
from eichi.web.refs import Refs
from eichi.web.results import Files, ResultFile
from eichi.web.toolruns import ToolRuns
from eichi.web.uploads import Uploads


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
        self.given = Uploads(settings)
        self.refs = Refs(settings, store, self.given)
        self.loras = LoraFolder(settings, self.refs)
        self.probe = Probe()
        self.live = Live(self)

    @property
    def uploads(self) -> Path:
        """Where pictures are kept that were given in a browser."""
        return self.given.folder

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
        self.given.tidy(self._kept)

    def _kept(self) -> list[str]:
        """All that may name a picture. Raises OSError."""
        kept = [json.dumps(job.request) for job in self.store.jobs()]
        library = (self.settings.home / FOLDER).glob("*.json")
        return kept + [read_file(path).decode("utf-8", "replace") for path in library]

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
        self.given.settings = self.refs.settings = settings

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

    def inside(self, path: Path) -> bool:
        """Whether a file lies among the results or among what was given to a page."""
        folders = (self.uploads, self.settings.outputs.absolute())
        return any(path.resolve().is_relative_to(folder.resolve()) for folder in folders)

    def _ours(self, path: Path) -> str | None:
        return self._copied(path) if self.inside(path) else None

    def _copied(self, path: Path) -> str | None:
        adopted = self.given.adopt(path)
        return None if adopted is None else str(adopted)


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
