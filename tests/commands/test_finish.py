"""`eichi finish --preview`: one frame, to a picture that is not there yet."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.clips import Made
from tests.program import Run, refused


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return Made().write(tmp_path / "clip.mp4")


def test_a_frame_is_written_and_told(eichi: Run, clip: Path, tmp_path: Path) -> None:
    told = eichi("finish", clip, "--scale", "0.5", "--preview", "0.2", tmp_path / "frame.png", "--json")
    answer = json.loads(told.out.splitlines()[-1])
    assert (told.code, answer["second"]) == (0, 0.2)
    with Image.open(answer["file"]) as image:
        assert image.size == (answer["width"], answer["height"])
    assert answer["file"] == str(tmp_path / "frame.png")


def test_no_file_that_is_there_is_written_over(eichi: Run, clip: Path, tmp_path: Path) -> None:
    taken = tmp_path / "frame.png"
    taken.write_bytes(b"mine")
    words = ["finish", str(clip), "--preview", "0", str(taken)]
    refused(eichi, tmp_path, words, "frame.png already exists")
    assert taken.read_bytes() == b"mine"
    before = clip.read_bytes()
    assert eichi("finish", clip, "--preview", "0", clip).code == 2
    assert clip.read_bytes() == before
