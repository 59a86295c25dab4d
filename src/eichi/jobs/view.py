"""What people and programs see of a job and of a plan, and what can be done with a job in which state.

Frozen models, the same for the command line's `--json`, the HTTP interface and the page; nothing else of the store
leaves it. A row that is not as it should be says so by the names of its columns, and everything else of it is shown.
Knows no database.
"""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict

from eichi.events import Adjusted, Message, Progress, Result, Values, Whole
from eichi.finish.plan import FinishPlan
from eichi.models.tokens import Reading
from eichi.options import FinishOptions, Queued, VideoOptions
from eichi.plan.oneframe import FramePlan
from eichi.plan.plan import Plan, SectionPlan
from eichi.words import ENGLISH, resay


class Status(StrEnum):
    """Where a job stands, in the order of its life."""

    WAITING = "waiting"
    HELD = "held"  # until somebody lets it go on; with a checkpoint it is paused
    RUNNING = "running"
    STOPPING = "stopping"  # its worker was asked to stop and has not yet
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"

    @property
    def terminal(self) -> bool:
        """Whether the job has ended; only a person starts it again."""
        order = list(Status)
        return order.index(self) >= order.index(Status.DONE)

    @property
    def active(self) -> bool:
        """Whether a worker has the job."""
        return self in ACTIVE


Kind = Literal["video", "frame", "finish"]  # what a job makes


class Ask(StrEnum):
    """What a worker is asked for while it runs a job."""

    NOW = "now"  # stop after the current step
    SECTION = "section"  # stop when the section is finished; the frames of the last one complete the job
    PAUSE = "pause"  # leave the job as it is, held


class Action(StrEnum):
    """What people can do with a job."""

    HOLD = "hold"
    RESUME = "resume"
    STOP_SECTION = "stop-section"
    STOP = "stop"
    SKIP = "skip"
    EDIT = "edit"
    AHEAD = "ahead"  # other prompts and pictures for sections that are not made yet
    REDO = "redo"  # a new job that begins with sections of this one
    UP = "up"
    DOWN = "down"
    RETRY = "retry"
    CLONE = "clone"
    REMOVE = "remove"


# What needs no more words than its name.
Button = Literal["hold", "resume", "stop-section", "stop", "skip", "up", "down", "retry", "clone"]

IDLE = (Status.WAITING, Status.HELD)
ACTIVE = (Status.RUNNING, Status.STOPPING)
OPEN = (*ACTIVE, *IDLE)  # what has not ended
BUILT = (Action.CLONE, Action.REDO)  # what makes a new job of one, whatever becomes of that

# What can be done in which state.
ACTIONS: dict[Status, frozenset[Action]] = {
    Status.WAITING: frozenset(
        {Action.HOLD, Action.SKIP, Action.EDIT, Action.UP, Action.DOWN, *BUILT, Action.AHEAD, Action.REMOVE}
    ),
    Status.HELD: frozenset(
        {Action.RESUME, Action.SKIP, Action.EDIT, Action.UP, Action.DOWN, *BUILT, Action.AHEAD, Action.REMOVE}
    ),
    Status.RUNNING: frozenset({Action.HOLD, Action.STOP_SECTION, Action.STOP, Action.SKIP, *BUILT, Action.AHEAD}),
    # Who asks a second time is heard too: stop now after stop at the section's end.
    Status.STOPPING: frozenset({Action.STOP_SECTION, Action.STOP, Action.SKIP, *BUILT, Action.AHEAD}),
    Status.DONE: frozenset({Action.RETRY, *BUILT, Action.REMOVE}),
    Status.STOPPED: frozenset({Action.RESUME, Action.RETRY, *BUILT, Action.AHEAD, Action.REMOVE}),
    Status.FAILED: frozenset({Action.RESUME, Action.RETRY, *BUILT, Action.AHEAD, Action.REMOVE}),
}


def states(action: Action) -> tuple[Status, ...]:
    """The states in which something can be done, in the order of a job's life."""
    return tuple(status for status, possible in ACTIONS.items() if action in possible)


class View(BaseModel):
    """Base of what is shown: frozen, made of objects with the same fields; what is written of it is all of it."""

    model_config = ConfigDict(frozen=True, from_attributes=True, json_schema_serialization_defaults_required=True)


class Problem(View):
    """What went wrong: the id of a sentence and what fills it."""

    id: str
    values: Values

    def say(self, language: str = ENGLISH) -> str:
        return resay(self.id, language, self.values)


