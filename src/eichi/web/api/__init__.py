"""The HTTP interface: the queue's calls, one each, with the same requests as the command line and the page.

Every operation has a named request and a named answer, and errors are one model, so that a client can be generated
from `/api/openapi.json`. The page's own buttons use it too. Only files of a job are served, by the names that the job
gives them; a request that comes from another site is refused before it gets here.
"""

from starlette.routing import BaseRoute

from eichi.web.api import (
    advice,
    drafts,
    events,
    files,
    finish,
    frames,
    grids,
    health,
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
    workers,
)
from eichi.web.desk import Desk


def routes(desk: Desk) -> list[BaseRoute]:
    """All addresses below `/api/v1`."""
    places = (
        drafts,
        events,
        files,
        finish,
        frames,
        grids,
        health,
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
        workers,
        jobs,  # the last: addresses of the same form as its buttons are others'
    )
    found = [route for place in places for route in place.routes(desk).routes]
    return [*found, *(route for place in (options, words, advice) for route in place.routes().routes)]
