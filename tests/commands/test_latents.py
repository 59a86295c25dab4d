"""`eichi latents`: the contract of its commands, and a clip of the embedded model through all of them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import save_file

from eichi.commands.latents import latents
from eichi.video.latentfile import KEY, Latents, load_latents, save_latents
from eichi.video.reader import read_frames
from eichi.video.writer import Writer
from eichi.words import languages
from tests.clips import clip as made
from tests.modules import HEAVY, loaded
from tests.program import Run

FIGURES = ["file", "latents", "frames", "seconds", "width", "height", "kind"]


def told(eichi: Run, *words: object) -> dict[str, Any]:
    """What a command says with --json."""
    code, out, err = eichi(*words, "--json")
    assert code == 0, err
    values: dict[str, Any] = json.loads(out.splitlines()[-1])
    return values


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A clip of the embedded model's size that nothing was said of."""
    path = tmp_path / "clip.safetensors"
    values = np.random.default_rng(0).standard_normal((1, 16, 4, 8, 8)).astype(np.float32)
    save_latents(path, Latents(values, 0), {"kind": "latents", "request": {}, "model": "tiny", "sources": []})
    return path


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A file as eichi 1.9 wrote it."""
    path = tmp_path / "bare.safetensors"
    save_file({KEY: np.zeros((1, 16, 3, 8, 8), dtype=np.float16)}, path)
    return path


def seen(name: str) -> NDArray[np.uint8]:
    """The frames of a video."""
    return np.stack([frame.pixels for frame in read_frames(Path(name))])


def moved(frames: NDArray[np.uint8]) -> NDArray[np.float64]:
    """How much each frame differs from the one before, in levels."""
    steps: NDArray[np.float64] = np.abs(np.diff(frames.astype(float), axis=0)).mean(axis=(1, 2, 3))
    return steps


@pytest.mark.parametrize("command", ["", *latents.commands])
def test_help(eichi: Run, command: str) -> None:
    code, out, _ = eichi("latents", *command.split(), "--help")
    assert code == 0
    assert out.startswith("Usage:")
    assert ("--json" in out) == bool(command)
    assert command or all(name in out for name in latents.commands)


def test_what_a_file_holds(eichi: Run, clip: Path, bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = told(eichi, "latents", "inspect", clip)
    assert (found["latents"], found["frames"], found["model"], found["first"]) == (4, 13, "tiny", 0)
    for language in languages():
        monkeypatch.setenv("EICHI_LANGUAGE", language)
        code, out, _ = eichi("latents", "inspect", bare)
        assert (code, len(out.splitlines())) == (0, 3)
        assert out.startswith("?")


def test_join_and_trim(eichi: Run, clip: Path, bare: Path, tmp_path: Path) -> None:
    made = told(eichi, "latents", "join", clip, bare, clip, "--out", "new")
    assert list(made) == FIGURES
    assert (made["latents"], made["frames"]) == (11, 13 + 9 + 13)
    assert Path(made["file"]) == Path("new/clip_joined.safetensors")
    named = told(eichi, "latents", "trim", made["file"], "--start", 4, "--end", 1, "--out", "new/cut.safetensors")
    assert (named["file"], named["latents"], named["frames"]) == (str(Path("new/cut.safetensors")), 6, 9 + 9)
    code, out, _ = eichi("inspect", made["file"])
    assert code == 0
    assert out.startswith("tiny: made by join: 11 latents, 3 clips, 35 frames")
    assert "sources = ['clip.safetensors', 'bare.safetensors', 'clip.safetensors']" in out
    assert [entry.name for entry in (tmp_path / "new").iterdir() if entry.name.startswith(".")] == []


def test_a_video_there_and_back(eichi: Run, clip: Path) -> None:
    video = told(eichi, "latents", "to-mp4", clip, "--crf", 1, "--out", "v.mp4")
    assert list(video) == FIGURES
    assert (video["file"], video["frames"]) == ("v.mp4", 13)
    back = told(eichi, "latents", "from-mp4", "v.mp4", "--model", "tiny", "--out", "back.safetensors")
    assert (back["latents"], back["frames"], back["width"]) == (4, 13, 64)
    again = told(eichi, "latents", "to-mp4", "back.safetensors", "--crf", 1, "--out", "w.mp4")
    one, two = (seen(name) for name in ("v.mp4", again["file"]))
    assert one.shape == two.shape
    assert np.abs(one.astype(float) - two).mean() < 40  # noise, which 8x8 means of 16 numbers keep the gist of


BAD: list[tuple[list[str], str]] = [
    (["inspect", "none.safetensors"], "no file none.safetensors"),
    (["inspect", "text.safetensors"], "text.safetensors cannot be read"),
    (["inspect", "other.safetensors"], "contains no latents"),
    (["join", "clip.safetensors"], "only one file"),
    (["join"], "FILES"),
    (["join", "clip.safetensors", "wide.safetensors"], "64x64x16 and 80x48x16"),
    (["join", "clip.safetensors", "none.safetensors"], "no file none.safetensors"),
    (["join", "clip.safetensors", "clip.safetensors", "--out", "clip.safetensors"], "already exists"),
    (["trim", "clip.safetensors"], "nothing to trim"),
    (["trim", "clip.safetensors", "--start", "4"], "at least one"),
    (["trim", "clip.safetensors", "--start", "-1"], "--start"),
    (["fill", "clip.safetensors"], "AFTER"),
    (["fill", "clip.safetensors", "wide.safetensors"], "64x64x16 and 80x48x16"),
    (["fill", "clip.safetensors", "clip.safetensors", "--model", "tiny-f1"], "F1 model"),
    (["fill", "clip.safetensors", "clip.safetensors", "--model", "framepack"], "cannot read"),
    (["fill", "clip.safetensors", "clip.safetensors", "--length", "13"], "1 to 12"),
    (["fill", "bare.safetensors", "bare.safetensors"], "--model"),
    (["extend", "clip.safetensors"], "--seconds"),
    (["extend", "bare.safetensors", "--seconds", "3"], "has no generation settings"),
    (["to-mp4", "bare.safetensors"], "--model"),
    (["to-mp4", "clip.safetensors", "--crf", "101"], "0 to 100"),
    (["to-mp4", "clip.safetensors", "--model", "framepack"], "cannot read"),
    (["to-mp4", "picture.png"], "picture.png"),
    (["from-mp4", "none.mp4"], "no file none.mp4"),
    (["from-mp4", "text.safetensors"], "cannot be read as a video"),
    (["from-mp4", "odd.mp4"], "multiples of 16"),
    (["from-mp4", "odd.mp4", "--resolution", "65"], "was not made for 65"),
    (["from-mp4", "odd.mp4", "--model", "framepack", "--resolution", "640"], "its part “vae”"),
]


@pytest.mark.usefixtures("clip", "bare", "picture")
@pytest.mark.parametrize(("words", "sentence"), BAD, ids=range(len(BAD)))
def test_bad_input_is_one_sentence(eichi: Run, tmp_path: Path, words: list[str], sentence: str) -> None:
    (tmp_path / "text.safetensors").write_text("hello")
    save_file({"x": np.zeros(1)}, tmp_path / "other.safetensors")
    save_file({KEY: np.zeros((1, 16, 3, 6, 10), dtype=np.float32)}, tmp_path / "wide.safetensors")
    with Writer(tmp_path / "odd.mp4", 40, 32, 16) as writer:
        writer.add(0, np.zeros((2, 32, 40, 3), dtype=np.uint8))
        writer.publish({})
    before = sorted(tmp_path.rglob("*"))
    out = [] if "--out" in words else ["--out", str(tmp_path)]
    if words[0] == "inspect":
        out = []
    code, shown, err = eichi("latents", *words, *out)
    assert (code, shown) == (2, ""), err
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    assert sentence in err
    assert sorted(tmp_path.rglob("*")) == before
    code, shown, _ = eichi("latents", *words, *out, "--json")
    assert code == 2
    assert json.loads(shown)["error"].startswith("error.")


@pytest.mark.parametrize(
    "words", [["--help"], ["join", "a", "a", "--out", "c"], ["trim", "a", "--end", "1"], ["inspect", "a"]]
)
def test_what_needs_no_model_loads_no_torch(clip: Path, words: list[str]) -> None:
    words = [str(clip) if word == "a" else word for word in words]
    modules, _ = loaded("latents", *words)
    assert modules & HEAVY == set()


@pytest.mark.slow
def test_a_clip_of_the_embedded_model_through_all_of_them(eichi: Run, tmp_path: Path) -> None:
    """Made, cut apart, filled again, joined, decoded, extended: nothing is lost, nothing jumps, nothing is flagged."""
    Image.radial_gradient("L").resize((64, 64)).convert("RGB").save("start.png")
    words = ["--image", "start.png", "--prompt", "the camera pans left", "--seed", 1, "--steps", 12, "--latents"]
    whole = told(eichi, "generate", *words, "--seconds", 2, "--out", "made")
    assert whole["flags"] == []
    file = Path(whole["video"]).with_suffix(".safetensors")

    told(eichi, "latents", "trim", file, "--end", 14, "--out", "head.safetensors")
    told(eichi, "latents", "trim", file, "--start", 10, "--out", "tail.safetensors")
    fill = ["fill", "head.safetensors", "tail.safetensors", "--length", 5, "--seed", 1, "--steps", 25]
    filled = told(eichi, "latents", *fill, "--prompt", "the camera pans left", "--out", "filled.safetensors")
    assert (filled["latents"], filled["frames"]) == (19, 73)
    before, after = load_latents(file), load_latents(Path("filled.safetensors"))
    kept = [*range(5), *range(10, 19)]
    assert np.array_equal(after.values[:, :, kept], before.values[:, :, kept])

    told(eichi, "latents", "to-mp4", "filled.safetensors", "--crf", 1, "--out", "filled.mp4")
    told(eichi, "latents", "to-mp4", file, "--crf", 1, "--out", "whole.mp4")
    steps, own = (moved(seen(name)) for name in ("filled.mp4", "whole.mp4"))
    # The clip's latents 0-4 are frames 0-16, the gap's 17-36.
    assert max(steps[15:18].max(), steps[35:38].max()) <= 1.25 * own.max()

    joined = told(eichi, "latents", "join", file, file, "--out", "joined.safetensors")
    assert joined["frames"] == 146
    told(eichi, "latents", "to-mp4", "joined.safetensors", "--crf", 1, "--out", "joined.mp4")
    frames, once = (seen(name) for name in ("joined.mp4", "whole.mp4"))
    assert np.abs(frames.astype(float) - np.concatenate([once, once])).mean() < 1

    longer = told(eichi, "latents", "extend", file, "--seconds", 3.7, "--out", "longer")
    assert (longer["sections"], longer["frames"]) == (3, 109)
    kept_latents = load_latents(Path(longer["video"]).with_suffix(".safetensors")).values[:, :, -18:]
    assert np.array_equal(kept_latents, before.values[:, :, 1:])


@pytest.mark.slow
def test_latents_of_a_video_that_was_not_made_here_are_extended(eichi: Run) -> None:
    """Seventeen frames are no section of any length."""
    made(Path("v.mp4"), 17, size=(64, 64))
    file = told(eichi, "latents", "from-mp4", "v.mp4", "--model", "tiny-f1", "--out", "v.safetensors")["file"]
    words = ["--set", "sampling.steps=1"]
    code, _, said = eichi("latents", "extend", file, "--seconds", 0.5, "--seed", 1, *words)
    assert (code, "already" in said) == (2, True)
    longer = told(eichi, "latents", "extend", file, "--seconds", 1.7, "--seed", 1, *words, "--out", "out")
    assert longer["frames"] == 36
    assert len(seen(longer["video"])) == 17 + 36
    whole, before = load_latents(Path(longer["video"]).with_suffix(".safetensors")), load_latents(Path(file))
    assert np.array_equal(whole.values[:, :, :5], before.values)
    assert whole.values.shape[2] == 5 + 9
    again = told(eichi, "latents", "to-mp4", Path(longer["video"]).with_suffix(".safetensors"), "--out", "again.mp4")
    assert again["frames"] == 17 + 36
