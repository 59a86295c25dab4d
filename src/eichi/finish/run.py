"""A video finished, part by part: what reads, what computes and what writes are one chain of frames, one at a time.

Memory is that of some frames, whatever the length. A part is done when its segment is on disk, so that a job which was
interrupted goes on with the next one, and comes to the same bytes. Torch is loaded for an upscaler alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from eichi.errors import InputError, RunError
from eichi.events import Adjusted, Converted, Event, Finished, FinishStarted, SectionDone, Step, Stopped
from eichi.files import aside, leave
from eichi.finish.filters import after, before, filtered
from eichi.finish.folder import FinishFolder, card_of, new_folder
from eichi.finish.plan import FinishPlan, check_finish, finish_record
from eichi.finish.source import Frames, even
from eichi.finish.writing import open_segment, write_file, write_segment
from eichi.library.whereabouts import marks_of, remember
from eichi.settings import Runtime
from eichi.video.metadata import Marks, save_png
from eichi.video.writer import writing

if TYPE_CHECKING:
    from eichi.models.upscale import Upscaler

Pixels = NDArray[np.uint8]
Numbered = Iterator[tuple[int, Pixels]]
Stop = Callable[[], bool]
TOLD = 6  # frames between two words on how far a part is


def finish(
    plan: FinishPlan,
    folder: Path | str,
    runtime: Runtime,
    stop: Stop = lambda: False,
    place: FinishFolder | None = None,
) -> Iterator[Event]:
    """Run a plan; the last event is Finished, or Stopped once `stop()` is true, which is asked after every event.

    Writes `<folder>/<time>.<ending>` and its poster. `place` is where an interrupted job is gone on with, or a folder
    that was made for this one. Raises RunError, InputError.
    """
    check_finish(plan, Path(folder))
    place = place or new_folder(Path(folder), plan.form.ending)
    with place.held():
        yield from plan.notes
        if not place.begin(plan):
            yield Adjusted("note.finish.anew", {})
        made_from = card_of(plan)
        chain = _Chain(plan, place, runtime)
        yield chain.started
        for event in chain.work():
            yield event
            if stop():
                yield Stopped(None, plan.seed, 0, chain.done)
                return
        if card_of(plan) != made_from:
            place.discard()
            raise InputError("error.finish.changed")
        marks = marks_of(plan.options)
        remember(plan.options, marks, runtime.cache)
        yield _publish(plan, place, marks)


def preview(plan: FinishPlan, second: float, runtime: Runtime) -> Pixels:
    """The frame that is shown at a second of the result, as it will be, but for what the codec does to it.

    Raises InputError, RunError.
    """
    wanted = min(max(int(second * float(plan.out)), 0), plan.total - 1)
    worked = wanted if plan.motion is None else min(int(wanted * plan.base / plan.out), plan.worked - 1)
    number = plan.segment_of(worked)
    near = range(max(worked - plan.around, 0), min(worked + plan.around + 2, plan.worked))
    chain = _Chain(plan, None, runtime)
    numbered = chain.near(near)
    shown = ((at, pixels) for at, pixels in filtered(numbered, before(plan.chain, plan.motion), plan.base))
    found = [pixels for at, pixels in shown if at == wanted]
    if not found:
        raise RunError("error.finish.preview", second=second)
    ((_, made),) = chain.looks(iter([(wanted, found[0])]), number)
    return made


class _Chain:
    """The steps of a plan, in the order in which frames go through them."""

    def __init__(self, plan: FinishPlan, place: FinishFolder | None, runtime: Runtime) -> None:
        self.plan, self.place, self.runtime = plan, place, runtime
        self.done = 0
        self._upscaler: Upscaler | None = None
        self._device = "cpu"
        if plan.upscaler is not None:
            from eichi.models.device import pick_device, title
            from eichi.models.upscale import Upscaler

            device = pick_device(runtime.device)
            self._upscaler, self._device = Upscaler(plan.upscaler, device), title(device)

    @property
    def started(self) -> FinishStarted:
        plan = self.plan
        name = None if plan.upscaler is None else plan.upscaler.name
        figures = plan.width, plan.height, plan.frames, round(plan.seconds, 3), plan.parts
        return FinishStarted(str(plan.options.video), name, self._device, *figures)

    def work(self) -> Iterator[Event]:
        """Make all segments that are not there."""
        plan = self.plan
        assert self.place is not None
        frames = Frames(plan, self.place.folder)
        for done in frames.lay():
            yield Converted(done, plan.order.frames)
        missing = [number for number in range(plan.parts) if not self.place.segment(plan, number).is_file()]
        window = _Window(frames, plan, missing[0]) if missing else None
        for number in range(plan.parts):
            computed = 0
            if number in missing and window is not None:
                path = self.place.segment(plan, number)
                shown = plan.shown(number)
                with writing(path):
                    for computed in write_segment(path, plan, self._made(window, number)):
                        if computed % TOLD == 0 and computed < len(shown):
                            yield Step(number, plan.parts, computed, len(shown))
                if computed != len(shown):
                    leave(path)
                    raise RunError("error.finish.frames", number=number, count=computed, asked=len(shown))
            self.done = number + 1
            yield SectionDone(number, number, plan.parts, computed, 0)

    def _made(self, window: _Window, number: int) -> Iterator[Pixels]:
        """The written frames of a segment."""
        plan, shown = self.plan, self.plan.shown(number)
        small = filtered(window.span(number), before(plan.chain, plan.motion), plan.base)
        wanted = ((at, pixels) for at, pixels in small if at in shown)
        for _, pixels in self.looks(wanted, number):
            yield pixels

    def looks(self, frames: Numbered, number: int) -> Numbered:
        """Frames enlarged and filtered at their new size."""
        steps = after(self.plan.chain, self.plan.resized, number)
        yield from filtered(self._enlarged(frames), steps, self.plan.out)

    def _enlarged(self, frames: Numbered) -> Numbered:
        upscaler = self._upscaler
        if upscaler is None:
            yield from frames
            return
        while some := list(islice(frames, upscaler.chunk)):
            made = upscaler.enlarge(np.stack([pixels for _, pixels in some]))
            yield from zip((number for number, _ in some), made, strict=True)

    def near(self, span: range) -> Numbered:
        """Some worked frames, read from the video without laying it down; with more before and behind the ends."""
        plan = self.plan
        wanted = {plan.order.source(plan.place(number)) for number in span}
        there: dict[int, Pixels] = {}
        for number, pixels in enumerate(even(plan)):
            if number in wanted or not there:
                there[number] = pixels
            if number >= max(wanted):
                break
        last = max(there)
        frames = [(number, there[min(plan.order.source(plan.place(number)), last)]) for number in span]
        yield from _padded(frames, plan)


class _Window:
    """The worked frames from a segment on, and of those before some that the next one is shown, too."""

    def __init__(self, frames: Frames, plan: FinishPlan, number: int) -> None:
        self._plan = plan
        self._frames = frames
        self._kept: deque[tuple[int, Pixels]] = deque()
        self._begin(number)

    def _begin(self, number: int) -> None:
        first = max(self._plan.part(number).start - self._plan.around, 0)
        self._kept.clear()
        self._rest = self._frames.since(first)
        self._next = first

    def span(self, number: int) -> Numbered:
        """The frames of a segment with those around it. Segments come in their order; some may be left out."""
        plan, part = self._plan, self._plan.part(number)
        first, end = max(part.start - plan.around, 0), min(part.stop + plan.around, plan.worked)
        while self._next < first:  # of segments that are there already
            next(self._rest)
            self._next += 1
        yield from _padded(self._between(first, end, part.stop - plan.around), plan)

    def _between(self, first: int, end: int, keep: int) -> Numbered:
        while self._kept and self._kept[0][0] < first:
            self._kept.popleft()
        yield from list(self._kept)
        while self._next < end:
            number, pixels = next(self._rest)
            self._next = number + 1
            if number >= keep:
                self._kept.append((number, pixels))
            yield number, pixels


def _padded(frames: Iterator[tuple[int, Pixels]] | list[tuple[int, Pixels]], plan: FinishPlan) -> Numbered:
    """Frames with the first and the last one repeated beyond the ends of the video, where motion is estimated."""
    around = plan.around if plan.motion is not None else 0
    last: tuple[int, Pixels] | None = None
    for number, pixels in frames:
        if last is None and number == 0:
            yield from ((at, pixels) for at in range(-around, 0))
        yield number, pixels
        last = number, pixels
    if last is not None and last[0] == plan.worked - 1:
        yield from ((last[0] + at, last[1]) for at in range(1, around + 1))


def _publish(plan: FinishPlan, place: FinishFolder, marks: Marks) -> Finished:
    """Put the file in its place, with its poster."""
    values, path = finish_record(plan, marks), place.result
    segments = [place.segment(plan, number) for number in range(plan.parts)]
    picture = place.poster
    with writing(path):
        with aside(path, place.folder) as draft:
            write_file(draft, plan, segments, values)
        with open_segment(segments[0], plan.form) as first:
            pixels = np.asarray(next(first.decode(video=0)).to_ndarray(format="rgb24"), dtype=np.uint8)
        save_png(picture, pixels, values)
    place.discard()
    return Finished(str(path), str(picture), plan.seed, plan.frames, plan.seconds, plan.parts)
