"""Key frames and loops do to the embedded model's videos what they are for, on up to eight held-out pictures.

A picture's goal is how its scene looks after two seconds; what is measured is how near the latents come to it.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from training.judge import Judge, Subject

pytestmark = pytest.mark.slow

PICTURES, FEW = 8, 4  # few where all frames are decoded
QUICK = {"sampling": {"steps": 4}}
ONE, TWO = 1.0, 2.4  # seconds that make so many sections


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    return Judge("tiny", PICTURES, tmp_path_factory.mktemp("judge"))


def distances(judge: Judge, seconds: float, keyframes: Callable[[Subject], dict[str, Any]]) -> torch.Tensor:
    """How far every latent of every picture's video is from its goal, (pictures, latents)."""
    found = []
    for subject in judge.subjects:
        made, _ = judge.drawn(subject, "", seconds=seconds, keyframes=keyframes(subject), **QUICK)
        found.append((made - judge.latent(subject.last)).abs().mean((1, 2, 3)))
    return torch.stack(found)


def test_a_final_frame_pulls_the_end_the_more_the_stronger_it_is(judge: Judge) -> None:
    full, half, little, free = (
        distances(judge, ONE, lambda s, x=x: {"final": s.last, "final_strength": x} if x else {})[:, -1]  # type: ignore[misc]
        for x in (1.0, 0.5, 0.1, 0.0)
    )
    assert full.sum() < half.sum() < little.sum()
    assert (full < free).sum() >= PICTURES - 1


def test_a_section_image_pulls_its_section_most(judge: Judge) -> None:
    free, held = (distances(judge, TWO, lambda s, k=k: {"sections": {0: s.last} if k else {}}) for k in (False, True))  # type: ignore[misc]
    early, late = ((free - held)[:, part].mean(1) for part in (slice(1, 10), slice(10, None)))
    assert (late > 0).sum() >= PICTURES - 1
    assert (late > early).sum() >= PICTURES - 1
    # An even way from the start picture to a section that stays at its image comes half as near: twice is a jump.
    assert late.sum() > 1.5 * early.sum()


@pytest.mark.parametrize(("loop", "seconds"), [("final", ONE), ("seamless", TWO)])
def test_a_loop_ends_where_it_begins(judge: Judge, loop: str, seconds: float) -> None:
    steps: list[tuple[float, float]] = []
    for subject in judge.subjects[:FEW]:
        clip = judge.clip(subject, "the {s} jumps", seconds=seconds, keyframes={"loop": loop}, **QUICK)
        between = (clip[1:] - clip[:-1]).abs().mean((1, 2, 3))
        steps.append((float((clip[-1] - clip[0]).abs().mean()), float(between.median())))
    assert all(closing <= usual for closing, usual in steps), steps
