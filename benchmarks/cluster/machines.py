"""The machines: one with the page and its own worker, others with `eichi worker`, each with a home of its own.

What ends is started again at once, as a service is. Knows nothing of what the jobs are.
"""

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import psutil

from benchmarks.cluster.disguise import DIARY, NAME, START
from benchmarks.servers import free_port
from eichi.events import Json

COMMAND = "from eichi.cli import main; main()"
PATIENCE = 120  # seconds for a machine to leave, and for the page to answer
PATHS = (str(Path(__file__).parents[2]), str(Path(str(files("eichi"))).parent))


@dataclass
class Machine:
    """A command of the program that runs for ever, and the variables that it runs with."""

    name: str
    words: Sequence[str]
    folder: Path
    variables: Mapping[str, str]
    starts: int = 0
    process: psutil.Popen = field(init=False)

    def start(self) -> None:
        self.starts += 1
        with (self.folder / "said.txt").open("ab") as said:
            self.process = psutil.Popen(
                [sys.executable, "-c", COMMAND, *self.words],
                cwd=self.folder,
                env=os.environ | self.variables,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )

    def mend(self) -> None:
        """Start it again where it has ended."""
        if self.process.poll() is not None:
            self.start()

    def leave(self) -> None:
        """Let it go as its user would."""
        if self.process.poll() is None:
            self.process.terminate()
        with suppress(subprocess.TimeoutExpired, psutil.TimeoutExpired):
            self.process.wait(PATIENCE)

    @property
    def home(self) -> Path:
        return Path(self.variables["EICHI_HOME"])

    def processes(self) -> list[psutil.Process]:
        """Its processes that live, also those that have lost their parents."""
        found: list[psutil.Process] = []
        for process in psutil.process_iter(["environ"]):
            there = process.info["environ"] or {}
            if there.get(NAME) == self.name and there.get(DIARY) == self.variables[DIARY]:
                found.append(process)
        return found


@dataclass(frozen=True)
class Shape:
    """How many machines there are, where they exchange files (nowhere: all have one folder), and whether Ray starts
    the worker of the first one.
    """

    workers: int = 3
    place: str = ""
    ray: bool = False


class Page:
    """The HTTP interface of the machine with the page, which may be away."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}/api/v1"

    def start(self, options: Mapping[str, Any], once: str) -> int | None:
        """The number of a job that is asked for once; None where nobody answered."""
        body, heads = json.dumps(options).encode(), {"content-type": "application/json", "idempotency-key": once}
        request = urllib.request.Request(f"{self.address}/jobs", body, heads)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                made: Json = json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code < 500:  # it answered, and does not want the job
                raise AssertionError(error.read().decode()) from error
            return None
        except (OSError, ValueError, urllib.error.URLError):
            return None
        return int(str(made["id"]))


@contextmanager
def machines(folder: Path, store: str, diary: Path, shape: Shape) -> Iterator[tuple[list[Machine], Page]]:
    """A machine with the page and its worker, and others with a worker each, until the end."""
    site = folder / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(START, encoding="utf-8")
    port = free_port()
    made: list[Machine] = []
    for number in range(shape.workers):
        # Ray's own processes know the machine by its real name, and whoever asks for a worker goes by that.
        name = socket.gethostname() if shape.ray and not number else f"node{number}"
        home = folder / name
        home.mkdir()
        variables = {"PYTHONPATH": os.pathsep.join((str(site), *PATHS))}
        variables |= {NAME: name, DIARY: str(diary), "EICHI_HOME": str(home / "home"), "EICHI_STORE": store}
        shared = not (number and shape.place)
        variables |= {"EICHI_OUTPUTS": str((folder if shared else home) / "outputs"), "EICHI_PLACE": shape.place}
        variables |= {"EICHI_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}
        variables |= {"EICHI_EXECUTOR": "ray"} if shape.ray and not number else {}
        words = ("worker",) if number else ("ui", "--port", str(port))
        made.append(Machine(name, words, home, variables))
    for machine in made:
        machine.start()
    try:
        yield made, Page(port)
    finally:
        for machine in made:
            machine.leave()
        for machine in made:
            for process in machine.processes():
                with suppress(psutil.NoSuchProcess):
                    process.kill()
