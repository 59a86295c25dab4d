"""Sampling options do to the embedded model's videos what they are for, on sixteen held-out pictures."""

import pytest

from eichi.events import SectionDone
from training.decoder import decibels
from training.judge import Judge, joined

pytestmark = pytest.mark.slow

PICTURES = 16
ONE = 1.0  # seconds that make one section
LEAST = 6  # of 25 steps
ALIKE = 30.0  # decibels


@pytest.mark.parametrize("model", ["tiny", "tiny-f1"])
def test_the_step_cache_changes_little_and_saves_much(model: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    judge = Judge(model, PICTURES, tmp_path_factory.mktemp("judge"))
    likeness = []
    for subject in judge.subjects:
        full, cached = (
            judge.events(subject, "the {s} moves right", seconds=ONE, sampling={"teacache": on}) for on in (False, True)
        )
        likeness.append(decibels(joined(cached), joined(full)))
        saved = [event.reused for event in cached if isinstance(event, SectionDone)]
        assert min(saved) >= LEAST
    assert min(likeness) >= ALIKE, likeness


def test_more_image_strength_moves_less(tmp_path_factory: pytest.TempPathFactory) -> None:
    judge = Judge("tiny-f1", PICTURES, tmp_path_factory.mktemp("judge"))
    ways = [
        [
            judge.drift(subject, judge.clip(subject, "", seconds=ONE, sampling={"image_strength": x, "steps": 4}))
            for x in (1.0, 1.02)
        ]
        for subject in judge.subjects
    ]
    assert sum(strong < plain for plain, strong in ways) >= PICTURES - 3, ways


def test_seeds_differ_and_equal_seeds_agree(tmp_path_factory: pytest.TempPathFactory) -> None:
    judge = Judge("tiny", PICTURES, tmp_path_factory.mktemp("judge"))
    for subject in judge.subjects:
        one, again, other = (
            judge.clip(subject, "", seconds=ONE, seed=seed, sampling={"steps": 4}) for seed in (1, 1, 2)
        )
        assert (one == again).all()
        assert (one != other).any()
