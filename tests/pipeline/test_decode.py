"""Decoding as latents arrive equals decoding the finished clip."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLHunyuanVideo

from eichi.catalog import Direction
from eichi.pipeline.decode import Decoder, LoopDecoder
from tests import small


@pytest.fixture(scope="module")
def vae() -> AutoencoderKLHunyuanVideo:
    torch.manual_seed(0)
    return small.vae()


@pytest.mark.parametrize("direction", ["reverse", "forward"])
@pytest.mark.parametrize("window", [5, 9])
@pytest.mark.parametrize("sections", [1, 2, 5])
def test_equal_to_whole_decode(
    vae: AutoencoderKLHunyuanVideo, sections: int, window: int, direction: Direction
) -> None:
    total = window * sections + 1
    cuts = [0, *range(1, total + 1, window)] if direction == "forward" else [0, *range(1 + window, total + 1, window)]
    spans = list(pairwise(cuts))
    if direction == "reverse":
        spans.reverse()
    compare(vae, Decoder(vae, total, direction), total, spans)


@pytest.mark.parametrize("window", [5, 9])
@pytest.mark.parametrize("sections", [2, 3])
def test_a_loop_equals_whole_decode(vae: AutoencoderKLHunyuanVideo, sections: int, window: int) -> None:
    total = window * sections + 1
    *body, tail = pairwise([0, *range(1 + window, total + 1, window)])
    compare(vae, LoopDecoder(vae, total, window), total, [*reversed(body), tail])


@torch.inference_mode()
def compare(
    vae: AutoencoderKLHunyuanVideo, decoder: Decoder | LoopDecoder, total: int, spans: list[tuple[int, int]]
) -> None:
    """Push spans of random latents and hold every frame against the VAE's own decode of all of them."""
    latents = torch.randn(1, 16, total, 4, 4, generator=torch.Generator().manual_seed(1))
    vae.use_framewise_decoding = True
    whole = vae.decode(latents / vae.config.scaling_factor, return_dict=False)[0]
    expected = ((whole[0].permute(1, 2, 3, 0).clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).numpy()

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
    assert np.abs(frames.astype(int) - expected).max() <= 1  # rounding of sums in another order
    assert decoder.decoded <= 5 / 3 * total + 2
