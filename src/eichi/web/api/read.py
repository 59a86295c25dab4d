"""What people drop on the page, what a job was asked for, and a draft as a section archive: options over HTTP."""

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

from fastapi import APIRouter, Form, UploadFile
from fastapi.responses import FileResponse
from pydantic import JsonValue
from starlette.background import BackgroundTask

from eichi.declare import Plain
from eichi.errors import InputError
from eichi.events import Adjusted, FrameStarted, Started
from eichi.jobs.schema import Job
from eichi.jobs.view import Kind, View
from eichi.library.archive import write_archive
from eichi.library.loras import lora
from eichi.library.outside import kind_of
from eichi.library.wildcards import undrawn
from eichi.options import FinishOptions, VideoOptions
from eichi.reading import parse_json
from eichi.web.api.jobs import Id
from eichi.web.api.operations import operations
from eichi.web.api.pictures import PictureGiven
from eichi.web.desk import Desk
from eichi.web.drafted import Drafter, told
from eichi.web.dropped import Kind as FileKind
from eichi.web.dropped import Reader
from eichi.web.guard import BODY
from eichi.web.i18n import Words
from eichi.web.problems import called
from eichi.web.refs import RefView
from eichi.web.visitor import Visiting

ZIP, NAME = "application/zip", "sections.zip"


class ReadView(View):
    """What a file is and gives: nested options with ids for files, a picture, another file, sentences.

    `ref` are latents or a LoRA file, which are in their folders from here on; `note_ids` are what the documents know
    the sentences by, `names` those of favourites that were taken in.
    """

    kind: FileKind
    options: dict[str, JsonValue] | None = None
    picture: PictureGiven | None = None
    ref: RefView | None = None
    notes: tuple[str, ...] = ()
    note_ids: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


def routes(desk: Desk) -> APIRouter:
    router = operations("read")

    @router.post("/read", max_body_size=BODY)
    def read_file(
        file: UploadFile, visitor: Visiting, kind: Kind = "video", options: Annotated[str, Form()] = "{}"
    ) -> ReadView:
        """Say what a file is. What it does not say stays as it is in `options`, a draft as JSON."""
        reader = Reader(desk.settings, desk.refs, visitor, kind_of(kind), _draft(options))
        found = reader.read(file.filename or "", file.file)
        return ReadView(
            kind=found.kind,
            options=found.options,
            picture=None if found.picture is None else PictureGiven.of(found.picture),
            ref=None if found.ref is None else desk.refs.view(found.ref),
            notes=tuple(found.notes),
            note_ids=tuple(found.notes.values()),
            names=found.names,
        )

    @router.get("/jobs/{id}/options")
    def read_job(id: Id, visitor: Visiting, seed: Literal["asked", "same", "new"] = "asked") -> ReadView:
        """The options of a job for another one. A seed that was left open stays so, unless the same is asked for; for a
        new one the prompts are as they were written, with their wildcards.
        """
        job = desk.store.job(id)
        job.check()
        options = job.options
        if seed == "new" and not isinstance(options, FinishOptions):
            options = undrawn(options)
        values, notes = Drafter(desk.refs, visitor).draft(options)
        if seed == "new":
            values["seed"] = None
        elif seed == "same" and values["seed"] is None:
            values["seed"] = _drawn(desk, job)
            notes = (*notes, *(() if values["seed"] is not None else (Adjusted("note.seed.open", {}),)))
        said = told(notes, Words(visitor.language))
        texts = tuple(desk.refs.text(note, visitor) for note in said)
        return ReadView(kind="settings", options=values, notes=texts, note_ids=tuple(said.values()))

    @router.post("/archive", response_class=FileResponse)
    def write_sections(options: VideoOptions, visitor: Visiting) -> FileResponse:
        """The sections of a draft with their pictures and LoRA files as a ZIP, as eichi 1.9 reads them too."""
        asked = desk.refs.resolve(options, visitor)
        loras = [lora(one.file, one.strength) for one in asked.weights.loras]
        folder = TemporaryDirectory(prefix="eichi-archive-")
        path = Path(folder.name) / NAME
        with ExitStack() as stack, called(path):
            stack.callback(folder.cleanup)
            write_archive(path, asked, loras)
            stack.pop_all()
        return FileResponse(path, media_type=ZIP, filename=NAME, background=BackgroundTask(folder.cleanup))

    return router


def _draft(text: str) -> Plain:
    """The nested values of a draft. Raises InputError."""
    try:
        values = parse_json(text)
    except ValueError as error:
        raise InputError("error.api.body") from error
    if not isinstance(values, dict):
        raise InputError("error.api.body")
    return values


def _drawn(desk: Desk, job: Job) -> int | None:
    """The seed that a job drew; None for one that has not begun."""
    used = job.view().seed
    if used is not None:
        return used
    begun = [said.event.seed for said in desk.store.events(job.id) if isinstance(said.event, Started | FrameStarted)]
    return begun[-1] if begun else None
