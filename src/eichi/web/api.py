"""The HTTP interface: the queue's calls, one each, with the same requests as the command line and the page.

The page's own buttons use it too. Only files of a job are served, by the names that the job gives them; a request that
comes from another site is refused before it gets here.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request, UploadFile
from fastapi import Path as InPath
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from pydantic import BaseModel

from eichi.errors import EichiError, InputError
from eichi.events import Adjusted
from eichi.files import private
from eichi.jobs.queue import results
from eichi.jobs.schema import Ask, Job
from eichi.library.archive import write_archive
from eichi.library.favourites import Favourites
from eichi.library.imports import Item
from eichi.logs import read_logs
from eichi.options import FrameOptions, VideoOptions
from eichi.prepare import make_plan
from eichi.text import as_json
from eichi.video.parts import Parts
from eichi.video.writer import join
from eichi.web.desk import Desk
from eichi.web.i18n import COOKIE, Words, choose
from eichi.web.live import PACE, stream
from eichi.web.loras import Presets

EVENTS = "text/event-stream"
HIGHEST = 2**31 - 1  # what every database takes as a number
Id = Annotated[int, InPath(ge=1, le=HIGHEST)]
SEGMENT = re.compile(r"\d{6}-\d{6}\.mp4")


class Chosen(BaseModel):
    """A LoRA file by its name, and how strongly it is used."""

    name: str
    strength: float = 0.8


class Task(BaseModel):
    """What a tool on latent files is given: files by their names among the results, and its values."""

    files: list[str]
    values: dict[str, str | int | float] = {}


def routes(desk: Desk) -> APIRouter:
    """All addresses below `/api/v1`."""
    router = APIRouter(prefix="/api/v1")
    _job_routes(router, desk)
    _file_routes(router, desk)
    _tool_routes(router, desk)

    @router.post("/plan")
    def plan(request: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008  FastAPI's way to say where it comes from
        return make_plan(VideoOptions.parse(request)).describe()

    @router.get("/options")
    def options() -> dict[str, Any]:
        return {kind.kind: kind.model_json_schema() for kind in (VideoOptions, FrameOptions)}

    @router.post("/import")
    def take_over(asked: Request, folder: Annotated[str, Body(embed=True)]) -> dict[str, Any]:
        words = Words(_language(asked))
        base, items = desk.take_over(Path(folder))
        taken = sum(item.taken for item in items)
        summary = words("import.summary", taken=taken, left=len(items) - taken, folder=base)
        return {"summary": summary, "items": [_reported(item, words) for item in items]}

    @router.get("/log")
    def log() -> PlainTextResponse:
        return PlainTextResponse(read_logs(desk.settings))

    @router.post("/folder")
    def folder() -> dict[str, str]:
        return {"opened": str(desk.open_folder())}

    @router.get("/archive.zip", include_in_schema=False)
    def archive() -> FileResponse:
        path = desk.settings.cache / "sections.zip"
        private(path.parent)
        last = Favourites(desk.settings.home, _quiet).last(VideoOptions)
        assert isinstance(last, VideoOptions)
        write_archive(path, last)
        return FileResponse(path, filename=path.name)

    @router.get("/favourites.json", include_in_schema=False)
    def favourites() -> FileResponse:
        path = desk.settings.cache / "favourites.json"
        private(path.parent)
        Favourites(desk.settings.home, _quiet).export(path)
        return FileResponse(path, filename=path.name)

    @router.get("/live/{language}", include_in_schema=False)
    async def live(language: str) -> StreamingResponse:
        return StreamingResponse(stream(desk, Words(choose("", language))), media_type=EVENTS)

    return router


def _reported(item: Item, words: Words) -> dict[str, Any]:
    """One thing of a folder of eichi 1.9, and what became of it."""
    notes = [words(note.id, **note.values) for note in item.notes]
    return item.describe() | {"text": words(f"import.{item.kind}", name=item.name), "notes": notes}


def _quiet(note: Adjusted) -> None:
    """What the library has to say was said on the page."""


def _job_routes(router: APIRouter, desk: Desk) -> None:
    queue, store = desk.queue, desk.store

    @router.get("/jobs")
    def listed() -> list[dict[str, Any]]:
        return [job.describe() for job in store.jobs()]

    @router.post("/jobs", status_code=201)
    def create(kind: str = "video", request: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008
        options = FrameOptions.parse(request) if kind == FrameOptions.kind else VideoOptions.parse(request)
        return desk.start([options])[0].describe()

    @router.get("/jobs/{id}")
    def show(id: Id) -> dict[str, Any]:
        return store.job(id).describe()

    @router.get("/jobs/{id}/events")
    async def follow(id: Id, after: Annotated[int, Query(ge=0, le=HIGHEST)] = 0) -> StreamingResponse:
        return StreamingResponse(_told(desk, store.job(id), after), media_type=EVENTS)

    @router.post("/jobs/{id}/{action}")
    def act(id: Id, action: str) -> dict[str, Any]:
        calls: dict[str, Callable[[int], Job]] = {
            "hold": queue.hold,
            "resume": queue.resume,
            "retry": queue.retry,
            "skip": queue.skip,
            "clone": queue.clone,
            "stop": queue.stop,
            "stop-section": lambda id: queue.stop(id, Ask.SECTION),
            "up": lambda id: _moved(desk, id, -1),
            "down": lambda id: _moved(desk, id, 1),
        }
        if action not in calls:
            raise InputError("error.api.action", action=action, known=", ".join(calls))
        job = calls[action](id)
        desk.wake()
        return job.describe()

    @router.delete("/jobs/{id}")
    def remove(id: Id, files: bool = False) -> dict[str, Any]:
        return {"removed": id, "files": [str(path) for path in queue.remove(id, files)]}

    @router.post("/queue/{action}")
    def whole(action: str) -> dict[str, Any]:
        if action not in ("hold", "resume"):
            raise InputError("error.api.action", action=action, known="hold, resume")
        queue.hold_all() if action == "hold" else queue.resume_all()
        desk.wake()
        return {"held": store.held}


def _tool_routes(router: APIRouter, desk: Desk) -> None:
    """Latent files and the tools on them; files go by their names in the folder of results."""

    @router.get("/latents")
    def listed() -> list[dict[str, Any]]:
        return [one for one in desk.listed() if one["kind"] == "latents"]

    @router.get("/tools")
    def tools() -> list[dict[str, Any]]:
        return [run.describe() for run in desk.bench.runs]

    @router.post("/tools/{tool}", status_code=201)
    def start(tool: str, task: Task, asked: Request) -> dict[str, Any]:
        paths = [desk.result(name) for name in task.files]
        if tool == "extend":
            return desk.extend(paths, task.values).describe()
        return desk.bench.start(tool, paths, task.values, _language(asked)).describe()

    @router.delete("/tools/{id}")
    def stop(id: Id) -> dict[str, Any]:
        desk.bench.stop(id)
        return {"stopped": id}

    @router.get("/files/{name}")
    def file(name: str) -> FileResponse:
        return FileResponse(desk.result(name))

    @router.post("/pictures", status_code=201)
    def give(file: UploadFile) -> dict[str, str]:
        path = desk.receive_picture(file.filename or "", file.file)
        return {"name": desk.name(path), "path": str(path)}

    @router.get("/pictures/{name:path}")
    def picture(name: str) -> FileResponse:
        return FileResponse(desk.picture(name))

    @router.get("/loras")
    def loras(asked: Request) -> list[dict[str, Any]]:
        return desk.loras.list(_language(asked))

    @router.post("/loras", status_code=201)
    def add(file: UploadFile) -> dict[str, str]:
        return {"name": desk.receive_lora(file.filename or "", file.file).name}

    @router.get("/lora-presets")
    def presets() -> dict[int, list[dict[str, Any]]]:
        return Presets(desk.settings.home, desk.loras, _quiet).list()

    @router.put("/lora-presets/{number}")
    def keep(number: int, chosen: list[Chosen]) -> dict[int, list[dict[str, Any]]]:
        kept = Presets(desk.settings.home, desk.loras, _quiet)
        kept.save(number, [one.model_dump() for one in chosen])
        return kept.list()

    @router.post("/files", status_code=201)
    def upload(file: UploadFile) -> dict[str, str]:
        return {"name": desk.receive(file.filename or "", file.file).name}


def _moved(desk: Desk, id: int, by: int) -> Job:
    """A job one place further to the front or the back of those with its priority."""
    job = desk.store.job(id)
    order = [other.id for other in desk.queue.waiting() if other.priority == job.priority]
    return desk.queue.move(id, order.index(id) + 1 + by) if id in order else job


def _file_routes(router: APIRouter, desk: Desk) -> None:
    @router.get("/jobs/{id}/files")
    def files(id: Id) -> list[str]:
        return [path.name for path in results(desk.store.job(id))]

    @router.get("/jobs/{id}/files/{name}")
    def file(id: Id, name: str) -> FileResponse:
        for path in results(desk.store.job(id)):
            if path.name == name and path.is_file():
                return FileResponse(path)
        raise InputError("error.file.missing", path=name)

    @router.get("/jobs/{id}/preview.png")
    def preview(id: Id) -> FileResponse:
        checkpoint = desk.store.job(id).checkpoint
        path = Parts(Path(checkpoint or "")).preview
        if checkpoint is None or not path.is_file():
            raise InputError("error.api.nothing", job=id)
        return FileResponse(path, headers={"cache-control": "no-store"})

    @router.get("/jobs/{id}/so-far.mp4")
    def so_far(id: Id) -> FileResponse:
        return FileResponse(_joined(desk, desk.store.job(id)), media_type="video/mp4")


def _joined(desk: Desk, job: Job) -> Path:
    """What is finished of a job that runs, as a video of its own in the cache. Raises InputError where nothing is."""
    folder = Path(job.checkpoint or "")
    segments = sorted(path for path in folder.glob("*.mp4") if SEGMENT.fullmatch(path.name)) if job.checkpoint else []
    if not segments:
        raise InputError("error.api.nothing", job=job.id)
    target = desk.settings.cache / "so-far" / f"{job.id}-{len(segments)}.mp4"
    if not target.is_file():
        private(target.parent)
        for old in target.parent.glob(f"{job.id}-*.mp4"):
            old.unlink(missing_ok=True)
        join(segments, target)
    return target


async def _told(desk: Desk, job: Job, after: int) -> AsyncIterator[str]:
    """What a job said and says, as server-sent events whose ids are the numbers to go on from."""
    progress: dict[str, Any] | None = None
    while True:
        row = await asyncio.to_thread(desk.store.find, job.id)
        for entry in await asyncio.to_thread(desk.store.events, job.id, after):
            after = entry.number
            yield f"id: {after}\ndata: {as_json(entry.body)}\n\n"
        if row is None or (row.status.terminal and row.said <= after):
            return
        if row.progress is not None and row.progress != progress:
            yield f"data: {json.dumps(row.progress)}\n\n"
        progress = row.progress
        await asyncio.sleep(PACE)


def _language(request: Request) -> str:
    """The language of who asks."""
    return choose(request.headers.get("accept-language", ""), request.cookies.get(COOKIE))


async def explain(request: Request, error: Exception) -> Response:
    """An error of ours as its sentence, in the visitor's language."""
    assert isinstance(error, EichiError)
    language = _language(request)
    status = 404 if error.id in ("error.job.unknown", "error.file.missing", "error.api.nothing") else 422
    status = status if isinstance(error, InputError) else 500
    return JSONResponse({"error": error.id, "message": error.say(language)}, status)
