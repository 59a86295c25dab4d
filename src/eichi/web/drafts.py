"""What a request comes to while it is being written: its plan, what is wrong with it, its time, memory and tokens.

A draft is never refused. What is wrong is noted with the key of its option and taken out, and the rest is planned
again, so that one bad item leaves the timeline as it was around it. A start picture that is not there yet is stood in
for. Asked at every keystroke: what is slow in it is kept by those who do it. Knows no HTTP.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue

from eichi.declare import Plain
from eichi.errors import EichiError, ErrorView, InputError, OptionError
from eichi.events import Adjusted
from eichi.jobs.batch import Batch
from eichi.jobs.draft import pace_key
from eichi.jobs.view import FramePlanView, PlanView, View
from eichi.library.wildcards import example
from eichi.lines import with_whole
from eichi.models.locate import locate
from eichi.models.shapes import kept_in_eight
from eichi.models.tokens import Meter
from eichi.options import FrameOptions, VideoOptions, drop, files_of, has
from eichi.plan.memory import MemoryPlan, plan_memory
from eichi.plan.oneframe import FramePlan
from eichi.plan.plan import Plan
from eichi.plan.request import drawn
from eichi.plan.wildcards import plain
from eichi.prepare import ABSENT, begin_of, make_frame_plan, make_plan, shared_plan, weigh
from eichi.video.latentfile import measure_latents
from eichi.web.batches import MOST, BatchAsked, batch_of, count_jobs, wrong_axes
from eichi.web.desk import Desk
from eichi.web.i18n import Words
from eichi.web.problems import LISTS, key_of
from eichi.web.visitor import Visitor
from eichi.words import resay

ROUNDS = 24  # things that are taken out before a draft counts as hopeless
SQUARE = 1024, 1024  # pixels of the picture that stands for one that is not there
INSTEAD = "tiny"  # the model in place of one that cannot be planned with
VALUES = 2000  # values of a draft, each of which may be taken out: more than any video has sections and pictures for
COUNTED = 400_000  # signs whose tokens are counted, in the order of the texts; that takes a second
LONGEST = 20_000  # signs of a text that may be started

Asked = TypeVar("Asked", VideoOptions, FrameOptions)
Planned = TypeVar("Planned", Plan, FramePlan)


class DraftAsked(BaseModel):
    """Options as far as they are written, nested, and a batch of them."""

    model_config = ConfigDict(extra="forbid")

    options: dict[str, JsonValue]
    batch: BatchAsked | None = None


class TimeView(View):
    """How long one result takes: as sections like it took before, or by the card's name where none did yet."""

    seconds: float
    measured: bool
    text: str


class MemoryView(View):
    """Whether there is memory enough; `why` says what is missing and what helps, or what would be faster."""

    fits: bool
    text: str
    why: str | None


class UsedView(View):
    """Tokens of a text, and how many there may be."""

    used: int
    limit: int


class TokensView(View):
    """How a text is read: what only the story is made of, and what is not read at all."""

    clip: UsedView
    llama: UsedView
    only_llama: str
    cut: str


class DraftView(View):
    """What a draft comes to. `plan` is that of what is left of it, None where nothing can be planned.

    `problems` are what keeps it from being started, each with the key of its option where it is about one. `tokens`
    are by the key of a text, "" being the prompt (of its pieces the longest). `jobs` are what a start makes, `total`
    says their time, `note_ids` what each of the notes is in the documents.
    """

    plan: PlanView | FramePlanView | None
    problems: tuple[ErrorView, ...]
    line: str
    time: TimeView | None
    memory: MemoryView | None
    notes: tuple[str, ...]
    note_ids: tuple[str, ...]
    tokens: dict[str, TokensView]
    jobs: int
    total: str | None


@dataclass
class Sound(Generic[Asked, Planned]):
    """What is left of a draft: its plan, where its transformer lies, and errors with the keys that they are about."""

    plan: Planned | None = None
    transformer: Path | None = None
    errors: list[tuple[EichiError, str | None]] = field(default_factory=list)


