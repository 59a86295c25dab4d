"""Decoding as latents arrive equals decoding the finished clip."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLHunyuanVideo

from eichi.catalog import Direction
from eichi.pipeline.decode import TILE, Decoder, LoopDecoder, to_pixels
from tests import small


@pytest.fixture(scope="module")
def vae() -> AutoencoderKLHunyuanVideo:
    torch.manual_seed(0)
    return small.vae()


@pytest.mark.parametrize("direction", ["reverse", "forward"])
@pytest.mark.parametrize("window", [5, 9])
@pytest.mark.parametrize("sections", [1, 2, 5])
def test_equal_to_whole_decode(
    vae: AutoencoderKLHunyuanVideo, floats: None, sections: int, window: int, direction: Direction
) -> None:
    total = window * sections + 1
    cuts = [0, *range(1, total + 1, window)] if direction == "forward" else [0, *range(1 + window, total + 1, window)]
    spans = list(pairwise(cuts))
    if direction == "reverse":
        spans.reverse()
    compare(vae, Decoder(vae, total, direction), total, spans)


@pytest.mark.parametrize("window", [5, 9])
@pytest.mark.parametrize("sections", [2, 3])
def test_a_loop_equals_whole_decode(vae: AutoencoderKLHunyuanVideo, floats: None, sections: int, window: int) -> None:
    total = window * sections + 1
    *body, tail = pairwise([0, *range(1 + window, total + 1, window)])
    compare(vae, LoopDecoder(vae, total, window), total, [*reversed(body), tail])


@pytest.fixture
def floats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames as the VAE gives them, before they become grey levels."""
    monkeypatch.setattr("eichi.pipeline.decode.to_pixels", lambda frames: frames.permute(1, 2, 3, 0).numpy())


@torch.inference_mode()
def compare(
    vae: AutoencoderKLHunyuanVideo, decoder: Decoder | LoopDecoder, total: int, spans: list[tuple[int, int]]
) -> None:
    """Push spans of random latents and hold every frame against the VAE's own decode of all of them."""
    latents = torch.randn(1, 16, total, 4, 4, generator=torch.Generator().manual_seed(1))
    vae.use_framewise_decoding = True
    expected = vae.decode(latents / vae.config.scaling_factor, return_dict=False)[0][0].permute(1, 2, 3, 0).numpy()

    vae.use_framewise_decoding = False
    frames = np.zeros_like(expected)
    seen = np.zeros(len(expected), dtype=int)
    for start, stop in spans:
        run = decoder.push(start, latents[:, :, start:stop])
        if run is not None:
            first, made = run
            frames[first : first + len(made)] = made
            seen[first : first + len(made)] += 1
    assert (seen == 1).all()
    assert expected.std() > 0.01
    assert np.abs(frames - expected).max() <= 1e-5
    assert decoder.decoded <= 5 / 3 * total + 2


def test_pixels_are_the_nearest_grey_levels() -> None:
    levels = torch.tensor([-2.0, -1.0, -0.999, 0.0, 0.5, 1.0, 3.0]).expand(3, 1, 1, -1)
    assert to_pixels(levels)[0, 0, :, 1].tolist() == [0, 0, 0, 128, 191, 255, 255]


@pytest.mark.parametrize("direction", ["reverse", "forward"])
@torch.inference_mode()
def test_latents_go_once_their_tiles_are_decoded(vae: AutoencoderKLHunyuanVideo, direction: Direction) -> None:
    """Never more than a tile is held, and not as a view of everything that came."""
    total = 37
    decoder = Decoder(vae, total, direction)
    spans = list(pairwise([0, *range(1, total + 1, 9)]))
    for start, stop in spans if direction == "forward" else reversed(spans):
        decoder.push(start, torch.zeros(1, 16, stop - start, 2, 2))
        held = decoder._held
        assert held is not None
        assert held.shape[2] <= TILE
        assert held.untyped_storage().nbytes() == held.nbytes
