"""The command line: its contract, its exit codes, and one sentence for whatever is wrong with a request."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from eichi import VideoOptions, make_frame_plan, make_plan
from eichi.catalog import find, known
from eichi.declare import walk
from eichi.jobs.schema import Draft
from eichi.jobs.store import Store
from eichi.jobs.view import Figures, Status
from eichi.models.locate import MARKS
from eichi.options import FrameOptions, Request
from eichi.settings import load_settings
from eichi.video.metadata import read_record, record, save_png, tags
from eichi.video.writer import Writer
from tests.modules import HEAVY, loaded
from tests.pictures import encoded, header
from tests.program import Run, refused, tree

COMMANDS = ("generate", "frame", "plan", "inspect", "models", "memory", "doctor", "demo", "import", "ui")


def pretend(models: Path, name: str) -> None:
    """Lay out a model's folders without its weights."""
    for part, source in find(name).parts.items():
        folder = models / str(source.repository) / source.folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARKS.get(part, "config.json")).touch()
        if part not in MARKS:
            (folder / "model.safetensors").touch()


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)], ids=lambda words: " ".join(words) or "eichi")
def test_help(eichi: Run, command: tuple[str, ...]) -> None:
    result = eichi(*command, "--help")
    assert result.code == 0
    assert result.out.startswith("Usage:")
    assert command or all(name in result.out for name in COMMANDS)


@pytest.mark.parametrize(
    ("command", "kind"), [("generate", VideoOptions), ("plan", VideoOptions), ("frame", FrameOptions)]
)
def test_every_everyday_option_has_its_flag(eichi: Run, command: str, kind: type[Request]) -> None:
    shown = eichi(command, "--help").out
    assert all(field.flag in shown for field in walk(kind) if field.flag)
    assert "--set KEY=VALUE" in shown


BAD = [
    (["--image", "missing.png"], "missing.png"),
    (["--image", "."], "is a folder"),
    (["--image", "text.png"], "text.png is not a readable image"),
    (["--image", "cut.png"], "cut.png cannot be read"),
    (["--image", "zero.png"], "zero.png"),
    (["--image", "huge.png"], "larger than 100 megapixels"),
    ([], "--image"),
    (["--image", "picture.png", "--set", "nope=1"], "no option “nope”"),
    (["--image", "picture.png", "--steps", "101"], "1 to 100"),
    (["--image", "picture.png", "--seconds", "121"], "120"),
    (["--image", "picture.png", "--seconds", "soon"], "'soon'"),
    (["--image", "picture.png", "--seed", "-1"], "4294967295"),
    (["--image", "picture.png", "--model", "wan"], "tiny, tiny-f1, framepack, framepack-f1"),
    (["--image", "picture.png", "--final", "missing.png"], "missing.png"),
    (["--image", "picture.png", "--section", "9:picture.png"], "no section 9"),
    (["--image", "picture.png", "--section", "picture.png"], "N:VALUE"),
    (["--image", "picture.png", "--resolution", "640"], "64"),
    (["--image", "picture.png", "--model", "tiny-f1", "--final", "picture.png"], "--final is for standard models"),
]


@pytest.fixture
def folder(tmp_path: Path, picture: Path) -> Path:
    """The working folder with a good picture and several bad ones."""
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "cut.png").write_bytes(encoded("PNG")[:2000])
    (tmp_path / "zero.png").write_bytes(header(0, 0))
    (tmp_path / "huge.png").write_bytes(header(30_000, 30_000))
    return tmp_path


@pytest.mark.parametrize("command", ["plan", "generate"])
@pytest.mark.parametrize(("words", "sentence"), BAD, ids=range(len(BAD)))
def test_bad_input_is_one_sentence(eichi: Run, folder: Path, command: str, words: list[str], sentence: str) -> None:
    refused(eichi, folder, [command, *words], sentence)


BAD_FRAME = [
    ([], "--image"),
    (["--image", "picture.png", "--reference", "missing.png:10"], "no image missing.png"),
    (["--image", "picture.png", "--reference", "picture.png:10:missing.png"], "no image missing.png"),
    (["--image", "picture.png", "--reference", "C:\\x.png:10"], "no image C:\\x.png."),
    (["--image", "picture.png", "--mask", "text.png"], "text.png is not a readable image"),
    (["--image", "picture.png", "--reference", "picture.png:65"], "--reference 1"),
    (["--image", "picture.png", "--reference", ""], "--reference 1"),
    (["--image", "picture.png", "--target", "65"], "0 to 64"),
    (["--image", "picture.png", "--profile", "eichi"], "kisekae, oichi, musubi, 1f-mc, comfy"),
    (["--image", "picture.png", "--model", "tiny-f1"], "Tiny test model F1 is an F1 model"),
    (["--image", "picture.png", "--set", "references=x.png"], "--reference FILE[:INDEX[:MASK]]"),
    (["--image", "picture.png", "--set", "sampling.padding=1"], "sampling.padding"),
    (["--image", "picture.png", "--padding", "1"], "--padding"),
    (["--image", "picture.png", "--vision", "0.3"], "--reference"),
    (["--image", "picture.png", "--shift", "0"], "--shift: '0'"),
    (["--image", "picture.png", "--sweep-target", "9-1"], "not a list of indices"),
    (["--image", "picture.png", "--reference", "picture.png:10", "--profile", "musubi", "--sweep-window", "8-9"], "10"),
]


