"""Requests over HTTP: planned, started as one job or as many, changed while they wait.

A start may carry an `Idempotency-Key`: whoever sends the same one again, because an answer was lost or a button was
pressed twice, is told of the jobs that were made and makes none, also after a restart. The key is of one address.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Header
from pydantic import BaseModel, ConfigDict, JsonValue, RootModel

from eichi.errors import InputError
from eichi.jobs.batch import expand
from eichi.jobs.view import FramePlanView, JobView, PlanView, View
from eichi.library.wildcards import drawn_request
from eichi.options import QUEUED, FrameOptions, Queued, VideoOptions
from eichi.prepare import make_frame_plan, make_plan
from eichi.web.api.jobs import Id
from eichi.web.api.operations import operations
from eichi.web.batches import BatchAsked, batch_of, count_jobs
from eichi.web.desk import Desk
from eichi.web.visitor import Visiting, Visitor

Drawn = Literal["video", "frame"]  # what a batch can be of
LIMIT = 1000  # jobs that one start makes
Once = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)]
KINDS: dict[Drawn, type[VideoOptions] | type[FrameOptions]] = {"video": VideoOptions, "frame": FrameOptions}


class BatchStart(BaseModel):
    """A request of a kind, and what varies in it."""

    model_config = ConfigDict(extra="forbid")

    kind: Drawn = "video"
    options: dict[str, JsonValue]
    batch: BatchAsked


class OptionsAsked(RootModel[dict[str, JsonValue]]):
    """Options, nested, of whatever kind the job is of."""


class JobsStarted(View):
    """The numbers of jobs that were made, in their order."""

    jobs: tuple[int, ...]


def routes(desk: Desk) -> APIRouter:
    router = operations("jobs")
    refs = desk.refs

    def start(options: VideoOptions | FrameOptions, visitor: Visitor, once: str | None) -> JobView:
        """One job, made once."""
        (id,) = desk.once(once, options.kind, lambda: [refs.resolve(options, visitor)], visitor.owner)
        return refs.seen(desk.store.job(id).view(visitor.language), visitor)

    @router.post("/plan")
    def plan_video(options: VideoOptions, visitor: Visiting) -> PlanView:
        asked = drawn_request(refs.resolve(options, visitor), desk.settings.lists)
        plan = make_plan(asked, desk.settings.model_folders)
        return refs.seen(PlanView.of(plan), visitor)

    @router.post("/plan/frame")
    def plan_frame(options: FrameOptions, visitor: Visiting) -> FramePlanView:
        asked = drawn_request(refs.resolve(options, visitor), desk.settings.lists)
        plan = make_frame_plan(asked, desk.settings.model_folders)
        return refs.seen(FramePlanView.of(plan), visitor)

    @router.post("/jobs", status_code=201)
    def start_video(options: VideoOptions, visitor: Visiting, once: Once = None) -> JobView:
        return start(options, visitor, once)

    @router.post("/jobs/frame", status_code=201)
    def start_frame(options: FrameOptions, visitor: Visiting, once: Once = None) -> JobView:
        return start(options, visitor, once)

    @router.post("/jobs/batch", status_code=201)
    def start_batch(asked: BatchStart, visitor: Visiting, once: Once = None) -> JobsStarted:
        def make() -> Sequence[Queued]:
            options = refs.resolve(KINDS[asked.kind].parse(asked.options), visitor)
            batch = batch_of(desk, asked.batch, visitor, KINDS[asked.kind])
            if count_jobs(batch) > LIMIT:
                raise InputError("error.batch.jobs", limit=LIMIT, count=count_jobs(batch))
            return expand(options, batch)

        return JobsStarted(jobs=desk.once(once, "batch", make, visitor.owner))

    @router.put("/jobs/{id}")
    def edit_job(id: Id, asked: OptionsAsked, visitor: Visiting) -> JobView:
        job = desk.store.job(id)
        options: Queued = refs.resolve(QUEUED[job.kind].parse(asked.root), visitor)
        return refs.seen(desk.queue.change(id, options).view(visitor.language), visitor)

    return router
