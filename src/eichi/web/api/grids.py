"""A batch at a glance over HTTP: its results side by side, one picture and one video, made when they are asked for."""

from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import Annotated

from fastapi import APIRouter
from fastapi import Path as InPath
from fastapi.responses import FileResponse

from eichi.errors import InputError
from eichi.events import Adjusted
from eichi.files import trim
from eichi.jobs.gridsheet import batch_jobs, write_grid
from eichi.web.api.errors import PLAIN_ANSWERS
from eichi.web.api.operations import operations
from eichi.web.desk import Desk
from eichi.web.visitor import Visiting
from eichi.words import languages

Batch = Annotated[str, InPath(pattern="^[0-9a-z]{1,32}$")]
FOLDER, ROOM = "grids", 2**30  # in the cache; bytes of what is kept there


def routes(desk: Desk) -> APIRouter:
    router = operations("files")
    making = Lock()  # one at a time: a large one reads many videos at once

    def made(batch: str, language: str, ending: str) -> FileResponse:
        """A file of a batch as it is now, in the words of a language."""
        jobs = batch_jobs(desk.store, batch)
        told = "\0".join([language, *(f"{job.id} {job.ended} {job.status}" for job in jobs)])
        mark = blake2b(told.encode(), digest_size=8).hexdigest()
        folder = desk.settings.cache / FOLDER / mark
        file = folder / f"grid_{batch}{ending}"
        with making:
            if not file.is_file():
                trim(folder.parent, "*/*", ROOM)
                said = [one for one in write_grid(desk.store, batch, folder, language) if isinstance(one, Adjusted)]
                large = next((one for one in said if one.id == "note.grid.played"), None)
                if large is not None and not file.is_file():
                    raise InputError("error.grid.played", **large.values)
        if not file.is_file():
            raise InputError("error.grid.nothing")
        return FileResponse(Path(file), headers={"cache-control": "no-cache"})

    def spoken(language: str, visitor: Visiting) -> str:
        return language if language in languages() else visitor.language

    @router.get("/batches/{batch}/grid.png", response_class=FileResponse, responses=PLAIN_ANSWERS)
    def show_grid(batch: Batch, visitor: Visiting, language: str = "") -> FileResponse:
        return made(batch, spoken(language, visitor), ".png")

    @router.get("/batches/{batch}/grid.mp4", response_class=FileResponse, responses=PLAIN_ANSWERS)
    def play_grid(batch: Batch, visitor: Visiting, language: str = "") -> FileResponse:
        return made(batch, spoken(language, visitor), ".mp4")

    return router