class Figures(View):
    """What a list of jobs shows of a plan. `frames` and `seconds` are those that are made of a video, `whole` is that
    with the videos around it; `profile` is a single image's.
    """

    model: str
    width: int
    height: int
    sections: int
    kept: int
    frames: int | None = None
    seconds: float | None = None
    whole: Whole | None = None
    profile: str | None = None
    notes: tuple[Adjusted, ...] = ()

    @classmethod
    def of(cls, plan: Plan | FramePlan | FinishPlan) -> Self:
        if isinstance(plan, FinishPlan):
            figures = {"width": plan.width, "height": plan.height, "sections": plan.parts, "kept": 0}
            name = "" if plan.upscaler is None else plan.upscaler.name
            lasting = {"frames": plan.frames, "seconds": round(plan.seconds, 3)}
            return cls(model=name, notes=plan.notes, **figures, **lasting)
        known = {"model": plan.entry.name, "width": plan.width, "height": plan.height, "notes": plan.notes}
        if isinstance(plan, FramePlan):
            return cls(**known, sections=1, kept=0, profile=plan.options.profile)
        made = {"frames": plan.frames, "seconds": round(plan.seconds, 3), "whole": plan.whole}
        return cls(**known, sections=len(plan.sections), kept=plan.kept, **made)


class Positions(View):
    """The time positions of what a section is drawn from."""

    start: tuple[int, ...]
    window: tuple[int, ...]
    clean: tuple[int, ...]
    x2: tuple[int, ...]
    x4: tuple[int, ...]


class PieceView(View):
    """A piece of the common prompt, in seconds of the video: its own text, the whole prompt that it makes, and the
    numbers of the sections that take it, in the order of time.
    """

    start: float
    end: float
    text: str
    prompt: str
    sections: tuple[int, ...]


class SectionView(View):
    """One section of a plan, as `plan.SectionPlan`; frames are [start_frame, end_frame).

    `piece` is the place of its piece among the plan's. It is drawn from `share` parts of `prompt` and, where that is
    less than 1, from the `earlier` one.
    """

    number: int
    order: int
    padding: int
    start_frame: int
    end_frame: int
    prompt: str
    anchor: str
    positions: Positions
    piece: int | None = None
    earlier: str | None = None
    share: float = 1.0

    @classmethod
    def of(cls, section: SectionPlan) -> Self:
        positions = Positions.model_validate(section.layout)
        return cls(
            number=section.number,
            order=section.order,
            padding=section.padding,
            start_frame=section.start_frame,
            end_frame=section.end_frame,
            prompt=section.prompt,
            anchor=section.anchor,
            positions=positions,
            piece=section.piece,
            earlier=section.earlier,
            share=section.share,
        )


class PlanView(View):
    """The plan of a video: what `eichi plan` prints and the page draws. Sections are in the order of generation.

    `sources` are the videos that it is made for, `before` it or `after` it; frames are counted from the cut on. `whole`
    is all of them as one video.
    """

    model: str
    direction: Literal["reverse", "forward"]
    seconds: float
    frames: int
    latents: int
    width: int
    height: int
    seed: int
    kept: int
    sources: dict[str, Path]
    images: dict[str, Path]
    sections: tuple[SectionView, ...]
    notes: tuple[Adjusted, ...]
    tokens: tuple[Reading, ...] = ()
    common: str = ""
    pieces: tuple[PieceView, ...] = ()
    whole: Whole | None = None

    @classmethod
    def of(cls, plan: Plan, tokens: tuple[Reading, ...] = ()) -> Self:
        return cls(
            model=plan.entry.name,
            direction=plan.entry.direction,
            seconds=round(plan.seconds, 3),
            frames=plan.frames,
            latents=plan.latents,
            width=plan.width,
            height=plan.height,
            seed=plan.seed,
            kept=plan.kept,
            sources=plan.sources,
            images={name: path for name, path in plan.images.items() if path in plan.files},
            sections=tuple(map(SectionView.of, plan.sections)),
            notes=plan.notes,
            tokens=tokens,
            common=plan.common,
            pieces=tuple(_pieces(plan)),
            whole=plan.whole,
        )


def _pieces(plan: Plan) -> Iterator[PieceView]:
    in_time = sorted(plan.sections, key=lambda section: section.first)
    for place, span in enumerate(plan.pieces):
        yield PieceView(
            start=round(float(span.start), 3),
            end=round(float(span.end), 3),
            text=span.text,
            prompt=span.prompt,
            sections=tuple(section.number for section in in_time if section.piece == place),
        )


class Fed(View):
    """A picture that an image is drawn from, with its mask, at its position."""

    image: Path
    mask: Path | None
    position: int


class FramePositions(View):
    """The time positions of a single image."""

    target: tuple[int, ...]
    clean: tuple[int, ...]
    post: tuple[int, ...]
    x2: tuple[int, ...]
    x4: tuple[int, ...]


