"""The models over HTTP: what there is, what is here, what a download comes to; fetched, checked, removed."""

from pathlib import Path

from fastapi import APIRouter
from pydantic import Field

from eichi.catalog import Entry, find, known
from eichi.errors import ModelError
from eichi.jobs.view import View
from eichi.models.download import free
from eichi.modelview import (
    ModelView,
    OrderView,
    PlaceView,
    Removed,
    SpareView,
    model_view,
    order_view,
    places_view,
    spares,
)
from eichi.web.api.operations import operations
from eichi.web.desk import Desk
from eichi.web.downloads import DownloadView
from eichi.web.visitor import Visiting, Visitor, at_machine


class ModelState(ModelView):
    """A model, and the latest of what was done with it here, if there was something."""

    downloading: DownloadView | None


class ModelList(View):
    """All models that can be asked for by name, the folder of those that are fetched, and free bytes of its disk.

    `spare` are files in other programs' folders that no model uses, `odd` such folders that are not as they should be.
    """

    models: tuple[ModelState, ...]
    spare: tuple[SpareView, ...]
    odd: tuple[PlaceView, ...]
    folder: Path
    room: int


class Consent(View):
    """The licences that are agreed to, by their ids."""

    agreed: tuple[str, ...] = Field(default=(), max_length=100)


NONE = Consent()


def routes(desk: Desk) -> APIRouter:
    router = operations("models")

    @router.get("/models")
    def list_models(visitor: Visiting) -> ModelList:
        folders = desk.settings.model_folders
        states = tuple(_state(desk, find(name), visitor) for name in known())
        told = ModelList(
            models=states,
            spare=spares(states, folders, visitor.language),
            odd=places_view(folders, visitor.language),
            folder=folders.own.absolute(),
            room=free(folders),
        )
        return desk.refs.seen(told, visitor)

    @router.get("/models/{name}/download")
    def plan_download(name: str, visitor: Visiting) -> OrderView:
        asked = desk.downloads.order(_known(name).name)
        return desk.refs.seen(order_view(asked, visitor.language, desk.downloads.agreed.list()), visitor)

    @router.post("/models/{name}/download", status_code=202)
    def download_model(name: str, visitor: Visiting, consent: Consent = NONE) -> ModelState:
        entry = _known(name)
        desk.downloads.start(entry.name, consent.agreed)
        return desk.refs.seen(_state(desk, entry, visitor), visitor)

    @router.delete("/models/{name}/download")
    def stop_download(name: str, visitor: Visiting) -> ModelState:
        entry = _known(name)
        desk.downloads.stop(entry.name)
        return desk.refs.seen(_state(desk, entry, visitor), visitor)

    @router.post("/models/{name}/check", status_code=202)
    def check_model(name: str, visitor: Visiting) -> ModelState:
        entry = _known(name)
        desk.downloads.check(entry.name)
        return desk.refs.seen(_state(desk, entry, visitor), visitor)

    @router.post("/models/{name}/mend", status_code=202)
    def mend_model(name: str, visitor: Visiting) -> ModelState:
        entry = _known(name)
        desk.downloads.mend(entry.name)
        return desk.refs.seen(_state(desk, entry, visitor), visitor)

    @router.delete("/models/{name}")
    def remove_model(name: str, visitor: Visiting) -> Removed:
        at_machine(visitor, "error.api.remove")
        entry = _known(name)
        gone, freed = desk.downloads.remove(entry.name)
        return desk.refs.seen(Removed(model=entry.name, files=tuple(gone), bytes=freed), visitor)

    return router


def _known(name: str) -> Entry:
    """A model of the catalogue; a visitor names no folder of this machine. Raises ModelError."""
    if name not in known():
        raise ModelError("error.model.unknown", name=name, known=", ".join(known()))
    return find(name)


def _state(desk: Desk, entry: Entry, visitor: Visitor) -> ModelState:
    """A model as it is now."""
    said = model_view(entry, desk.settings.model_folders, visitor.language, desk.downloads.agreed.list())
    going = desk.downloads.find(entry.name, visitor.language)
    return ModelState(**dict(said), downloading=going)
