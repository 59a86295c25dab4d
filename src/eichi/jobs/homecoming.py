"""What was made elsewhere comes home: to the machine whose folder a job names, while it has a page or a command.

One process of the machine at a time fetches; the others need not. What is made so far of a job that runs elsewhere
comes, too, so that its sections can be seen and built on as if it ran here. Knows no worker.
"""

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from filelock import FileLock, Timeout

from eichi.errors import EichiError
from eichi.events import dump
from eichi.files import private
from eichi.jobs.freight import Freight
from eichi.jobs.regular import regularly
from eichi.jobs.schema import Job
from eichi.jobs.store import Store
from eichi.jobs.view import ACTIVE, Status
from eichi.lines import in_terminal

log = logging.getLogger(__name__)

SHED = 3600.0  # seconds between two looks for what nobody needs
PAUSE = 5.0  # seconds between two looks
LOCK = "homecoming.lock"
ENDED = tuple(status for status in Status if status.terminal)


class Homecoming:
    """Fetches results and sections of this machine's jobs."""

    def __init__(self, store: Store, freight: Freight) -> None:
        self.store = store
        self.freight = freight
        self._told = ""
        self._shed = -math.inf

    def look(self) -> list[int]:
        """Fetch what is there; the jobs whose results have come. Raises StoreError, DiskError, when all others have."""
        if self.freight.place is None:
            return []
        come: list[int] = []
        failed: EichiError | None = None
        with suppress(Timeout), self._alone():
            for id in self.freight.arrived():
                job = self.store.find(id)
                try:
                    if job is not None and job.status.terminal and self._received(job):
                        log.info("#%d: results have come", id)
                        come.append(id)
                except EichiError as error:  # of one job, which keeps no other away
                    failed = error
            for job in self.store.jobs(ACTIVE):
                if job.runner is not None and job.runner.split("/")[0] != self.freight.node:
                    try:
                        self.freight.mirror(job)
                    except EichiError as error:
                        failed = error
            if time.monotonic() >= self._shed + SHED:
                self._shed = time.monotonic()
                self.freight.shed(self.store)
        if failed is not None:
            raise failed
        return come

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look at once, and every now and then beside whatever else is done, and once more at the end."""
        if self.freight.place is None:
            yield
            return
        self._try()
        try:
            with regularly(self._try, PAUSE, "homecoming"):
                yield
        finally:
            self._try()

    def _try(self) -> None:
        """Look, and leave what does not answer for another time."""
        try:
            self.look()
            self._told = ""
        except EichiError as error:
            if (sentence := in_terminal(error, self.freight.settings.language)) != self._told:
                log.warning("%s", sentence)
            self._told = sentence

    def _received(self, job: Job) -> bool:
        moved = self.freight.receive(job)
        if moved is None:
            return False
        if (moved.checkpoint, moved.result) != (job.checkpoint, job.result):  # the names were others'
            result = None if moved.result is None else dump(moved.result)
            self.store.change(job.id, ENDED, checkpoint=moved.checkpoint, result=result)
        return True

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes of this machine from fetching meanwhile. Raises Timeout where one does."""
        folder = self.freight.settings.home
        private(folder)
        with FileLock(folder / LOCK, timeout=0, thread_local=False):
            yield
