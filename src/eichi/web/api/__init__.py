"""The HTTP interface: the queue's calls, one each, with the same requests as the command line and the page.

Every operation has a named request and a named answer, and errors are one model, so that a client can be generated
from `/api/openapi.json`. The page's own buttons use it too. Only files of a job are served, by the names that the job
gives them; a request that comes from another site is refused before it gets here.
"""

from fastapi import APIRouter

from eichi.web.api import (
    advice,
    drafts,
    events,
    files,
    frames,
    jobs,
    library,
    loras,
    machine,
    models,
    options,
    pictures,
    read,
    sections,
    settings,
    starts,
    tools,
    words,
)
from eichi.web.api.errors import ANSWERS
from eichi.web.desk import Desk


def routes(desk: Desk) -> APIRouter:
    """All addresses below `/api/v1`."""
    router = APIRouter(prefix="/api/v1", responses=ANSWERS)
    for place in (
        drafts,
        events,
        files,
        frames,
        library,
        loras,
        machine,
        models,
        pictures,
        read,
        sections,
        settings,
        starts,
        tools,
        jobs,  # the last: addresses of the same form as its buttons are others'
    ):
        router.include_router(place.routes(desk))
    for place in (options, words, advice):
        router.include_router(place.routes())
    return router
