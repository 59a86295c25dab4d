"""What all pages work on: the store and its queue, who runs the jobs, pictures that were given, what was last set.

One desk for a server. A page that is closed loses nothing, because nothing is kept in it: jobs are in the store,
pictures are files in the home folder, and the controls' values are remembered in the library. Knows no component.
"""

import hashlib
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from eichi.catalog import find
from eichi.errors import EichiError
from eichi.jobs.queue import Queue
from eichi.jobs.schema import Job, Status
from eichi.jobs.store import Store
from eichi.models.locate import locate_part
from eichi.models.tokens import WHOLE, Meter
from eichi.options import FrameOptions, VideoOptions
from eichi.settings import Settings

UPLOADS = "uploads"


class Desk:
    """The things that one server has once; `submit` sees to it that a job is run."""

    def __init__(self, settings: Settings, store: Store, submit: Callable[[int], object]) -> None:
        self.settings = settings
        self.store = store
        self.submit = submit
        self.queue = Queue(store, settings.models)
        self.boot = uuid4().hex  # tells a page that the server was started anew
        self._lock = threading.Lock()
        self._meters: dict[str, Meter | None] = {}

    @property
    def uploads(self) -> Path:
        """Where pictures are kept that were given in a browser."""
        return uploads(self.settings)

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

    def meter(self, model: str) -> Meter | None:
        """What counts the tokens of a model's prompts; None where its tokenizers are not on this machine."""
        with self._lock:
            if model not in self._meters:
                self._meters[model] = self._new_meter(model)
            return self._meters[model]

    def _new_meter(self, model: str) -> Meter | None:
        try:
            entry = find(model)
            llama, clip = (locate_part(entry, part, self.settings.models) for part in ("tokenizer", "tokenizer_2"))
            if llama is None or clip is None or not (llama / WHOLE).is_file():
                return None
            return Meter(entry.template, llama, clip)
        except EichiError:  # what is wrong with a model is said by the plan
            return None

    def adopt(self, request: Mapping[str, Any], trusted: bool = True) -> dict[str, Any]:
        """A request whose pictures are copied to the uploads, so that pages may show them; those that are gone go.

        A request that is not `trusted`, as a file that a visitor gave carries it, reaches no other folder than ours.
        """
        adopted: dict[str, Any] = _map_files(request, self._copied if trusted else self._ours)
        return adopted

    def _ours(self, path: Path) -> str | None:
        folders = (self.uploads, self.settings.outputs.absolute())
        inside = any(path.resolve().is_relative_to(folder.resolve()) for folder in folders)
        return self._copied(path) if inside else None

    def _copied(self, path: Path) -> str | None:
        if path.is_relative_to(self.uploads):
            return str(path) if path.is_file() else None
        try:
            name = hashlib.sha256(path.read_bytes()).hexdigest()[:32]
            target = self.uploads / name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
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
