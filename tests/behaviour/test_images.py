"""Single images follow the embedded model's word and its masks, on eight held-out pictures."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training import track
from training.judge import SIDE, Judge

pytestmark = pytest.mark.slow

PICTURES, QUICK = 8, {"sampling": {"steps": 4}}


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    return Judge("tiny", PICTURES, tmp_path_factory.mktemp("judge"))


def test_what_is_masked_out_changes_more_than_what_is_kept(judge: Judge, tmp_path: Path) -> None:
    width = SIDE
    kept = np.full((SIDE, SIDE), 255, np.uint8)
    kept[:, width // 2 :] = 0
    Image.fromarray(kept).save(tmp_path / "mask.png")
    changes = []
    for subject in judge.subjects:
        image = judge.image(subject, "the {s} stands still", target=1, mask=tmp_path / "mask.png", **QUICK)
        change = (image - judge.alone(subject.picture))[0].abs().mean(0)
        changes.append((float(change[:, : width // 2].mean()), float(change[:, width // 2 :].mean())))
    assert sum(gone > there for there, gone in changes) >= PICTURES - 1, changes


def test_an_image_shows_its_moment(judge: Judge) -> None:
    """The further the target, the further the sprite has gone."""
    ways = []
    for subject in judge.subjects:
        near, far = (judge.image(subject, "the {s} moves right", target=target, **QUICK) for target in (2, 9))
        ways.append([track.centres(image, subject.background)[0][0, 0] for image in (near, far)])
    assert sum(bool(far > near) for near, far in ways) >= PICTURES - 3, ways
