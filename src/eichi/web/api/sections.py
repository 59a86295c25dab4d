"""Sections of a job over HTTP: which are made, other prompts and pictures for those to come, one once more, a branch.

What is given of options is another; what is left out stays as it is. Tables, of prompts or pictures, are given whole.
"""

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter
from fastapi import Path as InPath
from pydantic import BaseModel, ConfigDict, Field

from eichi.declare import LAST, Plain, at, walk
from eichi.jobs.schema import Job
from eichi.jobs.view import JobSections, JobView
from eichi.options import MAX_SEED, VideoOptions, has, place
from eichi.web.api.jobs import Id
from eichi.web.api.operations import operations
from eichi.web.desk import Desk
from eichi.web.visitor import Visiting, Visitor

Section = Annotated[int, InPath(ge=-1, le=LAST, description="Its number; -1 connects a seamless loop.")]


class SectionChange(BaseModel):
    """What is another for a section that is made again. Without any of it, the seed is drawn."""

    model_config = ConfigDict(extra="forbid")

    seed: int | None = Field(None, ge=0, le=MAX_SEED)
    prompt: str | None = Field(None, max_length=20_000)
    image: Path | None = None


class AheadChange(BaseModel):
    """Options, of which those count that are given."""

    model_config = ConfigDict(extra="forbid")

    options: VideoOptions


class Branch(AheadChange):
    """How many sections are kept, in the order of generation, and how the video goes on."""

    order: int = Field(ge=0, le=LAST)


def routes(desk: Desk) -> APIRouter:
    router = operations("sections")
    queue, refs = desk.queue, desk.refs

    def seen(job: Job, visitor: Visitor) -> JobView:
        return refs.seen(job.view(visitor.language), visitor)

    def given(change: AheadChange, visitor: Visitor) -> Plain:
        """The options that were given, with paths for ids."""
        said, found = change.options.model_dump(exclude_unset=True), refs.resolve(change.options, visitor).dump()
        values: Plain = {}
        for field in walk(VideoOptions):
            if has(said, field.key):
                place(values, field.key, at(found, field.key))
        return values

    @router.get("/jobs/{id}/sections")
    def list_sections(id: Id) -> JobSections:
        return JobSections(sections=queue.sections(id))

    @router.post("/jobs/{id}/sections/{number}/redo", status_code=201)
    def redo_section(id: Id, number: Section, change: SectionChange, visitor: Visiting) -> JobView:
        picture = refs.resolve(VideoOptions(image=change.image), visitor).image
        job = queue.redo(id, number, change.seed, change.prompt, picture)
        desk.wake()
        return seen(job, visitor)

    @router.post("/jobs/{id}/branch", status_code=201)
    def branch_job(id: Id, branch: Branch, visitor: Visiting) -> JobView:
        job = queue.branch(id, branch.order, given(branch, visitor))
        desk.wake()
        return seen(job, visitor)

    @router.put("/jobs/{id}/ahead")
    def change_ahead(id: Id, change: AheadChange, visitor: Visiting) -> JobView:
        return seen(queue.ahead(id, queue.laid(id, given(change, visitor))), visitor)

    return router
