"""A worker as an actor of a Ray cluster: its process does what `python -m eichi.jobs.worker` does, in a thread.

Ray starts it again where it dies, with what it was made from, and a job that it had goes on from the last section as
after any other death. What it says to its keeper is little: that it is there, and why it works no more. Imported where
it is made, too, so that neither Ray nor torch is loaded with it.
"""

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from eichi.errors import EichiError
from eichi.jobs.executors.spots import mark
from eichi.jobs.slots import THREADS
from eichi.jobs.store import Store
from eichi.jobs.view import Problem
from eichi.logs import logging_to
from eichi.settings import load_settings

ONE = "1"  # threads, as Ray has it of a worker for which nobody said how many


class Gone(Exception):
    """There is no worker of a name any more, in Ray's words."""


@dataclass(frozen=True)
class About:
    """What a worker says of itself: what it was made from, whether it has ended, and why."""

    mark: str
    ended: bool = False
    problem: Problem | None = None


class WorkerActor:
    """Works from the moment it is made until it is told to leave."""

    def __init__(self, name: str, told: Mapping[str, str], number: int) -> None:
        self._mark = mark(told)
        if os.environ.get(THREADS) == ONE:
            del os.environ[THREADS]
        os.environ.update(told)
        self._leaving = threading.Event()
        self._problem: Problem | None = None
        self._thread = threading.Thread(target=self._work, args=(name, number), name="worker", daemon=True)
        self._thread.start()

    def about(self) -> About:
        """An answer says that the process lives."""
        return About(self._mark, not self._thread.is_alive(), self._problem)

    def leave(self) -> None:
        """Leave when the step is ended that runs; returns then. The job is left as it is."""
        self._leaving.set()
        self._thread.join()

    def _work(self, name: str, number: int) -> None:
        try:
            settings = load_settings()
            with logging_to(settings, name), Store(settings.store) as store:
                from eichi.jobs.worker import Worker

                Worker(store, settings, self._leaving, number=number, settings_now=load_settings).work()
        except EichiError as error:  # the store cannot be opened, the device not taken; its keeper tells who waits
            self._problem = Problem(id=error.id, values=error.plain)
