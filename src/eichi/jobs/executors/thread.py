"""Jobs in a thread of this process: for scripts and tests that have torch in memory anyway. No shelter from crashes."""

import threading
from collections.abc import Iterator

from eichi.jobs.queue import Queue
from eichi.jobs.store import Store
from eichi.jobs.view import Ask, Told
from eichi.settings import Settings


class ThreadExecutor:
    """One worker in a thread, started with the first job."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.settings = settings
        self._leaving = threading.Event()
        self._thread: threading.Thread | None = None

    def submit(self, job: int) -> Iterator[Told]:
        if self._thread is None:
            from eichi.jobs.worker import Worker  # torch comes in here

            worker = Worker(self.store, self.settings, self._leaving)
            self._thread = threading.Thread(target=worker.work, name="worker", daemon=True)
            self._thread.start()
        return self.store.follow(job, until=lambda row: row.status.terminal or self._leaving.is_set())

    def cancel(self, job: int, how: Ask = Ask.NOW) -> None:
        Queue(self.store, self.settings.models).stop(job, how)

    def close(self) -> None:
        self._leaving.set()
        if self._thread is not None:
            self._thread.join()
