"""The decoder's numbers brought into the range of float16, and back.

The program computes the embedded model in float32, but a VAE that is taken for one in half precision, by another
program or a card's own default, must not draw black: float16 ends at 65,504. What training makes of the decoder
reaches 220,000, since nothing in its loss sees how large features are: every residual block normalises what it reads.
For the same reason the features between two blocks can be scaled by any number without changing the picture, as long
as everything that writes into them is scaled alike. Powers of two change no digit of a weight. Knows no training.
"""

from collections.abc import Iterator

import torch
from diffusers import AutoencoderKLHunyuanVideo
from torch import nn

# What the features of each stage are multiplied by: of the first with conv_in and the middle, and of every later one
# with the upsampler before it. They bring the peaks of version 6, 200 to 220,000, to 700 at the most.
SCALES = (1.0, 2.0**-1, 2.0**-5, 2.0**-9)
# Peaks of features that leave float16 room for a hundred times more than was seen.
MOST = 1024.0


@torch.no_grad()
def halve(vae: AutoencoderKLHunyuanVideo, scales: tuple[float, ...] = SCALES) -> AutoencoderKLHunyuanVideo:
    """Scale the decoder's features; the picture stays, but for the norms' epsilon, which is a millionth of them."""
    before = 1.0
    for (entry, writers), scale in zip(_stages(vae), scales, strict=True):
        entry.weight *= scale / before
        _bias(entry).mul_(scale)
        for conv in writers:
            _bias(conv).mul_(scale)
            if conv.kernel_size != (1, 1, 1):  # a shortcut reads features of this scale already
                conv.weight *= scale
        before = scale
    return vae


def widen(vae: AutoencoderKLHunyuanVideo) -> AutoencoderKLHunyuanVideo:
    """Undo `halve`, so that training goes on with the numbers that its rates were chosen for."""
    return halve(vae, tuple(1 / scale for scale in SCALES))


@torch.inference_mode()
def peaks(vae: AutoencoderKLHunyuanVideo, frames: torch.Tensor) -> dict[str, float]:
    """The largest numbers that `frames` [1, 3, n, height, width] leave in the encoder and in the decoder."""
    found = {"encoder": 0.0, "decoder": 0.0}

    def watch(name: str) -> object:
        def note(module: nn.Module, given: object, made: torch.Tensor) -> None:
            found[name] = max(found[name], float(made.abs().max()))

        return note

    hooks = [module.register_forward_hook(watch(name)) for name in found for module in getattr(vae, name).modules()]
    vae.decode(vae.encode(frames).latent_dist.mode())
    for hook in hooks:
        hook.remove()
    return found


def _stages(vae: AutoencoderKLHunyuanVideo) -> Iterator[tuple[nn.Conv3d, list[nn.Conv3d]]]:
    """Of every stage what makes its features, and what adds to them."""
    decoder = vae.decoder
    entry, resnets = decoder.conv_in.conv, list(decoder.mid_block.resnets)
    for block in decoder.up_blocks:
        resnets += block.resnets
        shortcuts = [resnet.conv_shortcut.conv for resnet in resnets if resnet.conv_shortcut is not None]
        yield entry, [*(resnet.conv2.conv for resnet in resnets), *shortcuts]
        if block.upsamplers is not None:
            entry, resnets = block.upsamplers[0].conv.conv, []


def _bias(conv: nn.Conv3d) -> torch.Tensor:
    assert conv.bias is not None
    return conv.bias
