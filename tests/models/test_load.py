"""Parts from their files: as the settings want them, when they are asked for, and gone when they are given back."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from eichi.catalog import CARD, ModelFolders, find
from eichi.errors import ModelError
from eichi.models.load import Components, set_tiles
from eichi.pipeline.conditioning import encode_picture
from eichi.pipeline.decode import Decoder
from eichi.plan.memory import Level, Need, Placement
from eichi.settings import Runtime
from tests import small

SIDE = 64


def through(components: Components, picture: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], list[int]]:
    """A picture into latents and back, and the sides of the squares that the decoder was given, in pixels."""
    seen: list[int] = []
    watch = components.vae.decoder.register_forward_pre_hook(lambda _, given: seen.append(max(given[0].shape[-2:]) * 8))
    run = Decoder(components.vae, 1, "forward").push(0, encode_picture(components, picture))
    watch.remove()
    assert run is not None
    return run[1][0], seen


@pytest.mark.parametrize(("side", "whole"), [(0, True), (64, True), (256, True), (32, False)])
@torch.inference_mode()
def test_large_pictures_are_taken_apart(tmp_path: Path, side: int, whole: bool) -> None:
    """In squares that overlap, blended so that it hardly shows; small pictures stay as they are."""
    ramp = np.linspace(0, 255, SIDE, dtype=np.uint8)
    picture = np.stack([np.broadcast_to(ramp, (SIDE, SIDE)), np.broadcast_to(ramp[:, None], (SIDE, SIDE))], axis=2)
    picture = np.concatenate([picture, np.full((SIDE, SIDE, 1), 90, dtype=np.uint8)], axis=2)
    expected, _ = through(Components(find("tiny"), Runtime(ModelFolders(tmp_path), "cpu", tile=0)), picture)
    pixels, seen = through(Components(find("tiny"), Runtime(ModelFolders(tmp_path), "cpu", tile=side)), picture)
    assert (seen == [SIDE]) == whole
    assert max(seen) == (SIDE if whole else side)
    difference = np.abs(pixels.astype(int) - expected)
    assert (difference.max() == 0) == whole
    assert difference.mean() < 8


def one_file(tmp_path: Path) -> Path:
    """The embedded transformer as a file of its own, with its card."""
    path = tmp_path / "one" / "transformer.safetensors"
    path.parent.mkdir()
    shutil.copy(str(find("tiny").root) + "/transformer/diffusion_pytorch_model.safetensors", path)
    (path.parent / CARD).write_text(json.dumps({"like": "tiny"}), encoding="utf-8")
    return path


def test_a_transformer_in_one_file_is_the_same(tmp_path: Path) -> None:
    single = Components(find(str(one_file(tmp_path))), Runtime(ModelFolders(tmp_path), "cpu"))
    folder = Components(find("tiny"), Runtime(ModelFolders(tmp_path), "cpu"))
    ours, theirs = single.transformer.state_dict(), folder.transformer.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert not single.transformer.training
    assert single.folders["vae"] == folder.folders["vae"]
    assert single.fingerprint["transformer"] != folder.fingerprint["transformer"]
    assert single.fingerprint["vae"] == folder.fingerprint["vae"]


@pytest.mark.parametrize("damage", ["cut", "other", "text"])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, damage: str) -> None:
    path = one_file(tmp_path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "other":
        shutil.copy(str(find("tiny").root) + "/vae/diffusion_pytorch_model.safetensors", path)
    else:
        path.write_text("<html>", encoding="utf-8")
    components = Components(find(str(path)), Runtime(ModelFolders(tmp_path), "cpu"))
    with pytest.raises(ModelError, match="transformer"):
        _ = components.transformer


def test_parts_come_when_asked_for_and_go(tmp_path: Path) -> None:
    components = Components(small.entry(small.build(tmp_path / "model")), Runtime(ModelFolders(tmp_path), "cpu"))
    first = components.text_encoder
    assert components.text_encoder is first
    components.release("text_encoder")
    assert components.text_encoder is not first


@torch.inference_mode()
def test_squares_overlap_by_a_quarter() -> None:
    """Of 32 pixels, a new one every 24: three of them a side where there are 64."""
    vae = small.vae()
    set_tiles(vae, 32)
    seen: list[tuple[int, int]] = []
    vae.decoder.register_forward_pre_hook(lambda _, given: seen.append(tuple(8 * n for n in given[0].shape[-2:])))
    vae.decode(torch.zeros(1, 16, 1, SIDE // 8, SIDE // 8))
    assert seen == [(high, wide) for high in (32, 32, 16) for wide in (32, 32, 16)]


@pytest.mark.parametrize(("level", "stays"), [("all", True), ("streamed", False), (None, False)])
def test_what_is_left_stays_only_where_everything_has_room(tmp_path: Path, level: Level | None, stays: bool) -> None:
    components = Components(small.entry(small.build(tmp_path / "model")), Runtime(ModelFolders(tmp_path), "cpu"))
    if level is not None:
        components.need, components.placement = Need(64, 64), Placement(level)
    first = components.text_encoder_2
    components.leave("text_encoder_2")
    assert (components.text_encoder_2 is first) == stays
