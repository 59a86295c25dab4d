"""How far a job is and how long it still takes, from the times that its sections really took.

The first section is slower than the others: weights are loaded and caches filled in it. TeaCache makes steps uneven:
the ones at the start and at the end take longest. So a section that is complete is the measure for those to come, and
the times of its steps tell how much of the present one is left. Until there is one, the steps so far are the measure.

Follows events and a clock, and knows no terminal, page or store.
"""

import time
from collections.abc import Callable

from eichi.events import Event, Finished, FrameDrawn, FrameFinished, FrameStarted, SectionDone, Started, Step


class Pace:
    """The pace of one job. Give it every event as it comes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds that only grow."""
        self.fraction = 0.0  # share of the work that is done, 0-1
        self._clock = clock
        self._begin = 0.0  # when the present section began
        self._steps: list[float] = []  # when its steps were done, in seconds from its beginning
        self._whole: list[float] = []  # the same of the last complete section, and when it was done
        self._sections = 0  # sections left after the present one
        self._left: float | None = None
        self._asked = 0.0  # when `_left` was worked out

    def take(self, event: Event) -> None:
        """Learn from an event."""
        now = self._clock()
        match event:
            case Started() | FrameStarted():
                self._begin = now
            case Step():
                self._steps.append(now - self._begin)
                self._sections = event.sections - event.order - 1
                self.fraction = event.fraction
                self._work_out(now, event.steps)
            case SectionDone():
                if self._steps:  # a section that is taken over takes no time
                    self._whole = _settled(self._steps, now - self._begin, first=not self._whole)
                self.fraction = (event.order + 1) / event.sections
                self._begin, self._steps = now, []
                self._sections = event.sections - event.order - 2
                self._work_out(now, 0)
            case FrameDrawn():
                self._whole = _settled(self._steps, now - self._begin, first=True)
            case Finished() | FrameFinished():
                self.fraction, self._left, self._asked = 1.0, 0.0, now

    @property
    def left(self) -> float | None:
        """Seconds until the job is done, None while nobody can know."""
        return None if self._left is None else max(0.0, self._left - (self._clock() - self._asked))

    @property
    def section(self) -> float | None:
        """Seconds that a section takes, or a single image; None where none was drawn."""
        return self._whole[-1] if self._whole else None

    def _work_out(self, now: float, steps: int) -> None:
        """What is left as of now; `steps` is the number of steps of a section."""
        done, self._asked = len(self._steps), now
        if self._whole:
            whole = self._whole[-1]
            self._left = (self._sections + 1) * whole - (self._whole[done - 1] if done else 0.0)
        elif done > 1:
            each = (self._steps[-1] - self._steps[0]) / (done - 1)
            self._left = each * (steps - done + self._sections * steps)


def _settled(steps: list[float], whole: float, first: bool) -> list[float]:
    """The times of a complete section; in the first one, loading before its first step counts as one step more."""
    if not first or len(steps) < 2:
        return [*steps, whole]
    loading = max(0.0, steps[0] - (steps[-1] - steps[0]) / (len(steps) - 1))
    return [time - loading for time in (*steps, whole)]
