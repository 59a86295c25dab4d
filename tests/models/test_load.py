"""The parts of a model in memory, as the settings of the machine want them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from eichi.catalog import find
from eichi.models.load import Components
from eichi.pipeline.conditioning import encode_picture
from eichi.pipeline.decode import Decoder

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
    expected, _ = through(Components(find("tiny"), tmp_path, "cpu", tile=0), picture)
    pixels, seen = through(Components(find("tiny"), tmp_path, "cpu", tile=side), picture)
    assert (seen == [SIDE]) == whole
    assert max(seen) == (SIDE if whole else side)
    difference = np.abs(pixels.astype(int) - expected)
    assert (difference.max() == 0) == whole
    assert difference.mean() < 8
