"""Downloads of models for the page: one after another beside the server, told of as they come.

Models share parts, so that two at once would write the same files. What has come stays when a download is stopped, when
it fails and when the server ends; the next one of the model goes on from there. The work itself is that of
`eichi models download`. Knows no page.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eichi.catalog import Entry, find
from eichi.errors import EichiError, InputError, ModelError
from eichi.jobs.view import Status, View
from eichi.settings import Settings
from eichi.web.i18n import Words

if TYPE_CHECKING:
    from eichi.models.download import Fetching

SPAN = 5.0  # seconds that a speed is measured over
Clock = Callable[[], float]


class DownloadView(View):
    """The download of a model: bytes that are here and of the whole, bytes and seconds left by its latest speed.

    `said` is the sentence of the error that it ended with, if it did. `file` is the one that is being fetched.
    """

    name: str
    label: str
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
    said: str


@dataclass
class Download:
    """The download of one model. `told` is the latest word of it, `marks` are times with the bytes there were then."""

    entry: Entry
    status: Status = Status.WAITING
    told: "Fetching | None" = None
    error: EichiError | None = None
    marks: deque[tuple[float, int]] = field(default_factory=deque)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def open(self) -> bool:
        """Whether it is under way or still to come."""
        return self.status in (Status.WAITING, Status.RUNNING)

    @property
    def speed(self) -> float | None:
        """Bytes in a second, by the latest few; None before anybody knows."""
        if self.status is not Status.RUNNING or len(self.marks) < 2:
            return None
        (first, before), (last, now) = self.marks[0], self.marks[-1]
        return (now - before) / (last - first) if last > first else None

    def hear(self, told: "Fetching", now: float) -> None:
        """Note how far it is."""
        self.told = told
        self.marks.append((now, told.done))
        while now - self.marks[0][0] > SPAN and len(self.marks) > 2:
            self.marks.popleft()


class Downloads:
    """The downloads of a server, the latest of each model."""

    def __init__(self, settings: Settings, clock: Clock = time.monotonic) -> None:
        self.settings = settings
        self._clock = clock
        self._runs: dict[str, Download] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self, name: str) -> None:
        """Fetch what a model lacks; nothing more where that is under way.

        Raises ModelError, FolderError and RunError for what the hub, the disk or the settings have against it.
        """
        from eichi.models.download import want

        entry = find(name)
        with self._lock:
            if (run := self._runs.get(entry.name)) is not None and run.open:
                return
        if self.settings.offline:
            raise ModelError("error.hub.offline", what=entry.name)
        want(entry, self.settings.shelves)
        with self._lock:
            run = self._runs.get(entry.name)
            if run is None or not run.open:
                self._runs.pop(entry.name, None)
                self._runs[entry.name] = Download(entry)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="downloads", daemon=True)
                self._thread.start()

    def stop(self, name: str) -> None:
        """End a download; what has come of it stays. Raises InputError where there is none."""
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
        """The latest download of a model."""
        run = self._runs.get(name)
        return None if run is None else view(run, Words(language))

    def views(self, language: str) -> list[DownloadView]:
        """All of them, in the order they were asked for."""
        words = Words(language)
        with self._lock:
            runs = list(self._runs.values())
        return [view(run, words) for run in runs]

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
        """Fetch, until it is all there or somebody stops it. Between two tries it listens, too."""
        from eichi.models.download import bring, want

        models = self.settings.shelves
        coming = bring(want(run.entry, models), models, run.ended.wait)
        for told in coming:
            run.hear(told, self._clock())
            if run.ended.is_set():
                coming.close()
                return


def view(run: Download, words: Words) -> DownloadView:
    """A download as it is seen from outside."""
    told, speed = run.told, run.speed
    done, size = (0, 0) if told is None else (told.done, told.size)
    return DownloadView(
        name=run.entry.name,
        label=label(run.entry, words),
        status=run.status,
        status_text=words(f"status.{run.status}"),
        file="" if told is None else told.file,
        index=0 if told is None else told.index,
        files=0 if told is None else told.files,
        done=done,
        size=size,
        fraction=1.0 if run.status is Status.DONE else done / size if size else 0.0,
        speed=speed,
        left=(size - done) / speed if speed else None,
        said="" if run.error is None else run.error.say(words.language),
    )


def label(entry: Entry, words: Words) -> str:
    """What a model is called in a language."""
    return words.pick(f"choice.model.{entry.name.replace('-', '_')}", entry.name)
