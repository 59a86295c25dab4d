"""What is done with models for the page: fetched and checked, one after another beside the server, told as it goes.

Models share parts, so that two at once would write the same files. What has come stays when a download is stopped, when
it fails and when the server ends; the next one of the model goes on from there. The work itself is that of `eichi
models`. Knows no page.
"""

import logging
import threading
from collections.abc import Collection, Generator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from eichi.catalog import Entry, find
from eichi.errors import EichiError, InputError, ModelError
from eichi.events import Adjusted
from eichi.jobs.view import Status, View
from eichi.library.agreed import Agreed
from eichi.modelview import label
from eichi.settings import Settings
from eichi.web.i18n import Words
from eichi.words import ENGLISH, resay

if TYPE_CHECKING:
    from eichi.models.download import Fetching, Order, Stalled
    from eichi.models.fetched import Checked, Checking

log = logging.getLogger(__name__)

Task = Literal["download", "check"]


class DownloadView(View):
    """What is being done with a model, or was: bytes of it and of the whole, bytes and seconds left by its latest rate.

    `file` is the one that it is at. `stalled` says why nothing comes for a while, `said` is the sentence of the error
    that it ended with, if it did. Of a check, `bad` are the damaged files, `good` is how many are not.
    """

    name: str
    label: str
    task: Task
    status: Status
    status_text: str
    file: str
    index: int
    files: int
    done: int
    size: int
    fraction: float
    speed: float | None
    left: float | None
    stalled: str
    said: str
    bad: tuple[str, ...]
    good: int


@dataclass
class Download:
    """One task with a model. `told` is the latest word of it; `asked` is what a download fetches."""

    entry: Entry
    task: Task = "download"
    asked: "Order | None" = None
    status: Status = Status.WAITING
    told: "Fetching | Checking | None" = None
    stalled: "Stalled | None" = None
    checked: "list[Checked]" = field(default_factory=list)
    error: EichiError | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def open(self) -> bool:
        """Whether it is under way or still to come."""
        return self.status in (Status.WAITING, Status.RUNNING)

    @property
    def bad(self) -> "list[Checked]":
        return [one for one in self.checked if not one.good]

    def hear(self, told: "Fetching | Stalled | Checking | Checked") -> None:
        """Note how far it is."""
        match told.kind:
            case "stalled":
                self.stalled = told
            case "checked":
                self.checked.append(told)
            case _:
                self.told, self.stalled = told, None


