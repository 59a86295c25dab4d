"""Jobs in worker processes of this machine, one for each slot: what a process loads and how it dies is nothing to the
one that serves people, nor to the others.

A worker that dies with a job is replaced. One that dies before it has taken any would die again: whoever waits is told,
unless another one is left.
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
from eichi.jobs.slots import Slot, slots
from eichi.jobs.store import Store
from eichi.jobs.view import Ask, Status, Told
from eichi.settings import Settings, variable

# What a worker is told of the settings: those that a command may have otherwise than the settings file.
TOLD = ("home", "store", "place", "device")

# Which seat says so, and the number of the job that it takes; None once it has ended.
Taken = tuple["Seat", int | None]


class LocalExecutor:
    """A worker process for each slot. Importing and using it loads no torch."""

    lasting = False

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.settings = settings
        self._lock = threading.Lock()
        self._seats: list[Seat] = []
        self._closing = False

    @property
    def pids(self) -> tuple[int, ...]:
        """The numbers of the workers' processes, none before they are started."""
        return tuple(seat.process.pid for seat in self._seats)

    def submit(self, job: int) -> Iterator[Told]:
        self._start()
        return self._follow(job)

    def cancel(self, job: int, how: Ask = Ask.NOW) -> None:
        Queue(self.store, self.settings.model_folders).stop(job, how)

    def close(self) -> None:
        with self._lock:
            self._closing = True
            seats = list(self._seats)
        for seat in seats:
            seat.leave()
        try:
            for seat in seats:
                seat.join()
        except KeyboardInterrupt:  # who cannot wait for the end of a step loses that step
            for seat in seats:
                seat.kill()
            raise

    def drain(self) -> Iterator[int]:
        """Run what waits, and no more: the numbers of the jobs as they are taken. Raises RunError.

        ELSEWHERE is among them where other workers of this machine have all its devices and run the jobs.
        """
        yield from self._taken("--drain")
        self._check()

    def serve(self) -> Iterator[int]:
        """Run what waits and what will come, until `close`: the numbers of the jobs as they are taken. Raises RunError
        where no worker is left.
        """
        yield from self._taken()
        self._check()

    def _taken(self, *words: str) -> Iterator[int]:
        taken: SimpleQueue[Taken] = SimpleQueue()
        self._start(*words, taken=taken)
        left, elsewhere, told = set(self._seats), set[Seat](), False
        while left:
            seat, job = taken.get()
            if job is None:
                left.discard(seat)
            elif job == ELSEWHERE:
                elsewhere.add(seat)
            else:
                elsewhere.discard(seat)
                yield job
            if left and left <= elsewhere and not told:
                told = True
                yield ELSEWHERE

    def _start(self, *words: str, taken: "SimpleQueue[Taken] | None" = None) -> None:
        """Start the workers that are not there."""
        with self._lock:
            if not self._seats:
                self._seats = [Seat(self, slot) for slot in slots(self.settings)]
            for seat in self._seats:
                if not seat.alive:
                    seat.start(words, taken)

    def _follow(self, job: int) -> Iterator[Told]:
        yield from self.store.follow(job, until=lambda row: row.status.terminal or not self._living)
        row = self.store.find(job)
        if row is not None and row.status == Status.WAITING:
            self._check()

    @property
    def _living(self) -> bool:
        """Whether somebody works; where nobody is to, others do."""
        return not self._seats or any(seat.alive for seat in self._seats)

    def _check(self) -> None:
        """Say so where the workers have gone on their own."""
        codes = [seat.process.returncode for seat in self._seats]
        if codes and all(codes) and not self._closing:
            raise RunError("error.worker.ended", code=codes[0])


class Seat:
    """A slot with the process that works there, and the thread that replaces it."""

    def __init__(self, executor: LocalExecutor, slot: Slot) -> None:
        self.executor = executor
        self.slot = slot
        self.process: subprocess.Popen[str]
        self._keeper: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        return self._keeper is not None and self._keeper.is_alive()

    def start(self, words: tuple[str, ...], taken: "SimpleQueue[Taken] | None") -> None:
        self.process = self._spawn(*words)
        self._keeper = threading.Thread(target=self._keep, args=(words, taken), name="keeper", daemon=True)
        self._keeper.start()

    def leave(self) -> None:
        """Let the worker go when it has ended its step."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def join(self) -> None:
        if self._keeper is not None:
            self._keeper.join()

    def kill(self) -> None:
        self.process.kill()
        self.join()

    def _spawn(self, *words: str) -> subprocess.Popen[str]:
        settings = self.executor.settings
        told = {variable(key): str(getattr(settings, key)) for key in TOLD}
        return subprocess.Popen(
            [sys.executable, "-m", "eichi.jobs.worker", *words, str(self.slot.number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env={**os.environ, **told, **self.slot.variables},
        )

    def _keep(self, words: tuple[str, ...], heard: "SimpleQueue[Taken] | None") -> None:
        """Hear what the worker takes, and replace it if it dies with a job."""
        executor = self.executor
        while True:
            process, taken = self.process, 0
            assert process.stdout is not None and process.stdin is not None
            with process.stdout:
                for line in process.stdout:
                    taken += int(line) != ELSEWHERE
                    if heard is not None:
                        heard.put((self, int(line)))
            code = process.wait()
            process.stdin.close()
            with suppress(StoreError):  # whoever looks next finds the job
                executor.store.recover()
            with executor._lock:
                if executor._closing or code == 0 or not taken:
                    break
                self.process = self._spawn(*words)
        if heard is not None:
            heard.put((self, None))
