"""Files over HTTP: the results of a job, files among the results, pictures that are given."""

import re
from pathlib import Path

from fastapi import APIRouter, UploadFile
from fastapi.responses import FileResponse

from eichi.errors import InputError
from eichi.files import private
from eichi.jobs.queue import results
from eichi.jobs.schema import Job
from eichi.jobs.view import View
from eichi.video.jobfolder import JobFolder
from eichi.video.writer import join_segments
from eichi.web.api.jobs import Id
from eichi.web.desk import Desk

SEGMENT = re.compile(r"\d{6}-\d{6}\.mp4")


class Results(View):
    """The files that a job has left, by name."""

    files: tuple[str, ...]


class Named(View):
    """A file that was taken, by the name that it is asked for by."""

    name: str


class PictureGiven(Named):
    """A picture that was given, and where it lies on this machine."""

    path: Path


def routes(desk: Desk) -> APIRouter:
    router = APIRouter(tags=["files"])

    @router.get("/jobs/{id}/files")
    def list_results(id: Id) -> Results:
        return Results(files=tuple(path.name for path in results(desk.store.job(id))))

    @router.get("/jobs/{id}/files/{name}", response_class=FileResponse)
    def result(id: Id, name: str) -> FileResponse:
        for path in results(desk.store.job(id)):
            if path.name == name and path.is_file():
                return FileResponse(path)
        raise InputError("error.file.missing", path=name)

    @router.get("/jobs/{id}/preview.png", response_class=FileResponse)
    def preview(id: Id) -> FileResponse:
        checkpoint = desk.store.job(id).checkpoint
        path = JobFolder(Path(checkpoint or "")).preview
        if checkpoint is None or not path.is_file():
            raise InputError("error.api.nothing", job=id)
        return FileResponse(path, headers={"cache-control": "no-store"})

    @router.get("/jobs/{id}/so-far.mp4", response_class=FileResponse)
    def so_far(id: Id) -> FileResponse:
        return FileResponse(_joined(desk, desk.store.job(id)), media_type="video/mp4")

    @router.get("/files/{name}", response_class=FileResponse)
    def file(name: str) -> FileResponse:
        return FileResponse(desk.result(name))

    @router.post("/files", status_code=201)
    def give_file(file: UploadFile) -> Named:
        return Named(name=desk.receive(file.filename or "", file.file).name)

    @router.post("/pictures", status_code=201)
    def give_picture(file: UploadFile) -> PictureGiven:
        path = desk.receive_picture(file.filename or "", file.file)
        return PictureGiven(name=desk.name(path), path=path)

    @router.get("/pictures/{name:path}", response_class=FileResponse)
    def picture(name: str) -> FileResponse:
        return FileResponse(desk.picture(name))

    return router


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
        join_segments(segments, target)
    return target
