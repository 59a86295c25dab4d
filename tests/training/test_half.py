"""The embedded VAE computes in the precisions of a card, as it does in float32."""

import copy
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKLHunyuanVideo

from training import half, world
from training.decoder import decibels

TINY = Path(__file__).parents[2] / "src" / "eichi" / "models" / "tiny"


@pytest.fixture(scope="module")
def vae() -> AutoencoderKLHunyuanVideo:
    model: AutoencoderKLHunyuanVideo = AutoencoderKLHunyuanVideo.from_pretrained(TINY / "vae")
    return model.eval()


def clip(number: int, size: tuple[int, int]) -> torch.Tensor:
    """Five frames of a held-out scene, [1, 3, 5, height, width]."""
    return world.render(world.scene("held", number, size), torch.arange(5.0)).transpose(0, 1)[None]


CLIPS = {
    "scene": clip(0, (64, 64)),
    "wide": clip(3, (48, 80)),
    "black": torch.full((1, 3, 5, 48, 80), -1.0),
    "noise": torch.rand((1, 3, 5, 48, 80), generator=torch.Generator().manual_seed(0)) * 2 - 1,
}


@pytest.mark.parametrize("name", CLIPS)
def test_no_number_comes_near_the_end_of_float16(vae: AutoencoderKLHunyuanVideo, name: str) -> None:
    assert max(half.peaks(vae, CLIPS[name]).values()) <= half.MOST


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ["scene", "wide", "noise"])
@torch.inference_mode()
def test_halves_show_what_float32_shows(vae: AutoencoderKLHunyuanVideo, name: str, dtype: torch.dtype) -> None:
    there = copy.deepcopy(vae).to(dtype)
    whole = vae.decode(vae.encode(CLIPS[name]).latent_dist.mode()).sample
    made = there.decode(there.encode(CLIPS[name].to(dtype)).latent_dist.mode()).sample.float()
    assert decibels(made.clamp(-1, 1), whole.clamp(-1, 1)) >= 35.0


@torch.inference_mode()
def test_scales_change_no_picture_and_can_be_undone(vae: AutoencoderKLHunyuanVideo) -> None:
    trained = half.widen(copy.deepcopy(vae))
    assert half.peaks(trained, CLIPS["scene"])["decoder"] > torch.finfo(torch.float16).max
    latents = vae.encode(CLIPS["scene"]).latent_dist.mode()
    assert (trained.decode(latents).sample - vae.decode(latents).sample).abs().max() < 1e-5
    again = half.halve(trained).state_dict()
    assert all(torch.equal(again[name], tensor) for name, tensor in vae.state_dict().items())
