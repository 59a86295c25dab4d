"""A machine tried out: short runs of every way to run a model, with time and memory beside the forecast.

For what cannot be tested without a card: precisions, kernels, streamed blocks, smaller cards, memory that runs out.
Each way is a job of a few steps, run twice: what comes out is compared byte by byte, for equal requests are promised
equal bytes. One that fails says so and the others go on. Time is limited; what it does not suffice for is said, the
least telling ways first. Memory is measured on a card alone. Not run on a GPU yet.
"""

import hashlib
import platform
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from statistics import median

import numpy as np

from eichi.catalog import PARTS
from eichi.errors import DeviceError, EichiError, ErrorView
from eichi.events import (
    Adjusted,
    Event,
    FrameDrawn,
    FramesReady,
    FrameStarted,
    LatentsReady,
    SectionDone,
    Started,
    Step,
)
from eichi.models import meter
from eichi.models.device import synchronise
from eichi.models.exactly import repeat
from eichi.models.kernels import COMPLAINTS, PACKAGES, package_version
from eichi.models.load import Components
from eichi.pipeline.generate import compute
from eichi.pipeline.job import boundary
from eichi.pipeline.oneframe import compute_frame, fit_picture
from eichi.pipeline.originals import fitted
from eichi.pipeline.promptcache import PROMPTS
from eichi.pipeline.report import About, Memory, Trial
from eichi.pipeline.ways import Given, Room, Way, lacks_ram, room, unable
from eichi.plan.memory import CUDA, GIB, Placement, forecast
from eichi.plan.memory import time as timing
from eichi.plan.oneframe import FramePlan
from eichi.plan.plan import Plan
from eichi.video.metadata import versions
from eichi.words import ENGLISH

LOWER = "note.memory.lower"


@dataclass
class Run:
    """One run of a way, as its events come; times are those of `clock`."""

    clock: Callable[[], float]
    begun: float = 0.0
    drawing: float | None = None  # when the first step began
    drawn: float = 0.0  # when the last latents were there
    ended: float = 0.0
    steps: list[float] = field(default_factory=list)
    frames: int = 0
    reused: int = 0
    notes: list[str] = field(default_factory=list)
    digests: tuple[str, str] = ("", "")

    def follow(self, events: Iterable[Event]) -> None:
        """Take down what a job says and makes."""
        latents, frames, last = hashlib.sha256(), hashlib.sha256(), 0.0
        self.begun = self.clock()
        for event in events:
            now = self.clock()
            match event:
                case Started() | FrameStarted():
                    self.drawing = now
                case Step(step=number):
                    if number > 1:
                        self.steps.append(now - last)
                    last = now
                case LatentsReady(latents=made):
                    latents.update(np.ascontiguousarray(made).data)
                    self.drawn = now
                case FramesReady(frames=made):
                    frames.update(np.ascontiguousarray(made).data)
                    self.frames += len(made)
                case SectionDone(reused=saved) | FrameDrawn(reused=saved):
                    self.reused += saved
                case Adjusted(id=said):
                    self.notes.append(said)
        self.ended = self.clock()
        self.digests = latents.hexdigest()[:16], frames.hexdigest()[:16]

    @property
    def step(self) -> float | None:
        """Seconds of a step, None where only one was drawn."""
        return median(self.steps) if self.steps else None


def about(components: Components) -> About:
    """The machine that the components are on."""
    told = About(platform.platform(), versions(), str(components.device))
    here = {kernel: package_version(kernel) for kernel in PACKAGES}
    told = replace(told, kernels={name: number for name, number in here.items() if number is not None})
    card = meter.card(components.device)
    return told if card is None else replace(told, card=card, driver=meter.driver())


