"""The picture and the video of a batch: its results side by side, each with what tells it from the others.

Made when somebody asks for them, from what is done by then. Without torch.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eichi.errors import InputError
from eichi.events import Adjusted, Finished, FrameFinished
from eichi.jobs.grid import shape_of
from eichi.jobs.schema import Job
from eichi.jobs.store import Store
from eichi.jobs.view import Status
from eichi.options import FinishOptions, FrameOptions, VideoOptions
from eichi.video.sheet import Sheet, write_picture, write_video

PICTURE, VIDEO, ARCHIVE = ".png", ".mp4", ".zip"
CRF = 16
PLAYED = 100  # videos that are played side by side: each is read by threads of its own and has some megabytes


@dataclass(frozen=True)
class Cell:
    """A job of a batch, and what is shown of it, None where that is not there yet."""

    job: Job
    file: Path | None


def batch_cells(store: Store, batch: str) -> list[Cell]:
    """The jobs of a batch in the order in which they were added. Those that only finish its videos have no cells of
    their own: what they make is shown of the video that asks for it, and nothing before that is there, for the labels
    may be of how it is finished. Raises InputError for a batch that is not there.
    """
    found = sorted(store.jobs(tuple(Status), batch), key=lambda job: job.id)
    if not found:
        raise InputError("error.grid.unknown", batch=batch)
    chains = {str(job.options.video): job for job in found if isinstance(job.options, FinishOptions)}
    drawn = [job for job in found if job.kind != FinishOptions.kind]
    return [Cell(job, _shown(job, chains if drawn else {})) for job in drawn or found]


def _shown(job: Job, chains: Mapping[str, Job]) -> Path | None:
    """What is shown of a job; of an archive of frames the picture beside it."""
    last: Job | None = job
    if isinstance(job.options, VideoOptions) and job.options.finish.asked:
        last = chains.get(job.result.video) if isinstance(job.result, Finished) else None
    made = None if last is None else last.result
    if isinstance(made, Finished):
        path = Path(made.video if Path(made.video).suffix != ARCHIVE else made.poster)
    elif isinstance(made, FrameFinished):
        path = Path(made.image)
    else:
        return None
    return path if path.is_file() else None


def sheet_of(cells: Sequence[Cell], language: str) -> Sheet:
    """How the results of jobs lie beside each other. Raises InputError where there is none yet."""
    shape = shape_of([cell.job.options for cell in cells], language)
    if not any(cell.file for cell in cells):
        raise InputError("error.grid.nothing")
    files = tuple(None if number is None else cells[number].file for number in shape.cells)
    return Sheet(shape.x, shape.y, shape.z, files, shape.columns, shape.single)


def note_of(sheet: Sheet) -> str:
    """The axes in one line, for what shows the comment of a file."""
    sides = [side for side in (sheet.x, sheet.y, sheet.z) if any(side)]
    return " × ".join(" | ".join(side) for side in sides)


def write_grid(store: Store, batch: str, folder: Path, language: str) -> Iterator[Path | Adjusted]:
    """Write the picture of a batch, and its video where its results are any, and not too many; says each file, and a
    word where letters are missing. Raises InputError, DiskError, FolderError.
    """
    from eichi.prepare import check_folder

    cells = batch_cells(store, batch)
    sheet = sheet_of(cells, language)
    note = note_of(sheet)
    check_folder(folder)
    target = folder / f"grid_{batch}{PICTURE}"
    if not write_picture(sheet, target, note):
        yield Adjusted("note.grid.letters", {})
    yield target
    count = sum(path is not None for path in sheet.files)
    if all(cell.job.kind == FrameOptions.kind for cell in cells):
        return
    if count > PLAYED:
        yield Adjusted("note.grid.played", {"count": count, "limit": PLAYED})
    else:
        video = target.with_suffix(VIDEO)
        write_video(sheet, video, note, CRF)
        yield video
