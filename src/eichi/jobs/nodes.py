"""What is known of a worker: on which machine and device, what it can run, what it does, why it does nothing.

A worker says this itself, when it joins a store and whenever something of it changes; the page, `eichi workers` and
the metrics show it. A list of workers is no truth about jobs: those know who has them. Knows no database.
"""

import time
from collections.abc import Mapping
from typing import Self

from pydantic import Field

from eichi.jobs.view import Problem, View
from eichi.words import ENGLISH


class WorkerView(View):
    """A worker as it has told of itself. Times are in seconds since 1970, `memory_gib` is the device's in GiB.

    `node` is the machine's name, `device` what it works on there, `card` that device's own name. `models` are the
    names of the models that it can run, each with the fingerprint of its weights. `holds` is the model in memory,
    `job` the one that it has, read from the jobs and not told. `waits` says why it takes no job that it might,
    `message` the same in words.
    """

    runner: str
    node: str
    device: str
    card: str | None = None
    memory_gib: float | None = None
    version: str = ""
    models: Mapping[str, str] = Field(default_factory=dict)
    kernels: tuple[str, ...] = ()
    holds: str | None = None
    job: int | None = None
    waits: Problem | None = None
    message: str | None = None
    since: float = Field(default_factory=time.time)
    beat: float = Field(default_factory=time.time)

    def told(self, language: str = ENGLISH) -> Self:
        """The worker as people see it, in their language."""
        return self.model_copy(update={"message": None if self.waits is None else self.waits.say(language)})


class WorkersView(View):
    """All workers of a store that live, by machine and device."""

    workers: tuple[WorkerView, ...]