def draft_video(desk: Desk, asked: DraftAsked, visitor: Visitor) -> DraftView:
    """What a draft of a video comes to."""

    def make(options: VideoOptions) -> Plan:
        size = SQUARE
        if options.begin is None and options.kept.latents is not None:
            before = measure_latents(options.kept.latents)
            size = before.width * 8, before.height * 8
        shown, left = example(options, desk.settings.lists)
        return _left_open(make_plan(shown, desk.settings.model_folders, size=size), left)

    sound = _sound(desk, VideoOptions, asked.options, make, visitor)
    line, view = "", None
    if sound.plan is not None:
        try:
            sound.plan = shared_plan(sound.plan, desk.settings.runtime)
        except EichiError as error:
            sound.errors.append((error, None))
        plan = sound.plan
        values = {"sections": len(plan.sections), "frames": plan.frames, "seconds": plan.seconds}
        line = Words(visitor.language)("plan.line", width=plan.width, height=plan.height, **values)
        line = with_whole(line, plan.whole, visitor.language)
        view = PlanView.of(plan)
    return _view(desk, asked, visitor, sound, line, None if view is None else desk.refs.seen(view, visitor))


def draft_frame(desk: Desk, asked: DraftAsked, visitor: Visitor) -> DraftView:
    """What a draft of a single image comes to."""

    def make(options: FrameOptions) -> FramePlan:
        shown, left = example(options, desk.settings.lists)
        return _left_open(make_frame_plan(shown, desk.settings.model_folders, size=SQUARE), left)

    sound = _sound(desk, FrameOptions, asked.options, make, visitor)
    line, view = "", None
    if sound.plan is not None:
        values = {"model": sound.plan.entry.name, "width": sound.plan.width, "height": sound.plan.height}
        line = Words(visitor.language)("plan.frame_line", **values)
        view = FramePlanView.of(sound.plan)
        view = view.model_copy(update={"images": tuple(one for one in view.images if one.image != ABSENT)})
    return _view(desk, asked, visitor, sound, line, None if view is None else desk.refs.seen(view, visitor))


def _left_open(plan: Planned, left: bool) -> Planned:
    """A plan with a word on wildcards that a start draws anew, if any are `left` to it."""
    return replace(plan, notes=(*plan.notes, Adjusted("note.wildcard.open", {}))) if left else plan


def _sound(
    desk: Desk,
    kind: type[Asked],
    given: Mapping[str, JsonValue],
    make: Callable[[Asked], Planned],
    visitor: Visitor,
) -> Sound[Asked, Planned]:
    """Plan a draft, again and again without what is wrong with it."""
    if _more_than(VALUES, given):
        raise InputError("error.draft.values", limit=VALUES)
    sound: Sound[Asked, Planned] = Sound()
    values, gone = deepcopy(dict(given)), _Gone()
    for _ in range(ROUNDS):
        options: Asked | None = None
        try:
            options = desk.refs.resolve(kind.parse(values), visitor)
            sound.plan = make(options)
            break
        except EichiError as error:
            key = _found(values, key_of(error) or _named(error, options))
            sound.errors.append((error, None if key is None else gone.before(key)))
            if key is None or not _take_out(values, key, gone):
                break
    if options is not None and begin_of(options) is None and not any(key == "image" for _, key in sound.errors):
        sound.errors.insert(0, (OptionError("error.image.required", flag="--image"), "image"))
    if sound.plan is not None and not any(key == "model" for _, key in sound.errors):
        try:
            sound.transformer = locate(sound.plan.entry, desk.settings.model_folders)["transformer"]
        except EichiError as error:
            if sound.plan.entry.name not in desk.queue.offered():
                sound.errors.append((error, "model"))
    return sound