@pytest.mark.parametrize(("words", "sentence"), BAD_FRAME, ids=lambda value: " ".join(value)[:50])
def test_a_bad_frame_is_one_sentence(eichi: Run, folder: Path, words: list[str], sentence: str) -> None:
    refused(eichi, folder, ["frame", *words], sentence)


def test_the_frame_contract(eichi: Run, picture: Path, tmp_path: Path) -> None:
    words = ["--image", picture, "--prompt", "p", "--reference", f"{picture}:12"]
    words += ["--reference", f"{picture}::{picture}", "--mask", picture, "--target", 4, "--profile", "kisekae"]
    words += ["--steps", 1, "--seed", 7]
    result = eichi("frame", *words, "--model", "tiny", "--out", "new", "--json")
    assert result.code == 0, result.err
    told = json.loads(result.out.splitlines()[-1])
    assert list(told) == ["image", "seed", "positions", "kind"]
    kinds = [json.loads(line)["kind"] for line in result.out.splitlines()]
    steps = ["frame_started", "step", "frame_drawn", "latents_ready", "frames_ready", "frame_finished"]
    assert kinds == ["adjusted", *steps]
    assert told["seed"] == 7
    assert told["positions"] == {"target": [4], "clean": [0, 12, 10], "post": [], "x2": [], "x4": []}
    assert [str(path.relative_to(tmp_path)) for path in (tmp_path / "new").iterdir()] == [told["image"]]
    record = read_record(Path(told["image"]))
    assert FrameOptions.parse(record["request"]) == FrameOptions.parse(record["request"] | {"seed": 7})
    again = eichi("frame", "--from", told["image"], "--out", "again")
    assert again.code == 0, again.err
    (copy,) = (tmp_path / "again").iterdir()
    assert copy.read_bytes() == Path(told["image"]).read_bytes()
    refused(eichi, tmp_path, ["generate", "--from", told["image"]], told["image"])


def test_the_plan_of_a_frame(eichi: Run, picture: Path, tmp_path: Path) -> None:
    words = ["frame", "--image", picture, "--reference", picture, "--prompt", "p", "--seed", 3, "--plan"]
    before = tree(tmp_path)
    shown, told = eichi(*words), eichi(*words, "--json")
    assert (shown.code, told.code, shown.err, told.err) == (0, 0, "", "")
    assert shown.out.startswith("tiny: single frame, 80x48, profile kisekae, target index 1, seed 3\n●")
    plan = json.loads(told.out)
    assert plan["positions"] == {"target": [1], "clean": [0, 10], "post": [], "x2": [], "x4": []}
    assert plan["images"][1] == {"image": str(picture), "mask": None, "position": 10}
    assert plan["tokens"][0]["text"] == "p"
    many = eichi(*words, "--json", "--sweep-target", "1-2", "--seeds", 2)
    found = [(plan["positions"]["target"], plan["seed"]) for plan in json.loads(many.out)["plans"]]
    assert found == [([1], 3), ([1], 4), ([2], 3), ([2], 4)]
    assert tree(tmp_path) == before


def test_a_sweep_makes_an_image_for_each_index(eichi: Run, picture: Path, tmp_path: Path) -> None:
    words = ["frame", "--image", picture, "--prompt", "p", "--steps", 1, "--seed", 7, "--sweep-target", "3,1"]
    result = eichi(*words, "--out", "new", "--latents", "--json")
    assert result.code == 0, result.err
    told = [json.loads(line) for line in result.out.splitlines()]
    each = [values for values in told if values.get("kind") == "frame_finished"]
    assert told[-1] == {"images": each, "stopped": False}
    assert len(each) == 2
    assert [(image["positions"]["target"], image["seed"]) for image in each] == [([3], 7), ([1], 7)]
    for image in each:
        request = FrameOptions.parse(read_record(Path(image["image"]))["request"])
        assert [request.target] == image["positions"]["target"]
    assert sorted(path.suffix for path in (tmp_path / "new").iterdir()) == [".png", ".png"] + [".safetensors"] * 2


