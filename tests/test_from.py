"""A result gives its request back: `--from`, with changes on top."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from eichi import make_plan
from eichi.cli import commands
from eichi.errors import InputError, OptionError
from eichi.flags import read_request, request_of
from eichi.library.restore import restore
from eichi.options import FrameOptions, VideoOptions
from eichi.video.metadata import record, save_png
from eichi.words import ENGLISH, languages, say


@pytest.fixture
def result(tmp_path: Path, picture: Path) -> Path:
    options = VideoOptions.parse(
        {
            "image": picture,
            "prompt": "a star\nturns",
            "seconds": 3,
            "seed": 4,
            "keyframes": {"prompts": {0: "stop"}, "sections": {1: picture}},
        }
    )
    path = tmp_path / "result.png"
    save_png(path, np.zeros((8, 8, 3), dtype=np.uint8), record(make_plan(options)))
    return path


def test_everything_comes_back(result: Path, picture: Path) -> None:
    options = read_request(VideoOptions, (), {"source": result}, ENGLISH)
    assert make_plan(options).options == options
    assert (options.prompt, options.seed, options.keyframes.prompts) == ("a star\nturns", 4, {0: "stop"})


def test_flags_and_assignments_change_it(result: Path) -> None:
    options = read_request(VideoOptions, ("sampling.rescale=0.5",), {"source": result, "seed": "9"}, ENGLISH)
    assert (options.seed, options.sampling.rescale, options.seconds) == (9, 0.5, 3.0)


def test_an_empty_assignment_leaves_an_option_open_again(result: Path) -> None:
    options = read_request(VideoOptions, ("seed=", "sampling.padding=", "prompt="), {"source": result}, ENGLISH)
    assert (options.seed, options.sampling.padding, options.prompt, options.seconds) == (None, None, "", 3.0)
    with pytest.raises(OptionError, match="seconds"):
        read_request(VideoOptions, ("seconds=",), {"source": result}, ENGLISH)


def test_another_kind_is_refused(result: Path) -> None:
    with pytest.raises(InputError, match="kind video"):
        read_request(FrameOptions, (), {"source": result}, ENGLISH)


def test_what_does_not_fit_is_told_in_the_language(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = PngInfo()
    text.add_text("parameters", "p\nSeed: 99999999999")
    Image.new("RGB", (8, 8)).save(tmp_path / "foreign.png", pnginfo=text)
    (note,) = restore(tmp_path / "foreign.png").notes
    for language in languages():
        assert request_of(tmp_path / "foreign.png", VideoOptions, language) == {"prompt": "p"}
        assert capsys.readouterr().err == f"{say(note.id, language, **note.values)}\n"


def test_on_the_command_line(result: Path) -> None:
    run = CliRunner().invoke(commands, ["plan", "--from", str(result), "--seconds", "1", "--set", "keyframes={}"])
    assert run.exit_code == 2
    run = CliRunner().invoke(commands, ["plan", "--from", str(result), "--prompt", "new", "--json"])
    sections = json.loads(run.stdout)["sections"]
    assert [section["prompt"] for section in sections] == ["stop", "new"]
