"""Files over HTTP: the results of a job, what it shows while it runs, latents and videos that are given."""

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
from eichi.web.api.operations import operations
from eichi.web.api.pictures import PLAYED, sent
from eichi.web.desk import Desk
from eichi.web.guard import BODY
from eichi.web.refs import RefView
from eichi.web.rows import segments


class Results(View):
    """The files that a job has left, by name."""

    files: tuple[str, ...]


def routes(desk: Desk) -> APIRouter:
    router = operations("files")

    @router.get("/jobs/{id}/files")
    def list_results(id: Id) -> Results:
        return Results(files=tuple(path.name for path in results(desk.store.job(id))))

    @router.get("/jobs/{id}/files/{name}", response_class=FileResponse)
    def result(id: Id, name: str, download: bool = False) -> FileResponse:
        for path in results(desk.store.job(id)):
            if path.name == name and path.is_file():
                return sent(path, PLAYED.get(path.suffix.lower()), download=download)
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

    @router.post("/files", status_code=201, max_body_size=BODY)
    def give_file(file: UploadFile) -> RefView:
        return desk.refs.of(desk.given.result(file.filename or "", file.file))

    return router


def _joined(desk: Desk, job: Job) -> Path:
    """What is finished of a job that runs, as a video of its own in the cache. Raises InputError where nothing is."""
    parts = segments(job)
    if not parts:
        raise InputError("error.api.nothing", job=job.id)
    target = desk.settings.cache / "so-far" / f"{job.id}-{len(parts)}.mp4"
    if not target.is_file():
        private(target.parent)
        for old in target.parent.glob(f"{job.id}-*.mp4"):
            old.unlink(missing_ok=True)
        join_segments(parts, target)
    return target
