"""Latents as the networks draw them, beside those they should have drawn: what the decoder has to put up with.

The networks err where something moves, and what they leave there is not the even noise that is added to latents in
training. A decoder that has seen it paints over most of it: on a plain wall a speckle is never right. Drawn quickly,
in a few Euler steps, from the same windows that the networks learn from.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

import torch

from training import samples, state
from training.cache import TRAIN, Clips, read
from training.rng import Rng, stream
from training.samples import FORWARD, REVERSE
from training.transformer import draw, network, prepare

log = logging.getLogger(__name__)

BATCH, STEPS = 16, 8


@dataclass(frozen=True)
class Drawn:
    """Single latents of one picture size, both (n, 16, h, w) float16."""

    made: torch.Tensor
    true: torch.Tensor

    def pick(self, rng: Rng) -> tuple[torch.Tensor, torch.Tensor]:
        """One of them, made and true."""
        row = int(rng.integers(len(self.made)))
        return self.made[row].float(), self.true[row].float()


def fill(folder: Path, batches: int, device: str = "cpu") -> None:
    """Let the best networks draw so many batches of windows in each direction."""
    torch.set_num_threads(1)
    clips = read(folder, TRAIN)
    tokens, seen = prepare(folder, clips)
    pairs: dict[tuple[int, ...], list[tuple[torch.Tensor, torch.Tensor]]] = {}
    for direction in (REVERSE, FORWARD):
        net = network(folder, direction).to(device)
        for number in range(batches):
            rng = stream(f"drawn {direction}", number)
            which, sample = samples.draw(rng, clips, direction, BATCH)
            told = net.read(tokens[which].pick(sample.rows).to(device))
            there = seen[which][sample.rows].to(device)
            made = draw(net, rng, sample.to(device), told, there, STEPS, torch.ones(BATCH)).cpu()
            pair = made.transpose(1, 2).flatten(0, 1).half(), sample.window.transpose(1, 2).flatten(0, 1).half()
            pairs.setdefault(_size(clips[which]), []).append(pair)
            if number % 10 == 0:
                log.info("drawn: %s, batch %d of %d", direction, number, batches)
    for size, found in pairs.items():
        made, true = (torch.cat(parts) for parts in zip(*found, strict=True))
        state.save(_path(folder, size), {"made": made, "true": true})


def known(folder: Path) -> dict[tuple[int, ...], Drawn]:
    """All there are, by (height, width) of their latents; none before `fill`."""
    found = (Drawn(**state.load(path)) for path in sorted((folder / "drawn").glob("*.pt")))
    return {tuple(drawn.made.shape[-2:]): drawn for drawn in found}


def _size(clips: Clips) -> tuple[int, ...]:
    return tuple(clips.clips.shape[-2:])


def _path(folder: Path, size: tuple[int, ...]) -> Path:
    return folder / "drawn" / f"{size[0]}x{size[1]}.pt"
