"""A section's own prompt rules its section, on sixteen held-out pictures and with both models."""

import pytest

from eichi.catalog import find
from training import track
from training.judge import Judge

pytestmark = pytest.mark.slow

PICTURES, QUICK = 16, {"sampling": {"steps": 4}}
TWO = 2.4  # seconds that make two sections, 36 frames each beside the start picture's own
OPPOSITE = {"right": "left", "up": "down"}


@pytest.fixture(scope="module", params=["tiny", "tiny-f1"])
def judge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Judge:
    return Judge(request.param, PICTURES, tmp_path_factory.mktemp("judge"))


def test_opposite_prompts_go_opposite_ways_in_their_sections(judge: Judge) -> None:
    reverse = find(judge.components.entry.name).direction == "reverse"
    ways: list[tuple[str, float, float]] = []
    for number, subject in enumerate(judge.subjects):
        word = list(OPPOSITE)[number % len(OPPOSITE)]
        said = {k: f"the {subject.sprite} moves {w}" for k, w in enumerate((word, OPPOSITE[word]))}
        early, late = (OPPOSITE[word], word) if reverse else (word, OPPOSITE[word])
        clip = judge.clip(subject, "", seconds=TWO, keyframes={"prompts": said}, **QUICK)
        places, _ = track.centres(clip, subject.background)
        axis = 0 if word == "right" else 1
        first, second = (float((places[b] - places[a])[axis]) for a, b in ((0, 36), (37, 72)))
        signs = {"right": 1, "left": -1, "up": -1, "down": 1}
        ways.append((subject.scene.name, first * signs[early], second * signs[late]))
    kept = [first > 0 and second > 0 for _, first, second in ways]
    assert sum(kept) >= 0.85 * PICTURES, ways
