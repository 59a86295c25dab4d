"""The encoder, written down instead of trained: a linear code of 8x8 blocks inside the official causal 3-D encoder.

The best linear code with 16 numbers for an 8x8x3 block is its principal components. The first frame and the last of
each group of four frames are coded this way. That map can be placed *exactly* into `AutoencoderKLHunyuanVideo`:

    conv_in          the three colours pass through (last time tap, centre)
    1st strided conv packs 2x2 blocks into 12 channels
    2nd              projects the 48 numbers of a 4x4 block on the best 16-dimensional subspace
    3rd              combines four 4x4 blocks into the 16 components; the bias removes the mean picture
    residuals        second convolutions zero, so a residual block is its shortcut
    last block       every component as the pair (x, -x), every norm group with the constants +-K

The constants make the final GroupNorm a fixed scale, and silu(x) - silu(-x) = x undoes the activation. In time every
convolution looks through its last tap only: a latent is one sharp moment and never the average of several, in which
whatever moves would be blurred. So the encoder costs no training and is no source of error; only the decoder learns.

Half whitening: components are divided by the square root of their standard deviation. Full whitening would give the
finest detail the weight of the average colour in the transformer's loss.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLHunyuanVideo
from torch import nn

CHANNELS, CELL, GROUP = 16, 8, 4
# The constants beside the components; large against them, small enough for float16 weights.
PIN = 300.0
WIDTHS = (16, 16, 32, 64)
NORM_GROUPS = 4


@dataclass(frozen=True)
class Codec:
    """A linear code: `filters` (16, 3, 8, 8) applied to blocks of pixels in -1..1, then `bias` (16)."""

    filters: torch.Tensor
    bias: torch.Tensor

    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        """(n, 3, height, width) to (n, 16, height / 8, width / 8)."""
        return F.conv2d(frames, self.filters, self.bias, stride=CELL)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """The linear inverse; blocks show, but it needs no training."""
        matrix = self.filters.flatten(1)
        inverse = torch.linalg.pinv(matrix).T.reshape(self.filters.shape)
        return F.conv_transpose2d(latents - self.bias.view(1, -1, 1, 1), inverse, stride=CELL)

    def clip(self, frames: torch.Tensor) -> torch.Tensor:
        """Code 1 + 4n frames, (1 + n, 16, h, w)."""
        return self.encode(frames[::GROUP])


def fit(pictures: torch.Tensor) -> Codec:
    """The half-whitened principal components of the blocks of (n, 3, height, width)."""
    blocks = F.unfold(pictures, CELL, stride=CELL).transpose(1, 2).flatten(0, 1).double()
    mean = blocks.mean(0)
    values, vectors = torch.linalg.eigh((blocks - mean).T @ (blocks - mean) / len(blocks))
    deviation = values[-CHANNELS:].flip(0).sqrt()
    scale = deviation.sqrt() * (deviation.mean()).sqrt()
    # One more common factor makes the mean variance of a component one.
    scale = scale * ((deviation / scale) ** 2).mean().sqrt()
    filters = vectors[:, -CHANNELS:].flip(1).T / scale[:, None]
    return Codec(filters.float().reshape(CHANNELS, 3, CELL, CELL), -(filters @ mean).float())


def autoencoder() -> AutoencoderKLHunyuanVideo:
    """The VAE of the embedded model, untrained. Latents leave the codec at unit variance, hence scaling factor 1."""
    return AutoencoderKLHunyuanVideo(
        block_out_channels=WIDTHS,
        layers_per_block=1,
        norm_num_groups=NORM_GROUPS,
        scaling_factor=1.0,
        mid_block_add_attention=False,
    )


@torch.no_grad()
def installed(vae: AutoencoderKLHunyuanVideo) -> Codec:
    """The code that was written into an encoder, found by coding a black block and one for every number of a block."""
    count = 3 * CELL * CELL
    blocks = torch.cat([torch.zeros(1, count), torch.eye(count)]).view(-1, 3, 1, CELL, CELL)
    codes = vae.encode(blocks).latent_dist.mode().flatten(1)
    return Codec((codes[1:] - codes[0]).T.reshape(CHANNELS, 3, CELL, CELL), codes[0])


@torch.no_grad()
def install(codec: Codec, vae: AutoencoderKLHunyuanVideo) -> None:
    """Write the code into the encoder and make both 1x1 convolutions around the latents neutral."""
    for module in vae.encoder.modules():
        if isinstance(module, nn.Conv3d):
            module.weight.zero_()
            nn.init.zeros_(_bias(module))
        elif isinstance(module, nn.GroupNorm):
            module.weight.fill_(1)
            module.bias.zero_()
    encoder, blocks = vae.encoder, vae.encoder.down_blocks
    _identity(encoder.conv_in.conv, 3)
    first, second, third = _factors(codec)
    for block, packing in zip(blocks, (first, second, third), strict=False):
        _strided(block.downsamplers[0].conv.conv, packing)
    blocks[2].downsamplers[0].conv.conv.bias[:CHANNELS] = codec.bias
    for block in blocks:
        shortcut = block.resnets[0].conv_shortcut
        if shortcut is not None:
            _identity(shortcut.conv, CHANNELS)
    _pair(blocks[3].resnets[0].conv_shortcut.conv, encoder.conv_norm_out, encoder.conv_out.conv)
    vae.quant_conv.weight.zero_()
    vae.quant_conv.weight[:, :, 0, 0, 0] = torch.eye(2 * CHANNELS)
    # The posterior's logarithm of the variance: sampling and mode agree to a thousandth.
    vae.quant_conv.bias.copy_(torch.cat([torch.zeros(CHANNELS), torch.full((CHANNELS,), -12.0)]))
    vae.post_quant_conv.weight[:, :, 0, 0, 0] = torch.eye(CHANNELS)
    vae.post_quant_conv.bias.zero_()


def _bias(conv: nn.Conv3d) -> torch.Tensor:
    if conv.bias is None:
        raise TypeError("the convolutions of this VAE have biases")
    return conv.bias


def _identity(conv: nn.Conv3d, count: int) -> None:
    """The first `count` channels pass unchanged: last time tap, middle of the kernel."""
    middle = conv.kernel_size[1] // 2
    for k in range(count):
        conv.weight[k, k, -1, middle, middle] = 1


def _strided(conv: nn.Conv3d, weight: torch.Tensor) -> None:
    """A 2x2 packing `weight` (out, in, 2, 2) of the newest frame.

    The official strided convolution pads one pixel on every side, so the block of output (i, j) starts in the middle
    of its 3x3 kernel.
    """
    out, inside = weight.shape[:2]
    conv.weight[:out, :inside, -1, 1:, 1:] = weight


def _factors(codec: Codec) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The 8x8 filters as three 2x2 packings, through the best 16-dimensional subspace of 4x4 blocks."""
    first = torch.zeros(12, 3, 2, 2)
    for colour in range(3):
        for y in range(2):
            for x in range(2):
                first[colour * 4 + y * 2 + x, colour, y, x] = 1
    # (16 components, 2x2 quarters, 48 numbers of a 4x4 block ordered as colour, y, x)
    quarters = codec.filters.unflatten(3, (2, 4)).unflatten(2, (2, 4)).permute(0, 2, 4, 1, 3, 5).flatten(3)
    _, _, rows = torch.linalg.svd(quarters.flatten(0, 2).double(), full_matrices=False)
    basis = rows[:CHANNELS].float()  # (16, 48)
    # 48 numbers as (colour, Y, y, X, x) with inner y, x packed by the first convolution.
    second = basis.reshape(CHANNELS, 3, 2, 2, 2, 2).permute(0, 1, 3, 5, 2, 4).reshape(CHANNELS, 12, 2, 2)
    third = torch.einsum("cyxn,bn->cbyx", quarters, basis)
    return first, second, third


def _pair(shortcut: nn.Conv3d, norm: nn.GroupNorm, out: nn.Conv3d) -> None:
    """Components as pairs (x, -x) beside the constants, so that the norm is a fixed scale and silu is undone."""
    shortcut.weight.zero_()
    size = norm.num_channels // norm.num_groups  # 16 channels a group: 4 pairs, 2 constants, the rest zero
    each = CHANNELS // norm.num_groups
    for k in range(CHANNELS):
        plus = (k // each) * size + 2 * (k % each)
        for channel, sign in ((plus, 1.0), (plus + 1, -1.0)):
            shortcut.weight[channel, k, -1, 0, 0] = sign
            out.weight[k, channel, -1, 1, 1] = sign
    for group in range(norm.num_groups):
        last = (group + 1) * size
        _bias(shortcut)[last - 2 : last] = torch.tensor([-PIN, PIN])
    norm.weight.fill_(PIN * (2 / size) ** 0.5)
