"""Jobs over HTTP: plan, start, list, follow, act, remove."""

import asyncio
from collections.abc import AsyncIterable, Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query
from fastapi import Path as InPath
from fastapi.sse import EventSourceResponse, ServerSentEvent

from eichi.jobs.schema import Job
from eichi.jobs.view import (
    Action,
    Button,
    FramePlanView,
    JobRemoved,
    JobTold,
    JobView,
    PlanView,
    QueueHeld,
    QueueView,
    Told,
)
from eichi.options import FrameOptions, VideoOptions
from eichi.prepare import make_frame_plan, make_plan
from eichi.web.api.errors import PLAIN_ANSWERS
from eichi.web.desk import Desk
from eichi.web.live import PACE
from eichi.web.visitor import Visiting, Visitor

HIGHEST = 2**31 - 1  # what every database takes as a number
Id = Annotated[int, InPath(ge=1, le=HIGHEST)]
Number = Annotated[int, Query(ge=0, le=HIGHEST)]
# What a stream answers, for the schema: a text of events, of which each has one of these as its data.
EVENT = {
    "type": "object",
    "required": ["id", "data"],
    "properties": {
        "data": {
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/components/schemas/Told"},
        }
    },
}
TOLD: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "What the job said and says, to its end. The id of an event is the number to go on from.",
        "content": {EventSourceResponse.media_type: {"schema": {"type": "string"}, "itemSchema": EVENT}},
    }
}


def routes(desk: Desk) -> APIRouter:
    router = APIRouter(tags=["jobs"])
    queue, store, refs = desk.queue, desk.store, desk.refs

    def seen(job: Job, visitor: Visitor) -> JobView:
        return refs.seen(job.view(visitor.language), visitor)

    @router.post("/plan")
    def plan_video(options: VideoOptions, visitor: Visiting) -> PlanView:
        plan = make_plan(refs.resolve(options, visitor), desk.settings.models)
        return refs.seen(PlanView.of(plan), visitor)

    @router.post("/plan/frame")
    def plan_frame(options: FrameOptions, visitor: Visiting) -> FramePlanView:
        plan = make_frame_plan(refs.resolve(options, visitor), desk.settings.models)
        return refs.seen(FramePlanView.of(plan), visitor)

    @router.get("/jobs")
    def list_jobs(visitor: Visiting) -> QueueView:
        return QueueView(jobs=tuple(seen(job, visitor) for job in store.jobs()), held=store.held)

    @router.post("/jobs", status_code=201)
    def start_video(options: VideoOptions, visitor: Visiting) -> JobView:
        return seen(desk.start([refs.resolve(options, visitor)])[0], visitor)

    @router.post("/jobs/frame", status_code=201)
    def start_frame(options: FrameOptions, visitor: Visiting) -> JobView:
        return seen(desk.start([refs.resolve(options, visitor)])[0], visitor)

    @router.get("/jobs/{id}")
    def show_job(id: Id, visitor: Visiting) -> JobTold:
        view = store.job(id).view(visitor.language)
        return refs.seen(JobTold(**vars(view), events=tuple(store.events(id))), visitor)

    @router.get("/jobs/{id}/events", response_class=EventSourceResponse, responses={**PLAIN_ANSWERS, **TOLD})
    async def follow_job(
        job: Annotated[Job, Depends(_existing(desk))],
        visitor: Visiting,
        after: Number = 0,
        last_event_id: Annotated[int, Header(ge=0, le=HIGHEST)] = 0,
    ) -> AsyncIterable[ServerSentEvent]:
        async for told in _told(desk, job.id, max(after, last_event_id)):
            yield ServerSentEvent(data=refs.seen(told, visitor), id=str(told.number))

    @router.post("/jobs/{id}/{action}")
    def act_on_job(id: Id, action: Button, visitor: Visiting) -> JobView:
        job = queue.act(id, Action(action))
        desk.wake()
        return seen(job, visitor)

    @router.delete("/jobs/{id}")
    def remove_job(id: Id, visitor: Visiting, files: bool = False) -> JobRemoved:
        removed = JobRemoved(removed=id, files=tuple(str(path) for path in queue.remove(id, files)))
        return refs.seen(removed, visitor)

    @router.post("/queue/{action}")
    def act_on_queue(action: Literal["hold", "resume"]) -> QueueHeld:
        queue.hold_all() if action == "hold" else queue.resume_all()
        desk.wake()
        return QueueHeld(held=store.held)

    return router


def _existing(desk: Desk) -> Callable[..., Job]:
    """A job that is there, before a stream about it is begun."""

    def existing(id: Id) -> Job:
        return desk.store.job(id)

    return existing


async def _told(desk: Desk, id: int, after: int) -> AsyncIterable[Told]:
    """What a job said and says; of its steps the latest, under the number of the event before it."""
    progress = None
    while True:
        row = await asyncio.to_thread(desk.store.find, id)
        for entry in await asyncio.to_thread(desk.store.events, id, after):
            after = entry.number
            yield entry
        if row is None or row.status.terminal:
            return
        if row.progress is not None and row.progress != progress:
            yield Told(job=id, number=after, time=row.beat or row.created, event=row.progress)
        progress = row.progress
        await asyncio.sleep(PACE)
