"""The tools on latent files, one after another, each in a process of its own: `eichi latents …`.

What a tool loads and how it dies is nothing to the process that serves people, as with jobs. While a job runs a tool
waits, since both want the device. What is said of a run is what its process says, a JSON line at a time; runs live as
long as the server.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from glob import escape
from pathlib import Path

from pydantic_core import from_json

from eichi.errors import InputError, OptionError
from eichi.events import Converted, Json, Step, read_message
from eichi.files import leave
from eichi.jobs.store import Store
from eichi.jobs.view import ACTIVE
from eichi.settings import Settings
from eichi.video.splice import free_name

LATENTS, VIDEO = ".safetensors", ".mp4"
# What people bring, of which the first is what is made here; cameras leave transport streams.
VIDEOS = (VIDEO, ".m4v", ".mov", ".webm", ".mkv", ".avi", ".ts", ".mts", ".m2ts", ".mpg")
MOVING = (*VIDEOS, ".gif", ".webp", ".apng")  # with pictures that may move; in a place for pictures they do not
# Every tool: how many files it takes (0: two or more), what its result is called, its ending, the values it knows.
TOOLS: dict[str, tuple[int, str, str, tuple[str, ...]]] = {
    "join": (0, "joined", LATENTS, ()),
    "trim": (1, "trimmed", LATENTS, ("start", "end")),
    "fill": (2, "filled", LATENTS, ("length", "prompt", "seed", "model")),
    "to-mp4": (1, "decoded", VIDEO, ("model", "crf")),
    "from-mp4": (1, "encoded", LATENTS, ("model", "resolution")),
}
LOOK = 0.5  # seconds between two looks whether a job still runs
RUN = "from eichi.cli import main; main()"


@dataclass
class ToolRun:
    """One use of a tool.

    `fraction` is the share that is done, `said` the sentence of an error, `asked` whether it was to end early.
    """

    id: int
    tool: str
    files: tuple[str, ...]
    words: tuple[str, ...]
    language: str
    result: Path
    status: str = "waiting"
    fraction: float = 0.0
    said: str = ""
    asked: bool = False
    process: "subprocess.Popen[str] | None" = field(default=None, repr=False)

    @property
    def view(self) -> "RunView":
        """The run as it is seen from outside."""
        return RunView(self.id, self.tool, self.files, self.status, self.fraction, self.said, self.result.name)


@dataclass(frozen=True)
class RunView:
    """One use of a tool, `files` and `result` being names in the folder of results."""

    id: int
    tool: str
    files: tuple[str, ...]
    status: str
    fraction: float
    said: str
    result: str


class ToolRuns:
    """The runs of a server, the newest last."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings, self.store = settings, store
        self.runs: list[ToolRun] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()

    def start(self, tool: str, files: Sequence[Path], values: Mapping[str, object], language: str) -> ToolRun:
        """Put a tool to work. Raises OptionError for what it does not take."""
        if tool not in TOOLS:
            raise OptionError("error.option.choice", key="tool", value=tool, choices=", ".join(TOOLS))
        count, word, ending, known = TOOLS[tool]
        if (count and len(files) != count) or (not count and len(files) < 2):
            raise OptionError("error.tool.files", tool=tool, count=count or 2, given=len(files))
        for key in values.keys() - set(known):
            raise OptionError("error.option.unknown", key=key, known=", ".join(known) or "–")
        given = {key: values[key] for key in known if values.get(key) not in (None, "")}
        flags = [f"--{key}={value}" for key, value in given.items()]
        with self._lock:
            target = free_name(self.settings.outputs.absolute(), files[0], word, ending)
            words = ("latents", tool, *map(str, files), *flags, "--out", str(target), "--json")
            names = tuple(path.name for path in files)
            run = ToolRun(len(self.runs) + 1, tool, names, words, language, target)
            self.runs.append(run)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="bench", daemon=True)
                self._thread.start()
        return run

    def stop(self, id: int) -> None:
        """End a run that waits or works; nothing of it stays. Raises InputError for a number that is not there."""
        run = next((run for run in self.runs if run.id == id), None)
        if run is None:
            raise InputError("error.tool.unknown", run=id)
        if run.process is not None and run.status == "running":
            run.asked = True
            run.process.terminate()  # on any system, wherever it is
        elif run.status == "waiting":
            run.status = "stopped"

    def close(self) -> None:
        self._closing.set()
        for run in self.runs:
            if run.process is not None:
                run.asked = True
                run.process.kill()

    def _next(self) -> ToolRun | None:
        """The next run to do; None ends the thread, and whoever comes later starts another."""
        with self._lock:
            run = next((run for run in self.runs if run.status == "waiting"), None)
            if run is None:
                self._thread = None
        return run

    def _work(self) -> None:
        while not self._closing.is_set() and (run := self._next()) is not None:
            if run.tool not in ("join", "trim") and self.store.jobs(ACTIVE):
                time.sleep(LOOK)
            else:
                self._do(run)

    def _do(self, run: ToolRun) -> None:
        """Run the command and hear what it says."""
        settings = self.settings
        place = {"EICHI_HOME": settings.home, "EICHI_DEVICE": settings.device, "EICHI_LANGUAGE": run.language}
        run.status = "running"
        run.process = subprocess.Popen(
            [sys.executable, "-c", RUN, *run.words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            env=os.environ | {name: str(value) for name, value in place.items()},
        )
        assert run.process.stdout is not None
        with run.process.stdout:
            for line in run.process.stdout:
                self._hear(run, from_json(line))
        code = run.process.wait()
        run.process = None
        run.status = "done" if code == 0 else "stopped" if run.asked else "failed"
        run.fraction = 1.0 if code == 0 else run.fraction
        if code:
            _clear(run.result)

    def _hear(self, run: ToolRun, said: Json) -> None:
        """A line of the process: an event, or the error that it ended with."""
        if "error" in said:
            run.said = str(said["message"])
            return
        event = read_message(said)
        if isinstance(event, Step):
            run.fraction = event.fraction
        elif isinstance(event, Converted) and event.total:
            run.fraction = event.done / event.total


def _clear(result: Path) -> None:
    """Remove what a tool that was ended at once left of its result, hidden beside it."""
    for path in result.parent.glob(f".{escape(result.stem)}.*"):
        leave(path)