def test_a_sweep_that_is_stopped_says_what_is_finished(
    eichi: Run, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: Any) -> None:
        save_png(*arguments)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("eichi.pipeline.oneframe.save_png", interrupted)
    words = ["frame", "--image", picture, "--prompt", "p", "--steps", 1, "--seeds", 3, "--out", "new"]
    result = eichi(*words, "--json")
    assert result.code == 130
    told = [json.loads(line) for line in result.out.splitlines()]
    (image,) = (values for values in told if values.get("kind") == "frame_finished")
    assert told[-1] == {"images": [image], "stopped": True}
    assert eichi(*words).out.splitlines()[-1] == "Frames finished: 1 of 3"


def test_another_programs_png_gives_what_it_has(eichi: Run, picture: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "a cat\nSeed: 12")
    Image.new("RGB", (8, 8)).save("foreign.png", pnginfo=info)
    told = eichi("inspect", "foreign.png", "--json")
    assert json.loads(told.out) == {"kind": "foreign", "request": {"prompt": "a cat", "seed": "12"}}
    assert eichi("inspect", "foreign.png").out.splitlines()[1:] == ["  prompt = a cat", "  seed = 12"]
    plan = eichi("plan", "--from", "foreign.png", "--image", picture, "--json")
    assert (json.loads(plan.out)["seed"], json.loads(plan.out)["sections"][0]["prompt"]) == (12, "a cat")
    image = eichi("frame", "--from", "foreign.png", "--image", picture, "--plan", "--json")
    assert json.loads(image.out)["seed"] == 12


@pytest.mark.parametrize("model", ["framepack", "framepack-f1"])
def test_a_model_that_is_not_downloaded(eichi: Run, folder: Path, model: str) -> None:
    words = ["generate", "--image", "picture.png", "--model", model, "--out", "new"]
    refused(eichi, folder, words, f"Model {model} is not complete on this computer")


@pytest.mark.parametrize("out", ["picture.png", "picture.png/below/it"])
def test_an_output_folder_that_cannot_be_written(eichi: Run, folder: Path, home: Path, out: str) -> None:
    pretend(home / "models", "framepack")
    words = ["generate", "--image", "picture.png", "--model", "framepack", "--out", out]
    refused(eichi, folder, words, f"Nothing can be written to {out}")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["plan", "--nope", "1"], "--nope"),
        (["nope"], "nope"),
        (["inspect"], "FILE"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(eichi: Run, tmp_path: Path, words: list[str], sentence: str) -> None:
    refused(eichi, tmp_path, words, sentence)


def test_damaged_settings_keep_what_can_be_read(eichi: Run, home: Path) -> None:
    home.mkdir()
    (home / "settings.json").write_text('{"language": "ru", "nope": 1}')
    outcome = eichi("models", "list", "--json")
    assert outcome.code == 0
    told = [line for line in outcome.err.splitlines() if "settings" in line]
    assert ["nope" in line for line in told] == [False, True]
    assert "settings" not in eichi("models", "list").err


def test_models_are_listed(eichi: Run, home: Path) -> None:
    pretend(home / "models", "framepack-f1")
    told = json.loads(eichi("models", "--json").out)
    assert told["folder"] == str(home / "models")
    assert [(row["name"], row["direction"], row["embedded"]) for row in told["models"]] == [
        (name, find(name).direction, find(name).embedded) for name in known()
    ]
    assert {row["name"] for row in told["models"] if row["present"]} == {"tiny", "tiny-f1", "framepack-f1"}
    lines = [line for line in eichi("models").out.splitlines() if not line.startswith(" ")]  # the parts stand below
    assert [line.split()[0] for line in lines[: len(known())]] == list(known())
    assert "not on this computer" in lines[2]
    assert "not on" not in lines[3]


@pytest.mark.parametrize("name", ["v.png", "v.mp4"])
def test_inspect_shows_the_request(eichi: Run, tmp_path: Path, picture: Path, name: str) -> None:
    values = record(make_plan(VideoOptions(image=picture, prompt="a {cat}\n猫", seconds=2.0, seed=5)))
    pixels = np.zeros((1, 48, 64, 3), dtype=np.uint8)
    if name == "v.png":
        save_png(tmp_path / name, pixels[0], values)
    else:
        with Writer(tmp_path / name, 64, 48, 16) as writer:
            writer.add(0, pixels)
            writer.publish(tags(values))
    told = eichi("inspect", name, "--json")
    assert (told.code, json.loads(told.out)) == (0, values)
    shown = eichi("inspect", name)
    assert shown.code == 0
    assert "73 frames" in shown.out
    assert "seed 5" in shown.out
    assert all(f"  {field.key} = " in shown.out for field in walk(VideoOptions))


def test_inspect_shows_a_frame(eichi: Run, picture: Path) -> None:
    plan = make_frame_plan(FrameOptions(image=picture, prompt="p", target=3, seed=5))
    save_png(Path("frame.png"), np.zeros((48, 64, 3), dtype=np.uint8), record(plan))
    shown = eichi("inspect", "frame.png")
    assert shown.code == 0
    assert shown.out.startswith("tiny: single frame, 80x48, target index 3, seed 5\n")
    assert all(f"  {field.key} = " in shown.out for field in walk(FrameOptions))


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "video", "request": {"prompt": "p"}},
        {"kind": "video", "request": {"prompt": "p"}, "sections": 1, "model": None, "seconds": "x", "seed": 1},
        {"kind": "frame", "request": {"prompt": "p"}, "positions": []},
        {"kind": "frame", "request": {"prompt": "p"}, "positions": {"target": 5}},
        {"kind": "later", "request": {"prompt": "p"}},
    ],
)
def test_inspect_shows_what_is_whole_of_a_damaged_record(eichi: Run, values: dict[str, Any]) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("eichi", json.dumps(values))
    Image.new("RGB", (8, 8)).save("damaged.png", pnginfo=info)
    shown = eichi("inspect", "damaged.png")
    assert shown.code == 0
    assert "size and length cannot be read" in shown.out.splitlines()[0]
    assert "  prompt = p" in shown.out.splitlines()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("none.mp4", "no file none.mp4"),
        (".", "no file"),
        ("picture.png", "has no generation settings"),
        ("text.png", "has no generation settings"),
        ("huge.png", "has no generation settings"),
    ],
)
def test_inspect_refuses_what_was_not_made_here(eichi: Run, folder: Path, name: str, sentence: str) -> None:
    refused(eichi, folder, ["inspect", name], sentence)


