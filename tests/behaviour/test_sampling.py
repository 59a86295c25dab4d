"""Sampling options do to the embedded model's videos what they are for, on up to eight held-out pictures."""

from pathlib import Path

import pytest

from training.decoder import decibels
from training.judge import Judge

pytestmark = pytest.mark.slow

PICTURES = 8
FEW = 3  # where all steps are computed or each is a picture like another
ONE = 1.0  # seconds that make one section
LEAST = 6  # of 25 steps
ALIKE = 30.0  # decibels
WILD = {"cfg": 4.0, "steps": 3, "teacache": False}


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


def test_a_negative_prompt_without_cfg_is_moved_away_from(tmp_path_factory: pytest.TempPathFactory) -> None:
    judge = Judge("tiny", FEW, tmp_path_factory.mktemp("judge"))
    sampling = {"nag": 8.0, "nag_alpha": 0.8, "nag_tau": 2.0, "steps": 4, "teacache": False}
    ways = []
    for subject in judge.subjects:
        away = (f"the {subject.sprite} moves {way}" for way in ("left", "right"))
        made = (judge.drawn(subject, "", seconds=ONE, sampling=sampling, negative=words)[0] for words in away)
        ways.append([judge.moved(subject, judge.shots(latents[[0, -1]]))[0] for latents in made])
    assert sum(not_left > not_right for not_left, not_right in ways) >= FEW - 1, ways


@pytest.mark.parametrize("sampling", [{"vision": 0.0}, {"vision": 2.0}, {"rope": 0.5}, {"rope": 0.5, "rope_from": 0}])
def test_what_changes_little_reaches_the_model(tmp_path: Path, sampling: dict[str, float]) -> None:
    judge = Judge("tiny-f1", 1, tmp_path)
    (subject,) = judge.subjects
    plain, changed = (
        judge.drawn(subject, "", seconds=ONE, sampling={"steps": 2} | given)[0] for given in ({}, sampling)
    )
    assert (plain[1:] - changed[1:]).abs().mean() > 0.001


def test_colours_come_back_to_those_of_the_first_section(tmp_path_factory: pytest.TempPathFactory) -> None:
    """CFG without steps enough for it makes colours drift."""
    judge = Judge("tiny-f1", 3, tmp_path_factory.mktemp("judge"))
    apart = []
    for subject in judge.subjects:
        clips = (
            judge.clip(subject, "", seconds=1.3, section_size=0.5, sampling=WILD, output={"colour": strength})
            for strength in (0.0, 1.0)
        )
        means = [[part.mean((0, 2, 3)) for part in (clip[1:13], clip[-20:])] for clip in clips]
        apart.append([float((late - early).abs().max()) for early, late in means])
    assert all(corrected < plain for plain, corrected in apart), apart