class Bench:
    """A model that is tried, in so many minutes. `mapped` is whether its weights are files.

    Its components keep read prompts in a folder of their own, which is cleared.
    """

    def __init__(
        self,
        components: Components,
        given: Given,
        minutes: float,
        mapped: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.components, self.given, self.mapped, self.clock = components, given, mapped, clock
        self.end = clock() + 60 * minutes
        self._before: Way | None = None
        self._costs: dict[int, float] = {}  # by the size of the picture, seconds of the dearest way so far

    def try_out(self, way: Way) -> Trial:
        """What came of a way."""
        left = unable(way, self.components)
        if left is None and self.clock() + self._cost(way) > self.end:
            left = "time"
        if left is not None:
            return Trial(way.name, way.side, False, left)
        try:
            return self._tried(way)
        finally:
            self._put_back(way)

    def _cost(self, way: Way) -> float:
        """The seconds that a way is expected to take: what the dearest of its size took; of another size, by that."""
        if way.side in self._costs or not self._costs:
            return self._costs.get(way.side, 0.0)
        side, seconds = next(iter(self._costs.items()))
        return seconds * (way.side / side) if way.side > side else 0.0

    def _tried(self, way: Way) -> Trial:
        """Both runs of a way."""
        failed = Trial(way.name, way.side, False)
        begun = self.clock()
        try:
            with boundary():
                plan = self.given.plan(way)
                self._clear(way)
                if lacks_ram(plan, way, self.components, self.mapped):
                    return replace(failed, left="ram")
                self._prepare(way, room(plan, way, self.components))
                first, second = self._run(plan), self._run(plan)
                made = self._told(way, plan, first)
        except EichiError as error:
            return replace(failed, error=ErrorView.of(error, ENGLISH))
        except COMPLAINTS as error:  # of a driver, a kernel or a library: told, and the next way is tried
            told = DeviceError("error.device.complaint", reason=error)
            return replace(failed, error=ErrorView.of(told, ENGLISH))
        seconds = self.clock() - begun
        # The first way makes all weights, which the next ones do not.
        spent = seconds if self._costs else seconds - (made.loading or 0.0)
        self._costs[way.side] = max(spent, self._costs.get(way.side, 0.0))
        return replace(made, seconds=round(seconds, 2), repeats=first.digests == second.digests)

    def _clear(self, way: Way) -> None:
        """Give back what the way before had and this one has not: peaks are to be those of one way. Where parts lie
        elsewhere the prompt is read again, too.
        """
        before, cache = self._before, self.components.runtime.cache
        self._before = way
        if before is None or before.card_played != way.card_played:
            self.components.release(*PARTS)
            if cache is not None:
                shutil.rmtree(cache / PROMPTS, ignore_errors=True)
        elif before.network != way.network:
            self.components.release("transformer")

    def _prepare(self, way: Way, room: Room) -> None:
        """Set what a way is run with."""
        parts = self.components
        meter.begin(parts.device)
        meter.allow(parts.device, room.allowed)
        parts.limit = room.planned
        parts.kernels.wanted, parts.kernels.exact = way.attention, way.exact
        if way.exact:
            repeat(parts.device, True)
        if way.compiled:
            parts.runtime = replace(parts.runtime, compiled=True)

    def _put_back(self, way: Way) -> None:
        """Leave nothing of a way behind."""
        parts = self.components
        meter.allow(parts.device, None)
        parts.limit = None
        parts.kernels.wanted, parts.kernels.exact = parts.runtime.attention, parts.runtime.reproducible
        if way.exact:
            repeat(parts.device, parts.runtime.reproducible)
        if way.compiled:
            parts.runtime = replace(parts.runtime, compiled=False)

    def _run(self, plan: Plan | FramePlan) -> Run:
        """One job."""
        run = Run(self.clock)
        if isinstance(plan, FramePlan):
            pictures = [fit_picture(picture, plan) for picture in plan.pictures]
            run.follow(compute_frame(plan, self.components, pictures))
        else:
            run.follow(compute(plan, self.components, fitted(plan)))
        synchronise(self.components.device)
        return run

    def _told(self, way: Way, plan: Plan | FramePlan, run: Run) -> Trial:
        """What one run says, beside its forecast."""
        parts = self.components
        frames = 1 if isinstance(plan, FramePlan) else plan.frames
        memory, step = self._memory(), run.step
        moved = memory.moved * GIB / 1e9 if memory else 0.0
        return Trial(
            way=way.name,
            side=way.side,
            good=run.frames == frames,
            loading=None if run.drawing is None else round(run.drawing - run.begun, 2),
            step=None if step is None else round(step, 4),
            expected=self._expected(),
            decoding=round(run.ended - run.drawn, 2),
            memory=memory,
            rate=round(moved / step, 2) if moved and step else None,
            placement=parts.placement if memory else Placement("cpu"),
            kernel=parts.kernels.choice.kernel,
            reused=run.reused,
            lowered=run.notes.count(LOWER),
            latents=run.digests[0],
            frames=run.digests[1],
            notes=tuple(dict.fromkeys(run.notes)),
        )

    def _expected(self) -> float | None:
        """Seconds of a step as they are forecast for what was placed; None for a card that nobody knows."""
        parts = self.components
        if parts.need is None:
            return None
        timed = timing(parts.entry.anatomy, parts.need, parts.machine, parts.placement)
        return None if timed is None else round(timed.step, 4)

    def _memory(self) -> Memory | None:
        """The peaks so far beside the forecast of what was placed."""
        parts, peaks = self.components, meter.peaks(self.components.device)
        if peaks is None or parts.need is None:
            return None
        expected = forecast(parts.entry.anatomy, parts.need, parts.placement)
        size = expected.gpu - CUDA
        return Memory(
            allocated=round(peaks.allocated / GIB, 2),
            reserved=round(peaks.reserved / GIB, 2),
            forecast=round(size / GIB, 2),
            ratio=round(peaks.reserved / size, 2),
            moved=round(expected.moved / GIB, 2),
        )
