"""Pictures of jobs: the start picture and the last frame, small; any frame of a result as it is.

Made when they are asked for, a few at a time, and small ones kept in the cache. Knows no HTTP.
"""

from io import BytesIO
from pathlib import Path
from typing import Literal

from PIL import Image

from eichi.errors import EichiError, InputError
from eichi.events import Finished, Stopped
from eichi.jobs.queue import results
from eichi.jobs.schema import Job
from eichi.options import FinishOptions, FrameOptions, VideoOptions
from eichi.video import images
from eichi.video.reader import read_frame
from eichi.web.rows import PICTURE, result_of
from eichi.web.uploads import Uploads

SIDE = 256  # pixels of the longer side of a small one
PLAYED = (".mp4", ".mov", ".webm")  # the endings of results that are read for a picture of them

At = Literal["first", "last"]


def thumb(job: Job, at: At, given: Uploads) -> bytes:
    """A job's start picture or the last frame of its result, small, as WebP. Raises InputError."""
    if at == "last":
        path = _result(job)
        if job.kind == FinishOptions.kind and path.suffix not in PLAYED:
            path = path.with_suffix(PICTURE)
        if job.kind == FrameOptions.kind or path.suffix == PICTURE:
            return given.small(path, SIDE)
        return given.last(path, SIDE)
    before, image = _start(job)
    if before is not None:
        return given.last(before, SIDE)
    return given.small(_result(job) if image is None else image, SIDE)


def frame(job: Job, number: int) -> bytes:
    """A frame of a job's result, counted from 0, as PNG. Raises InputError for one that is not there."""
    path = _result(job)
    picture = images.load(path) if job.kind == FrameOptions.kind else Image.fromarray(read_frame(path, number))
    made = BytesIO()
    picture.save(made, "PNG", compress_level=1)
    return made.getvalue()


def name_frame(job: Job, number: int) -> str:
    """What a frame is called as a picture of its own."""
    return f"{_result(job).stem}_{number}.png"


def _start(job: Job) -> tuple[Path | None, Path | None]:
    """The video that is continued, and the start picture; None for what is not there any more."""
    try:
        options = job.options
    except EichiError:
        return None, None
    before = options.source.before if isinstance(options, VideoOptions) else None
    if isinstance(options, FinishOptions):
        before, image = options.video, None
    else:
        image = options.image
    here = (path if path is not None and path.is_file() else None for path in (before, image))
    return next(here), next(here)


def _result(job: Job) -> Path:
    path = result_of(job, results(job))
    if path is None:
        left = job.result.video if isinstance(job.result, Finished | Stopped) else None
        if left is not None:  # deleted by hand
            raise InputError("error.file.missing", path=Path(left).name)
        raise InputError("error.api.nothing", job=job.id)
    return path
