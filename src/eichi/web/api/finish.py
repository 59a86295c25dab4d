"""Finishing a video over HTTP: upscalers, what a chain comes to, one frame, the job, what a file was finished by."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from eichi.errors import InputError
from eichi.finish.plan import make_finish_plan
from eichi.jobs.finishing import FinishPlanView
from eichi.jobs.view import JobView, View
from eichi.library.outside import sift
from eichi.models.upscalers import list_upscalers
from eichi.options import LATEST, ChainOptions, FinishOptions
from eichi.video.metadata import read_record
from eichi.web.api.errors import PLAIN_ANSWERS
from eichi.web.api.frames import Png
from eichi.web.api.operations import operations
from eichi.web.api.starts import Once
from eichi.web.desk import Desk
from eichi.web.drafted import told
from eichi.web.i18n import Words
from eichi.web.visitor import Visiting


class Upscalers(View):
    """The names of the upscalers on this machine, the one that ships first."""

    upscalers: tuple[str, ...]


class ChainView(View):
    """The chain that a video was finished by, None for one that was not; documents know `notes` by `note_ids`."""

    finish: ChainOptions | None = None
    notes: tuple[str, ...] = ()
    note_ids: tuple[str, ...] = ()


class Glimpse(BaseModel):
    """A request to finish a video, and the second of the result whose frame is to be seen."""

    model_config = ConfigDict(extra="forbid")

    options: FinishOptions
    second: float = Field(0.0, ge=0, le=LATEST)


def routes(desk: Desk) -> APIRouter:
    router = operations("jobs")
    refs = desk.refs

    @router.get("/upscalers")
    def list_the_upscalers() -> Upscalers:
        return Upscalers(upscalers=tuple(one.name for one in list_upscalers(desk.settings.model_folders)))

    @router.get("/finish/settings")
    def read_finish(video: str, visitor: Visiting) -> ChainView:
        """Give back the chain that a video among the files was finished by. Its values that are not known are said."""
        path = refs.find(video)
        try:
            record = read_record(path)
        except InputError as error:
            if error.id != "error.file.record":
                raise
            return ChainView()
        if record["kind"] != FinishOptions.kind:
            return ChainView()
        asked = {"video": path.name, "finish": record["request"].get("finish", {})}
        values, notes = sift(FinishOptions, asked)
        said = {refs.text(note, visitor): id for note, id in told(notes, Words(visitor.language)).items()}
        return ChainView(finish=FinishOptions.parse(values).finish, notes=tuple(said), note_ids=tuple(said.values()))

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
