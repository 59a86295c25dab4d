"""Encoding frames as they are read equals the library's own encoding of the whole clip."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLHunyuanVideo
from numpy.typing import NDArray

from eichi.pipeline.encode import STRIDE, TILE, encode
from eichi.plan.timeline import frame_count, latents_for
from tests import small


@pytest.fixture(scope="module")
def vae() -> AutoencoderKLHunyuanVideo:
    torch.manual_seed(0)
    return small.vae()


def clip(count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(count).integers(0, 256, (count, 16, 32, 3), dtype=np.uint8)


@torch.inference_mode()
def whole(vae: AutoencoderKLHunyuanVideo, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """All at once, on the library's grid; the last frame is repeated until a latent is full."""
    missing = frame_count(latents_for(len(frames))) - len(frames)
    full = np.concatenate([frames, frames[-1:].repeat(missing, axis=0)])
    pixels = torch.from_numpy(full).permute(3, 0, 1, 2)[None].float() / 127.5 - 1.0
    vae.use_framewise_encoding = True
    made: torch.Tensor = vae.encode(pixels).latent_dist.mode() * vae.config.scaling_factor
    vae.use_framewise_encoding = False
    return made.numpy()


@pytest.mark.parametrize("count", [1, 2, 4, 5, 12, 13, 16, 17, 18, 21, 24, 25, 28, 29, 30, 41, 53, 60, 73])
def test_equal_to_whole_encode(vae: AutoencoderKLHunyuanVideo, count: int) -> None:
    frames = clip(count)
    vae.use_framewise_encoding = False
    made = torch.cat(list(encode(vae, iter(frames))), dim=2).numpy()
    assert made.shape == (1, 16, latents_for(count), 2, 4)
    assert np.abs(made - whole(vae, frames)).max() < 1e-5


def test_latents_leave_while_frames_are_read(vae: AutoencoderKLHunyuanVideo) -> None:
    read = 0

    def frames() -> Iterator[NDArray[np.uint8]]:
        nonlocal read
        for frame in clip(53):
            read += 1
            yield frame

    seen = []
    for run in encode(vae, frames()):
        seen.append((read, run.shape[2]))
    assert seen == [(TILE, 5), (TILE + STRIDE, 3), (TILE + 2 * STRIDE, 3), (TILE + 3 * STRIDE, 3)]


def test_nothing_gives_nothing(vae: AutoencoderKLHunyuanVideo) -> None:
    assert list(encode(vae, iter(()))) == []


def test_latents_for_any_number_of_frames() -> None:
    assert [latents_for(count) for count in (0, 1, 2, 5, 6, 9)] == [0, 1, 2, 2, 3, 3]
    assert all(latents_for(frame_count(latents)) == latents for latents in range(1, 100))
