"""Jobs in a worker process of this machine: what it loads and how it dies is nothing to the process that serves people.

A worker that dies with a job is replaced. One that dies before it has taken any would die again: whoever waits is told.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from queue import SimpleQueue

from eichi.errors import RunError, StoreError
from eichi.jobs.queue import Queue
from eichi.jobs.schema import ELSEWHERE
from eichi.jobs.store import Store
from eichi.jobs.view import Ask, Status, Told
from eichi.settings import Settings


class LocalExecutor:
    """One worker process. Importing and using it loads no torch."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.settings = settings
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._keeper: threading.Thread | None = None
        self._closing = False
        self._taken: SimpleQueue[int | None] = SimpleQueue()

    @property
    def pid(self) -> int | None:
        """The number of the worker's process, None before it is started."""
        return None if self._process is None else self._process.pid

    def submit(self, job: int) -> Iterator[Told]:
        self._start()
        return self._follow(job)

    def cancel(self, job: int, how: Ask = Ask.NOW) -> None:
        Queue(self.store, self.settings.model_folders).stop(job, how)

    def close(self) -> None:
        with self._lock:
            self._closing = True
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
        """Run what waits, and no more: the numbers of the jobs as they are taken. Raises RunError.

        ELSEWHERE is among them where another worker of this machine has the device and runs the jobs.
        """
        self._start("--drain")
        while (job := self._taken.get()) is not None:
            yield job
        self._check()

    def _start(self, *words: str) -> None:
        """Start the worker unless it is there."""
        with self._lock:
            if self._keeper is None or not self._keeper.is_alive():
                self._taken = SimpleQueue()  # nothing of a worker that ended before
                self._process = self._spawn(*words)
                self._keeper = threading.Thread(target=self._keep, args=words, name="keeper", daemon=True)
                self._keeper.start()

    def _spawn(self, *words: str) -> subprocess.Popen[str]:
        settings = self.settings
        place = {"EICHI_HOME": settings.home, "EICHI_STORE": settings.store, "EICHI_DEVICE": settings.device}
        return subprocess.Popen(
            [sys.executable, "-m", "eichi.jobs.worker", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env=os.environ | {name: str(value) for name, value in place.items()},
        )

    def _keep(self, *words: str) -> None:
        """Hear what the worker takes, and replace it if it dies with a job."""
        while True:
            process = self._process
            assert process is not None and process.stdout is not None and process.stdin is not None
            taken = 0
            with process.stdout:
                for line in process.stdout:
                    taken += int(line) != ELSEWHERE
                    self._taken.put(int(line))
            code = process.wait()
            process.stdin.close()
            with suppress(StoreError):  # whoever looks next finds the job
                self.store.recover()
            with self._lock:
                if self._closing or code == 0 or not taken:
                    break
                self._process = self._spawn(*words)
        self._taken.put(None)

    def _follow(self, job: int) -> Iterator[Told]:
        keeper = self._keeper
        assert keeper is not None
        yield from self.store.follow(job, until=lambda row: row.status.terminal or not keeper.is_alive())
        row = self.store.find(job)
        if row is not None and row.status == Status.WAITING:
            self._check()

    def _check(self) -> None:
        """Say so where the worker has gone on its own."""
        assert self._process is not None
        if self._process.returncode and not self._closing:
            raise RunError("error.worker.ended", code=self._process.returncode)
