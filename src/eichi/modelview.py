"""Models as people and programs see them: what there is, what a download comes to, what came of a check.

The same for the command line's `--json` and the HTTP interface. A view holds paths of this machine; who shows it to
somebody elsewhere takes them out. Knows no page.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from eichi.catalog import Direction, Entry, ModelFolders, find, known
from eichi.files import size_of
from eichi.jobs.view import View
from eichi.models.download import ROOM, Order, free
from eichi.models.fetched import Checked, pinned, removable
from eichi.models.found import Found, complaints, look, precision, published_name
from eichi.models.licences import Licence, licences
from eichi.models.locate import lacking, places
from eichi.words import say, table

LIKE = "framepack"  # the model that files of others are looked for; all have the same parts
SAID = "models.why"


class ResolutionView(View):
    """A resolution that a model has, and how it is written."""

    value: int
    label: str


class LicenceView(View):
    """Terms that weights are under. Who uses them agrees to those that are `asked`; `agreed` says that somebody did."""

    id: str
    name: str
    text: str
    url: str
    asked: bool
    agreed: bool


class PartView(View):
    """A part of a model, where it comes from, and where it is on this computer, None where it is not.

    `precision` is what its weights are kept in, `known` the published file that it is by its size, empty where it is
    none. Of one that is not here `size` are the bytes to fetch, near enough.
    """

    part: str
    label: str
    source: str
    place: Path | None
    precision: str
    known: str
    size: int


class SpareView(View):
    """A file in other programs' folders that is a part of a model, or nearly, and not used: `why` is said.

    Whose part it is that cannot be read its name tells; `part` is "unknown" where it does not.
    """

    part: str
    label: str
    place: Path
    precision: str
    size: int
    known: str
    why: str


class PlaceView(View):
    """A folder or list that is looked through for files of other programs, and why nothing comes of it."""

    place: Path
    why: str


class ModelView(View):
    """A model that can be asked for by name.

    `size` are the bytes that are still to be fetched, near enough, `here` those that have come of parts that are not
    whole. `interrupted` says that a download was begun and has not ended; `removable` are bytes that removing frees,
    `short` those that the disk has too few for a download. A model whose resolution goes by the picture has no
    `default` one.
    """

    name: str
    label: str
    direction: Direction
    direction_text: str
    embedded: bool
    present: bool
    size: int
    here: int
    interrupted: bool
    removable: int
    short: int
    parts: tuple[PartView, ...]
    licences: tuple[LicenceView, ...]
    resolutions: tuple[ResolutionView, ...]
    default: int | None
    notes: tuple[str, ...]


class ModelsView(View):
    """All models that can be asked for by name, the folder of those that are fetched, and free bytes of its disk.

    `spare` are files in other programs' folders that no model uses, `odd` such folders that are not as they should be.
    """

    models: tuple[ModelView, ...]
    spare: tuple[SpareView, ...]
    odd: tuple[PlaceView, ...]
    folder: Path
    room: int


class WantedView(View):
    """A file that a download brings: bytes of it, and how many of them are here."""

    part: str
    label: str
    file: str
    size: int
    here: int


class RepositoryView(View):
    """Where something comes from. `licence` and `link` are what its own page says, empty where that is nothing.

    A `gated` one opens to those who agreed to something there.
    """

    name: str
    url: str
    licence: str
    link: str
    gated: bool


class OrderView(View):
    """What a download comes to, before it begins: files, what is here and is not fetched, bytes of the disk.

    `left` bytes come over the network, `after` are free then, and at least `room` must be, else it does not `fit`.
    """

    model: str
    label: str
    server: str
    folder: Path
    files: tuple[WantedView, ...]
    found: tuple[PartView, ...]
    repositories: tuple[RepositoryView, ...]
    licences: tuple[LicenceView, ...]
    size: int
    here: int
    left: int
    free: int
    after: int
    room: int
    fits: bool
    kind: Literal["order"] = "order"


class Located(View):
    """Where the parts of a model are."""

    model: str
    folders: dict[str, Path]


class CheckedView(View):
    """A file that was checked: `how` is "checksum" or "whole", `good` what came of it."""

    part: str
    file: Path
    how: str
    good: bool


class Verified(View):
    """What came of checking a model's files."""

    model: str
    good: bool
    files: tuple[CheckedView, ...]

    @classmethod
    def of(cls, model: str, files: list[Checked]) -> "Verified":
        views = tuple(CheckedView(part=one.part, file=one.file, how=one.how, good=one.good) for one in files)
        return cls(model=model, good=all(one.good for one in files), files=views)


class Removed(View):
    """The files of a model that are gone, and the bytes they had."""

    model: str
    files: tuple[Path, ...]
    bytes: int


