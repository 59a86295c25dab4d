"""Latent files and the tools on them over HTTP; files go by their names in the folder of results."""

from fastapi import APIRouter
from pydantic import Field

from eichi.jobs.view import JobView, View
from eichi.video.splice import LatentsReport
from eichi.web.desk import Desk
from eichi.web.toolruns import RunView
from eichi.web.visitor import Language


class Task(View):
    """What a tool is given: files, and its values."""

    files: list[str]
    values: dict[str, str | int | float] = Field(default_factory=dict)


class Extension(View):
    """A longer video that keeps the sections of a file: how long, and what it shows where that changes."""

    file: str
    seconds: float
    prompt: str | None = None


class LatentsView(View):
    """A latent file among the results, and what is in it."""

    name: str
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
    def list_latents() -> LatentFiles:
        found = (LatentsView(name=one.name, report=one.report) for one in desk.listed() if one.report is not None)
        return LatentFiles(files=tuple(found))

    @router.post("/latents/extend", status_code=201)
    def extend(task: Extension, language: Language) -> JobView:
        return desk.extend(desk.result(task.file), task.seconds, task.prompt).view(language)

    @router.get("/tools")
    def list_runs() -> Runs:
        return Runs(runs=tuple(run.view for run in desk.bench.runs))

    @router.post("/tools/{tool}", status_code=201)
    def start_tool(tool: str, task: Task, language: Language) -> RunView:
        return desk.bench.start(tool, [desk.result(name) for name in task.files], task.values, language).view

    @router.delete("/tools/{id}")
    def stop_tool(id: int) -> ToolStopped:
        desk.bench.stop(id)
        return ToolStopped(stopped=id)

    return router
