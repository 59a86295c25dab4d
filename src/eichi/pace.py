"""How far a job is and how long it still takes, from the times that its sections really took.

The first section is slower than the others: weights are loaded and caches filled in it. TeaCache makes steps uneven:
the ones at the start and at the end take longest. So a section that is complete is the measure for those to come, and
the times of its steps tell how much of the present one is left. Until there is one, the steps so far are the measure.
Steps may be missing: whoever follows a job through the store hears of the latest one only.

Follows events and a clock, and knows no terminal, page or store.
"""

import time
from collections.abc import Callable

from eichi.events import (
    Event,
    Finished,
    FinishStarted,
    FrameDrawn,
    FrameFinished,
    FrameStarted,
    SectionDone,
    Started,
    Step,
)


class Pace:
    """The pace of one job. Give it every event as it comes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds that only grow."""
        self.fraction = 0.0  # share of the work that is done, 0-1
        self._clock = clock
        self._begin = 0.0  # when the present section began
        self._steps: dict[int, float] = {}  # when its steps were done, in seconds from its beginning
        self._whole: dict[int, float] = {}  # the same of the last complete section
        self._section: float | None = None  # how long that took
        self._sections = 0  # sections left after the present one
        self._left: float | None = None
        self._asked = 0.0  # when `_left` was worked out

    def take(self, event: Event) -> None:
        """Learn from an event."""
        now = self._clock()
        match event:
            case Started() | FrameStarted() | FinishStarted():
                self._begin = now
            case Step():
                self._steps[event.step] = now - self._begin
                self._sections = event.sections - event.order - 1
                self.fraction = event.fraction
                self._work_out(now, event.step, event.steps)
            case SectionDone():
                if self._steps:  # a section that is taken over takes no time
                    self._settle(now)
                self.fraction = (event.order + 1) / event.sections
                self._begin, self._steps = now, {}
                self._sections = event.sections - event.order - 2
                self._work_out(now, 0, 0)
            case FrameDrawn():
                self._settle(now)
            case Finished() | FrameFinished():
                self.fraction, self._left, self._asked = 1.0, 0.0, now

    @property
    def left(self) -> float | None:
        """Seconds until the job is done, None while nobody can know."""
        return None if self._left is None else max(0.0, self._left - (self._clock() - self._asked))

    @property
    def section(self) -> float | None:
        """Seconds that a section takes, or a single image; None where none was drawn."""
        return self._section

    def _work_out(self, now: float, step: int, steps: int) -> None:
        """What is left as of now, `step` of a section's `steps` being done."""
        self._asked = now
        if self._section is not None:
            spent = max((time for number, time in self._whole.items() if number <= step), default=0.0)
            self._left = (self._sections + 1) * self._section - spent
        elif len(self._steps) > 1:
            self._left = _each(self._steps) * (steps - step + self._sections * steps)

    def _settle(self, now: float) -> None:
        """Take a complete section as the measure; in the first one, what its first step waited for does not count."""
        waited = 0.0
        if self._section is None and len(self._steps) > 1:
            number, time = next(iter(self._steps.items()))
            waited = max(0.0, time - number * _each(self._steps))
        self._whole = {number: time - waited for number, time in self._steps.items()}
        self._section = now - self._begin - waited


def _each(steps: dict[int, float]) -> float:
    """Seconds of a step, from the first to the last of two or more."""
    (first, begin), *_, (last, end) = steps.items()
    return (end - begin) / (last - first)
