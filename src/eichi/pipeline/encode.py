"""Frames to latents while the frames are still being read: memory for one tile, whatever the length.

The VAE encodes long clips in temporal tiles: seventeen frames each, a new one every twelve. A tile's first two latents
only warm up the causal encoder, except in the first tile: the one stands for a single frame there, the other was made
by the tile before, of which the library's blending of one latent keeps all. That grid is walked here, so the result
equals the library's own encoding of the whole clip; every frame is encoded at most 17/12 times.

The mode of the posterior is taken, not a draw, so that equal videos give equal latents.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from diffusers import AutoencoderKLHunyuanVideo
from numpy.typing import NDArray
from torch import Tensor

from eichi.errors import RunError
from eichi.plan.timeline import FRAMES_PER_LATENT, frame_count, latents_for

TILE, STRIDE = 17, 12  # frames
WARM = (TILE - STRIDE - 1) // FRAMES_PER_LATENT + 1  # latents that a later tile shares with the one before


def encode(vae: AutoencoderKLHunyuanVideo, frames: Iterable[NDArray[np.uint8]]) -> Iterator[Tensor]:
    """Runs of scaled latents [1, c, n, h/8, w/8], float32 on the CPU, of the frames [h, w, 3] of a clip.

    A clip has 4T - 3 frames; where the last latent is not filled, the last frame is repeated until it is.
    """
    held: list[NDArray[np.uint8]] = []
    warm = 0
    for frame in frames:
        held.append(frame)
        if len(held) == TILE:
            yield encode_tile(vae, held)[:, :, warm:]
            held, warm = held[STRIDE:], WARM
    latents = latents_for(len(held))
    if latents > warm:
        yield encode_tile(vae, held + [held[-1]] * (frame_count(latents) - len(held)))[:, :, warm:]


@torch.inference_mode()
def encode_tile(vae: AutoencoderKLHunyuanVideo, frames: Sequence[NDArray[np.uint8]]) -> Tensor:
    """All latents [1, c, n, h/8, w/8] of a tile of frames [h, w, 3]; a single picture is a tile too.

    Raises RunError where they are no numbers.
    """
    pixels = torch.from_numpy(np.stack(frames)).permute(3, 0, 1, 2)[None].float() / 127.5 - 1.0
    mode: Tensor = vae.encode(pixels.to(vae.device, vae.dtype)).latent_dist.mode()
    scale: float = vae.config.scaling_factor
    latents = (mode.float() * scale).cpu()
    if not torch.isfinite(latents).all():
        raise RunError("error.encode.nan")
    return latents
