"""Pictures of jobs over HTTP: small ones for lists, any frame of a result, a frame as a picture to go on with."""

from io import BytesIO
from typing import Annotated

from fastapi import APIRouter
from fastapi import Path as InPath
from fastapi.responses import Response

from eichi.declare import LAST
from eichi.web.api.errors import PLAIN_ANSWERS
from eichi.web.api.jobs import Id
from eichi.web.api.operations import operations
from eichi.web.api.pictures import LASTING, WEBP, PictureGiven
from eichi.web.desk import Desk
from eichi.web.thumbs import At, frame, name_frame, thumb

Number = Annotated[int, InPath(ge=0, le=LAST)]


class Png(Response):
    """A picture without loss."""

    media_type = "image/png"


class Webp(Response):
    """A small picture."""

    media_type = WEBP


def routes(desk: Desk) -> APIRouter:
    router = operations("files")

    @router.get("/jobs/{id}/thumb.webp", response_class=Webp, responses=PLAIN_ANSWERS)
    def job_thumb(id: Id, at: At = "last", v: str = "") -> Webp:
        lasting = LASTING if v else {"cache-control": "no-cache"}
        return Webp(thumb(desk.store.job(id), at, desk.given), headers=dict(lasting))

    @router.get("/jobs/{id}/frames/{number}.png", response_class=Png, responses=PLAIN_ANSWERS)
    def show_frame(id: Id, number: Number) -> Png:
        return Png(frame(desk.store.job(id), number))

    @router.post("/jobs/{id}/frames/{number}", status_code=201)
    def take_frame(id: Id, number: Number) -> PictureGiven:
        job = desk.store.job(id)
        return PictureGiven.of(desk.given.picture(name_frame(job, number), BytesIO(frame(job, number))))

    return router
