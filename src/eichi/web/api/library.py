"""What a user keeps, over HTTP: prompts with a name, whole sets of options with a name.

Whatever is replaced or removed is in the answer, so that it can be put back. Favourites are kept with paths, as the
command line knows them, and leave with ids.
"""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, get_args

from fastapi import APIRouter, Query, UploadFile
from fastapi.responses import FileResponse
from pydantic import JsonValue, RootModel
from starlette.background import BackgroundTask

from eichi.errors import InputError
from eichi.events import Adjusted
from eichi.jobs.view import Kind, View
from eichi.library.favourites import Favourites
from eichi.library.outside import kind_of
from eichi.library.prompts import PromptPresets
from eichi.video.metadata import without_folders
from eichi.web.api.operations import operations
from eichi.web.api.read import ReadView
from eichi.web.desk import Desk
from eichi.web.drafted import Drafter, told
from eichi.web.dropped import Reader
from eichi.web.guard import BODY
from eichi.web.i18n import Words
from eichi.web.problems import called
from eichi.web.visitor import Visiting, Visitor

NAME = "favourites.json"


class PromptText(View):
    """A prompt to keep."""

    text: str


class PromptView(View):
    """A prompt with a name; `label` is what it is called, which for a built-in one is not its name."""

    name: str
    label: str
    text: str
    built_in: bool


class Prompts(View):
    """The prompts, built-in ones first, and the one that a new request starts with.

    `before` is the text that was replaced or removed, None where there was none; `notes` deserve a word.
    """

    presets: tuple[PromptView, ...]
    startup: str
    before: str | None = None
    notes: tuple[str, ...] = ()


class FavouriteView(View):
    """A set of options with a name, and what it is for: `video`, `frame`, or what another version made of it."""

    name: str
    kind: str


class NestedOptions(RootModel[dict[str, JsonValue]]):
    """Options, nested, with ids for files."""


class Before(RootModel[dict[str, JsonValue] | None]):
    """The options that were there before, to put them back; null where there were none."""


class NewName(View):
    """Another name."""

    to: str


class FavouriteList(View):
    """The favourites in the order they were saved, the names of those that were taken in, what deserves a word."""

    favourites: tuple[FavouriteView, ...]
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def routes(desk: Desk) -> APIRouter:
    router = operations("library")
    _prompts(router, desk)
    _favourites(router, desk)
    _moved(router, desk)
    return router


class _Shelves:
    """The library as one visitor has it for one question, with what it has to say."""

    def __init__(self, desk: Desk, visitor: Visitor) -> None:
        self.desk, self.visitor, self.words = desk, visitor, Words(visitor.language)
        self.heard: list[Adjusted] = []
        self.prompts = PromptPresets(desk.settings.home, self.heard.append)
        self.favourites = Favourites(desk.settings.home, self.heard.append)

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(self.desk.refs.text(note, self.visitor) for note in told(self.heard, self.words))

    def list_prompts(self, before: str | None = None) -> Prompts:
        views = (
            PromptView(name=one.name, label=self.words.pick(one.name, one.name), text=one.text, built_in=one.built_in)
            for one in self.prompts.list()
        )
        return Prompts(presets=tuple(views), startup=self.prompts.startup, before=before, notes=self.notes)

    def change_prompt(self, name: str, change: Callable[[], None]) -> Prompts:
        """The prompts after a change of one of them."""
        name = name.strip()
        mine = {one.name: one.text for one in self.prompts.list() if not one.built_in}
        before = mine.get(name) if name else self.prompts.startup or None
        change()
        return self.list_prompts(before)

    def list_favourites(self, names: tuple[str, ...] = (), kind: Kind | None = None) -> FavouriteList:
        every = self.favourites.list().items()
        views = tuple(FavouriteView(name=name, kind=one) for name, one in every if kind in (None, one))
        return FavouriteList(favourites=views, names=names, notes=self.notes)

    def kept(self, name: str) -> dict[str, JsonValue] | None:
        """The options of a favourite, None where there is none."""
        name = name.strip()
        if name not in self.favourites.list():
            return None
        found = self.favourites.get(name)
        if found.kind not in get_args(Kind):  # of another version
            portable: dict[str, JsonValue] = without_folders(found.request)
            return portable
        request = self.favourites.apply(name)
        values, notes = Drafter(self.desk.refs, self.visitor).draft(request)
        self.heard += notes
        return values


