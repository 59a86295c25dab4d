"""A result gives its request back: `--from`, with changes on top."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from eichi import make_frame_plan, make_plan
from eichi.cli import commands
from eichi.errors import InputError, OptionError
from eichi.flags import read_request, request_of
from eichi.library.restore import restore
from eichi.lines import in_terminal
from eichi.options import FrameOptions, VideoOptions
from eichi.settings import load_settings
from eichi.video.metadata import record, save_png
from eichi.words import languages


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
    options = read_request(VideoOptions, (), {"source": result}, load_settings())
    assert make_plan(options).options == options
    assert (options.prompt, options.seed, options.keyframes.prompts) == ("a star\nturns", 4, {0: "stop"})


def test_flags_and_assignments_change_it(result: Path) -> None:
    options = read_request(VideoOptions, ("sampling.rescale=0.5",), {"source": result, "seed": "9"}, load_settings())
    assert (options.seed, options.sampling.rescale, options.seconds) == (9, 0.5, 3.0)


def test_an_empty_assignment_leaves_an_option_open_again(result: Path) -> None:
    options = read_request(VideoOptions, ("seed=", "sampling.padding=", "prompt="), {"source": result}, load_settings())
    assert (options.seed, options.sampling.padding, options.prompt, options.seconds) == (None, None, "", 3.0)
    with pytest.raises(OptionError, match="seconds"):
        read_request(VideoOptions, ("seconds=",), {}, load_settings())


def test_another_kind_is_refused(result: Path) -> None:
    with pytest.raises(InputError, match="type “Video”"):
        read_request(FrameOptions, (), {"source": result}, load_settings())


def test_what_does_not_fit_is_told_in_the_language(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = PngInfo()
    text.add_text("parameters", "p\nSeed: 99999999999")
    Image.new("RGB", (8, 8)).save(tmp_path / "foreign.png", pnginfo=text)
    (note,) = restore(tmp_path / "foreign.png").notes
    for language in languages():
        monkeypatch.setenv("EICHI_LANGUAGE", language)
        assert request_of(tmp_path / "foreign.png", VideoOptions, load_settings()) == {"prompt": "p"}
        assert capsys.readouterr().err == f"{in_terminal(note, language)}\n"


def test_on_the_command_line(result: Path) -> None:
    run = CliRunner().invoke(commands, ["plan", "--from", str(result), "--seconds", "1", "--set", "keyframes={}"])
    assert run.exit_code == 2
    run = CliRunner().invoke(commands, ["plan", "--from", str(result), "--prompt", "new", "--json"])
    sections = json.loads(run.stdout)["sections"]
    assert [section["prompt"] for section in sections] == ["stop", "new"]


def test_what_the_file_brought_can_be_dropped(result: Path, tmp_path: Path) -> None:
    def read(*assignments: str) -> VideoOptions:
        return read_request(VideoOptions, assignments, {"source": result}, load_settings())

    assert read().keyframes.sections.keys() == {1}
    for drop in ("keyframes.sections=", "keyframes.sections.1=", "keyframes="):
        assert read(drop).keyframes.sections == {}
        assert bool(read(drop).keyframes.prompts) == (drop != "keyframes=")
    assert read("seconds=").seconds == VideoOptions().seconds
    assert read("keyframes.sections.1=other.png").keyframes.sections == {1: Path("other.png")}
    with pytest.raises(OptionError, match=r"keyframes\.sections\.0=.*It has: 1"):
        read("keyframes.sections.0=")
    with pytest.raises(OptionError, match=r"keyframes.*--section N:VALUE"):
        read("keyframes.sections=x")
    with pytest.raises(OptionError, match="nope"):
        read("keyframes.nope=")
    assert read_request(VideoOptions, ("keyframes.sections=",), {}, load_settings()) == VideoOptions()


def test_entries_of_a_list_go_by_their_places(tmp_path: Path, picture: Path) -> None:
    references = [{"image": picture, "mask": picture}, {"image": picture, "index": 3}, {"image": picture, "index": 5}]
    made = record(make_frame_plan(FrameOptions.parse({"image": picture, "references": references})))
    save_png(tmp_path / "result.png", np.zeros((8, 8, 3), dtype=np.uint8), made)
    drops = ("references.0=", "references.1.index=", "references.2=")
    options = read_request(FrameOptions, drops, {"source": tmp_path / "result.png"}, load_settings())
    assert [(one.index, one.mask) for one in options.references] == [(None, None)]


def test_shorter_and_with_the_other_model(result: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = CliRunner().invoke(commands, ["plan", "--from", str(result), "--seconds", "1", "--json"])
    assert (run.exit_code, run.stderr.count("left out")) == (0, 1)
    assert len(json.loads(run.stdout)["sections"]) == 1
    run = CliRunner().invoke(commands, ["plan", "--from", str(result), "--model", "tiny-f1", "--json"])
    assert (run.exit_code, run.stderr.count("left out")) == (0, 1)
    assert "is an F1 model" in run.stderr
    typed = ["--seconds", "1", "--section-prompt", "2:x"]
    run = CliRunner().invoke(commands, ["plan", "--from", str(result), *typed])
    assert run.exit_code == 2
    assert "no section 2" in run.stderr


def test_from_another_folder(result: Path, picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pictures lie beside the result, then below the folder that one works in, then nowhere."""
    elsewhere = result.parent / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    words = ["plan", "--from", str(result), "--json"]
    assert CliRunner().invoke(commands, words).exit_code == 0
    (elsewhere / "deep").mkdir()
    there = picture.rename(elsewhere / "deep" / picture.name)
    run = CliRunner().invoke(commands, words)
    assert json.loads(run.stdout)["images"]["image"] == str(there)
    aside = there.rename(result.parent / "aside.png")
    run = CliRunner().invoke(commands, words)
    assert run.exit_code == 2
    assert "choose it again" in run.stderr
    run = CliRunner().invoke(commands, [*words, "--image", str(aside), "--set", "keyframes.sections="])
    assert (run.exit_code, "choose it again" in run.stderr) == (0, False)
