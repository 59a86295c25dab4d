"""Pictures that are given, and files by their ids, over HTTP.

A browser is sent as something to show only what our own list has, by its content; all else is something to keep.
"""

from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from typing import Self

from fastapi import APIRouter, UploadFile
from fastapi.responses import FileResponse, Response

from eichi.errors import InputError
from eichi.jobs.view import View
from eichi.web.api.operations import operations
from eichi.web.desk import Desk
from eichi.web.guard import BODY
from eichi.web.refs import UPLOAD, RefView
from eichi.web.thumbs import At
from eichi.web.uploads import Given, media_type

WEBP, BYTES = "image/webp", "application/octet-stream"
# What a browser plays or shows of what jobs leave; the others are handed out as files.
PLAYED = {".mp4": "video/mp4", ".m4v": "video/mp4", ".webm": "video/webm", ".png": "image/png"}
# What lies under the mark of its content never changes; it is nobody else's.
LASTING = {"cache-control": "private, max-age=31536000, immutable"}


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
    router = operations("files")

    @router.post("/pictures", status_code=201, max_body_size=BODY)
    def give_picture(file: UploadFile) -> PictureGiven:
        return PictureGiven.of(desk.given.picture(file.filename or "", file.file))

    @router.get("/pictures/{mark}", response_class=FileResponse)
    def picture(mark: str, size: Side | None = None) -> Response:
        path = desk.given.find(mark)
        if path is None:
            raise InputError("error.ref.gone")
        if size is not None:
            return Response(desk.given.small(path, size), 200, LASTING, WEBP)
        return sent(path, media_type(path), LASTING)

    @router.get("/refs/{id:path}/picture", response_class=FileResponse)
    def ref_picture(id: str, size: Side = Side.SMALL, at: At = "first") -> Response:
        view, path = desk.refs.view(id), desk.refs.find(id)
        if view.kind not in ("picture", "video"):
            raise InputError("error.ref.gone")
        last = view.kind == "video" and at == "last"
        return Response((desk.given.last if last else desk.given.small)(path, size), media_type=WEBP)

    @router.get("/refs/{id:path}/content", response_class=FileResponse)
    def ref_content(id: str) -> FileResponse:
        view, path = desk.refs.view(id), desk.refs.find(id)
        if view.url is None:
            raise InputError("error.ref.gone")
        return sent(path, media_type(path) if view.kind == "picture" else PLAYED.get(path.suffix.lower()))

    @router.get("/refs/{id:path}")
    def show_ref(id: str) -> RefView:
        return desk.refs.look(id)

    return router


def sent(
    path: Path, kind: str | None, headers: Mapping[str, str] | None = None, download: bool = False
) -> FileResponse:
    """A file as it is: shown by the browser where it is of such a kind, else something to keep."""
    place = "attachment" if kind is None or download else "inline"
    return FileResponse(path, 200, headers, kind or BYTES, filename=path.name, content_disposition_type=place)
