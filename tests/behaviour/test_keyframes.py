"""Key frames and loops do to the embedded model's videos what they are for, on sixteen held-out pictures.

A picture's goal is how its scene looks after two seconds; what is measured is how near the frames come to it.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from training.judge import Clip, Judge, Subject

pytestmark = pytest.mark.slow

PICTURES = 16
QUICK = {"sampling": {"steps": 4}}
ONE, TWO, THREE = 1.0, 2.4, 3.6  # seconds that make so many sections


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    return Judge("tiny", PICTURES, tmp_path_factory.mktemp("judge"))


def distance(frames: Clip, goal: torch.Tensor) -> float:
    return float((frames - goal).abs().mean())


def distances(
    judge: Judge, frames: slice, seconds: float, keyframes: Callable[[Subject], dict[str, Any]]
) -> list[float]:
    """How far some frames of every picture's video are from its goal."""
    found = []
    for subject in judge.subjects:
        clip = judge.clip(subject, "", seconds=seconds, keyframes=keyframes(subject), **QUICK)
        found.append(distance(clip[frames], judge.alone(subject.last)[0]))
    return found


def test_a_final_frame_pulls_the_end_the_more_the_stronger_it_is(judge: Judge) -> None:
    end = slice(-1, None)
    strengths = [
        distances(judge, end, ONE, lambda s, x=x: {"final": s.last, "final_strength": x})  # type: ignore[misc]
        for x in (1.0, 0.5, 0.1)
    ]
    free = distances(judge, end, ONE, lambda s: {})
    full, half, little = (sum(column) for column in strengths)
    assert full < half < little
    assert sum(with_it < without for with_it, without in zip(strengths[0], free, strict=True)) >= PICTURES - 1


def test_a_section_image_pulls_its_section_and_no_other(judge: Judge) -> None:
    last, first = slice(37, None), slice(0, 20)
    free = distances(judge, last, TWO, lambda s: {})
    pulled = distances(judge, last, TWO, lambda s: {"sections": {0: s.last}})
    assert sum(p < f for p, f in zip(pulled, free, strict=True)) >= PICTURES - 2
    assert sum(pulled) < 0.7 * sum(free)
    subject = judge.subjects[0]
    start = judge.clip(subject, "", seconds=TWO, keyframes={"sections": {0: subject.last}}, **QUICK)[first]
    assert distance(start[:1], judge.alone(subject.picture)[0]) < distance(start[:1], judge.alone(subject.last)[0])


@pytest.mark.parametrize("loop", ["final", "seamless"])
def test_a_loop_ends_where_it_begins(judge: Judge, loop: str) -> None:
    steps: list[tuple[float, float]] = []
    for subject in judge.subjects:
        clip = judge.clip(subject, "the {s} jumps", seconds=THREE, keyframes={"loop": loop}, **QUICK)
        between = (clip[1:] - clip[:-1]).abs().mean((1, 2, 3))
        steps.append((distance(clip[-1], clip[0]), float(between.median())))
    smooth = [closing <= usual for closing, usual in steps]
    assert sum(smooth) >= PICTURES - 2, steps
