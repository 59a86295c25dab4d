"""What all pages work on: the store and its queue, who runs the jobs, files that were given, models and tools.

One desk for a server. A page that is closed loses nothing, because jobs are in the store, what was given are files
in the home folder, and drafts are the browser's own. Knows no page.
"""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import click

from eichi.catalog import find
from eichi.errors import EichiError, FolderError
from eichi.files import read_file
from eichi.jobs.freight import Freight
from eichi.jobs.places import open_place
from eichi.jobs.queue import Queue, results
from eichi.jobs.regular import regularly
from eichi.jobs.schema import Job
from eichi.jobs.store import Store
from eichi.library.imports import Item, import_folder
from eichi.library.store import FOLDER
from eichi.models.tokens import Meter, find_meter
from eichi.options import Queued
from eichi.settings import Settings
from eichi.web.downloads import Downloads
from eichi.web.glimpse import Glimpses
from eichi.web.live import Live
from eichi.web.lorafolder import LoraFolder
from eichi.web.machine import Probe
from eichi.web.manual import Shelf
from eichi.web.refs import Refs
from eichi.web.results import Files, ResultFile
from eichi.web.toolruns import ToolRuns
from eichi.web.uploads import Uploads

BIN = 3600.0  # seconds that a removed job can be had back
PAUSE = 5.0  # seconds between two looks for jobs that a command has added


class Desk:
    """The things that one server has once; `submit` sees to it that a job is run.

    `local` says that only this machine reaches the server.
    """

    def __init__(self, settings: Settings, store: Store, submit: Callable[[int], object], local: bool = False) -> None:
        self.settings = settings
        self.store = store
        self.submit = submit
        self.local = local
        self.freight = Freight(settings, open_place(settings.place, store))
        self.queue = Queue(store, settings.model_folders, self.freight, settings.quota, settings.lists, settings.cache)
        self.boot = uuid4().hex  # tells a page that the server was started anew
        self.bench = ToolRuns(settings, store)
        self.downloads = Downloads(settings)
        self.files = Files()
        self.given = Uploads(settings, self._kept)
        self.refs = Refs(settings, store, self.given)
        self.loras = LoraFolder(settings, self.refs)
        self.probe = Probe()
        self.glimpses = Glimpses()
        self.manual = Shelf(settings.home)
        self.live = Live(self)
        self._starting = threading.Lock()
        self._roused: int | None = None  # the job that somebody was last to work for
        self.changing = threading.Lock()  # of the settings, one at a time

    @property
    def uploads(self) -> Path:
        """Where pictures are kept that were given in a browser."""
        return self.given.folder

    def start(self, requests: Sequence[Queued], once: str | None = None, owner: str = "") -> list[Job]:
        """Put requests into the queue and see to it that somebody works. Raises InputError for the first bad one."""
        drafts, _ = self.queue.prepare(requests, self.settings.outputs)
        jobs = self.queue.add(drafts, once=once, owner=owner)
        self.wake()
        return jobs

    def once(
        self, key: str | None, kind: str, make: Callable[[], Sequence[Queued]], owner: str = ""
    ) -> tuple[int, ...]:
        """The numbers of jobs that are started, or were when the same owner gave the same key for this kind before.

        The jobs remember it themselves: neither a lost answer nor a restart makes a second one. Raises InputError.
        """
        if key is None:
            return tuple(job.id for job in self.start(make(), owner=owner))
        named = f"{owner}\0{kind}\0{key}" if owner else f"{kind}\0{key}"
        mark = sha256(named.encode("utf-8", "replace")).hexdigest()
        with self._starting:  # the second press waits for what becomes of the first
            known = self.store.asked(mark)
            return tuple(job.id for job in known or self.start(make(), mark, owner))

    def empty_bin(self) -> None:
        """Remove for good what has lain in the bin for long enough."""
        self.queue.purge(self.store.now() - BIN)

    def wake(self) -> None:
        """Start the worker where a job waits and none works, after a start of the server too."""
        self.store.recover()
        self._rouse(self.store.next())

    def stir(self) -> None:
        """Start the worker for a job that a command has added: once for each, so that one which dies is left alone."""
        waiting = self.store.next()
        if waiting != self._roused:
            self._rouse(waiting)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look for such jobs every now and then, as long as this lasts."""
        with regularly(self._stir, PAUSE, "stir"):
            yield

    def _stir(self) -> None:
        with suppress(EichiError):  # another time
            self.stir()

    def _rouse(self, waiting: int | None) -> None:
        if waiting is not None and not self.store.held:
            self._roused = waiting
            self.submit(waiting)

    def tidy(self) -> None:
        """Remove what was given long ago and is named by no job and by nothing that is kept in the library."""
        self.given.tidy(self._kept)

    def _kept(self) -> list[str]:
        """All that may name a picture. Raises OSError."""
        kept = [json.dumps(request, default=str) for request in self.store.column("request")]
        library = (self.settings.home / FOLDER).glob("*.json")
        return kept + [read_file(path).decode("utf-8", "replace") for path in library]

    def meter(self, model: str) -> Meter | None:
        """What counts the tokens of a model's prompts; None where its tokenizers are not on this machine."""
        try:
            return find_meter(find(model), self.settings.model_folders)
        except EichiError:  # what is wrong with a model is said by the plan
            return None

    def adjust(self, settings: Settings) -> None:
        """Go on with other settings."""
        self.queue.quota = settings.quota
        self.settings = self.bench.settings = self.loras.settings = self.downloads.settings = settings
        self.given.settings = self.refs.settings = settings
        self.queue.models, self.queue.lists = settings.model_folders, settings.lists

    def open_folder(self, job: Job | None = None) -> Path:
        """Show the folder of results, or that of a job's, in the system's own window. Raises FolderError."""
        folder = self.settings.outputs.absolute() if job is None else Path(job.folder)
        folder.mkdir(parents=True, exist_ok=True)
        if click.launch(str(folder), wait=True):
            raise FolderError("error.folder.open", folder=folder)
        return folder

    def take_over(self, folder: Path) -> tuple[Path, list[Item]]:
        """What a folder of eichi 1.9 on this machine holds. Raises InputError."""
        return import_folder(folder, self.settings.home)

    def listed(self) -> list[ResultFile]:
        """The latent files and videos among the results, but for those that go with jobs in the bin."""
        thrown = {path for job in self.store.binned() if job.binned_files for path in results(job)}
        return [one for one in self.files.list(self.settings.outputs.absolute()) if one.path not in thrown]
