"""Sampling options do to the embedded model's videos what they are for, on up to eight held-out pictures."""

import pytest

from training.decoder import decibels
from training.judge import Judge

pytestmark = pytest.mark.slow

PICTURES = 8
FEW = 3  # where all steps are computed or each is a picture like another
ONE = 1.0  # seconds that make one section
LEAST = 6  # of 25 steps
ALIKE = 30.0  # decibels


@pytest.mark.parametrize("model", ["tiny", "tiny-f1"])
def test_the_step_cache_changes_little_and_saves_much(model: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    judge = Judge(model, FEW, tmp_path_factory.mktemp("judge"))
    likeness = []
    for subject in judge.subjects:
        (full, _), (cached, sections) = (
            judge.drawn(subject, "the {s} moves right", seconds=ONE, sampling={"teacache": on}) for on in (False, True)
        )
        likeness.append(decibels(judge.shots(cached), judge.shots(full)))
        assert all(section.reused >= LEAST for section in sections)
    assert min(likeness) >= ALIKE, likeness


def test_more_image_strength_moves_less(tmp_path_factory: pytest.TempPathFactory) -> None:
    judge = Judge("tiny-f1", PICTURES, tmp_path_factory.mktemp("judge"))
    ways = []
    for subject in judge.subjects:
        plain, strong = (
            judge.drawn(subject, "", seconds=ONE, sampling={"image_strength": x, "steps": 4})[0] for x in (1.0, 1.02)
        )
        ways.append(tuple(float((made[1:] - made[:1]).abs().mean()) for made in (plain, strong)))
    assert sum(strong < plain for plain, strong in ways) >= PICTURES - 1, ways


def test_seeds_differ_and_equal_seeds_agree(tmp_path_factory: pytest.TempPathFactory) -> None:
    judge = Judge("tiny", FEW, tmp_path_factory.mktemp("judge"))
    for subject in judge.subjects:
        one, again, other = (
            judge.drawn(subject, "", seconds=ONE, seed=seed, sampling={"steps": 3})[0] for seed in (1, 1, 2)
        )
        assert (one == again).all()
        assert (one[1:] != other[1:]).any()
