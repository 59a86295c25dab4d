"""A file gives its options back: whole where it was made here, what there is where it was not."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, PngImagePlugin

from eichi import make_frame_plan, make_plan
from eichi.cli import commands
from eichi.declare import walk
from eichi.errors import InputError
from eichi.library.outside import over
from eichi.library.restore import restore
from eichi.library.whereabouts import Places, marks_of
from eichi.options import FrameOptions, Request, VideoOptions
from eichi.video.latentfile import Latents, save_latents
from eichi.video.metadata import record, save_png, tags
from eichi.video.writer import Writer

PIXELS = np.zeros((1, 48, 64, 3), dtype=np.uint8)


def foreign(path: Path, text: str, key: str = "parameters") -> Path:
    info = PngImagePlugin.PngInfo()
    info.add_text(key, text)
    Image.new("RGB", (8, 8)).save(path, pnginfo=info)
    return path


def save(path: Path, values: dict[str, Any]) -> Path:
    if path.suffix == ".png":
        save_png(path, PIXELS[0], values)
    elif path.suffix == ".safetensors":
        save_latents(path, Latents(np.zeros((1, 16, 2, 6, 8), dtype=np.float32), 0), values)
    else:
        with Writer(path, 64, 48, 16) as writer:
            writer.add(0, PIXELS)
            writer.publish(tags(values))
    return path


@pytest.mark.parametrize("name", ["a.png", "a.mp4", "a.safetensors"])
def test_what_was_made_here_comes_back_whole(
    tmp_path: Path, picture: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    asked = {
        "image": picture,
        "prompt": "a\nb",
        "sampling": {"steps": 3},
        "keyframes": {"prompts": {0: "c"}},
        "seed": 5,
    }
    plan = make_plan(VideoOptions.parse(asked))
    restored = restore(save(tmp_path / name, record(plan, marks_of(plan.options))))
    assert (restored.kind, restored.whole, restored.notes) == (VideoOptions, True, ())
    values, notes = restored.at(Places(beside=tmp_path))
    assert (VideoOptions.parse(values), notes) == (plan.options, ())


def test_every_option_is_refilled(tmp_path: Path, picture: Path) -> None:
    values = record(make_plan(VideoOptions(image=picture)))
    changed = {"seed": 7, "sampling": {"padding": 0.4, "guidance": 3.5}, "output": {"crf": 40, "frames": "last"}}
    values["request"] = over(values["request"], changed)
    restored = restore(save(tmp_path / "a.png", values))
    assert restored.values == values["request"]
    top = {field.key.split(".")[0] for field in walk(VideoOptions)}
    assert restored.values.keys() == top | {"written"}  # what was asked for before wildcards were drawn


def test_a_frame_is_a_frame(tmp_path: Path, picture: Path) -> None:
    path = save(tmp_path / "a.png", record(make_frame_plan(FrameOptions(image=picture, target=3))))
    assert restore(path).kind is FrameOptions
    with pytest.raises(InputError, match="type “Single frame”"):
        restore(path, VideoOptions)


def test_a_record_of_another_version(tmp_path: Path, picture: Path) -> None:
    values = record(make_plan(VideoOptions(image=picture, prompt="p")))
    values["request"] |= {"later": 1, "seconds": 500}
    restored = restore(save(tmp_path / "a.png", values))
    assert [note.values["key"] for note in restored.notes] == ["seconds", "later"]
    assert VideoOptions.parse(restored.values).prompt == "p"


def test_another_program_gives_what_it_has(tmp_path: Path) -> None:
    path = foreign(tmp_path / "a.png", "walks\nSeed: 4294967295\nSection Prompt: turns\nSection Number: 2")
    restored = restore(path)
    assert restored.values == {"prompt": "walks", "seed": "4294967295"}
    assert (restored.kind, restored.whole, restored.notes) == (VideoOptions, False, ())
    assert restore(path, FrameOptions).kind is FrameOptions


def test_values_that_do_not_fit_are_said(tmp_path: Path) -> None:
    text = "p\nSteps: 150, CFG scale: 0.5, Distilled CFG Scale: 10, Seed: 99999999999"
    restored = restore(foreign(tmp_path / "a.png", text))
    assert restored.values == {"prompt": "p", "sampling": {"guidance": "10"}}
    assert sorted(str(note.values["key"]) for note in restored.notes) == ["sampling.cfg", "sampling.steps", "seed"]


def test_what_another_programs_file_does_not_say_stays(tmp_path: Path) -> None:
    before = VideoOptions.parse({"image": "cat.png", "seconds": 2, "sampling": {"steps": 30, "padding": 0.5}})
    restored = restore(foreign(tmp_path / "a.png", "walks\nSteps: 20, Sampler: Euler, Seed: 5"))
    after = VideoOptions.parse(restored.over(before))
    assert (after.prompt, after.seed, after.sampling.steps) == ("walks", 5, 20)
    assert (after.image, after.seconds, after.sampling.padding) == (before.image, 2, 0.5)


@pytest.mark.parametrize("kind", [VideoOptions, FrameOptions])
def test_real_guidance_of_another_model_is_taken_with_a_word(tmp_path: Path, kind: type[Request]) -> None:
    path = foreign(tmp_path / "a.png", "walks\nSteps: 20, CFG scale: 7, Seed: 5")
    restored = restore(path, kind)
    assert restored.values["sampling"] == {"steps": "20", "cfg": "7"}
    assert [(note.id, note.values) for note in restored.notes] == [("note.foreign.cfg", {"cfg": 7.0})]
    assert restore(foreign(tmp_path / "a.png", "walks\nSteps: 20, CFG scale: 1, Seed: 5")).notes == ()


def test_our_own_text_is_read_by_the_same_rules(tmp_path: Path, picture: Path) -> None:
    request = VideoOptions(image=picture, prompt="a\ncat", negative="blur", seed=7)
    made = save(tmp_path / "made.png", record(make_plan(request)))
    with Image.open(made) as image:
        text = image.info["parameters"]
    restored = VideoOptions.parse(restore(foreign(tmp_path / "a.png", text)).values)
    assert (restored.prompt, restored.negative, restored.seed) == ("a\ncat", "blur", 7)
    assert restored.sampling == request.sampling


@pytest.mark.parametrize(("key", "text"), [("parameters", " "), ("prompt", '{"1": {}}'), ("parameters", "x" * 2**21)])
def test_a_picture_that_says_nothing(tmp_path: Path, key: str, text: str) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text(key, text, zip=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png", pnginfo=info)
    with pytest.raises(InputError, match="has no generation settings"):
        restore(tmp_path / "a.png")


def test_on_the_command_line(tmp_path: Path, picture: Path) -> None:
    path = foreign(tmp_path / "a.png", "p\nSteps: 20, Seed: 99999999999")
    words = ["plan", "--from", str(path), "--image", str(picture), "--seconds", "1", "--json"]
    run = CliRunner().invoke(commands, words)
    assert run.exit_code == 0, run.output
    assert "99999999999" in run.stderr
    assert json.loads(run.stdout)["sections"][0]["prompt"] == "p"
