"""Training the VAE's decoder: from (noisy) latents back to the picture they were made of.

The encoder is fixed, so this is plain regression on single pictures. With one frame all time taps of a causal
convolution see the same padded frame. Training uses the *last* tap alone, as a 2-D convolution, and keeps the others
zero; so the trained network, run by the official 3-D forward, treats every frame by itself (a sum over taps would
smear time), and costs two fifths.

It is trained twice: on the world's pictures, and, when the networks are there, also on what these draw, which shall
decode to what it made of the latents they should have drawn (`training/drawn.py`).

What happens between latents is not learnt but written down: where time doubles, features lie half way between those
of a latent and of the one before it, see `glide`. A latent shows one moment, so that is where its neighbours belong.

The network starts as bilinear upsampling of each block's mean colour: residual blocks are neutral, and the colour
travels as pairs (x, -x), which undo the last activation.
"""

import contextlib
import copy
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLHunyuanVideo
from diffusers.models.autoencoders import autoencoder_kl_hunyuan_video as official
from torch import nn

from training import state, world
from training.codec import CELL, CHANNELS, Codec, autoencoder, install
from training.drawn import Drawn, known
from training.muon import Muon
from training.photos import crop
from training.rng import Rng, pick, stream

log = logging.getLogger(__name__)

BATCH = 8
SAVE_EVERY = 240.0  # seconds
RATE = 0.02  # Muon's; falls to zero over the budget
PHOTOS = 0.05  # share of whole photographs; of the others, a third have a photograph behind their sprite
# Noise on latents, standard deviation: mostly little, sometimes as much as the transformer's own errors.
LEAST, MOST = 0.02, 0.2
DRAWN = 0.15  # share of latents as the networks draw them, once there are some


def train(folder: Path, codec: Codec, minutes: float, sizes: tuple[tuple[int, int], ...], device: str = "cpu") -> None:
    """Train (on) until the budget of minutes is spent, then leave `vae.pt` for the export.

    Minutes are of the processor, and on another device, for which it only waits, of the clock.
    """
    torch.set_num_threads(1)
    vae = autoencoder()
    path, done = folder / "decoder.pt", folder / "vae.pt"
    start(codec, vae)
    muon, adam = optimisers(vae)
    step, spent = 0, 0.0
    if path.exists():
        before = state.load(path)
        vae.load_state_dict(before["model"])
        step, spent = before["step"], before["spent"]
        for optimiser, content in zip((muon, adam), before["optimisers"], strict=False):
            optimiser.load_state_dict(content)

    lessons = Lessons(codec, known(folder), copy.deepcopy(vae), sizes)
    vae.to(device)
    for optimiser in (muon, adam):  # puts what it remembers beside the weights
        optimiser.load_state_dict(optimiser.state_dict())
    clock = time.process_time if device == "cpu" else time.perf_counter

    def keep() -> None:
        at = {"step": step, "spent": spent, "optimisers": [muon.state_dict(), adam.state_dict()]}
        state.save(path, {"model": vae.state_dict(), **at})
        state.save(done, {"model": glide(copy.deepcopy(vae)).state_dict()})

    total, last, saved = 0.0, clock(), time.monotonic()
    with flat():
        while spent < minutes * 60:
            share = max(0.0, 1 - spent / (minutes * 60))
            for optimiser, rate in ((muon, RATE), (adam, RATE / 12)):
                optimiser.param_groups[0]["lr"] = rate * share
            latents, target = (part.to(device) for part in lessons.batch(step))
            loss = distance(vae.decoder(vae.post_quant_conv(latents)), target)
            for optimiser in (muon, adam):
                optimiser.zero_grad()
            loss.backward()
            for optimiser in (muon, adam):
                optimiser.step()
            step, total = step + 1, total + float(loss.detach())
            now = clock()
            spent, last = spent + now - last, now
            if step % 50 == 0:
                state.note(folder / "decoder.jsonl", step=step, seconds=spent, loss=total / 50)
                total = 0.0
            if time.monotonic() - saved > SAVE_EVERY:
                keep()
                saved = time.monotonic()
            if step % 500 == 0:
                log.info("decoder: step %d, %.0f s, %s", step, spent, measure(vae, codec))
    keep()
    log.info("decoder finished: step %d", step)