def _prompts(router: APIRouter, desk: Desk) -> None:
    """The start-up prompt is the one without a name."""

    @router.get("/prompts")
    def list_prompts(visitor: Visiting) -> Prompts:
        return _Shelves(desk, visitor).list_prompts()

    @router.put("/prompts")
    def save_startup_prompt(prompt: PromptText, visitor: Visiting) -> Prompts:
        shelves = _Shelves(desk, visitor)
        return shelves.change_prompt("", lambda: shelves.prompts.save("", prompt.text))

    @router.delete("/prompts")
    def delete_startup_prompt(visitor: Visiting) -> Prompts:
        shelves = _Shelves(desk, visitor)
        return shelves.change_prompt("", lambda: shelves.prompts.delete(""))

    @router.put("/prompts/{name:path}")
    def save_prompt(name: str, prompt: PromptText, visitor: Visiting) -> Prompts:
        shelves = _Shelves(desk, visitor)
        return shelves.change_prompt(name, lambda: shelves.prompts.save(name, prompt.text))

    @router.delete("/prompts/{name:path}")
    def delete_prompt(name: str, visitor: Visiting) -> Prompts:
        shelves = _Shelves(desk, visitor)
        return shelves.change_prompt(name, lambda: shelves.prompts.delete(name))


def _favourites(router: APIRouter, desk: Desk) -> None:

    @router.get("/favourites")
    def list_favourites(visitor: Visiting, kind: Kind | None = None) -> FavouriteList:
        return _Shelves(desk, visitor).list_favourites(kind=kind)

    @router.post("/favourites/{name:path}/rename")
    def rename_favourite(name: str, new: NewName, visitor: Visiting) -> FavouriteList:
        shelves = _Shelves(desk, visitor)
        shelves.favourites.rename(name, new.to)
        return shelves.list_favourites()

    @router.get("/favourites/{name:path}")
    def read_favourite(name: str, visitor: Visiting) -> ReadView:
        """The options of a favourite, as far as they are known and its files are there."""
        shelves = _Shelves(desk, visitor)
        kept = shelves.kept(name)
        if kept is None:
            raise _unknown(shelves, name)
        ids = tuple(told(shelves.heard, shelves.words).values())
        return ReadView(kind="settings", options=kept, notes=shelves.notes, note_ids=ids)

    @router.put("/favourites/{name:path}")
    def save_favourite(name: str, options: NestedOptions, visitor: Visiting, kind: Kind = "video") -> Before:
        """Keep options under a name, in place of those that were kept under it."""
        shelves = _Shelves(desk, visitor)
        request = desk.refs.resolve(kind_of(kind).parse(options.root), visitor)
        before = shelves.kept(name)
        shelves.favourites.save(name, request, replace=True)
        return Before(before)

    @router.delete("/favourites/{name:path}")
    def delete_favourite(name: str, visitor: Visiting) -> Before:
        shelves = _Shelves(desk, visitor)
        before = shelves.kept(name)
        if before is None:
            raise _unknown(shelves, name)
        shelves.favourites.delete(name.strip())
        return Before(before)


def _moved(router: APIRouter, desk: Desk) -> None:
    """Favourites to another machine, and from one."""

    @router.get("/favourites.json", response_class=FileResponse)
    def export_favourites(visitor: Visiting, name: Annotated[list[str] | None, Query()] = None) -> FileResponse:
        """All favourites, or those of these names, as a file: without folders, with marks to find their files by."""
        folder = TemporaryDirectory(prefix="eichi-favourites-")
        path = Path(folder.name) / NAME
        with ExitStack() as stack, called(path):
            stack.callback(folder.cleanup)
            _Shelves(desk, visitor).favourites.export(path, name)
            stack.pop_all()
        kind = "application/json"
        return FileResponse(path, media_type=kind, filename=NAME, background=BackgroundTask(folder.cleanup))

    @router.post("/favourites", max_body_size=BODY)
    def import_favourites(file: UploadFile, visitor: Visiting) -> FavouriteList:
        """Take in the favourites of a file, those with a taken name under a free one."""
        reader = Reader(desk.settings, desk.refs, visitor, kind_of("video"), {})
        found = reader.read(NAME, file.file)
        listed = _Shelves(desk, visitor).list_favourites(names=found.names)
        return listed.model_copy(update={"notes": (*found.notes, *listed.notes)})


def _unknown(shelves: _Shelves, name: str) -> InputError:
    known = ", ".join(shelves.favourites.list()) or "–"
    return InputError("error.favourite.unknown", name=name, known=known)
