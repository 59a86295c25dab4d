"""Files over HTTP: the results of a job, files among the results, pictures that are given."""

import re
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from typing import Self

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
from eichi.web.refs import UPLOAD, RefView
from eichi.web.uploads import Given, media_type

WEBP, BYTES = "image/webp", "application/octet-stream"
# What a browser plays or shows of what jobs leave; the others are handed out as files.
PLAYED = {".mp4": "video/mp4", ".png": "image/png"}
# What lies under the mark of its content never changes; it is nobody else's.
LASTING = {"cache-control": "private, max-age=31536000, immutable"}
SEGMENT = re.compile(r"\d{6}-\d{6}\.mp4")


class Results(View):
    """The files that a job has left, by name."""

    files: tuple[str, ...]


class PictureGiven(View):
    """A picture that was given, by the id that requests name it by, and its size as it is seen."""

    id: str
    name: str
    width: int
    height: int

    @classmethod
    def of(cls, given: Given) -> Self:
        return cls(id=f"{UPLOAD}{given.mark}", name=given.name, width=given.width, height=given.height)


class Side(IntEnum):
    """How many pixels the longer side of a picture has at most that is made smaller."""

    SMALL = 256
    LARGE = 1024


def routes(desk: Desk) -> APIRouter:
    router = APIRouter(tags=["files"])

    @router.get("/jobs/{id}/files")
    def list_results(id: Id) -> Results:
        return Results(files=tuple(path.name for path in results(desk.store.job(id))))

    @router.get("/jobs/{id}/files/{name}", response_class=FileResponse)
    def result(id: Id, name: str, download: bool = False) -> FileResponse:
        for path in results(desk.store.job(id)):
            if path.name == name and path.is_file():
                return _sent(path, PLAYED.get(path.suffix.lower()), download=download)
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

    @router.post("/files", status_code=201)
    def give_file(file: UploadFile) -> RefView:
        return desk.refs.of(desk.given.result(file.filename or "", file.file))

    @router.post("/pictures", status_code=201)
    def give_picture(file: UploadFile) -> PictureGiven:
        return PictureGiven.of(desk.given.picture(file.filename or "", file.file))

    @router.get("/pictures/{mark}", response_class=FileResponse)
    def picture(mark: str, size: Side | None = None) -> FileResponse:
        path = desk.given.find(mark)
        if path is None:
            raise InputError("error.file.missing", path=mark)
        if size is not None:
            return FileResponse(desk.given.small(path, size), media_type=WEBP, headers=LASTING)
        return _sent(path, media_type(path), LASTING)

    @router.get("/refs/{id:path}/content", response_class=FileResponse)
    def ref_content(id: str) -> FileResponse:
        path, view = desk.refs.find(id), desk.refs.view(id)
        if view.kind == "picture":
            return _sent(path, media_type(path))
        if view.url is None:
            raise InputError("error.ref.gone")
        return _sent(path, PLAYED.get(path.suffix.lower()))

    @router.get("/refs/{id:path}")
    def show_ref(id: str) -> RefView:
        return desk.refs.view(id)

    return router


def _sent(path: Path, kind: str | None, headers: Mapping[str, str] | None = None, download: bool = False) -> FileResponse:
    """A file as it is: shown by the browser where it is of such a kind, else something to keep."""
    inline = kind is not None and not download
    place = "inline" if inline else "attachment"
    return FileResponse(path, 200, headers, kind or BYTES, filename=path.name, content_disposition_type=place)


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
