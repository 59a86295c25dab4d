"""A job as the page shows it, in a list and on the stage: what it is, how far it is, where its pictures are.

Made from the row, what the job said last and what lies on disk; addresses stand for files. The time that is left is
from sections that were measured, of this job before others, and not said where nobody can know it. Knows no stream.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from urllib.parse import quote
from zlib import crc32

from eichi.events import Changed, Finished, FrameStarted, Preparing, SectionDone, Started, Step, Stopped, Whole
from eichi.jobs.queue import results
from eichi.jobs.schema import Job
from eichi.jobs.view import Action, JobView, Kind, Problem, Status, Told, View
from eichi.lines import line, preparing
from eichi.options import FrameOptions
from eichi.video.jobfolder import JobFolder
from eichi.web.i18n import Words
from eichi.web.refs import Refs
from eichi.web.visitor import Visitor

PROMPT = 200  # signs that a list shows
SEGMENT = re.compile(r"\d{6}-\d{6}\.mp4")
PICTURE = ".png"
TELLING = 2  # steps after which the first section tells how long it takes


class ProgressView(View):
    """How far a job is that runs. `order` counts sections as they are generated, from 0; `fraction` is 0-1.

    `left` are seconds, `pace` is what a section takes of them, None where nobody can know; `cached` is the share of the
    last section's steps that the step cache saved.
    """

    order: int
    sections: int
    step: int
    steps: int
    fraction: float
    left: float | None
    pace: float | None
    cached: float | None


class PreparingView(View):
    """What a job does before its first step, in words, and how far that is, 0-1, None where nobody knows."""

    said: str
    fraction: float | None


class JobRow(View):
    """A job in a list. Times are in seconds since 1970, addresses are of this server.

    `made` counts the sections on disk, in the order of generation. `seconds` and `frames` are those that are made,
    `whole` is the video with what is around them. `image` is the start picture, `thumb` the last frame, both small;
    `video` the result, a picture where one was asked for; `so_far` what is finished of one that is not done, `preview`
    the section that is being drawn. `forecast` is what a job to come takes, in seconds, where that was measured.
    """

    id: int
    kind: Kind
    status: Status
    status_text: str
    prompt: str
    model: str
    width: int
    height: int
    seconds: float | None
    frames: int | None
    whole: Whole | None
    sections: int
    kept: int
    seed: int | None
    batch: str | None
    owner: str
    priority: int
    created: float
    started: float | None
    ended: float | None
    actions: tuple[Action, ...]
    begun: bool
    made: int
    image: str | None
    thumb: str | None
    video: str | None
    files: tuple[str, ...]
    progress: ProgressView | None
    preparing: PreparingView | None
    message: str | None
    message_id: str | None
    flags: tuple[str, ...]
    forecast: float | None
    so_far: str | None
    preview: str | None
    damaged: bool


@dataclass
class Track:
    """What a job that runs told of its own pace: when the present section began, what the last one took."""

    number: int = 0  # of the last event that was read
    begun: float | None = None
    pace: float | None = None
    cached: float | None = None

    def follow(self, entries: Iterable[Told]) -> None:
        """Learn from what the job said since."""
        for entry in entries:
            self.number = entry.number
            match entry.event:
                case Changed():  # whatever began before, began in another process
                    self.begun = None
                case Started() | FrameStarted():
                    self.begun = entry.time
                case SectionDone(computed=computed, reused=reused):
                    if computed and self.begun is not None:
                        self.pace, self.cached = entry.time - self.begun, reused / (computed + reused)
                    self.begun = entry.time


@dataclass(frozen=True)
class Seen:
    """What a row is made of beside the job: what was measured of jobs like it, its own track, the time it is now."""

    paces: Sequence[float] = ()
    track: Track = field(default_factory=Track)
    now: float = 0.0


def make_row(job: Job, seen: Seen, refs: Refs, visitor: Visitor) -> JobRow:
    """The row of a job as a visitor may see it."""
    words = Words(visitor.language)
    view = job.view(words.language)
    files = results(job)
    names, result = tuple(path.name for path in files), result_of(job, files)
    base = f"/api/v1/jobs/{job.id}"
    return JobRow(
        id=job.id,
        kind=job.kind,
        status=job.status,
        status_text=words(f"status.{job.status}"),
        prompt=view.prompt[:PROMPT],
        model=refs.text(job.plan.model, visitor),
        width=job.plan.width,
        height=job.plan.height,
        seconds=job.plan.seconds,
        frames=job.plan.frames,
        whole=job.plan.whole,
        sections=job.plan.sections,
        kept=job.plan.kept,
        seed=view.seed,
        batch=job.batch,
        owner=job.owner,
        priority=job.priority,
        created=job.created,
        started=job.started,
        ended=job.ended,
        actions=view.actions,
        begun=view.begun,
        made=view.made,
        image=_image(view, base),
        thumb=None if result is None else f"{base}/thumb.webp?at=last&v={round(job.ended or 0)}",
        video=None if result is None else f"{base}/files/{quote(result.name)}",
        files=names,
        progress=progress_of(job, seen),
        preparing=_preparing(job, words),
        message=None if view.error is None else _message(view.error, refs, visitor),
        message_id=None if view.error is None else view.error.id,
        flags=_flags(view, words),
        forecast=forecast_of(job, seen.paces),
        so_far=_so_far(view, job, base),
        preview=_preview(job, base),
        damaged=bool(view.damaged),
    )


def progress_of(job: Job, seen: Seen) -> ProgressView | None:
    """How far a job is, None for one that does not run or has no step yet."""
    step = job.progress
    if not isinstance(step, Step) or not job.status.active:
        return None
    pace = seen.track.pace or (median(seen.paces) if seen.paces else None)
    left = _left(step, pace, seen)
    return ProgressView(
        order=step.order,
        sections=step.sections,
        step=step.step,
        steps=step.steps,
        fraction=round(step.fraction, 4),
        left=None if left is None else round(max(0.0, left), 1),
        pace=None if pace is None else round(pace, 2),
        cached=None if seen.track.cached is None else round(seen.track.cached, 3),
    )


def _preparing(job: Job, words: Words) -> PreparingView | None:
    """What a job that runs does before its first step."""
    told = job.progress
    if not isinstance(told, Preparing) or not job.status.active:
        return None
    fraction = None if told.fraction is None else round(told.fraction, 4)
    return PreparingView(said=preparing(told, words.language), fraction=fraction)


def forecast_of(job: Job, paces: Sequence[float]) -> float | None:
    """Seconds that a job to come takes, None where nothing like it was measured."""
    if job.status not in (Status.WAITING, Status.HELD) or not paces:
        return None
    return round((job.plan.sections - job.plan.kept) * median(paces), 1)


def segments(job: Job) -> list[Path]:
    """The parts of a job's video that are finished, in the order of time."""
    if job.checkpoint is None:
        return []
    return sorted(path for path in Path(job.checkpoint).glob("*.mp4") if SEGMENT.fullmatch(path.name))


