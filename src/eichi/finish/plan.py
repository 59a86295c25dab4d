"""A request to finish a video becomes a plan: which frames are shown when, in which size and form, in which parts.

Time comes first, so that nothing is computed that is not shown: the order of frames, then the speed, which leaves
frames out or shows them longer, then the rate, which leaves out or makes up. What is left are the *worked* frames;
each goes through every step. A part of them is a segment. Without torch.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from eichi.catalog import ModelFolders
from eichi.errors import DiskError, InputError
from eichi.events import Adjusted
from eichi.finish.filters import reach
from eichi.finish.forms import FORMS, GIF_RATE, FileForm
from eichi.models.upscalers import Facts, UpscalerFile, facts_of, find_upscaler
from eichi.options import ChainOptions, FinishOptions, quality
from eichi.video.clip import Clip, look
from eichi.video.form import FPS
from eichi.video.metadata import Marks, Record, ancestry, portable, read_record, versions
from eichi.video.sources import BUDGET, FRAME

PART = 48  # worked frames of a segment
CHUNK = 64 * 2**20  # bytes of frames that are turned round in memory
LEAST, MOST = 16, 16_382  # pixels of a side, what encoders take
NARROW = 32  # pixels of a side, under which no motion is estimated
MIDDLE = 4  # times the pixels of the largest result that an upscaler may make on the way
PACKED = Fraction(1, 2)  # of a frame's bytes that are kept of it while the order is turned round
HARDLY, FINE = Fraction(1, 5), 8  # the same of a form for editing, of grain, of less than this compression


@dataclass(frozen=True)
class Order:
    """In which order the frames of a video are shown: forward, from its end, or to one end and back.

    To an end and back shows either end once, so that a loop does not stand still there.
    """

    frames: int
    reverse: bool = False
    pingpong: bool = False

    @property
    def count(self) -> int:
        return max(2 * self.frames - 2, 1) if self.pingpong else self.frames

    @property
    def forward(self) -> bool:
        """Whether frames are shown as they lie in the file."""
        return not (self.reverse or self.pingpong)

    def source(self, place: int) -> int:
        """The frame of the video that is shown at a place."""
        number = place if place < self.frames else 2 * self.frames - 2 - place
        return self.frames - 1 - number if self.reverse else number


@dataclass(frozen=True)
class FinishPlan:
    """A chain over a video of `source` frames at `rate`, shown in an `order`.

    `worked` frames go through the steps, at a pace of `base` a second; where `motion` is a rate, frames are made up for
    it. `size` (width, height) is that of the result, `middle` that after enlarging by the `upscaler`. `total` frames
    are written, `out` a second.
    """

    options: FinishOptions
    clip: Clip
    order: Order
    rate: Fraction
    worked: int
    base: Fraction
    motion: Fraction | None
    total: int
    out: Fraction
    size: tuple[int, int]
    middle: tuple[int, int]
    upscaler: UpscalerFile | None
    facts: Facts | None
    seed: int
    source: Record | None
    notes: tuple[Adjusted, ...] = ()

    @property
    def chain(self) -> ChainOptions:
        return self.options.finish

    @property
    def form(self) -> FileForm:
        return FORMS[self.chain.format]

    @property
    def width(self) -> int:
        return self.size[0]

    @property
    def height(self) -> int:
        return self.size[1]

    @property
    def frames(self) -> int:
        """Frames of the file, repeated ones included."""
        return self.total * self.chain.repeat

    @property
    def seconds(self) -> float:
        return float(self.frames / self.out)

    @property
    def once(self) -> Fraction:
        """Seconds of the video before it is repeated."""
        return self.total / self.out

    @property
    def around(self) -> int:
        """Frames that a segment's filters are shown on either side of it."""
        return reach(self.chain, self.motion)

    @property
    def parts(self) -> int:
        return ceil(self.worked / PART)

    @property
    def resized(self) -> tuple[int, int] | None:
        """The size that a filter makes, None where none has to."""
        return None if self.middle == self.size else self.size

    @property
    def heard(self) -> bool:
        """Whether the result has the sound of the video."""
        return self.clip.sound is not None and self.order.forward and self.form.sound is not None

    def part(self, number: int) -> range:
        """The worked frames of a segment."""
        return range(number * PART, min((number + 1) * PART, self.worked))

    def segment_of(self, worked: int) -> int:
        """The segment that a worked frame is in."""
        return worked // PART

    def shown(self, number: int) -> range:
        """The written frames that a segment makes."""
        frames = self.part(number)
        return range(self._first(frames.start), self._first(frames.stop) if frames.stop < self.worked else self.total)

    def _first(self, worked: int) -> int:
        return worked if self.motion is None else min(ceil(worked * self.out / self.base), self.total)

    def place(self, worked: int) -> int:
        """Where in the order the frame is that is worked on at a place."""
        pace = self.rate * _exact(self.chain.speed) / self.base
        return min(floor(worked * pace), self.order.count - 1)

    @property
    def spool(self) -> int:
        """Frames of a run that is turned round in memory; 0 where none has to be."""
        return 0 if self.order.forward else max(1, min(PART, CHUNK // (self.clip.width * self.clip.height * 3)))

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.options.video,)


def make_finish_plan(options: FinishOptions, models: ModelFolders, cache: Path | None = None) -> FinishPlan:
    """The plan of a request. Raises InputError for a video or an upscaler that cannot be read, or a size too large."""
    clip, chain = look(options.video), options.finish
    rate = clip.rate or Fraction(FPS)
    frames = clip.frames if clip.rate else max(1, round(clip.seconds * rate))
    order = Order(frames, chain.reverse, chain.pingpong)
    pace = rate * _exact(chain.speed)
    wished = rate if chain.fps is None else _exact(chain.fps)
    out = min(wished, Fraction(GIF_RATE)) if chain.format == "gif" else wished
    motion = out if chain.fps is not None and out > pace else None
    base = pace if motion is not None else out
    worked = order.count if motion is not None else max(1, floor(order.count * out / pace + Fraction(1, 2)))
    total = max(1, floor(worked * out / base + Fraction(1, 2)))
    upscaler = None if chain.upscale is None else find_upscaler(chain.upscale, models)
    facts = None if upscaler is None else facts_of(upscaler, cache)
    middle = (clip.width * (facts.scale if facts else 1), clip.height * (facts.scale if facts else 1))
    size = _size(clip, chain, middle)
    _check_form(clip, chain, out, motion)
    source = _record(options.video)
    plan = FinishPlan(
        options=options,
        clip=clip,
        order=order,
        rate=rate,
        worked=worked,
        base=base,
        motion=motion,
        total=total,
        out=out,
        size=size,
        middle=middle,
        upscaler=upscaler,
        facts=facts,
        seed=seed if isinstance(seed := (source or {}).get("seed"), int) else 0,
        source=source,
    )
    return replace(plan, notes=tuple(_notes(plan, wished)))


def check_chain(chain: ChainOptions, models: ModelFolders) -> None:
    """Refuse a chain for a video to come whose upscaler is not there. Raises ModelError."""
    if chain.upscale is not None:
        find_upscaler(chain.upscale, models)


def check_finish(plan: FinishPlan, folder: Path) -> None:
    """Refuse a plan for which a disk has no room. Raises DiskError, FolderError."""
    from eichi.prepare import check_folder

    check_folder(folder)
    needed, free = need(plan).disk, shutil.disk_usage(folder).free
    if needed > free:
        raise DiskError("error.finish.room", folder=folder, needed=needed, free=free)


class Look(BaseModel):
    """The frame at a second of what a request makes, and the file that it is written to, as PNG."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    options: FinishOptions
    second: float
    file: Path


@dataclass(frozen=True)
class FinishNeed:
    """What a plan takes: bytes of memory for frames, beside the program and the upscaler, and of the disk meanwhile."""

    memory: int
    disk: int


def need(plan: FinishPlan) -> FinishNeed:
    """An estimate, on the safe side: what is kept of pixels that are noise is more than of pictures."""
    small, large = plan.clip.width * plan.clip.height * 3, plan.width * plan.height * 3
    middle = plan.middle[0] * plan.middle[1] * 3
    held = small * (plan.spool + 2 * plan.around + 8) + (14 if plan.upscaler else 8) * middle + 24 * large
    turned = plan.order.frames * small * PACKED if plan.spool else Fraction(0)
    kept = plan.total * large * _packed(plan)
    return FinishNeed(held, int(turned + kept * (1 + plan.chain.repeat)))


def _packed(plan: FinishPlan) -> Fraction:
    """The share of a frame's bytes that a form keeps of it."""
    if not plan.form.joined:
        return PACKED
    large = plan.form.name == "prores" or plan.chain.compression < FINE or plan.chain.grain
    return HARDLY if large else Fraction(1, 40)


def finish_record(plan: FinishPlan, marks: Marks | None = None) -> Record:
    """What a finished video carries: the whole request, the figures, and the record of what it was made from."""
    values: Record = {
        "kind": FinishOptions.kind,
        "request": portable(plan.options),
        "files": dict(marks or {}),
        "model": None if plan.source is None else plan.source.get("model"),
        "seed": plan.seed,
        "width": plan.width,
        "height": plan.height,
        "frames": plan.frames,
        "seconds": round(plan.seconds, 3),
        "sections": plan.parts,
        "rate": round(float(plan.out), 3),
        "versions": versions(),
        "sources": ancestry([plan.source]),
    }
    if plan.upscaler is not None and plan.facts is not None:
        values["upscaler"] = {"name": plan.upscaler.name, "architecture": plan.facts.architecture}
    return values


def _exact(value: float) -> Fraction:
    """A number as it was written, not as it is kept."""
    return Fraction(str(value))


def _size(clip: Clip, chain: ChainOptions, middle: tuple[int, int]) -> tuple[int, int]:
    """The size of the result, in whole pairs of pixels. Raises InputError for one that is too large or too small."""
    wished = middle if chain.scale is None else (clip.width * chain.scale, clip.height * chain.scale)
    width, height = (max(2 * round(side / 2), 2) for side in wished)
    if middle[0] * middle[1] > MIDDLE * (BUDGET // FRAME):
        limit = MIDDLE * (BUDGET // FRAME) // 1_000_000
        raise InputError("error.finish.enlarged", width=middle[0], height=middle[1], limit=limit)
    if width * height > BUDGET // FRAME:
        raise InputError("error.finish.large", width=width, height=height, limit=BUDGET // FRAME // 1_000_000)
    if min(width, height) < LEAST:
        raise InputError("error.finish.small", width=width, height=height, limit=LEAST)
    if max(width, height) > MOST:
        raise InputError("error.finish.side", width=width, height=height, limit=MOST)
    return width, height


def _check_form(clip: Clip, chain: ChainOptions, out: Fraction, motion: Fraction | None) -> None:
    """Raises InputError for what an encoder or a filter would refuse in the middle of the work."""
    if motion is not None and min(clip.width, clip.height) < NARROW:
        raise InputError("error.finish.narrow", width=clip.width, height=clip.height, limit=NARROW)
    if (chain.reverse or chain.pingpong) and max(clip.width, clip.height) > MOST:
        raise InputError("error.finish.side", width=clip.width, height=clip.height, limit=MOST)
    fastest = FORMS[chain.format].fastest
    if fastest is not None and out > fastest:
        raise InputError("error.finish.rate", rate=round(float(out), 3), limit=fastest)


def _record(path: Path) -> Record | None:
    """The record of a video, None for one that was not made here."""
    try:
        return read_record(path)
    except InputError as error:
        if error.id != "error.file.record":
            raise
        return None


def _notes(plan: FinishPlan, wished: Fraction) -> Iterator[Adjusted]:
    """What is done otherwise than somebody might think, and what it takes."""
    clip, chain, form = plan.clip, plan.chain, plan.form
    if clip.rate is None:
        yield Adjusted("note.finish.uneven", {"fps": FPS})
    if clip.bright:
        yield Adjusted("note.video.bright", {"path": str(plan.options.video)})
    if plan.out < wished:
        yield Adjusted("note.finish.gif_rate", {"asked": float(wished), "used": float(plan.out)})
    if plan.motion is not None:
        yield Adjusted("note.finish.motion", {"fps": round(float(plan.out), 3)})
    elif chain.fps is None and chain.speed < 1:
        yield Adjusted("note.finish.slow", {})
    if clip.sound is not None and not plan.heard:
        yield Adjusted("note.finish.silent" if plan.order.forward else "note.finish.silent_order", {})
    if chain.scale is None and plan.size != plan.middle:
        yield Adjusted("note.finish.even", {"width": plan.width, "height": plan.height})
    if form.name in ("mp4", "hevc") and quality(chain.compression) != chain.compression:
        yield Adjusted("note.crf", {"asked": chain.compression, "used": quality(chain.compression)})
    needed = need(plan)
    values: dict[str, str | int | float] = {
        "width": plan.width,
        "height": plan.height,
        "frames": plan.frames,
        "seconds": round(plan.seconds, 2),
        "memory": needed.memory,
        "disk": needed.disk,
    }
    yield Adjusted("note.finish.plan", values)
