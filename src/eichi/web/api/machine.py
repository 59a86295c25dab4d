"""The machine itself over HTTP. Folders of this machine are for who sits at it."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from eichi.jobs.view import View
from eichi.library.imports import Item
from eichi.logs import read_logs
from eichi.web.api.errors import PLAIN_ANSWERS
from eichi.web.api.jobs import Id
from eichi.web.api.operations import operations
from eichi.web.desk import Desk
from eichi.web.i18n import Words
from eichi.web.visitor import Visiting, at_machine


class Import(View):
    """The folder of an eichi 1.9 on this machine."""

    folder: Path


class ImportedItem(View):
    """One thing that was found there, in words, and what became of it."""

    file: str
    kind: str
    name: str
    taken: bool
    text: str
    notes: tuple[str, ...]


class Imported(View):
    """What came of an import."""

    summary: str
    items: tuple[ImportedItem, ...]


class Opened(View):
    """The folder that was opened in a window of this machine."""

    opened: Path


def routes(desk: Desk) -> APIRouter:
    router = operations("machine")

    @router.post("/import")
    def import_eichi19(asked: Import, visitor: Visiting) -> Imported:
        at_machine(visitor, "error.api.import")
        words = Words(visitor.language)
        base, items = desk.take_over(asked.folder)
        taken = sum(item.taken for item in items)
        summary = words("import.summary", taken=taken, left=len(items) - taken, folder=base)
        return Imported(summary=summary, items=tuple(_reported(item, words) for item in items))

    @router.get("/log", response_class=PlainTextResponse, responses=PLAIN_ANSWERS)
    def read_log(visitor: Visiting) -> PlainTextResponse:
        at_machine(visitor, "error.api.log")
        return PlainTextResponse(read_logs(desk.settings))

    @router.post("/folder")
    def open_folder(visitor: Visiting) -> Opened:
        at_machine(visitor, "error.api.local")
        return Opened(opened=desk.open_folder())

    @router.post("/jobs/{id}/folder")
    def open_job_folder(id: Id, visitor: Visiting) -> Opened:
        at_machine(visitor, "error.api.local")
        job = desk.store.job(id)
        job.check()
        return Opened(opened=desk.open_folder(job))

    return router


def _reported(item: Item, words: Words) -> ImportedItem:
    notes = tuple(words(note.id, **note.values) for note in item.notes)
    text = words(f"import.{item.kind}", name=item.name)
    return ImportedItem(file=item.file, kind=item.kind, name=item.name, taken=item.taken, text=text, notes=notes)
