"""Latents to a rough picture without the VAE: every latent pixel by a linear map that belongs to the checkpoint.

Costs nothing next to a step, so it can be shown after every one. Colours and shapes are right, detail is not there:
a pixel stands for 8 x 8 of the video and a picture for four frames.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eichi.catalog import PreviewMatrix


def draw_preview(latents: Tensor, table: PreviewMatrix) -> NDArray[np.uint8]:
    """Scaled latents [1, 16, n, h, w] as pictures [n, h, w, 3]."""
    factors = torch.tensor(table.factors, dtype=torch.float32)
    pixels = torch.einsum("cthw,cr->thwr", latents[0].float().cpu(), factors) + torch.tensor(table.bias)
    return (pixels.clamp(0.0, 1.0) * 255.0).round().to(torch.uint8).numpy()