def _more_than(most: int, given: JsonValue | Mapping[str, JsonValue]) -> bool:
    """Whether nested values are more than so many."""
    left, count = [given], 0
    while left:
        one = left.pop()
        inside = list(one.values()) if isinstance(one, Mapping) else one if isinstance(one, list) else []
        count += len(inside)
        if count > most:
            return True
        left += inside
    return False


class _Gone:
    """The entries of lists that were taken out, so that those behind them keep the numbers that they were given."""

    def __init__(self) -> None:
        self.numbers: dict[str, list[int]] = {}

    def before(self, key: str) -> str:
        """A key as it was before anything was taken out."""
        parted = _entry(key)
        if parted is None:
            return key
        table, number, rest = parted
        for one in self.numbers.get(table, ()):
            number += one <= number
        return ".".join((table, str(number), *rest))

    def add(self, key: str) -> None:
        parted = _entry(self.before(key))
        if parted is not None:
            self.numbers[parted[0]] = sorted([*self.numbers.get(parted[0], ()), parted[1]])


def _entry(key: str) -> tuple[str, int, list[str]] | None:
    """The list, the place and the rest of a key of an entry of a list; None for any other."""
    for table in LISTS:
        number, *rest = key.removeprefix(f"{table}.").split(".") if key.startswith(f"{table}.") else ("",)
        if number.isdecimal():
            return table, int(number), rest
    return None


def _found(values: Plain, key: str | None) -> str | None:
    """What of a draft a key is about: the item itself, else the nearest thing that it is in."""
    parts = (key or "").split(".")
    while parts and not has(values, ".".join(parts)):
        parts.pop()
    if not parts:
        return key if key in ("image", "model") else None
    there = ".".join(parts)
    parted = _entry(there)
    if parted is not None and parted[2] in (["image"], ["file"]):  # an entry is nothing without it
        return f"{parted[0]}.{parted[1]}"
    return there


def _take_out(values: Plain, key: str, gone: _Gone) -> bool:
    """Take an item out of a draft; whether that changed anything."""
    if key == "model":
        if values.get("model", INSTEAD) == INSTEAD:
            return False
        values["model"] = INSTEAD
        return True
    if not has(values, key):
        return False
    drop(values, [key])
    parted = _entry(key)
    if parted is not None and not parted[2]:
        gone.add(key)
    return True


def _named(error: EichiError, options: VideoOptions | FrameOptions | None) -> str | None:
    """The option whose file an error is about, the last one of several."""
    path = error.values.get("path")
    if options is None or path is None:
        return None
    return next((key for key, file in reversed(files_of(options).items()) if str(file) == str(path)), None)


def _view(
    desk: Desk,
    asked: DraftAsked,
    visitor: Visitor,
    sound: Sound[Any, Any],
    line: str,
    plan: PlanView | FramePlanView | None,
) -> DraftView:
    """All that is told of a draft."""
    words = Words(visitor.language)
    made: Plan | FramePlan | None = sound.plan
    kind = FrameOptions if isinstance(made, FramePlan) else VideoOptions
    jobs, total, time, memory = 1, None, None, None
    notes: list[str] = []
    if made is not None:
        machine = desk.probe.look(desk.settings)
        gpus = desk.settings.gpus if isinstance(made, Plan) else 1
        need = weigh(made.need, made.options, kept_in_eight(sound.transformer), gpus)
        planned = plan_memory(made.entry, need, machine)
        time = _time(desk, made, planned, words)
        memory = _memory(planned, words)
        notes = [resay(note.id, words.language, desk.refs.values(note.values, visitor)) for note in made.notes]
    found = list(sound.errors)
    if made is not None and asked.batch is not None:
        found += wrong_axes(desk, asked.batch, made.options, visitor)
    errors = [desk.refs.error(error, visitor, key) for error, key in found]
    try:
        batch = Batch() if asked.batch is None else batch_of(desk, asked.batch, visitor, kind)
        jobs = count_jobs(batch)
        drawn(made.options.seed, jobs) if made is not None and jobs <= MOST else None
        total = _total(jobs, time, words)
    except EichiError as error:
        if not any(one.id == error.id for one in errors):  # it is told where it is
            errors.append(desk.refs.error(error, visitor))
    return DraftView(
        plan=plan,
        problems=tuple(errors),
        line=line,
        time=time,
        memory=memory,
        notes=tuple(notes),
        note_ids=() if made is None else tuple(note.id for note in made.notes),
        tokens=_tokens(desk, asked.options, made),
        jobs=jobs,
        total=total,
    )


