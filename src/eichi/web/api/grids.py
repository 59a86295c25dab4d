"""A batch at a glance over HTTP: its results side by side, one picture and one video, made when they are asked for."""

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import Annotated

from fastapi import APIRouter
from fastapi import Path as InPath
from fastapi.responses import FileResponse
from pydantic import TypeAdapter

from eichi.errors import InputError
from eichi.events import Adjusted
from eichi.files import trim
from eichi.jobs.gridsheet import PICTURE, VIDEO, Cell, batch_cells, write_grid
from eichi.jobs.view import View
from eichi.web.api.errors import PLAIN_ANSWERS
from eichi.web.api.operations import operations
from eichi.web.desk import Desk
from eichi.web.drafted import told
from eichi.web.i18n import Words
from eichi.web.visitor import Visiting
from eichi.words import languages

Batch = Annotated[str, InPath(pattern="^[0-9a-z]{1,32}$")]
FOLDER, ROOM = "grids", 2**30  # in the cache; bytes of what is kept there
NOTES, ADJUSTED = "notes.json", TypeAdapter(list[Adjusted])  # what was done otherwise, kept beside the files


class GridView(View):
    """What a batch looks like: how many jobs it has and how many of them have a result, whether there is a video of it,
    what is done otherwise in it. `mark` is another where the grid is another.
    """

    jobs: int
    done: int
    played: bool
    mark: str
    notes: tuple[str, ...]
    note_ids: tuple[str, ...]


def routes(desk: Desk) -> APIRouter:
    router = operations("files")
    making = Lock()  # one at a time: a large one reads many videos at once

    def made(batch: str, cells: Sequence[Cell], language: str) -> Path:
        """The folder with the grid of a batch whose cells are these by now, in the words of a language."""
        state = "\0".join([language, *(f"{cell.job.id} {cell.job.ended} {cell.file}" for cell in cells)])
        mark = blake2b(state.encode(), digest_size=8).hexdigest()
        folder = desk.settings.cache / FOLDER / mark
        with making:
            if not (folder / NOTES).is_file():
                trim(folder.parent, "*/*", ROOM)
                said = [one for one in write_grid(desk.store, batch, folder, language) if isinstance(one, Adjusted)]
                (folder / NOTES).write_text(ADJUSTED.dump_json(said).decode(), encoding="utf-8")
        return folder

    def file(batch: str, language: str, ending: str) -> FileResponse:
        """A file of the grid of a batch. Raises InputError."""
        folder = made(batch, batch_cells(desk.store, batch), language)
        path = folder / f"grid_{batch}{ending}"
        if not path.is_file():
            large = next((one for one in _notes(folder) if one.id == "note.grid.played"), None)
            raise InputError("error.grid.nothing") if large is None else InputError("error.grid.played", **large.values)
        return FileResponse(path, headers={"cache-control": "no-cache"})

    def spoken(language: str, visitor: Visiting) -> str:
        return language if language in languages() else visitor.language

    @router.get("/batches/{batch}/grid")
    def look_at_grid(batch: Batch, visitor: Visiting, language: str = "") -> GridView:
        said, cells = spoken(language, visitor), batch_cells(desk.store, batch)
        folder = made(batch, cells, said)
        notes = told(_notes(folder), Words(said))
        return GridView(
            jobs=len(cells),
            done=sum(cell.file is not None for cell in cells),
            played=(folder / f"grid_{batch}{VIDEO}").is_file(),
            mark=folder.name,
            notes=tuple(notes),
            note_ids=tuple(notes.values()),
        )

    @router.get("/batches/{batch}/grid.png", response_class=FileResponse, responses=PLAIN_ANSWERS)
    def show_grid(batch: Batch, visitor: Visiting, language: str = "") -> FileResponse:
        return file(batch, spoken(language, visitor), PICTURE)

    @router.get("/batches/{batch}/grid.mp4", response_class=FileResponse, responses=PLAIN_ANSWERS)
    def play_grid(batch: Batch, visitor: Visiting, language: str = "") -> FileResponse:
        return file(batch, spoken(language, visitor), VIDEO)

    return router


def _notes(folder: Path) -> list[Adjusted]:
    """What was done otherwise in a grid, as it was kept beside it."""
    try:
        return ADJUSTED.validate_json((folder / NOTES).read_bytes())
    except OSError:  # it made room meanwhile
        return []
