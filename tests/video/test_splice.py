"""The tools on latent files that need no model: what they write, what they remember, what they refuse."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from eichi.catalog import find
from eichi.errors import EichiError, InputError
from eichi.flags import request_of
from eichi.options import VideoOptions
from eichi.plan.plan import make_plan
from eichi.settings import load_settings
from eichi.video.latentfile import KEY, Latents, load_latents, measure_latents, save_latents
from eichi.video.metadata import KEY as RECORD
from eichi.video.metadata import read_record, record
from eichi.video.splice import Clip, free_name, join_latents, model_of, read_source, report, trim_latents


def write(path: Path, count: int, first: int = 0, model: str = "tiny", **values: Any) -> Path:
    """A latent file whose every latent is its own number."""
    options = VideoOptions.parse({"model": model, "image": "start.png", "seconds": 1, "seed": 1} | values)
    numbers = np.arange(first, first + count, dtype=np.float32)
    latents = np.broadcast_to(numbers[None, None, :, None, None], (1, 16, count, 8, 8))
    size = find(model).sizes[values.get("resolution") or find(model).resolution][-1]
    save_latents(path, Latents(latents.copy(), first), record(make_plan(options, find(model), size)))
    return path


def foreign(path: Path, shape: tuple[int, ...] = (1, 16, 10, 8, 8), header: dict[str, str] | None = None) -> Path:
    """A latent file as eichi wrote it: no header, its numbers in a second tensor."""
    tensors: dict[str, NDArray[Any]] = {
        KEY: np.ones(shape, dtype=np.float16),
        "metadata": np.array([64, 64, 10], dtype=np.int32),
    }
    save_file(tensors, path, metadata=header)
    return path


def numbers(path: Path) -> list[float]:
    return [float(value) for value in load_latents(path).values[0, 0, :, 0, 0]]


def test_joined_in_order_with_the_joint_remembered(tmp_path: Path) -> None:
    one, two = write(tmp_path / "a.safetensors", 10), write(tmp_path / "b.safetensors", 5)
    done = join_latents([one, two, one], tmp_path / "c.safetensors")
    assert numbers(tmp_path / "c.safetensors") == [*range(10), *range(5), *range(10)]
    assert load_latents(tmp_path / "c.safetensors").joints == (10, 15)
    assert (done.latents, done.frames, done.width, done.height) == (25, 37 + 17 + 37, 64, 64)
    assert done.seconds == pytest.approx(91 / 30, abs=1e-3)


def test_the_record_says_what_was_joined_from_what(tmp_path: Path) -> None:
    one, two = write(tmp_path / "a.safetensors", 10), foreign(tmp_path / "b.safetensors")
    join_latents([one, two], tmp_path / "c.safetensors")
    found = read_record(tmp_path / "c.safetensors")
    assert found["request"] == {"tool": "join", "sources": ["a.safetensors", "b.safetensors"]}
    assert found["sources"] == [read_record(one), None]
    assert (found["kind"], found["model"], found["clips"], found["frames"]) == ("latents", "tiny", 2, 74)


def test_cut_apart_and_joined_again(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.safetensors", 10)
    trim_latents(whole, tmp_path / "head.safetensors", 0, 6)
    done = trim_latents(whole, tmp_path / "tail.safetensors", 4, 0)
    assert numbers(tmp_path / "tail.safetensors") == [*range(4, 10)]
    assert (measure_latents(tmp_path / "tail.safetensors").first, done.frames) == (4, 21)
    join_latents([tmp_path / "head.safetensors", tmp_path / "tail.safetensors"], tmp_path / "again.safetensors")
    assert load_latents(tmp_path / "again.safetensors").shape == load_latents(whole).shape
    assert numbers(tmp_path / "again.safetensors") == numbers(whole)
    request = request_of(tmp_path / "tail.safetensors", VideoOptions, load_settings())
    assert request == read_record(whole)["request"]
    with pytest.raises(InputError, match="type “latents”"):
        request_of(tmp_path / "again.safetensors", VideoOptions, load_settings())


def test_equal_tools_make_equal_files(tmp_path: Path) -> None:
    one, two = write(tmp_path / "a.safetensors", 10), write(tmp_path / "b.safetensors", 5)
    for name in ("c.safetensors", "d.safetensors"):
        join_latents([one, two], tmp_path / name)
    assert (tmp_path / "c.safetensors").read_bytes() == (tmp_path / "d.safetensors").read_bytes()


def test_reported(tmp_path: Path) -> None:
    one = write(tmp_path / "a.safetensors", 4, first=9)
    join_latents([one, write(tmp_path / "b.safetensors", 5)], tmp_path / "c.safetensors")
    found = report(tmp_path / "c.safetensors")
    assert found.clips == (Clip(0, 4, 13), Clip(4, 5, 17))
    assert (found.first, found.latents, found.frames, found.model) == (9, 9, 30, "tiny")
    assert found.record == read_record(tmp_path / "c.safetensors")
    bare = report(foreign(tmp_path / "old.safetensors"))
    assert (bare.model, bare.record, bare.frames, bare.width, bare.height) == (None, None, 37, 64, 64)


def test_half_precision_is_read_as_it_is(tmp_path: Path) -> None:
    latents = load_latents(foreign(tmp_path / "a.safetensors"))
    assert latents.values.dtype == np.float32
    assert (latents.first, latents.joints) == (0, ())


@pytest.mark.parametrize("joints", ["[0]", "[10]", "[5, 5]", "[-1]", '["a"]'])
def test_joints_that_cannot_be_are_damage(tmp_path: Path, joints: str) -> None:
    path = foreign(tmp_path / "a.safetensors", header={RECORD: f'{{"joints": {joints}}}'})
    with pytest.raises(InputError, match="joints"):
        measure_latents(path)


@pytest.mark.parametrize("shape", [(16, 10, 8, 8), (2, 16, 10, 8, 8), (1, 16, 0, 8, 8)])
def test_other_shapes_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="shape"):
        measure_latents(foreign(tmp_path / "a.safetensors", shape))


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    save_file({KEY: np.full((1, 16, 2, 8, 8), np.nan, dtype=np.float32)}, tmp_path / "a.safetensors")
    with pytest.raises(InputError, match="NaN"):
        load_latents(tmp_path / "a.safetensors")


def test_the_model_of_files(tmp_path: Path) -> None:
    tiny = read_source(write(tmp_path / "a.safetensors", 10))
    forward = read_source(write(tmp_path / "b.safetensors", 10, model="tiny-f1"))
    bare = read_source(foreign(tmp_path / "c.safetensors"))
    full = read_source(write(tmp_path / "d.safetensors", 10, model="framepack"))
    assert model_of([bare, tiny, forward]) == "tiny"
    assert model_of([forward], "tiny") == "tiny"
    assert model_of([bare], "framepack") == "framepack"
    for sources, asked in (([tiny, full], None), ([tiny], "framepack"), ([bare], None)):
        with pytest.raises(EichiError, match=r"framepack|--model"):
            model_of(sources, asked)
    with pytest.raises(EichiError, match="cannot read"):
        join_latents([tiny.path, full.path], tmp_path / "e.safetensors")


def test_a_file_that_says_no_model_is_named_with_the_remedy(tmp_path: Path) -> None:
    bare = read_source(foreign(tmp_path / "c.safetensors"))
    with pytest.raises(EichiError) as caught:
        model_of([bare])
    assert caught.value.values == {"path": bare.path, "flag": "--model"}


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        join_latents([tmp_path / "a.safetensors", tmp_path / "b.safetensors"], tmp_path / "c.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_names_are_free(tmp_path: Path) -> None:
    first = free_name(tmp_path, Path("x/clip.safetensors"), "joined", ".safetensors")
    assert first == tmp_path / "clip_joined.safetensors"
    first.touch()
    assert free_name(tmp_path, Path("clip.mp4"), "joined", ".safetensors").name == "clip_joined_2.safetensors"
