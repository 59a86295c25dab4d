"""The embedded model does what it is told, through the whole program: a small sample of `make behaviour`.

Pictures are held out from training. The empty prompt is the control that keeps the test honest: without a word the
sprite must not go every named way.
"""

from pathlib import Path

import pytest

from eichi.catalog import find
from training.judge import LEAST, Clip, Judge, Subject
from training.words import DIRECTIONS

pytestmark = pytest.mark.slow

PICTURES = 4
QUICK = {"seconds": 1.0, "sampling": {"steps": 8}}


@pytest.fixture(scope="module", params=["tiny", "tiny-f1"])
def judge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Judge:
    return Judge(request.param, PICTURES, tmp_path_factory.mktemp("judge"))


def shown(judge: Judge, subject: Subject, said: str) -> Clip:
    """What the latents of a video show, one picture each."""
    return judge.shots(judge.drawn(subject, said, **QUICK)[0])


def test_the_word_moves_the_sprite(judge: Judge) -> None:
    ways = [(subject.scene.name, direction, way) for subject, direction, way in judge.obeyed(**QUICK)]
    wrong = [way for way in ways if way[2] <= LEAST]
    assert len(wrong) <= len(ways) // 8, wrong


def test_no_word_is_no_direction(judge: Judge) -> None:
    clips = [(subject, shown(judge, subject, "")) for subject in judge.subjects]
    passed = [judge.went(subject, clip, way) > LEAST for subject, clip in clips for way in DIRECTIONS]
    assert sum(passed) <= len(passed) // 2


def test_standing_still_moves_least(judge: Judge) -> None:
    subject = judge.subjects[0]
    still = judge.drift(subject, shown(judge, subject, "the {s} stands still"))
    for direction in DIRECTIONS:
        assert still < judge.drift(subject, shown(judge, subject, f"the {{s}} moves {direction}"))


def test_the_first_frame_is_the_picture(judge: Judge) -> None:
    for subject in judge.subjects[:2]:
        assert judge.likeness(subject, judge.clip(subject, "the {s} jumps", **QUICK)) >= 30.0


@pytest.mark.parametrize("model", ["tiny", "tiny-f1"])
def test_words_move_it_in_larger_pictures_too(model: str, tmp_path: Path) -> None:
    judge = Judge(model, 1, tmp_path, find(model).resolution)
    subject = judge.subjects[0]
    for direction in ("right", "up"):
        clip = shown(judge, subject, f"the {{s}} moves {direction}")
        assert clip.shape[-2:] == (128, 128)
        assert judge.went(subject, clip, direction) > LEAST
