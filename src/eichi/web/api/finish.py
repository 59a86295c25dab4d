"""Finishing a video over HTTP: the upscalers that there are, what a chain comes to, one frame of it, the job."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from eichi.finish.plan import make_finish_plan
from eichi.jobs.finishing import FinishPlanView
from eichi.jobs.view import JobView, View
from eichi.models.upscalers import list_upscalers
from eichi.options import FinishOptions
from eichi.web.api.errors import PLAIN_ANSWERS
from eichi.web.api.frames import Png
from eichi.web.api.operations import operations
from eichi.web.api.starts import Once
from eichi.web.desk import Desk
from eichi.web.visitor import Visiting


class Upscalers(View):
    """The names of the upscalers on this machine, the one that ships first."""

    upscalers: tuple[str, ...]


class Glimpse(BaseModel):
    """A request to finish a video, and the second of the result whose frame is to be seen."""

    model_config = ConfigDict(extra="forbid")

    options: FinishOptions
    second: float = Field(0.0, ge=0, le=1e6)


def routes(desk: Desk) -> APIRouter:
    router = operations("jobs")
    refs = desk.refs

    @router.get("/upscalers")
    def list_the_upscalers() -> Upscalers:
        return Upscalers(upscalers=tuple(one.name for one in list_upscalers(desk.settings.model_folders)))

    @router.post("/plan/finish")
    def plan_finish(options: FinishOptions, visitor: Visiting) -> FinishPlanView:
        asked = refs.resolve(options, visitor)
        plan = make_finish_plan(asked, desk.settings.model_folders, desk.settings.cache)
        return refs.seen(FinishPlanView.of(plan), visitor)

    @router.post("/finish/frame.png", response_class=Png, responses=PLAIN_ANSWERS)
    def glimpse_finish(asked: Glimpse, visitor: Visiting) -> Png:
        return Png(desk.glimpses.make(refs.resolve(asked.options, visitor), asked.second, desk.settings))

    @router.post("/jobs/finish", status_code=201)
    def start_finish(options: FinishOptions, visitor: Visiting, once: Once = None) -> JobView:
        (id,) = desk.once(once, options.kind, lambda: [refs.resolve(options, visitor)], visitor.owner)
        return refs.seen(desk.store.job(id).view(visitor.language), visitor)

    return router
