"""The models over HTTP: what there is, what is here, and their download."""

import shutil

from fastapi import APIRouter

from eichi.catalog import Direction, Entry, find, known
from eichi.errors import ModelError
from eichi.jobs.view import View
from eichi.models.locate import lacking, present
from eichi.web.api.operations import operations
from eichi.web.desk import Desk
from eichi.web.downloads import DownloadView, label
from eichi.web.i18n import Words
from eichi.web.visitor import Visiting


class ResolutionView(View):
    """A resolution that a model has, and how it is written."""

    value: int
    label: str


class ModelView(View):
    """A model that can be asked for by name.

    `size` are the bytes that are still to be fetched, near enough, `here` those that have come of parts that are not
    whole, `room` the free bytes of the disk where models lie. `downloading` is its latest download, if there was one.
    """

    name: str
    label: str
    direction: Direction
    direction_text: str
    embedded: bool
    present: bool
    size: int
    here: int
    room: int
    licence: str
    resolutions: tuple[ResolutionView, ...]
    default: int
    notes: tuple[str, ...]
    downloading: DownloadView | None


class ModelList(View):
    """All models that can be asked for by name."""

    models: tuple[ModelView, ...]


def routes(desk: Desk) -> APIRouter:
    router = operations("models")

    @router.get("/models")
    def list_models(visitor: Visiting) -> ModelList:
        words, room = Words(visitor.language), _room(desk)
        views = (_view(desk, find(name), room, words) for name in known())
        return ModelList(models=tuple(desk.refs.seen(view, visitor) for view in views))

    @router.post("/models/{name}/download", status_code=202)
    def download_model(name: str, visitor: Visiting) -> ModelView:
        entry = _known(name)
        desk.downloads.start(entry.name)
        return desk.refs.seen(_view(desk, entry, _room(desk), Words(visitor.language)), visitor)

    @router.delete("/models/{name}/download")
    def stop_download(name: str, visitor: Visiting) -> ModelView:
        entry = _known(name)
        desk.downloads.stop(entry.name)
        return desk.refs.seen(_view(desk, entry, _room(desk), Words(visitor.language)), visitor)

    return router


def _known(name: str) -> Entry:
    """A model of the catalogue; a visitor names no folder of this machine. Raises ModelError."""
    if name not in known():
        raise ModelError("error.model.unknown", name=name, known=", ".join(known()))
    return find(name)


def _room(desk: Desk) -> int:
    """Free bytes where models lie, or will."""
    folder = desk.settings.models.absolute()
    return shutil.disk_usage(next(place for place in (folder, *folder.parents) if place.is_dir())).free


def _view(desk: Desk, entry: Entry, room: int, words: Words) -> ModelView:
    here, models = entry.embedded or present(entry, desk.settings.shelves), desk.settings.shelves
    left, come = (0, 0) if here else lacking(entry, models)
    return ModelView(
        name=entry.name,
        label=label(entry, words),
        direction=entry.direction,
        direction_text=words(f"mode.{entry.direction}"),
        embedded=entry.embedded,
        present=here,
        size=left,
        here=come,
        room=room,
        licence=words("models.licence.embedded" if entry.embedded else "models.licence.framepack"),
        resolutions=tuple(ResolutionView(value=size, label=f"{size} {words('unit.pixels')}") for size in entry.sizes),
        default=entry.resolution,
        notes=(words(f"mode.{entry.direction}_help"),),
        downloading=desk.downloads.find(entry.name, words.language),
    )
