"""How long a section takes, measured while a job runs, so that later ones can be forecast. Knows only events."""

import time
from collections.abc import Callable

from eichi.events import Event, FrameDrawn, FrameStarted, SectionDone, Started


class Pace:
    """The seconds that a job takes for a section, the decoding and writing of its frames included.

    Counted from the end of the first section where there are more, as that one waits for weights to be loaded.
    Sections that are taken over from before are not counted.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start = self._first = self._last = clock()
        self._sections = 0

    def take(self, event: Event) -> None:
        """Note when an event came."""
        self._last = self._clock()
        if isinstance(event, Started | FrameStarted):
            self._start = self._last
        if isinstance(event, SectionDone | FrameDrawn):
            self._sections += event.computed > 0
            if self._sections == 0:
                self._start = self._last
            elif self._sections == 1:
                self._first = self._last

    @property
    def seconds(self) -> float | None:
        """The time of a section, None where none was drawn."""
        if self._sections > 1:
            return (self._last - self._first) / (self._sections - 1)
        return self._last - self._start if self._sections else None