def _left(step: Step, pace: float | None, seen: Seen) -> float | None:
    """Seconds from a step to the end."""
    rest = (step.sections - step.order) - step.step / step.steps
    if pace is not None:
        return pace * rest
    if seen.track.begun is None or step.step < TELLING:
        return None
    return (seen.now - seen.track.begun) / step.step * step.steps * rest


def result_of(job: Job, files: Sequence[Path]) -> Path | None:
    """The video or the picture that a job was for, None where it is not there."""
    if job.kind == FrameOptions.kind:
        return next((path for path in files if path.suffix == PICTURE), None)
    told = job.result.video if isinstance(job.result, Finished | Stopped) else None
    return next((path for path in files if told is not None and path.name == Path(told).name), None)


def _image(view: JobView, base: str) -> str | None:
    """Where the start picture is shown, under another address for another picture."""
    image = None if view.request is None else getattr(view.request, "image", None)
    return None if image is None else f"{base}/thumb.webp?at=first&v={crc32(str(image).encode()):08x}"


def _message(problem: Problem, refs: Refs, visitor: Visitor) -> str:
    """What went wrong, with no path in it that is not for this visitor."""
    return problem.model_copy(update={"values": refs.values(problem.values, visitor)}).say(visitor.language)


def _flags(view: JobView, words: Words) -> tuple[str, ...]:
    flags = view.result.flags if isinstance(view.result, Finished) else ()
    return tuple(text for one in flags if (text := line(one, words.language)) is not None)


def _so_far(view: JobView, job: Job, base: str) -> str | None:
    """Where what is finished can be had, only while there is any."""
    found = segments(job) if view.begun and job.status != Status.DONE else []
    return f"{base}/so-far.mp4?v={len(found)}" if found else None


def _preview(job: Job, base: str) -> str | None:
    step = job.progress
    if not job.status.active or job.checkpoint is None or not isinstance(step, Step):
        return None
    there = JobFolder(Path(job.checkpoint)).preview.is_file()
    return f"{base}/preview.png?v={step.order}-{step.step}" if there else None
