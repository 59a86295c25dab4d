"""Sections of a job over HTTP: which are made, other prompts and pictures for those to come, one once more, a branch.

What is given of options is another; what is left out stays as it is. Tables, of prompts or pictures, are given whole.
"""

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter
from fastapi import Path as InPath
from pydantic import BaseModel, ConfigDict, Field

from eichi.declare import Plain
from eichi.jobs.view import JobSections, JobView
from eichi.options import MAX_SEED, VideoOptions
from eichi.web.api.jobs import HIGHEST, Id
from eichi.web.desk import Desk
from eichi.web.visitor import Language

Section = Annotated[int, InPath(ge=-1, le=HIGHEST, description="Its number; -1 connects a seamless loop.")]


class SectionChange(BaseModel):
    """What is another for a section that is made again. Without any of it, the seed is drawn."""

    model_config = ConfigDict(extra="forbid")

    seed: int | None = Field(None, ge=0, le=MAX_SEED)
    prompt: str | None = Field(None, max_length=20_000)
    image: Path | None = None


class Options(BaseModel):
    """Options, of which those count that are given."""

    model_config = ConfigDict(extra="forbid")

    options: VideoOptions

    @property
    def given(self) -> Plain:
        return self.options.model_dump(mode="json", exclude_unset=True)


class Branch(Options):
    """How many sections are kept, in the order of generation, and how the video goes on."""

    order: int = Field(ge=0, le=HIGHEST)


def routes(desk: Desk) -> APIRouter:
    router = APIRouter(tags=["sections"])
    queue = desk.queue

    @router.get("/jobs/{id}/sections")
    def list_sections(id: Id) -> JobSections:
        return JobSections(sections=queue.sections(id))

    @router.post("/jobs/{id}/sections/{number}/redo", status_code=201)
    def redo_section(id: Id, number: Section, change: SectionChange, language: Language) -> JobView:
        job = queue.redo(id, number, change.seed, change.prompt, change.image)
        desk.wake()
        return job.view(language)

    @router.post("/jobs/{id}/branch", status_code=201)
    def branch_job(id: Id, branch: Branch, language: Language) -> JobView:
        job = queue.branch(id, branch.order, branch.given)
        desk.wake()
        return job.view(language)

    @router.put("/jobs/{id}/ahead")
    def change_ahead(id: Id, change: Options, language: Language) -> JobView:
        return queue.ahead(id, queue.laid(id, change.given)).view(language)

    return router
