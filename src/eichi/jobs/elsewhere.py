"""Jobs of the store that were gone on with by somebody else than a worker, such as `eichi resume` in a terminal.

What is on disk counts: where the folder of a job is gone and its video is there, it is finished, whatever its row says
and whoever has finished it, a worker that died before it could say so, too. Then the row is brought up to date, and
nothing is made again.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from eichi.errors import InputError, StoreError
from eichi.events import Adjusted, Event, Finished, FrameFinished, Stopped, dump
from eichi.jobs.again import with_ahead
from eichi.jobs.schema import Job
from eichi.jobs.store import Store
from eichi.jobs.view import Status
from eichi.options import FrameOptions, VideoOptions
from eichi.video.jobfolder import JobFolder
from eichi.video.metadata import last_part, read_record


def finished(job: Job) -> Finished | None:
    """What a job has ended with that is finished on disk and not in its row; None for any other."""
    if job.checkpoint is None or job.kind == FrameOptions.kind or job.status == Status.DONE:
        return None
    folder = JobFolder(Path(job.checkpoint))
    if folder.begun or not folder.result.is_file():
        return None
    with suppress(InputError, KeyError, TypeError, ValueError):  # else it is some other file, which nobody overwrites
        made = read_record(folder.result)
        figures = int(made["seed"]), int(made["frames"]), float(made["seconds"]), int(made["sections"])
        return Finished(str(folder.result), str(folder.result.with_suffix(".png")), *figures)
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


def telling(events: Iterator[Event], store: Store, job: Job, options: VideoOptions) -> Iterator[Event]:
    """The events of a job of the store that is gone on with here by these options; its row learns how it ended."""
    for event in events:
        with suppress(InputError, StoreError):  # what is on disk says it to whoever looks next
            request = with_ahead(job.request, options)
            if isinstance(event, Finished):
                _write(store, job, Status.DONE, [event], event, request=request)
            elif isinstance(event, Stopped):
                _write(store, job, Status.STOPPED, [event], event, request=request)
        yield event


def _write(store: Store, job: Job, status: Status, said: list[Event], last: Finished | Stopped, **values: Any) -> Job:
    idle = [one for one in Status if not one.active]
    values |= {"status": status, "ended": store.now(), "result": dump(last), "error": None}
    return store.change(job.id, idle, said, **values)
