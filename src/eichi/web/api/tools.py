"""Latent files and the tools on them over HTTP; files go by their ids."""

from contextlib import suppress

from fastapi import APIRouter
from pydantic import Field, JsonValue

from eichi.catalog import known
from eichi.errors import InputError, ModelError
from eichi.jobs.view import JobView, View
from eichi.library.outside import over
from eichi.options import VideoOptions, place
from eichi.video.splice import LatentsReport, report
from eichi.web.api.operations import operations
from eichi.web.desk import Desk
from eichi.web.drafted import told
from eichi.web.dropped import UNTOLD, Reader
from eichi.web.i18n import Words
from eichi.web.refs import RefView
from eichi.web.toolruns import RunView
from eichi.web.visitor import Visiting, Visitor


class Task(View):
    """What a tool is given: files by their ids, and its values."""

    files: list[str]
    values: dict[str, str | int | float] = Field(default_factory=dict)


class Extension(View):
    """A longer video that keeps the sections of a file, by its id: how long, and what it shows.

    `options` are nested and say what the file does not, as the file of a clip that was encoded says next to nothing.
    """

    file: str
    seconds: float
    prompt: str | None = None
    options: dict[str, JsonValue] = Field(default_factory=dict)


class Extended(JobView):
    """The job of a longer video, and what deserves a word: files of the first one that are not there any more."""

    notes: tuple[str, ...]


class LatentsView(RefView):
    """A latent file among the results with what is in it, or a video, which has no report."""

    report: LatentsReport | None


class LatentFiles(View):
    """The latent files and videos among the results, the newest first."""

    files: tuple[LatentsView, ...]


class Runs(View):
    """The uses of tools since the server was started."""

    runs: tuple[RunView, ...]


class ToolStopped(View):
    """The use of a tool that was asked to stop."""

    stopped: int


def routes(desk: Desk) -> APIRouter:
    router = operations("latents")

    @router.get("/latents")
    def list_latents(visitor: Visiting) -> LatentFiles:
        found = list[LatentsView]()
        for one in desk.listed():
            with suppress(OSError, InputError):  # deleted by hand meanwhile
                found.append(LatentsView(**dict(desk.refs.of(one.path)), report=one.report))
        return desk.refs.seen(LatentFiles(files=tuple(found)), visitor)

    @router.post("/latents/extend", status_code=201)
    def extend(task: Extension, visitor: Visiting) -> Extended:
        options, notes = _extended(desk, task, visitor)
        (job,) = desk.start([options])
        return Extended(**dict(desk.refs.seen(job.view(visitor.language), visitor)), notes=notes)

    @router.get("/tools")
    def list_runs(visitor: Visiting) -> Runs:
        return desk.refs.seen(Runs(runs=tuple(run.view for run in desk.bench.runs)), visitor)

    @router.post("/tools/{tool}", status_code=201)
    def start_tool(tool: str, task: Task, visitor: Visiting) -> RunView:
        files = [desk.refs.find(id) for id in task.files]
        model = task.values.get("model")
        if model not in (None, "", *known()) and not visitor.local:
            raise ModelError("error.api.model", key="model", known=", ".join(known()))
        return desk.bench.start(tool, files, task.values, visitor.language).view

    @router.delete("/tools/{id}")
    def stop_tool(id: int) -> ToolStopped:
        desk.bench.stop(id)
        return ToolStopped(stopped=id)

    return router


def _extended(desk: Desk, task: Extension, visitor: Visitor) -> tuple[VideoOptions, tuple[str, ...]]:
    """The request for a longer video, from what the file of the first one says. Raises InputError."""
    path = desk.refs.find(task.file)
    reader = Reader(desk.settings, desk.refs, visitor, VideoOptions, task.options)
    try:
        values = reader.settings(path)
    except InputError as error:
        if error.id not in UNTOLD:
            raise
        model = report(path).model
        values = over({} if model is None else {"model": model}, task.options)
    if values.get("image") is None and task.options.get("image"):  # the one that it had is not to be found here
        values["image"] = task.options["image"]
    for key, value in (("latents", task.file), ("sections", None)):
        place(values, f"kept.{key}", value)
    place(values, "output.latents", True)
    values["seconds"] = task.seconds
    if task.prompt:
        values["prompt"] = task.prompt
    notes = tuple(desk.refs.text(note, visitor) for note in told(reader.heard, Words(visitor.language)))
    return desk.refs.resolve(VideoOptions.parse(values), visitor), notes
