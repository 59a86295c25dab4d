"""How long a section takes, measured while a job runs, so that later ones can be forecast. Knows only events."""

import time
from collections.abc import Callable
from statistics import median

from eichi.events import Event, FrameDrawn, FrameStarted, SectionDone, Started


class Pace:
    """The seconds between one section's end and the next; sections that are taken over are not counted."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._mark = clock()
        self._spans: list[float] = []

    def take(self, event: Event) -> None:
        """Note when an event came."""
        if not isinstance(event, Started | FrameStarted | SectionDone | FrameDrawn):
            return
        now = self._clock()
        if isinstance(event, SectionDone | FrameDrawn) and event.computed:
            self._spans.append(now - self._mark)
        self._mark = now

    @property
    def seconds(self) -> float | None:
        """The usual time of a section, None where none was drawn. The first one waits for weights and counts less."""
        spans = self._spans[1:] or self._spans
        return median(spans) if spans else None