class Downloads:
    """The tasks of a server, the latest of each model."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.agreed = Agreed(settings.home, _note)
        self._runs: dict[str, Download] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def order(self, name: str) -> "Order":
        """What a download of a model would come to, asked of the hub. Raises ModelError, RunError."""
        from eichi.models.download import order
        from eichi.models.hub import Server

        entry = find(name)
        if self.settings.offline:
            raise ModelError("error.hub.offline", what=entry.name)
        return order(entry, self.settings.model_folders, Server.of(self.settings))

    def start(self, name: str, agreed: Collection[str] = ()) -> None:
        """Fetch what a model lacks; nothing more where that is under way. `agreed` are licences by their ids.

        Raises ModelError, FolderError and RunError for what the hub, the disk or the settings have against it, and
        InputError where a licence was not agreed to.
        """
        from eichi.models.download import check_room

        if self._open(name):
            return
        asked = self.order(name)
        check_room(asked)
        terms = {one.id for one in asked.licences if one.asked}
        known = self.agreed.list()
        if new := terms.intersection(agreed) - known:
            self.agreed.add(new)
        if missing := terms - known - set(agreed):
            raise InputError("error.download.licence", model=name, licences=", ".join(sorted(missing)))
        self._put(Download(asked.entry, asked=asked))

    def check(self, name: str) -> None:
        """Compare a model's files with their checksums; nothing more where something is done with it already.

        Raises ModelError where a part is not here.
        """
        from eichi.models.locate import locate

        entry = find(name)
        locate(entry, self.settings.model_folders)
        self._put(Download(entry, "check"))

    def mend(self, name: str) -> None:
        """Fetch again what the latest check found damaged. Raises as `start`; InputError where it found nothing."""
        from eichi.models.download import check_room, order
        from eichi.models.fetched import alone, discard
        from eichi.models.hub import Server

        run = self._runs.get(name)
        if run is None or run.open or not run.bad:
            raise InputError("error.download.whole", model=name)
        if self.settings.offline:
            raise ModelError("error.hub.offline", what=name)
        folders = self.settings.model_folders
        with alone(folders):
            again = discard(run.entry, folders, run.bad)
        asked = order(run.entry, folders, Server.of(self.settings), again)
        check_room(asked)
        self._put(Download(run.entry, asked=asked))

    def remove(self, name: str) -> tuple[list[Path], int]:
        """Remove what was fetched for a model; the files and their bytes. Raises ModelError."""
        from eichi.models.fetched import remove

        if self._open(name):
            raise ModelError("error.model.busy", models=self.settings.models)
        gone = remove(find(name), self.settings.model_folders)
        with self._lock:
            self._runs.pop(name, None)
        return gone

    def stop(self, name: str) -> None:
        """End a task; what has come of it stays. Raises InputError where there is none."""
        with self._lock:
            run = self._runs.get(name)
            if run is None or not run.open:
                raise InputError("error.download.unknown", model=name)
            run.status = Status.STOPPED
            run.ended.set()

    def close(self) -> None:
        """End all of them with the server."""
        with self._lock:
            for run in self._runs.values():
                run.ended.set()
                if run.open:
                    run.status = Status.STOPPED

    def wait(self, timeout: float | None = None) -> None:
        """Wait until nothing is left to do."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout)

    def find(self, name: str, language: str) -> DownloadView | None:
        """The latest task with a model."""
        run = self._runs.get(name)
        return None if run is None else view(run, Words(language))

    def views(self, language: str) -> list[DownloadView]:
        """All of them, in the order they were asked for."""
        words = Words(language)
        with self._lock:
            runs = list(self._runs.values())
        return [view(run, words) for run in runs]

    def _open(self, name: str) -> bool:
        with self._lock:
            run = self._runs.get(name)
            return run is not None and run.open

    def _put(self, run: Download) -> None:
        """Put a task behind the others, unless the model has one."""
        with self._lock:
            before = self._runs.get(run.entry.name)
            if before is not None and before.open:
                return
            self._runs.pop(run.entry.name, None)
            self._runs[run.entry.name] = run
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="downloads", daemon=True)
                self._thread.start()

    def _next(self) -> Download | None:
        """The next one to do; None ends the thread, and whoever comes later starts another."""
        with self._lock:
            run = next((run for run in self._runs.values() if run.status is Status.WAITING), None)
            if run is None:
                self._thread = None
            else:
                run.status = Status.RUNNING
        return run

    def _work(self) -> None:
        try:
            self._work_off()
        finally:  # a mistake of the program ends this thread; nothing is left that seems to go on
            with self._lock:
                if self._thread is threading.current_thread():
                    self._thread = None
                    for run in self._runs.values():
                        run.status = Status.FAILED if run.status is Status.RUNNING else run.status

    def _work_off(self) -> None:
        while (run := self._next()) is not None:
            error = None
            try:
                self._do(run)
            except EichiError as caught:
                error = caught
            with self._lock:
                if run.open:  # else it was stopped
                    run.status, run.error = Status.FAILED if error else Status.DONE, error

    def _do(self, run: Download) -> None:
        """Do it, until it is all done or somebody stops it. Between two tries it listens, too."""
        from eichi.models.download import bring
        from eichi.models.fetched import verify

        coming: Generator[Any, None, None]
        coming = (
            verify(run.entry, self.settings.model_folders) if run.asked is None else bring(run.asked, run.ended.wait)
        )
        with closing(coming):  # whatever ends it, nobody else waits for it
            for told in coming:
                run.hear(told)
                if run.ended.is_set():
                    return


def view(run: Download, words: Words) -> DownloadView:
    """A task as it is seen from outside."""
    told, moving = run.told, run.status is Status.RUNNING and run.stalled is None
    planned = (0, 0) if run.asked is None else (run.asked.here, run.asked.size)
    done, size = planned if told is None else (told.done, told.size)
    fetching = told if told is not None and told.kind == "fetching" else None
    return DownloadView(
        name=run.entry.name,
        label=label(run.entry, words.language),
        task=run.task,
        status=run.status,
        status_text=words(f"models.task.{run.task}" if run.status is Status.RUNNING else f"status.{run.status}"),
        file="" if told is None else str(told.file),
        index=0 if told is None else told.index,
        files=0 if told is None else told.files,
        done=done,
        size=size,
        fraction=1.0 if run.status is Status.DONE else done / size if size else 0.0,
        speed=fetching.speed if fetching is not None and moving else None,
        left=fetching.left if fetching is not None and moving else None,
        stalled="" if run.stalled is None or not run.open else run.stalled.say(words.language),
        said="" if run.error is None else run.error.say(words.language),
        bad=tuple(str(one.file) for one in run.bad),
        good=len(run.checked) - len(run.bad),
    )


def _note(note: Adjusted) -> None:
    log.warning("%s", resay(note.id, ENGLISH, note.values))
