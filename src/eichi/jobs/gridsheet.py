"""The picture and the video of a batch: its results side by side, each with what tells it from the others.

Made when somebody asks for them, from what is done by then. Without torch.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from eichi.errors import InputError
from eichi.events import Adjusted, Finished, FrameFinished
from eichi.jobs.grid import Shape, shape_of
from eichi.jobs.schema import Job
from eichi.jobs.store import Store
from eichi.jobs.view import Status
from eichi.options import Options
from eichi.video.sheet import Sheet, write_picture, write_video

PICTURE, VIDEO = ".png", ".mp4"
CRF = 16
PLAYED = 100  # videos that are played side by side: each is read by threads of its own and has some megabytes


def batch_jobs(store: Store, batch: str) -> list[Job]:
    """The jobs of a batch in the order in which they were added, without those that only finish its videos. Raises
    InputError for one that is not there.
    """
    found = sorted(store.jobs(tuple(Status), batch), key=lambda job: job.id)
    drawn = [job for job in found if job.kind != "finish"]
    found = drawn or found
    if not found:
        raise InputError("error.grid.unknown", batch=batch)
    return found


def sheet_of(jobs: Sequence[Job], language: str) -> Sheet:
    """How the results of jobs lie beside each other. Raises InputError where there is none yet."""
    requests: list[Options] = [job.options for job in jobs]
    shape = shape_of(requests, language)
    files = tuple(result_of(job) for job in jobs)
    if not any(files):
        raise InputError("error.grid.nothing")
    return Sheet(shape.x, shape.y, shape.z, files, shape.columns, shape.single)


def note_of(shape: Shape) -> str:
    """The axes in one line, for what shows the comment of a file."""
    sides = [side for side in (shape.x, shape.y, shape.z) if any(side)]
    return " × ".join(" | ".join(side) for side in sides)


def write_grid(store: Store, batch: str, folder: Path, language: str) -> Iterator[Path | Adjusted]:
    """Write the picture of a batch, and its video where its results are any, and not too many; says each file, and a
    word where letters are missing. Raises InputError, DiskError, FolderError.
    """
    from eichi.prepare import check_folder

    jobs = batch_jobs(store, batch)
    sheet = sheet_of(jobs, language)
    note = note_of(Shape(sheet.x, sheet.y, sheet.z))
    check_folder(folder)
    target = folder / f"grid_{batch}{PICTURE}"
    if not write_picture(sheet, target, note):
        yield Adjusted("note.grid.letters", {})
    yield target
    count = sum(path is not None for path in sheet.files)
    if all(job.kind == "frame" for job in jobs):
        return
    if count > PLAYED:
        yield Adjusted("note.grid.played", {"count": count, "limit": PLAYED})
    else:
        video = target.with_suffix(VIDEO)
        write_video(sheet, video, note, CRF)
        yield video


def result_of(job: Job) -> Path | None:
    """What a job has made, None where it is not there."""
    made = job.result
    name = made.video if isinstance(made, Finished) else made.image if isinstance(made, FrameFinished) else None
    return Path(name) if name is not None and Path(name).is_file() else None
