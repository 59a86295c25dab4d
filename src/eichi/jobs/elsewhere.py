"""Jobs of the store that somebody else than a worker runs, or goes on with, such as `eichi demo` and `eichi resume`.

What is on disk counts: where the folder of a job is gone and its video is there, it is finished, whatever its row says
and whoever has finished it, a worker that died before it could say so, too. Then the row is brought up to date, and
nothing is made again.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from eichi.errors import EichiError, InputError, StoreError
from eichi.events import (
    Adjusted,
    Event,
    Failed,
    Finished,
    FrameFinished,
    LatentsReady,
    Preview,
    Stopped,
    dump,
)
from eichi.jobs.again import with_ahead
from eichi.jobs.finishing import folder_of
from eichi.jobs.schema import Job
from eichi.jobs.store import Lost, Store
from eichi.jobs.view import Status
from eichi.options import FinishOptions, FrameOptions, VideoOptions
from eichi.pace import Pace
from eichi.video.jobfolder import JobFolder
from eichi.video.metadata import last_part, read_record


def finished(job: Job) -> Finished | None:
    """What a job has ended with that is finished on disk and not in its row; None for any other."""
    if job.checkpoint is None or job.kind == FrameOptions.kind or job.status == Status.DONE:
        return None
    if job.kind == FinishOptions.kind:
        return _chained(job)
    folder = JobFolder(Path(job.checkpoint))
    if folder.begun or not folder.result.is_file():
        return None
    with suppress(InputError, KeyError, TypeError, ValueError):  # else it is some other file, which nobody overwrites
        made = read_record(folder.result)
        figures = int(made["seed"]), int(made["frames"]), float(made["seconds"]), int(made["sections"])
        return Finished(str(folder.result), str(folder.result.with_suffix(".png")), *figures)
    return None


def _chained(job: Job) -> Finished | None:
    """The same of a video that was finished: some forms of files tell nothing, the picture beside each does."""
    place = folder_of(job)
    if place is None or place.folder.is_dir() or not place.result.is_file():
        return None
    with suppress(InputError, KeyError, TypeError, ValueError):
        poster = place.result.with_suffix(".png")
        made = read_record(poster)
        figures = int(made["seed"]), int(made["frames"]), float(made["seconds"]), int(made["sections"])
        return Finished(str(place.result), str(poster), *figures)
    return None


def already(last: Finished | FrameFinished) -> Adjusted:
    """The word on a job that is found finished."""
    file = last.video if isinstance(last, Finished) else last.image
    return Adjusted("note.resume.finished", {"path": last_part(file)})


def settle(store: Store, job: Job, last: Finished) -> Job:
    """Bring the row of a job that no worker has to what was found on disk. Raises InputError where one has it."""
    return _write(store, job, Status.DONE, [already(last), last], last)


def owner(store: Store, folder: Path) -> Job | None:
    """The job of the store that works in a folder."""
    there = folder.absolute()
    return next(
        (job for job in store.working_in(there.name) if job.checkpoint and Path(job.checkpoint).absolute() == there),
        None,
    )


def telling(events: Iterator[Event], store: Store, job: Job, options: VideoOptions | FinishOptions) -> Iterator[Event]:
    """The events of a job of the store that is gone on with here by these options; its row learns how it ended."""
    for event in events:
        with suppress(InputError, StoreError):  # what is on disk says it to whoever looks next
            request = with_ahead(job.request, options) if isinstance(options, VideoOptions) else job.request
            if isinstance(event, Finished):
                _write(store, job, Status.DONE, [event], event, request=request)
            elif isinstance(event, Stopped):
                _write(store, job, Status.STOPPED, [event], event, request=request)
        yield event


def run_here(events: Iterator[Event], store: Store, job: Job, checkpoint: str) -> Iterator[Event]:
    """The events of a job that this process runs itself in a folder; the store hears of them as of a worker's.

    A store that does not answer keeps nothing from being made. What is left in the middle counts as stopped.
    """
    pace, ended = Pace(), False
    with suppress(StoreError, Lost):
        store.record(job, checkpoint=checkpoint)
    try:
        for event in events:
            pace.take(event)
            with suppress(StoreError, Lost):
                if isinstance(event, Finished | Stopped):
                    status = Status.STOPPED if isinstance(event, Stopped) else Status.DONE
                    ended = True
                    store.end(job, status, event, result=dump(event), pace=pace.section)
                elif not isinstance(event, LatentsReady | Preview):
                    store.record(job, event)
            yield event
    except EichiError as error:
        ended, told = True, Failed(error.id, error.plain)
        with suppress(StoreError, Lost):
            store.end(job, Status.FAILED, told, error={"id": told.id, "values": told.values})
        raise
    finally:
        if not ended:
            with suppress(StoreError, Lost):
                store.end(job, Status.STOPPED)


def _write(store: Store, job: Job, status: Status, said: list[Event], last: Finished | Stopped, **values: Any) -> Job:
    idle = [one for one in Status if not one.active]
    values |= {"status": status, "ended": store.now(), "result": dump(last), "error": None}
    return store.change(job.id, idle, said, **values)
