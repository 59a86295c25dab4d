"""A section's time: what was drawn counts, what loaded or was taken over does not."""

import pytest

from eichi.events import Event, Finished, FrameDrawn, FrameStarted, SectionDone, Started
from eichi.jobs.pace import Pace

STARTED = Started("tiny", 1, "cpu", 80, 48, 37, 1.2, 2)
FINISHED = Finished("v.mp4", "v.png", 1, 37, 1.2, 2)


def done(computed: int = 2) -> SectionDone:
    return SectionDone(0, 0, 3, computed, 0)


@pytest.mark.parametrize(
    ("events", "seconds"),
    [
        ([(5, STARTED)], None),
        ([(5, STARTED), (15, done()), (17, FINISHED)], 12.0),
        ([(5, STARTED), (65, done()), (70, done()), (75, done()), (79, FINISHED)], 7.0),
        ([(5, STARTED), (6, done(0)), (8, done()), (9, FINISHED)], 3.0),
        ([(5, STARTED), (6, done(0)), (7, done(0))], None),
        ([(5, FrameStarted("tiny", 1, "cpu", 80, 48, {})), (9, FrameDrawn(2, 0)), (10, FINISHED)], 5.0),
    ],
)
def test_the_time_of_a_section(events: list[tuple[float, Event]], seconds: float | None) -> None:
    times = iter([0.0, *(time for time, _ in events)])
    pace = Pace(lambda: next(times))
    for _, event in events:
        pace.take(event)
    assert pace.seconds == seconds
