"""Decoding as latents arrive equals decoding the finished clip."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLHunyuanVideo

from eichi.catalog import Direction, ModelFolders, find
from eichi.errors import RunError
from eichi.models.load import Components
from eichi.pipeline.decode import TILE, Decoder, LoopDecoder, to_pixels
from eichi.settings import Runtime
from tests import small
from training.half import widen


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


@torch.inference_mode()
def test_a_tile_that_is_too_large_for_halves_is_decoded_again() -> None:
    """The embedded decoder with the numbers that training gave it, which are beyond float16."""
    components = Components(find("tiny"), Runtime(ModelFolders(Path("models")), "cpu"))
    latents = torch.randn(1, 16, 4, 6, 10, generator=torch.Generator().manual_seed(0))
    expected = Decoder(components.vae, 4, "forward").push(0, latents)
    vae = widen(components.vae)
    torch.nn.Module.half(vae)
    decoder = Decoder(vae, 4, "forward")
    made = decoder.push(0, latents)
    assert made is not None and expected is not None
    assert np.abs(made[1].astype(int) - expected[1]).max() <= 1
    assert (decoder.repeated, vae.dtype) == (1, torch.float16)


def test_frames_that_are_no_numbers_are_refused(vae: AutoencoderKLHunyuanVideo) -> None:
    with pytest.raises(RunError) as error:
        Decoder(vae, 5, "forward").push(0, torch.full((1, 16, 5, 4, 4), torch.nan))
    assert error.value.id == "error.decode.nan"


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
