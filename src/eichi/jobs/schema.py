"""What the store keeps: tables of jobs, of what they said, of workers, of pieces of files, one row of the queue's own.

The row of a job is the truth about it; its events tell how it came about. The tables here are those of the newest
migration; a test compares them. Whatever stands in a row, it becomes a job: what is not as it should be is replaced
and named, so that one bad row hides no other. Knows no database and no queue.
"""

import dataclasses
import os
from pathlib import Path
from typing import Annotated, Any, Self

import sqlalchemy as sa
from pydantic import Field, NonNegativeInt, ValidationError
from pydantic.dataclasses import dataclass

from eichi.errors import EichiError, InputError
from eichi.events import Adjusted, Json, Progress, Result, read_message
from eichi.jobs.view import Action, Ask, Figures, JobView, Kind, Problem, Status, Told, possible
from eichi.options import QUEUED, Queued, VideoOptions
from eichi.video.jobfolder import JobFolder
from eichi.words import ENGLISH


class JsonText(sa.TypeDecorator[Any]):
    """JSON that is not required to be JSON: a text that is none comes back as the text."""

    impl = sa.JSON(none_as_null=True)
    cache_ok = True

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Any:
        plain = super().result_processor(dialect, coltype)

        def process(value: Any) -> Any:
            try:
                return value if plain is None else plain(value)
            except (ValueError, RecursionError):
                return value

        return process


class Truth(sa.Boolean):
    """Yes or no, as the database has it: what is neither is not taken for yes."""

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> None:
        return None


ELSEWHERE = 0  # no job's number: what a worker says that leaves jobs to another one
# In the order of its signs, so that keys which begin alike stand together; SQLite knows no other.
KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

metadata = sa.MetaData()

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("request", JsonText, nullable=False),
    sa.Column("plan", JsonText, nullable=False),
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
    sa.Column("progress", JsonText),
    sa.Column("result", JsonText),
    sa.Column("error", JsonText),
    sa.Column("pace", sa.Float),
    sa.Column("said", sa.Integer, nullable=False),
    sa.Column("version", sa.Integer, nullable=False, server_default="0"),
    sa.Column("binned", sa.Float),
    sa.Column("binned_files", Truth),
    sa.Column("once", sa.String(64)),
    sa.Column("owner", sa.Text, nullable=False, server_default=""),
    sa.Column("model", sa.Text, nullable=False, server_default=""),
    sa.Column("overtaken", sa.Integer, nullable=False, server_default="0"),
    sa.Column("node", sa.Text, nullable=False, server_default=""),
    sa.Column("inputs", JsonText),
    # What a claim, a count and a list look at without reading a row.
    sa.Index("jobs_order", "status", sa.text("priority DESC"), "position", "id", "ended", "binned"),
    sa.Index("jobs_pace", "pace_key"),
    sa.Index("jobs_position", "position"),
    sa.Index("jobs_once", "once"),
    sa.Index("jobs_batch", "batch"),
    sa.Index("jobs_runner", "runner"),
    sa.Index("jobs_started", "started"),
    sa.Index("jobs_ended", "ended"),
    sa.Index("jobs_owner", "owner", "status"),
    sqlite_autoincrement=True,  # the number of a removed job is not given again
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("job", sa.Integer, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("time", sa.Float, nullable=False),
    sa.Column("body", JsonText, nullable=False),
)

state = sa.Table(
    "state",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("held", sa.Boolean, nullable=False),
)

workers = sa.Table(
    "workers",
    metadata,
    sa.Column("runner", sa.Text, primary_key=True),
    sa.Column("node", sa.Text, nullable=False),
    sa.Column("device", sa.Text, nullable=False),
    sa.Column("body", JsonText, nullable=False),
    sa.Column("since", sa.Float, nullable=False),
    sa.Column("beat", sa.Float, nullable=False),
)