def model_view(entry: Entry, models: ModelFolders, language: str, agreed: frozenset[str] = frozenset()) -> ModelView:
    """A model as it is on this machine."""
    parts = tuple(_part(entry, part, place, language) for part, place in places(entry, models))
    here = entry.embedded or all(part.place is not None for part in parts)
    left, come = (0, 0) if here else lacking(entry, models)
    begun = None if here else pinned(entry, models)
    if begun is not None:  # then it is known to the byte
        left = max(0, begun.size - come)
    return ModelView(
        name=entry.name,
        label=label(entry, language),
        direction=entry.direction,
        direction_text=say(f"mode.{entry.direction}", language),
        embedded=entry.embedded,
        present=here,
        size=left,
        here=come,
        interrupted=begun is not None,
        removable=sum(map(size_of, removable(entry, models))),
        short=max(0, left + ROOM - free(models)) if left else 0,
        parts=parts,
        licences=_licences(licences(entry.parts, entry.parts), language, agreed),
        resolutions=tuple(
            ResolutionView(value=size, label=f"{size} {say('unit.pixels', language)}") for size in entry.sizes
        ),
        default=None if entry.small is not None else entry.resolution,
        notes=(say(f"mode.{entry.direction}_help", language),),
    )


def models_view(models: ModelFolders, language: str) -> ModelsView:
    """All models as they are on this machine."""
    views = tuple(model_view(find(name), models, language) for name in known())
    spare, odd = spares(views, models, language), places_view(models, language)
    return ModelsView(models=views, spare=spare, odd=odd, folder=models.own.absolute(), room=free(models))


def spares(views: Iterable[ModelView], models: ModelFolders, language: str) -> tuple[SpareView, ...]:
    """The files in other programs' folders that none of these models uses, and why."""
    used = {part.place for view in views for part in view.parts}
    seen = look(find(LIKE), models)
    return tuple(_spare(one, language) for one in seen if one.place not in used)


def places_view(models: ModelFolders, language: str) -> tuple[PlaceView, ...]:
    """The folders that are looked through and are not as they should be, and why."""
    told = complaints(find(LIKE), models)
    return tuple(PlaceView(place=place, why=say(SAID, language, **reason)) for place, reason in told)


def order_view(asked: Order, language: str, agreed: frozenset[str] = frozenset()) -> OrderView:
    """What a download comes to."""
    entry = asked.entry
    return OrderView(
        model=entry.name,
        label=label(entry, language),
        server=asked.server.url,
        folder=asked.models.own.absolute(),
        files=tuple(
            WantedView(
                part=one.part,
                label=say(f"part.{one.part}", language),
                file=one.file.name,
                size=one.file.size,
                here=one.here,
            )
            for one in asked.files
        ),
        found=tuple(_part(entry, part, place, language) for part, place in asked.found.items()),
        repositories=tuple(
            RepositoryView(
                name=one.name,
                url=f"{asked.server.url}/{one.name}",
                licence=one.licence,
                link=one.link,
                gated=one.gated,
            )
            for one in asked.repositories
        ),
        licences=_licences(asked.licences, language, agreed),
        size=asked.size,
        here=asked.here,
        left=asked.left,
        free=asked.free,
        after=asked.after,
        room=ROOM,
        fits=asked.fits,
    )


def label(entry: Entry, language: str) -> str:
    """What a model is called in a language."""
    return table(language).get(f"choice.model.{entry.name.replace('-', '_')}", entry.name)


def _part(entry: Entry, part: str, place: Path | None, language: str) -> PartView:
    return PartView(
        part=part,
        label=say(f"part.{part}", language),
        source=entry.parts[part].repository or "",
        place=place,
        precision="" if place is None else precision(part, place),
        known="" if place is None else published_name(place),
        size=entry.anatomy.size(part) if place is None else 0,
    )


def _spare(found: Found, language: str) -> SpareView:
    if found.wrong is not None:
        why = say(SAID, language, **found.wrong)
    else:
        nameless = found.part == "transformer" and found.direction is None
        why = say("models.which" if nameless else "models.spare", language)
    return SpareView(
        part=found.part,
        label=say(f"part.{found.part}", language),
        place=found.place,
        precision=found.precision,
        size=found.size,
        known=found.name,
        why=why,
    )


def _licences(asked: tuple[Licence, ...], language: str, agreed: frozenset[str]) -> tuple[LicenceView, ...]:
    return tuple(
        LicenceView(
            id=one.id,
            name=say(f"licence.{one.id}", language),
            text=say(f"licence.{one.id}_text", language),
            url=one.url,
            asked=one.asked,
            agreed=one.id in agreed,
        )
        for one in asked
    )
