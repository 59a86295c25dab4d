"""Files over HTTP: the results of a job, what it shows while it runs, latents, videos and sounds that are given."""

import logging
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Annotated, Literal

from fastapi import APIRouter, Query, UploadFile
from fastapi.responses import FileResponse, Response

from eichi.errors import DiskError, InputError
from eichi.files import leave, private, read_file
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

# What alone the file may be, for a place that takes no other; anything where none is said.
Kinds = Annotated[tuple[Literal["latents", "video", "sound"], ...], Query()]
LASTING = 3  # videos of what is finished of a job that stay for those who are being sent one


log = logging.getLogger(__name__)


class Results(View):
    """The files that a job has left, by name."""

    files: tuple[str, ...]


def routes(desk: Desk) -> APIRouter:
    router = operations("files")
    joining = Lock()  # two who join the same would write into one draft

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
    def preview(id: Id) -> Response:
        checkpoint = desk.store.job(id).checkpoint
        path = JobFolder(Path(checkpoint or "")).preview
        try:
            # Read whole: while it is sent, the next one takes its place.
            pixels = read_file(path) if checkpoint is not None else b""
        except OSError:
            pixels = b""
        if not pixels:
            raise InputError("error.api.nothing", job=id)
        return Response(pixels, headers={"cache-control": "no-store"}, media_type="image/png")

    @router.get("/jobs/{id}/so-far.mp4", response_class=FileResponse)
    def so_far(id: Id) -> FileResponse:
        with joining:
            path = _joined(desk, desk.store.job(id))
        return FileResponse(path, media_type="video/mp4")

    @router.post("/files", status_code=201, max_body_size=BODY)
    def give_file(file: UploadFile, kind: Kinds = ()) -> RefView:
        return desk.refs.of(desk.given.file(file.filename or "", file.file, kind))

    return router


def _joined(desk: Desk, job: Job) -> Path:
    """What is finished of a job that runs, as a video of its own in the cache. Raises InputError where nothing is.

    It is named by what it is joined from, so that under one name there is never another video. Those before the newest
    few go: nobody is still being sent them. Parts that go meanwhile, as at the end of the job, are nothing to join.
    """
    try:
        parts = segments(job)
        states = [(path.name, path.stat()) for path in parts]
        mark = sha256(repr([(name, state.st_size, state.st_mtime_ns) for name, state in states]).encode())
        target = desk.settings.cache / "so-far" / f"{job.id}-{mark.hexdigest()[:16]}.mp4"
        if parts and not target.is_file():
            private(target.parent)
            join_segments(parts, target)
            before = {path: path.stat().st_mtime_ns for path in target.parent.glob(f"{job.id}-*.mp4")}
            for old in sorted(before, key=before.__getitem__)[:-LASTING]:
                leave(old)
    except (OSError, DiskError) as error:
        log.info("#%d so far: %s", job.id, error)
        raise InputError("error.api.nothing", job=job.id) from error
    if not parts:
        raise InputError("error.api.nothing", job=job.id)
    return target
