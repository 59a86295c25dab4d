"""The stream that every page follows: what is there, then what changes."""

from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import StreamingResponse

from eichi.web.api.errors import PLAIN_ANSWERS, Answers
from eichi.web.api.operations import operations
from eichi.web.desk import Desk
from eichi.web.live import Change
from eichi.web.visitor import Visiting


class Stream(StreamingResponse):
    """Server-sent events that are written already."""

    media_type = "text/event-stream"


# What the stream answers, for the schema: a text of events, of which each has one of these as its data.
EVENT = {
    "type": "object",
    "required": ["id", "data"],
    "properties": {
        "data": {"contentMediaType": "application/json", "contentSchema": {"$ref": "#/components/schemas/Change"}}
    },
}
CHANGES: Answers = {
    200: {
        "description": "Everything, then what changes. The id of an event is what to go on from.",
        "content": {Stream.media_type: {"schema": {"type": "string"}, "itemSchema": EVENT}},
    }
}


def routes(desk: Desk) -> APIRouter:
    router = operations("events")

    @router.get("/events", response_class=Stream, responses={**PLAIN_ANSWERS, **CHANGES})
    async def follow_all(visitor: Visiting, last_event_id: Annotated[str, Header(max_length=64)] = "") -> Stream:
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        stream = desk.live.stream(visitor, last_event_id)
        return Stream(stream, headers=headers)

    @router.get("/now")
    def look_at_all(visitor: Visiting) -> Change:
        desk.live.look()
        return desk.live.everything(visitor)

    return router