def test_doctor_fails_where_something_is_bad(eichi: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eichi.doctor._device", lambda settings: [])
    good = eichi("doctor")
    assert good.code == 0
    assert all(line[:2] in ("✓ ", "! ") for line in good.out.splitlines())
    (tmp_path / "file").touch()
    monkeypatch.setenv("EICHI_OUTPUTS", "file")
    bad = eichi("doctor", "--json")
    assert bad.code == 1
    assert "bad" in [finding["state"] for finding in json.loads(bad.out)["findings"]]


@pytest.mark.parametrize(
    "words", [["--help"], ["generate", "--help"], ["models"], ["plan", "--image", "picture.png", "--json"]]
)
def test_what_starts_fast_loads_no_torch(picture: Path, words: list[str]) -> None:
    modules, err = loaded(*words)
    assert modules & HEAVY == set()
    assert err == "" or words[0] == "plan"


def test_the_program_ends_with_its_code(tmp_path: Path) -> None:
    code = "from eichi.cli import main; main()"
    words = [sys.executable, "-c", code, "plan", "--image", "none.png"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Error: There is no image none.png. Check the name and the folder.\n"


@pytest.mark.parametrize(
    "words",
    [
        ("jobs", "show", 10**20),
        ("jobs", "move", 1, "--priority", 10**20),
        ("plan", "--set", f"kept.latents={'1' * 400}"),
    ],
    ids=["show", "move", "plan"],
)
def test_numbers_and_names_that_are_too_large_are_wrong_input(eichi: Run, words: tuple[object, ...]) -> None:
    assert eichi(*words).code == 2


def test_a_wrong_setting_is_said_in_the_language_that_was_asked_for(
    eichi: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EICHI_LANGUAGE", "ru")
    monkeypatch.setenv("EICHI_VAE_TILE", "33")
    result = eichi("models")
    assert (result.code, "Ошибка" in result.err) == (2, True)


def test_resume_looks_where_jobs_of_the_store_stopped(eichi: Run, tmp_path: Path) -> None:
    nothing = eichi("resume")
    assert nothing.code == 2
    assert f"Looked in: {tmp_path / 'outputs'}." in nothing.err
    folder = tmp_path / "elsewhere" / ".clip.parts"
    folder.mkdir(parents=True)
    (folder / "job.json").write_text("{")
    figures = Figures(model="tiny", width=64, height=64, sections=2, kept=0)
    with Store(load_settings().store) as store:
        (job,) = store.add([Draft("video", {}, figures, "key", str(folder.parent))])
        store.change(job.id, [Status.WAITING], checkpoint=str(folder))
    for words in ((), ("clip",), (str(folder.parent / "clip.mp4"),)):
        assert f"job in {folder} cannot be resumed" in eichi("resume", *words).err
    unknown = eichi("resume", "other").err
    assert f"no unfinished job other. Looked in: {tmp_path / 'outputs'}, {folder.parent}." in unknown
    assert f"Looked in: {tmp_path}." in eichi("resume", "--out", tmp_path).err
