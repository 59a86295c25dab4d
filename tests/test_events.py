"""Events are plain values, except for pixels, which never leave the process."""

import json

import numpy as np
import pytest

from eichi.events import (
    Adjusted,
    Changed,
    Event,
    Failed,
    Finished,
    FramesReady,
    SectionDone,
    Started,
    Step,
    Stopped,
    message,
    read,
)

EVENTS: list[Event] = [
    Started("tiny", 1, "cpu", 64, 48, 37, 1.23, 1),
    Adjusted("note.seconds", {"asked": 1.0, "real": 1.23}),
    Step(0, 2, 1, 4),
    SectionDone(0, 0, 2, 3, 1),
    Finished("a.mp4", "a.png", 1, 37, 1.23, 1),
    Stopped(None, 1, 0, 0),
    Failed("error.run.nan", {"number": 0}),
    Changed("held"),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_a_message_is_the_event_in_plain_values(event: Event) -> None:
    values = json.loads(json.dumps(message(event)))
    assert values.pop("event") == type(event).__name__
    assert type(event)(**values) == event
    assert read(message(event)) == event


def test_pixels_are_told_not_sent() -> None:
    event = FramesReady(5, np.zeros((3, 8, 8, 3), dtype=np.uint8))
    assert message(event) == {"event": "FramesReady", "first": 5, "frames": 3}
    assert read(message(event)) is None


def test_the_share_of_a_job_grows_from_nothing_to_one() -> None:
    shares = [Step(order, 2, step, 4).fraction for order in range(2) for step in range(5)]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
