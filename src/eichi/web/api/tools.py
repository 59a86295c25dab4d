"""Latent files and the tools on them over HTTP; files go by their ids."""

from fastapi import APIRouter
from pydantic import Field

from eichi.jobs.view import JobView, View
from eichi.video.splice import LatentsReport
from eichi.web.desk import Desk
from eichi.web.refs import RefView
from eichi.web.toolruns import RunView
from eichi.web.visitor import Language, Visiting


class Task(View):
    """What a tool is given: files by their ids, and its values."""

    files: list[str]
    values: dict[str, str | int | float] = Field(default_factory=dict)


class Extension(View):
    """A longer video that keeps the sections of a file, by its id: how long, and what it shows."""

    file: str
    seconds: float
    prompt: str | None = None


class LatentsView(RefView):
    """A latent file among the results, and what is in it."""

    report: LatentsReport


class LatentFiles(View):
    """The latent files among the results, the newest first."""

    files: tuple[LatentsView, ...]


class Runs(View):
    """The uses of tools since the server was started."""

    runs: tuple[RunView, ...]


class ToolStopped(View):
    """The use of a tool that was asked to stop."""

    stopped: int


def routes(desk: Desk) -> APIRouter:
    router = APIRouter(tags=["latents"])

    @router.get("/latents")
    def list_latents(visitor: Visiting) -> LatentFiles:
        found = [
            LatentsView(**dict(desk.refs.of(one.path)), report=one.report)
            for one in desk.listed()
            if one.report is not None
        ]
        return desk.refs.seen(LatentFiles(files=tuple(found)), visitor)

    @router.post("/latents/extend", status_code=201)
    def extend(task: Extension, visitor: Visiting) -> JobView:
        job = desk.extend(desk.refs.find(task.file), task.seconds, task.prompt)
        return desk.refs.seen(job.view(visitor.language), visitor)

    @router.get("/tools")
    def list_runs(visitor: Visiting) -> Runs:
        return desk.refs.seen(Runs(runs=tuple(run.view for run in desk.bench.runs)), visitor)

    @router.post("/tools/{tool}", status_code=201)
    def start_tool(tool: str, task: Task, language: Language) -> RunView:
        files = [desk.refs.find(id) for id in task.files]
        return desk.bench.start(tool, files, task.values, language).view

    @router.delete("/tools/{id}")
    def stop_tool(id: int) -> ToolStopped:
        desk.bench.stop(id)
        return ToolStopped(stopped=id)

    return router
