"""What is left of a job follows from what was measured, on a clock that the test turns."""

import pytest

from eichi.events import Event, Finished, FrameDrawn, SectionDone, Started, Step
from eichi.pace import Pace

STEPS = 4


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Job:
    """Plays events to a pace; every call says how long they take."""

    def __init__(self, sections: int) -> None:
        self.clock, self.sections = Clock(), sections
        self.pace = Pace(self.clock)
        self.tell(0, Started("tiny", 1, "cpu", 64, 48, 37, 1.2, sections))

    def tell(self, seconds: float, event: Event) -> None:
        self.clock.now += seconds
        self.pace.take(event)

    def steps(self, order: int, *seconds: float, after: int = 0) -> None:
        for step, spent in enumerate(seconds, start=after + 1):
            self.tell(spent, Step(order, self.sections, step, STEPS))

    def done(self, order: int, seconds: float = 0.0) -> None:
        self.tell(seconds, SectionDone(order, order, self.sections, STEPS, 0))


def test_nobody_knows_at_first() -> None:
    job = Job(2)
    assert (job.pace.left, job.pace.fraction) == (None, 0.0)
    job.steps(0, 30)
    assert job.pace.left is None  # how much of that was loading is not known yet


def test_steps_are_the_measure_until_a_section_is_done() -> None:
    job = Job(2)
    job.steps(0, 30, 2)
    assert job.pace.left == pytest.approx(2 * 2 + 4 * 2)
    assert job.pace.fraction == pytest.approx(2 / 8)


def test_loading_is_not_counted_again() -> None:
    job = Job(3)
    job.steps(0, 30, 2, 2, 2)
    job.done(0, 1)
    assert job.pace.left == pytest.approx(2 * 9)


def test_uneven_steps_are_known_from_the_section_before() -> None:
    job = Job(3)
    job.steps(0, 4, 4, 4, 4)
    job.done(0)
    job.steps(1, 6, 1, 1, 6)
    job.done(1, 1)
    assert job.pace.left == pytest.approx(15)
    job.steps(2, 6)
    assert job.pace.left == pytest.approx(9)
    job.steps(2, 1, 1, after=1)
    assert job.pace.left == pytest.approx(7)


def test_time_passes_between_two_events() -> None:
    job = Job(1)
    job.steps(0, 2, 2)
    job.clock.now += 3
    assert job.pace.left == pytest.approx(1)
    job.clock.now += 30
    assert job.pace.left == 0.0


def test_sections_that_are_taken_over_are_no_measure() -> None:
    job = Job(4)
    job.done(0)
    job.done(1)
    assert job.pace.fraction == pytest.approx(0.5)
    assert job.pace.left is None
    job.steps(2, 9, 2, 2)
    assert job.pace.left == pytest.approx(2 + 8)


def test_the_end_is_the_end() -> None:
    job = Job(1)
    job.steps(0, 2, 2, 2, 2)
    job.done(0)
    job.tell(5, Finished("v.mp4", "v.png", 1, 37, 1.2, 1))
    assert (job.pace.fraction, job.pace.left) == (1.0, 0.0)


def test_the_time_of_a_section_is_that_of_the_last_complete_one() -> None:
    job = Job(3)
    assert job.pace.section is None
    job.steps(0, 5.0, 1.0, 1.0, 1.0)
    job.done(0)
    assert job.pace.section == pytest.approx(4.0)  # the first step waited four seconds for the weights
    job.steps(1, 2.0, 2.0, 2.0, 2.0)
    job.done(1, 1.0)
    assert job.pace.section == pytest.approx(9.0)


def test_a_single_image_is_measured_like_a_section() -> None:
    job = Job(1)
    job.steps(0, 1.0, 1.0, 1.0, 1.0)
    job.tell(0.0, FrameDrawn(STEPS, 0))
    assert job.pace.section == pytest.approx(4.0)


def test_steps_that_nobody_told_of_are_no_trouble() -> None:
    job = Job(2)
    job.tell(2.0, Step(0, 2, 3, STEPS))
    job.done(0, 2.0)
    assert job.pace.section == pytest.approx(4.0)
    for step in range(1, STEPS + 1):
        job.tell(1.0, Step(1, 2, step, STEPS))
    assert job.pace.left == pytest.approx(2.0)