def distance(made: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Absolute error, which keeps edges sharp, and squared error, which counts where a picture is far off."""
    return F.l1_loss(made, target) + 2 * F.mse_loss(made, target)


@dataclass(frozen=True)
class Lessons:
    """What the decoder learns from. `teacher` is the decoder as it was before it saw anything drawn."""

    codec: Codec
    drawn: dict[tuple[int, ...], Drawn]
    teacher: AutoencoderKLHunyuanVideo
    sizes: tuple[tuple[int, int], ...]  # of pictures, height and width

    def batch(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Noisy latents (n, 16, 1, h, w) and what they should decode to (n, 3, 1, height, width)."""
        rng = stream("decoder", step)
        height, width = pick(rng, self.sizes)
        latents, targets = [], []
        for k in range(BATCH):
            codes, frames = self._one(rng, height, width, step * BATCH + k)
            latents.append(codes)
            targets.append(frames)
        return torch.stack(latents).transpose(1, 2), torch.stack(targets).transpose(1, 2)

    @torch.no_grad()
    def _one(self, rng: Rng, height: int, width: int, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        pairs = self.drawn.get((height // CELL, width // CELL))
        if pairs is not None and rng.random() < DRAWN:
            made, true = pairs.pick(rng)
            return made[None], self.teacher.decoder(true[None, :, None])[:, :, 0].clamp(-1, 1)
        if rng.random() < PHOTOS:
            frames = crop(rng, height, width, held=False)[None] * 2 - 1
        else:
            scene = world.scene("train", 1_000_000 + number, (height, width))
            frames = world.render(scene, torch.tensor([float(rng.integers(0, 145))]))
        codes = self.codec.encode(frames)
        noise = torch.randn(codes.shape, generator=torch.Generator().manual_seed(number))
        return codes + float(LEAST + (MOST - LEAST) * rng.random() ** 3) * noise, frames


def optimisers(vae: AutoencoderKLHunyuanVideo) -> tuple[Muon, torch.optim.AdamW]:
    """Muon for the convolutions, AdamW for norms, biases and the last convolution."""
    vae.requires_grad_(False)
    vae.decoder.requires_grad_(True)
    last = vae.decoder.conv_out.conv.weight
    matrices = [p for p in vae.decoder.parameters() if p.ndim > 1 and p is not last]
    rest = [p for p in vae.decoder.parameters() if p.ndim == 1 or p is last]
    return Muon(matrices, RATE), torch.optim.AdamW(rest, lr=RATE / 12, weight_decay=0.0)


@contextlib.contextmanager
def flat() -> Iterator[None]:
    """Let causal 3-D convolutions see single pictures through their last time tap only, as 2-D convolutions."""
    causal = official.HunyuanVideoCausalConv3d
    original = causal.forward

    def forward(self: official.HunyuanVideoCausalConv3d, hidden_states: torch.Tensor) -> torch.Tensor:
        weight = self.conv.weight[:, :, -1]
        edge = weight.shape[-1] // 2
        frame = F.pad(hidden_states[:, :, 0], (edge,) * 4, mode="replicate")
        return F.conv2d(frame, weight, self.conv.bias)[:, :, None]

    causal.forward = forward
    try:
        yield
    finally:
        causal.forward = original


@torch.no_grad()
def start(codec: Codec, vae: AutoencoderKLHunyuanVideo) -> None:
    """Write the encoder, and let the decoder begin as bilinear upsampling of the mean colour of each block."""
    install(codec, vae)
    decoder = vae.decoder
    for module in decoder.modules():
        if isinstance(module, nn.Conv3d):
            kernel = torch.empty_like(module.weight[:, :, -1])
            nn.init.orthogonal_(kernel)
            module.weight.zero_()
            module.weight[:, :, -1] = kernel
            if module.bias is not None:
                module.bias.zero_()
    for module in decoder.modules():
        if isinstance(module, official.HunyuanVideoResnetBlockCausal3D):
            module.conv2.conv.weight.zero_()
    blocks = torch.eye(CHANNELS).view(CHANNELS, CHANNELS, 1, 1) + codec.bias.view(1, -1, 1, 1)
    shades = codec.decode(blocks).mean((2, 3)).T  # (3, 16): mean colour of a block per component
    offset = codec.decode(torch.zeros(1, CHANNELS, 1, 1)).mean((2, 3))[0]
    _colour(decoder.conv_in.conv, shades, torch.ones(1, 1), offset)
    smooth = torch.tensor([0.25, 0.5, 0.25])  # after doubling by repetition, this makes it linear interpolation
    for block in decoder.up_blocks:
        for resnet in block.resnets:
            if resnet.conv_shortcut is not None:
                _colour(resnet.conv_shortcut.conv, None, torch.ones(1, 1))
        for upsampler in block.upsamplers or ():
            _colour(upsampler.conv.conv, None, smooth[:, None] * smooth)
    out = decoder.conv_out.conv
    out.weight.zero_()
    for colour in range(3):
        out.weight[colour, 4 * colour, -1, 1, 1], out.weight[colour, 4 * colour + 1, -1, 1, 1] = 0.6, -0.6


# What a causal convolution over each value repeated twice must weigh, from the oldest tap to the newest, to put the
# second of both on this value and the first half way to the one before: the first sees (before, before, this), the
# second (before, this, this).
LINE = (0.0, 0.5, 0.5)


@torch.no_grad()
def glide(vae: AutoencoderKLHunyuanVideo, line: tuple[float, float, float] = LINE) -> AutoencoderKLHunyuanVideo:
    """Let a network trained on single pictures move evenly: where time doubles, features follow a straight line.

    Done twice, the frames between two latents lie at a quarter, a half and three quarters of the way. Without it a
    sprite stands still for four frames and jumps. `line` (0, 0, 1) undoes it.
    """
    for block in vae.decoder.up_blocks:
        for upsampler in block.upsamplers or ():
            if upsampler.upsample_factor[0] == 2:
                weight = upsampler.conv.conv.weight
                weight.copy_(weight.sum(2, keepdim=True) * torch.tensor(line).view(-1, 1, 1))
    return vae


def _colour(
    conv: nn.Conv3d, shades: torch.Tensor | None, kernel: torch.Tensor, offset: torch.Tensor | None = None
) -> None:
    """Let channels 4c and 4c + 1 carry colour c and its negative: made by `shades`, or passed on as they are."""
    edge = (conv.kernel_size[1] - kernel.shape[0]) // 2
    for colour in range(3):
        for channel, sign in ((4 * colour, 1.0), (4 * colour + 1, -1.0)):
            conv.weight[channel].zero_()
            for source in range(CHANNELS) if shades is not None else (channel,):
                gain = 1.0 if shades is None else sign * float(shades[colour, source])
                end = edge + kernel.shape[0]
                conv.weight[channel, source, -1, edge:end, edge:end] = gain * kernel
            if offset is not None and conv.bias is not None:
                conv.bias[channel] = sign * offset[colour]


@torch.no_grad()
def measure(vae: AutoencoderKLHunyuanVideo, codec: Codec) -> dict[str, float]:
    """Decibels on held-out first frames, by background, beside what the linear decoder reaches."""
    found: dict[str, float] = {}
    for name, wanted in (("synthetic", False), ("photo", True)):
        scenes = [s for s in (world.scene("held", k, (64, 64)) for k in range(80)) if (s.kind == "photo") == wanted]
        scenes = scenes[:24]
        frames = torch.cat([world.render(s, torch.zeros(1)) for s in scenes])
        latents = codec.encode(frames)
        there = latents[:, :, None].to(vae.device)
        made = vae.decoder(vae.post_quant_conv(there))[:, :, 0].clamp(-1, 1).cpu()
        found[name] = decibels(made, frames)
        found[f"{name} linear"] = decibels(codec.decode(latents).clamp(-1, 1), frames)
    return {k: round(v, 2) for k, v in found.items()}


def decibels(made: torch.Tensor, target: torch.Tensor) -> float:
    """Mean peak signal-to-noise ratio of pictures in -1..1, the first axis counting them."""
    error = (made - target).flatten(1).square().mean(1).clamp(min=1e-8)
    return float((10 * torch.log10(4 / error)).mean())