def _time(desk: Desk, plan: Plan | FramePlan, planned: MemoryPlan, words: Words) -> TimeView | None:
    """As sections took here before; until there were any, as a card of this name is expected to take."""
    paces = desk.store.paces(pace_key(plan))
    if paces:
        sections = len(plan.sections) - plan.kept if isinstance(plan, Plan) else 1
        seconds = median(paces) * sections
        return TimeView(seconds=round(seconds, 1), measured=True, text=words("plan.time", time=words.span(seconds)))
    if planned.speed is None:
        return None
    seconds = planned.speed.job
    text = words("plan.time_forecast", time=words.span(seconds), card=planned.speed.card)
    return TimeView(seconds=round(seconds, 1), measured=False, text=text)


def _memory(planned: MemoryPlan, words: Words) -> MemoryView:
    sizes = {"gpu": planned.gpu, "usable": planned.usable, "ram": planned.ram}
    why = " ".join(words(note.id, **note.values) for note in planned.shortages or planned.advice)
    text = words("plan.memory_ram" if planned.placement.level == "cpu" else "plan.memory", **sizes)
    return MemoryView(fits=not planned.lacks, text=text, why=why or None)


def _total(jobs: int, time: TimeView | None, words: Words) -> str | None:
    if jobs == 1:
        return None
    if time is None:
        return words("plan.jobs", jobs=jobs)
    return words("plan.jobs_time", jobs=jobs, time=words.span(time.seconds * jobs))


def _tokens(desk: Desk, given: Mapping[str, JsonValue], plan: Plan | FramePlan | None) -> dict[str, TokensView]:
    """How the texts of a draft are read, nothing where the tokenizers are not here. One that is too long to be
    started is not read: that is said already, and would take seconds at every keystroke.
    """
    model = plan.entry.name if plan is not None else given.get("model", INSTEAD)
    meter = desk.meter(str(model))
    if meter is None:
        return {}
    keyframes = given.get("keyframes")
    prompts = keyframes.get("prompts") if isinstance(keyframes, dict) else None
    found = {"": given.get("prompt"), "negative": given.get("negative")}
    pieces = plan.pieces if isinstance(plan, Plan) else ()
    if plan is not None and plan.options.prompt:  # what is read of it: drawn, and without the marks of its pieces
        whole = max((plan.common, *(piece.prompt for piece in pieces)), key=len) if isinstance(plan, Plan) else None
        found[""] = plain(plan.options.prompt if whole is None else whole)
    found |= {f"pieces.{place}": plain(piece.prompt) for place, piece in enumerate(pieces)}
    found |= {f"keyframes.prompts.{n}": one for n, one in prompts.items()} if isinstance(prompts, dict) else {}
    told, left = dict[str, TokensView](), COUNTED
    for key, text in found.items():
        if isinstance(text, str) and len(text) <= min(left, LONGEST) and (text.strip() or not key):
            told[key] = _reading(meter, text)
            left -= len(text)
    return told


def _reading(meter: Meter, text: str) -> TokensView:
    reading = meter.read(text)
    return TokensView(
        clip=UsedView(used=reading.clip, limit=reading.clip_limit),
        llama=UsedView(used=reading.llama, limit=reading.llama_limit),
        only_llama=reading.llama_only,
        cut=reading.cut,
    )
