"""What the store keeps: a table of jobs, one of what they said, one row of the queue's own; and the states of a job.

The row of a job is the truth about it; its events tell how it came about. The tables here are those of the newest
migration; a test compares them. Knows no database and no queue.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa

from eichi.options import FrameOptions, Request, VideoOptions
from eichi.words import ENGLISH, say


class Status(StrEnum):
    """Where a job stands, in the order of its life."""

    WAITING = "waiting"
    HELD = "held"  # until somebody lets it go on; with a checkpoint it is paused
    RUNNING = "running"
    STOPPING = "stopping"  # its worker was asked to stop and has not yet
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"

    @property
    def terminal(self) -> bool:
        """Whether the job has ended; only a person starts it again."""
        order = list(Status)
        return order.index(self) >= order.index(Status.DONE)

    @property
    def active(self) -> bool:
        """Whether a worker has the job."""
        return self in (Status.RUNNING, Status.STOPPING)


class Ask(StrEnum):
    """What a worker is asked for while it runs a job."""

    NOW = "now"  # stop after the current step
    SECTION = "section"  # stop when the section is finished; the frames of the last one complete the job
    PAUSE = "pause"  # leave the job as it is, held


ELSEWHERE = 0  # no job's number: what a worker says that leaves jobs to another one

metadata = sa.MetaData()

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("plan", sa.JSON, nullable=False),
    sa.Column("pace_key", sa.Text, nullable=False),
    sa.Column("folder", sa.Text, nullable=False),
    sa.Column("batch", sa.String(32)),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("started", sa.Float),
    sa.Column("ended", sa.Float),
    sa.Column("runner", sa.Text),
    sa.Column("beat", sa.Float),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("ask", sa.String(16)),
    sa.Column("checkpoint", sa.Text),
    sa.Column("progress", sa.JSON(none_as_null=True)),
    sa.Column("result", sa.JSON(none_as_null=True)),
    sa.Column("error", sa.JSON(none_as_null=True)),
    sa.Column("pace", sa.Float),
    sa.Column("said", sa.Integer, nullable=False),
    sa.Index("jobs_order", "status", "priority", "position"),
    sa.Index("jobs_pace", "pace_key"),
    sqlite_autoincrement=True,  # the number of a removed job is not given again
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("job", sa.Integer, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("time", sa.Float, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
)

state = sa.Table(
    "state",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("held", sa.Boolean, nullable=False),
)


@dataclass(frozen=True)
class Draft:
    """A job before it is in the store: a request that was found good, and what it comes to.

    `plan` are its figures for people. Requests of the same `pace_key` take the same time for a section.
    """

    kind: str
    request: dict[str, Any]
    plan: dict[str, Any]
    pace_key: str
    folder: str


@dataclass(frozen=True)
class Job:
    """A row of the store. Times are in seconds since 1970, `pace` in seconds for a section, `ask` what was asked last.

    `runner` is the worker that has the job, `beat` its last sign of life. `checkpoint` is the folder that the job is
    gone on with from, where it is there. `progress` is the last Step, `result` the last event of the run, `error` the
    id of a sentence and its values. `said` counts the events.
    """

    id: int
    kind: str
    request: dict[str, Any]
    plan: dict[str, Any]
    pace_key: str
    folder: str
    batch: str | None
    status: Status
    priority: int
    position: int
    created: float
    started: float | None
    ended: float | None
    runner: str | None
    beat: float | None
    attempts: int
    ask: Ask | None
    checkpoint: str | None
    progress: dict[str, Any] | None
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    pace: float | None
    said: int

    @classmethod
    def of(cls, row: sa.Row[Any]) -> Self:
        values = dict(row._mapping)
        ask = values["ask"]
        return cls(**values | {"status": Status(values["status"]), "ask": None if ask is None else Ask(ask)})

    @property
    def options(self) -> VideoOptions | FrameOptions:
        """The request as it was asked for. Raises OptionError where this program does not know it any more."""
        kind: type[Request] = FrameOptions if self.kind == FrameOptions.kind else VideoOptions
        options = kind.parse(self.request)
        assert isinstance(options, VideoOptions | FrameOptions)
        return options

    @property
    def begun(self) -> bool:
        """Whether there is work on disk that the job goes on from."""
        return self.checkpoint is not None and Path(self.checkpoint).is_dir()

    def sentence(self, language: str = ENGLISH) -> str | None:
        """What went wrong, for people; None where nothing did."""
        return None if self.error is None else say(self.error["id"], language, **self.error["values"])

    def describe(self) -> dict[str, Any]:
        """The row as JSON-ready values."""
        return {**vars(self), "begun": self.begun, "message": self.sentence()}


@dataclass(frozen=True)
class Entry:
    """Something a job said: `body` is `events.message` of an event, `number` the last one that is kept so far.

    Steps are not kept one by one: the latest is told again under the number of the event before it.
    """

    job: int
    number: int
    time: float
    body: dict[str, Any]