class FramePlanView(View):
    """The plan of a single image."""

    model: str
    profile: str
    width: int
    height: int
    seed: int
    images: tuple[Fed, ...]
    positions: FramePositions
    notes: tuple[Adjusted, ...]
    tokens: tuple[Reading, ...] = ()

    @classmethod
    def of(cls, plan: FramePlan, tokens: tuple[Reading, ...] = ()) -> Self:
        pairs = zip(plan.pictures, plan.layout.clean, strict=True)
        return cls(
            model=plan.entry.name,
            profile=plan.options.profile,
            width=plan.width,
            height=plan.height,
            seed=plan.seed,
            images=tuple(Fed(image=one.image, mask=one.mask, position=position) for one, position in pairs),
            positions=FramePositions.model_validate(plan.layout.describe()),
            notes=plan.notes,
            tokens=tokens,
        )


class Told(View):
    """Something a job said; `number` is the last one that is kept so far.

    Steps are not kept one by one: the latest is told again under the number of the event before it.
    """

    job: int
    number: int
    time: float
    event: Message


class JobView(View):
    """A job as people see it. Times are in seconds since 1970, `pace` in seconds for a section.

    `request` is None where this program cannot read it. `owner` is the name of who asked for the job, nothing for who
    sits at the machine. `begun` says that there is work on disk to go on from, `made` how many sections are on disk, in
    the order of generation, for this job or another to go on from. `message` says what went wrong, `actions` what can
    be done now, `damaged` which columns of the row are not as they should be.
    """

    id: int
    kind: Kind
    status: Status
    request: Queued | None
    plan: Figures
    folder: str
    batch: str | None
    owner: str
    priority: int
    position: int
    created: float
    started: float | None
    ended: float | None
    runner: str | None
    attempts: int
    ask: Ask | None
    progress: Progress | None
    result: Result | None
    error: Problem | None
    pace: float | None
    said: int
    begun: bool
    made: int
    message: str | None
    actions: tuple[Action, ...]
    damaged: tuple[str, ...]

    @property
    def prompt(self) -> str:
        """The prompt on one line, or the video that is finished."""
        if isinstance(self.request, FinishOptions):
            return self.request.video.name
        return "" if self.request is None else " ".join(self.request.prompt.split())

    @property
    def seed(self) -> int | None:
        """The seed that was used, or the one that was asked for."""
        used = getattr(self.result, "seed", None)
        return used if used is not None else getattr(self.request, "seed", None)


class JobSection(View):
    """A section of a job: whether it is made, with what, and whether that can still be changed or made again.

    Frames are [start_frame, end_frame).
    """

    number: int
    order: int
    start_frame: int
    end_frame: int
    prompt: str
    made: bool
    redo: bool
    ahead: bool


class JobSections(View):
    """The sections of a job, in the order of generation."""

    sections: tuple[JobSection, ...]


class JobTold(JobView):
    """A job with everything that it said."""

    events: tuple[Told, ...]


class QueueView(View):
    """Jobs in their order, of `total` that there are; `held` says that no worker takes another one."""

    jobs: tuple[JobView, ...]
    total: int
    held: bool


class QueueHeld(View):
    """Whether the whole queue is held."""

    held: bool


class JobRemoved(View):
    """A job that was removed, and the results that went with it."""

    removed: int
    files: tuple[str, ...]


def possible(job: "Possible") -> tuple[Action, ...]:
    """What can be done with a job now, in the order of `Action`: its state's table, less what makes no sense for it."""
    found = set(ACTIONS[job.status])
    if job.kind != VideoOptions.kind or job.plan.sections < 2:
        found.discard(Action.STOP_SECTION)
    if job.begun:
        found.discard(Action.EDIT)
    if not job.made:
        found.discard(Action.REDO)
    begun = job.status.active or (job.begun and job.made)
    if job.kind != VideoOptions.kind or not begun or first_ahead(job) >= job.plan.sections:
        found.discard(Action.AHEAD)
    if job.status == Status.STOPPING and job.ask in (Ask.NOW, Ask.SECTION):
        found.discard(Action.STOP_SECTION)
    if job.status == Status.STOPPING and job.ask == Ask.NOW:
        found -= {Action.STOP, Action.SKIP}
    return tuple(action for action in Action if action in found)


def first_ahead(job: "Possible") -> int:
    """The first section in the order of generation that can be changed: not the one that is being drawn."""
    return job.made + job.status.active


class Possible(Protocol):
    """What of a job decides on what can be done with it."""

    @property
    def kind(self) -> str: ...

    @property
    def status(self) -> Status: ...

    @property
    def plan(self) -> Figures: ...

    @property
    def ask(self) -> Ask | None: ...

    @property
    def begun(self) -> bool: ...

    @property
    def made(self) -> int: ...
