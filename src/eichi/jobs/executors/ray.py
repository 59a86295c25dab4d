"""Jobs in the workers of a Ray cluster. Importing and using it loads neither Ray nor torch: a process beside does.

That one, the keeper, makes the workers; they take jobs from the store as all others do. It is started again where it
dies, also with the cluster's head, and no job is lost by that.
"""

import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from eichi.errors import FolderError, InputError, RunError, StoreError
from eichi.files import private
from eichi.jobs.listing import Wanted
from eichi.jobs.queue import Queue
from eichi.jobs.store import Store
from eichi.jobs.view import Ask, Problem, Status, Told
from eichi.settings import Settings, variable

PACE = 0.2  # seconds between two looks at what is taken
WANTED = Wanted(active=1000, coming=0, ended=100)  # of the jobs, with each of them
AGAIN = 3.0  # seconds after which a keeper is started again that died
TRIES = 3  # times that a keeper may die without a word and without a worker
KEEPER, ONCE, STOP = "eichi.jobs.executors.keeper", "--once", "--stop"
FOLDER, TOKEN = "ray", "token"
# What a keeper is told of the settings: those that a command may have otherwise than the settings file.
TOLD = (
    "home",
    "store",
    "place",
    "device",
    "devices",
    "gpus",
    *(key for key in Settings.model_fields if key.startswith("ray_")),
)
# In force unless the environment says otherwise: nobody is told of the use, nobody gets in without the token.
ALWAYS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token"}
# For an instance of our own: workers are as quick as others, memory is seen to by the plan, a lost head is seen soon.
INSTANCE = {
    "RAY_worker_niceness": "0",
    "RAY_memory_monitor_refresh_ms": "0",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "10",
}
TOKENS = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")


class RayExecutor:
    """A keeper's process. On a cluster the workers go on when it is closed."""

    def __init__(self, store: Store, settings: Settings) -> None:
        """Raises InputError where Ray is not installed."""
        if find_spec("ray") is None:
            raise InputError("error.ray.missing")
        self.store = store
        self.settings = settings
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._keeper: threading.Thread | None = None
        self._ready = False
        self._problem: Problem | None = None

    @property
    def lasting(self) -> bool:
        return bool(self.settings.ray_address)

    def submit(self, job: int) -> Iterator[Told]:
        self._start()
        return self._follow(job)

    def cancel(self, job: int, how: Ask = Ask.NOW) -> None:
        Queue(self.store, self.settings.model_folders).stop(job, how)

    def close(self) -> None:
        with self._lock:
            self._closing.set()
            process, keeper = self._process, self._keeper
        if process is None or keeper is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            keeper.join()
        except KeyboardInterrupt:  # who cannot wait for the end of a step loses that step
            process.kill()
            keeper.join()
            raise

    def drain(self) -> Iterator[int]:
        """Run what waits, and no more: the numbers of the jobs as they are taken, by whomever. Raises RunError."""
        self._start()
        begun, active, seen = time.time(), set[int](), set[int]()
        while self._living:
            waits = self.store.waits() and not self.store.held  # asked first: what waits no more is among the marks
            marks = self.store.marks(WANTED)
            now = {mark.id for mark in marks.active}
            # Those that were taken and have ended between two looks.
            fast = {mark.id for mark in marks.ended if (mark.ended or 0) > begun} - seen
            yield from sorted((now - active) | {id for id in fast if self._ran(id)})
            active, seen = now, seen | now | fast
            if not active and not waits:
                return
            self._closing.wait(PACE)
        self._check()

    def start(self) -> None:
        """Make the workers of a cluster, which go on by themselves. Raises EichiError."""
        self._do(ONCE)

    def stop(self) -> None:
        """Let the workers of a cluster go, each when its step is ended. Raises EichiError."""
        self._do(STOP)

    @property
    def pid(self) -> int | None:
        """The number of the keeper's process, None before it is started."""
        return None if self._process is None else self._process.pid

    @property
    def _living(self) -> bool:
        return self._keeper is not None and self._keeper.is_alive()

    def _start(self) -> None:
        """Start the keeper unless it is there."""
        with self._lock:
            if not self._living:
                self._problem, self._ready = None, False
                self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)
                self._keeper.start()

    def _keep(self) -> None:
        """Hear what the keeper says, and start it again if it dies: always, once there were workers."""
        tries = 0
        with tempfile.TemporaryDirectory(prefix="eichi-", ignore_cleanup_errors=True) as folder:
            while not self._closing.is_set():
                with self._lock:
                    self._process = process = self._spawn(folder)
                self._hear(process)
                with suppress(StoreError):  # whoever looks next finds the job
                    self.store.recover()
                tries += 1
                if process.returncode == 0 or (not self._ready and (self._problem or tries == TRIES)):
                    break
                self._closing.wait(AGAIN)

    def _hear(self, process: subprocess.Popen[str]) -> None:
        """What a keeper says, to its end."""
        assert process.stdout is not None and process.stdin is not None
        with process.stdout:
            for line in process.stdout:
                if line.strip().isdecimal():
                    self._ready, self._problem = True, None
                else:
                    self._problem = Problem.model_validate_json(line)
        process.wait()
        process.stdin.close()

    def _do(self, word: str) -> None:
        """One thing that is done by a keeper that ends then. Raises EichiError."""
        if not self.lasting:
            raise InputError("error.ray.own")
        self._process = process = self._spawn(tempfile.gettempdir(), word)
        self._hear(process)
        self._check()

    def _spawn(self, folder: str, *words: str) -> subprocess.Popen[str]:
        told = {variable(key): str(getattr(self.settings, key)) for key in TOLD}
        return subprocess.Popen(
            [sys.executable, "-m", KEEPER, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env=ALWAYS | self._own(folder) | os.environ | told,
        )

    def _own(self, folder: str) -> dict[str, str]:
        """What only an instance of our own is told: where its files are, and who may come in."""
        if self.lasting:
            return {}
        given = {} if any(name in os.environ for name in TOKENS) else {TOKENS[1]: str(_token(self.settings))}
        return {**INSTANCE, **given, "RAY_TMPDIR": folder}

    def _follow(self, job: int) -> Iterator[Told]:
        yield from self.store.follow(job, until=lambda row: row.status.terminal or not self._living)
        row = self.store.find(job)
        if row is not None and row.status == Status.WAITING:
            self._check()

    def _ran(self, id: int) -> bool:
        """Whether a job that ended was begun."""
        row = self.store.find(id)
        return row is not None and row.started is not None

    def _check(self) -> None:
        """Say so where the keeper has gone on its own."""
        process = self._process
        if self._closing.is_set() or process is None or not process.returncode:
            return
        if self._problem is not None:
            raise RunError(self._problem.id, **self._problem.values)
        raise RunError("error.ray.ended", code=process.returncode)


def _token(settings: Settings) -> Path:
    """The file with what lets into an instance of this machine, made where it is not there. Raises FolderError."""
    path = settings.home / FOLDER / TOKEN
    try:
        private(path.parent)
        with suppress(FileExistsError), open(path, "x", encoding="ascii", opener=_closed) as file:
            file.write(secrets.token_hex(32))
    except OSError as error:
        raise FolderError("error.folder.write", folder=path.parent, reason=error) from error
    return path


def _closed(path: str, flags: int) -> int:
    """A file for its owner alone."""
    return os.open(path, flags, 0o600)
