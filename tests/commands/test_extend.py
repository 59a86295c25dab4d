"""`eichi extend`: the part after a video, the part before one, the gap between two."""

import json
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from eichi.video.clip import look
from eichi.video.metadata import read_record
from tests.clips import clip
from tests.program import Run

QUICK = ("--seconds", "0.6", "--section-size", "0.5", "--steps", "1", "--seed", "1", "--prompt", "p", "--json")


def test_a_video_is_made_longer_and_what_it_was_made_from_is_known(eichi: Run, tmp_path: Path) -> None:
    video = clip(tmp_path / "in.mp4", 12, 24, sound="aac")
    code, out, err = eichi("extend", video, "--model", "tiny-f1", "--context", 2, *QUICK)
    assert code == 0, err
    made = json.loads(out.splitlines()[-1])
    assert (made["frames"], made["seconds"]) == (20, pytest.approx(0.667, abs=0.001))
    whole = look(Path(made["video"]))
    assert (whole.frames, whole.rate, whole.sound) == (12 + 16, Fraction(24), "aac")
    record = read_record(Path(made["video"]))
    assert record["request"]["source"] == {"before": "in.mp4", "after": None, "context": 2, "sound": None}
    assert record["files"]["source.before"]["bytes"] == video.stat().st_size
    code, out, err = eichi("plan", "--from", made["video"], "--json")
    assert code == 0, err
    again = json.loads(out)
    assert [Path(path).name for path in again["sources"].values()] == ["in.mp4"]
    assert (again["frames"], again["images"]) == (20, {})
    assert again["whole"] == made["whole"] == {"frames": 28, "seconds": pytest.approx(28 / 24, abs=0.001)}
    code, out, _ = eichi("plan", "--from", made["video"], "--prompt", "[0s: runs]")
    assert "whole video: 1.17 s" in out.splitlines()[0]
    assert "common prompt" not in out
    code, out, _ = eichi("jobs", "add", "--continue", video, "--model", "tiny-f1", *QUICK[:-1])
    assert "1.2 s (+0.7)" in out


def test_the_part_before_a_video_and_the_gap_between_two(eichi: Run, tmp_path: Path) -> None:
    one, other = (clip(tmp_path / f"{name}.mp4", 12, first=first) for name, first in (("a", 0), ("b", 12)))
    picture = tmp_path / "start.png"
    Image.new("RGB", (64, 48)).save(picture)
    for words, frames in (((one, "--lead-to", other), 12 + 20 + 12), (("--lead-to", other, "--image", picture), 33)):
        code, out, err = eichi("extend", *words, *QUICK)
        assert code == 0, err
        assert look(Path(json.loads(out.splitlines()[-1])["video"])).frames == frames


def test_what_there_is_nothing_to_do_with_is_refused(eichi: Run, tmp_path: Path) -> None:
    video = clip(tmp_path / "in.mp4", 3)
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    for words, said in (
        ((), "--lead-to"),
        ((video, "--continue", video), "--continue"),
        ((text,), "text.mp4"),
        ((tmp_path / "none.mp4",), "none.mp4"),
        ((video, "--sound", text), "text.mp4"),
        ((video, "--model", "tiny-f1", "--lead-to", video), "standard model"),
        ((video, "--loop", "final"), "--loop"),
    ):
        code, out, err = eichi("extend", *words)
        assert (code, out) == (2, ""), words
        assert said in err