pieces = sa.Table(
    "pieces",
    metadata,
    sa.Column("key", KEY, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("time", sa.Float, nullable=False),
)


Seconds = Annotated[float, Field(ge=0, le=1e11)]  # since 1970, or of a section; no calendar knows more
Place = Annotated[str, Field(pattern=r"^[^\x00]*$")]
# A folder that a job works in is deleted with the job, so it must be one.
PartsFolder = Annotated[str, Field(pattern=r"^[^\x00]*[/\\]\.[^/\\\x00]+\.parts$")]


@dataclasses.dataclass(frozen=True)
class Draft:
    """A job before it is in the store: a request that was found good, and what it comes to.

    Requests of the same `pace_key` take the same time for a section. `node` is the machine whose paths it names,
    nothing where they mean the same on all; `inputs` tells what is in the files of the request, by their paths.
    """

    kind: str
    request: Json
    plan: Figures
    pace_key: str
    folder: str
    node: str = ""
    inputs: dict[str, str] | None = None

    @property
    def model(self) -> str:
        """The model that is asked for: a name, or where its folder is."""
        return str(self.request.get("model", ""))


@dataclass(frozen=True)
class Job:
    """A row of the store. Times are in seconds since 1970, `pace` in seconds for a section, `ask` what was asked last.

    `runner` is the worker that has the job, `beat` its last sign of life. `checkpoint` is the folder that the job is
    gone on with from, where it is there. `progress` is how far it is, `result` the last event of the run. `said` counts
    the events, `version` the changes of the row. `binned` is when the job was put into the bin, `binned_files` whether
    its results go with it. `once` is what it was asked for by, if once only. `owner` is the name of who asked for it,
    nothing for who sits at the machine; `model` what a worker must have to run it, nothing where that is not known;
    `overtaken` how often a later one was taken before it, see `turn`. `node` is the machine whose paths it names, its
    home, nothing where they mean the same on all; `inputs` are what is in the files of the request, by their paths.
    `damaged` are the columns that are not as they should be; what stands here in their place is harmless.
    """

    id: int
    kind: Kind
    request: Json
    plan: Figures
    pace_key: str
    folder: Place
    batch: str | None
    status: Status
    priority: int
    position: int
    created: Seconds
    started: Seconds | None
    ended: Seconds | None
    runner: str | None
    beat: Seconds | None
    attempts: NonNegativeInt
    ask: Ask | None
    checkpoint: PartsFolder | None
    progress: Progress | None
    result: Result | None
    error: Problem | None
    pace: Seconds | None
    said: NonNegativeInt
    version: int
    binned: Seconds | None
    binned_files: bool | None
    once: str | None
    owner: str
    model: str
    overtaken: NonNegativeInt
    node: str
    inputs: dict[str, str] | None
    damaged: tuple[str, ...] = ()

    @classmethod
    def of(cls, row: sa.Row[Any]) -> Self:
        values = dict(row._mapping)
        try:
            return cls(**values)
        except ValidationError as error:
            damaged = {str(one["loc"][0]) for one in error.errors(include_url=False, include_context=False)}
            return cls(**values | {name: HARMLESS.get(name) for name in damaged}, damaged=tuple(sorted(damaged)))

    @property
    def options(self) -> Queued:
        """The request as it was asked for. Raises OptionError where this program does not know it any more."""
        return self._options()

    def _options(self) -> Queued:
        return QUEUED[self.kind].parse(self.request)

    def check(self) -> None:
        """Raise InputError for a row of which something is damaged, or a request that this program does not know."""
        if self.damaged:
            raise InputError("error.job.damaged", columns=", ".join(self.damaged))
        self._options()

    @property
    def begun(self) -> bool:
        """Whether there is work on disk that the job goes on from."""
        return self.checkpoint is not None and os.path.isdir(self.checkpoint)

    @property
    def made(self) -> int:
        """How many sections are on disk, from the first one made on, for this job to go on from or another."""
        if self.checkpoint is None or self.kind != VideoOptions.kind:
            return 0
        folder = JobFolder(Path(self.checkpoint))
        if made := folder.source.made:
            return made
        whole = self.status == Status.DONE and os.path.isfile(folder.latents_file)
        return self.plan.sections if whole else 0

    def view(self, language: str = ENGLISH) -> JobView:
        """The job as people see it, in their language."""
        known = {name: getattr(self, name) for name in JobView.model_fields.keys() & vars(self).keys()}
        damaged, request = set(self.damaged), None
        try:
            request = self.options
        except EichiError:
            damaged.add("request")
        error, actions = self.error, possible(self)
        if damaged:
            error = Problem(id="error.job.damaged", values={"columns": ", ".join(sorted(damaged))})
            actions = () if self.status.active else (Action.REMOVE,)
        message = None if error is None else error.say(language)
        known |= {"request": request, "error": error, "message": message, "actions": actions}
        return JobView(**known | {"damaged": tuple(sorted(damaged)), "begun": self.begun, "made": self.made})


# What stands for a value that cannot be read; nothing where nothing is allowed.
HARMLESS: dict[str, object] = {
    "kind": VideoOptions.kind,
    "request": {},
    "plan": Figures(model="?", width=0, height=0, sections=0, kept=0),
    "pace_key": "",
    "folder": "",
    "status": Status.FAILED,
    "priority": 0,
    "position": 0,
    "created": 0.0,
    "attempts": 0,
    "said": 0,
    "version": 0,
    "owner": "",
    "model": "",
    "overtaken": 0,
    "node": "",
}


def told(row: sa.Row[Any]) -> Told:
    """What a row of the events says; one that cannot be read says so."""
    try:
        return Told(job=row.job, number=row.number, time=row.time, event=read_message(row.body))
    except ValidationError:
        lost = Adjusted("note.store.event", {"number": row.number})
        return Told(job=row.job, number=row.number, time=row.time if isinstance(row.time, float) else 0.0, event=lost)
