"""Jobs over HTTP: list, find, follow, act, move, remove and have back."""

import asyncio
from collections.abc import AsyncIterable, Callable
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query
from fastapi import Path as InPath
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field, model_validator

from eichi.declare import LAST
from eichi.jobs.listing import Brief, Listing
from eichi.jobs.schema import Job
from eichi.jobs.store import Store
from eichi.jobs.view import (
    IDLE,
    Action,
    Button,
    JobRemoved,
    JobTold,
    JobView,
    Kind,
    QueueHeld,
    QueueView,
    Status,
    Told,
    View,
)
from eichi.web.api.errors import PLAIN_ANSWERS, Answers
from eichi.web.api.operations import operations
from eichi.web.desk import Desk
from eichi.web.live import PACE
from eichi.web.rows import JobRow
from eichi.web.visitor import Visiting, Visitor

Sort = Literal["newest", "oldest", "longest"]
PAGE, MOST = 200, 1000  # jobs of one answer, where nothing is said, and at most
Id = Annotated[int, InPath(ge=1, le=LAST)]
Number = Annotated[int, Query(ge=0, le=LAST)]
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
TOLD: Answers = {
    200: {
        "description": "What the job said and says, to its end. The id of an event is the number to go on from.",
        "content": {EventSourceResponse.media_type: {"schema": {"type": "string"}, "itemSchema": EVENT}},
    }
}


class Place(BaseModel):
    """A place among the jobs to come that have the same priority, the first being 1."""

    to: int = Field(ge=1, le=LAST)


class JobsAsked(BaseModel):
    """Which jobs: `search` is words of the prompts or a number, `before` a time in seconds since 1970.

    `coming` are those that wait or are held, `ended` those that have ended. Of more than `limit` come the first from
    `offset` on.
    """

    model_config = ConfigDict(extra="forbid")

    id: int | None = Field(None, ge=1, le=LAST)
    search: str = Field("", max_length=1000)
    status: Status | None = None
    kind: Kind | None = None
    coming: bool = False
    ended: bool = False
    before: float | None = None
    sort: Sort | None = None
    offset: int = Field(0, ge=0, le=LAST)
    limit: int = Field(PAGE, ge=1, le=MOST)

    @model_validator(mode="before")
    @classmethod
    def blank(cls, values: Any) -> Any:
        """What a form leaves empty is not asked for."""
        return {name: value for name, value in values.items() if value != ""} if isinstance(values, dict) else values

    @property
    def listing(self) -> Listing:
        """What of it the database can find by itself."""
        chosen = {
            status
            for status in Status
            if (self.status is None or status == self.status)
            and (not self.ended or status.terminal)
            and (not self.coming or status in IDLE)
        }
        sort = self.sort if self.sort in ("newest", "oldest") else "queue"
        listing = Listing(tuple(chosen), kind=self.kind, before=self.before, sort=sort)
        whole = bool(self.search.split()) or self.sort == "longest"
        return listing if whole else replace(listing, offset=self.offset, limit=self.limit)


class JobsFound(QueueView):
    """Jobs that were asked for; `rows` are the same as a page lists them, `total` counts those on other pages, too."""

    rows: tuple[JobRow, ...]


class JobsRemoved(View):
    """Jobs that were put into the bin."""

    jobs: tuple[int, ...]


def find_jobs(store: Store, asked: JobsAsked) -> tuple[list[Job], int]:
    """The jobs that are asked for, in that order, else in that of the queue; how many there are in all."""
    if asked.id is not None:
        job = store.find(asked.id)
        return ([], 0) if job is None else ([job], 1)
    listing = asked.listing
    if listing.limit is not None:
        return store.page(listing)
    words = asked.search.casefold().split()
    found = [one for one in store.briefs(listing) if _said(one, words)]
    if asked.sort == "longest":
        found.sort(key=lambda one: (-one.seconds, -one.ended, -one.id))
    shown = [one.id for one in found[asked.offset : asked.offset + asked.limit]]
    rows = {job.id: job for job in store.select(shown)}
    return [rows[id] for id in shown if id in rows], len(found)


def _said(one: Brief, words: list[str]) -> bool:
    """Whether every word is in a job's prompts, or is its number."""
    text = one.prompts.casefold()
    return all(word in text or word.lstrip("#") == str(one.id) for word in words)


def routes(desk: Desk) -> APIRouter:
    router = operations("jobs")
    queue, store, refs = desk.queue, desk.store, desk.refs

    def seen(job: Job, visitor: Visitor) -> JobView:
        return refs.seen(job.view(visitor.language), visitor)

    @router.get("/jobs")
    def list_jobs(visitor: Visiting, asked: Annotated[JobsAsked, Query()]) -> JobsFound:
        shown, total = find_jobs(store, asked)
        return JobsFound(
            jobs=tuple(seen(job, visitor) for job in shown),
            rows=tuple(desk.live.row(job, visitor) for job in shown),
            total=total,
            held=store.held,
        )

    @router.get("/jobs/{id}")
    def show_job(id: Id, visitor: Visiting) -> JobTold:
        view = store.job(id).view(visitor.language)
        return refs.seen(JobTold(**vars(view), events=tuple(store.events(id))), visitor)

    @router.get("/jobs/{id}/events", response_class=EventSourceResponse, responses={**PLAIN_ANSWERS, **TOLD})
    async def follow_job(
        job: Annotated[Job, Depends(_existing(desk))],
        visitor: Visiting,
        after: Number = 0,
        last_event_id: Annotated[int, Header(ge=0, le=LAST)] = 0,
    ) -> AsyncIterable[ServerSentEvent]:
        async for told in _told(desk, job.id, max(after, last_event_id)):
            yield ServerSentEvent(data=refs.seen(told, visitor), id=str(told.number))

    @router.put("/jobs/{id}/place")
    def move_job(id: Id, place: Place, visitor: Visiting) -> JobView:
        return seen(queue.move(id, place.to), visitor)

    @router.post("/jobs/{id}/restore")
    def restore_job(id: Id, visitor: Visiting) -> JobView:
        job = store.restore(id)
        desk.wake()
        return seen(job, visitor)

    @router.post("/jobs/{id}/{action}")
    def act_on_job(id: Id, action: Button, visitor: Visiting) -> JobView:
        job = queue.act(id, Action(action))
        desk.wake()
        return seen(job, visitor)

    @router.delete("/jobs/{id}")
    def remove_job(id: Id, visitor: Visiting, files: bool = False) -> JobRemoved:
        desk.empty_bin()
        removed = JobRemoved(removed=id, files=tuple(str(path) for path in queue.bin(id, files)))
        return refs.seen(removed, visitor)

    @router.post("/queue/clear")
    def clear_queue() -> JobsRemoved:
        desk.empty_bin()
        return JobsRemoved(jobs=tuple(queue.clear()))

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
