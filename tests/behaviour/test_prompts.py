"""A section's own prompt rules its section, on eight held-out pictures and with both models, and so does a piece of
the common prompt.

No photographs: in them the embedded standard model does not turn round reliably, see its card.
"""

import pytest
import torch
from torch import Tensor

from eichi.catalog import find
from training import track
from training.judge import Judge, Subject
from training.words import DIRECTIONS

pytestmark = pytest.mark.slow

PICTURES, QUICK = 8, {"sampling": {"steps": 4}}
SCENES = 14  # among them at least so many that are no photographs
TWO = 2.4  # seconds that make two sections of nine latents, beside the start picture's own
FEW, LATE = 3, 10  # pictures whose prompts are in time, and the first latent of the later section
SPANS = [0, 9, 10, 18]  # the first and the last latent of what each section shows
OPPOSITE = {"right": "left", "up": "down"}


@pytest.fixture(scope="module", params=["tiny", "tiny-f1"])
def judge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Judge:
    return Judge(request.param, SCENES, tmp_path_factory.mktemp("judge"))


def test_opposite_prompts_go_opposite_ways_in_their_sections(judge: Judge) -> None:
    reverse = find(judge.components.entry.name).direction == "reverse"
    ways: list[tuple[str, str, float, float]] = []
    subjects = [subject for subject in judge.subjects if subject.scene.kind != "photo"][:PICTURES]
    assert len(subjects) == PICTURES
    for number, subject in enumerate(subjects):
        word = list(OPPOSITE)[number % len(OPPOSITE)]
        early, late = word, OPPOSITE[word]
        # Section 0 is the video's end for the standard model, its start for F1.
        said = (late, early) if reverse else (early, late)
        prompts = {k: f"the {subject.sprite} moves {way}" for k, way in enumerate(said)}
        made, _ = judge.drawn(subject, "", seconds=TWO, keyframes={"prompts": prompts}, **QUICK)
        ways.append((subject.scene.name, early, *went(judge, subject, made, (early, late))))
    kept = [first > 0 and second > 0 for *_, first, second in ways]
    assert sum(kept) >= 0.8 * PICTURES, ways


def test_pieces_in_time_are_as_section_prompts(judge: Judge) -> None:
    reverse = find(judge.components.entry.name).direction == "reverse"
    ways: list[tuple[float, ...]] = []
    for number, subject in enumerate([one for one in judge.subjects if one.scene.kind != "photo"][:FEW]):
        early = list(OPPOSITE)[number % len(OPPOSITE)]
        late = OPPOSITE[early]
        said = f"the {subject.sprite} [0s: moves {early}] [50%: moves {late}]"
        made, _ = judge.drawn(subject, said, seconds=TWO, **QUICK)
        ways.append(went(judge, subject, made, (early, late)))
        if number == 0:
            both = [f"the {subject.sprite} moves {way}" for way in (early, late)]
            prompts = dict(enumerate(both[::-1] if reverse else both))
            own, _ = judge.drawn(subject, "nothing of it", seconds=TWO, keyframes={"prompts": prompts}, **QUICK)
            assert torch.equal(own, made)
            blended, _ = judge.drawn(subject, said, seconds=TWO, keyframes={"blend": 1}, **QUICK)
            assert not torch.equal(blended[LATE:], made[LATE:])
            assert torch.equal(blended[1:LATE], made[1:LATE]) is not reverse  # made before what is blended
    assert sum(min(way) > 0 for way in ways) >= FEW - 1, ways


def went(judge: Judge, subject: Subject, made: Tensor, words: tuple[str, str]) -> tuple[float, float]:
    """How far the sprite goes in the first section as the first word says, and in the second as the second one."""
    places, _ = track.centres(judge.shots(made[SPANS]), subject.background)
    first, second = (
        step[0] * DIRECTIONS[way][0] + step[1] * DIRECTIONS[way][1]
        for step, way in zip((places[1::2] - places[::2]).tolist(), words, strict=True)
    )
    return first, second
