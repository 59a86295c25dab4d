"""Guidance: how a network learns to let the prompt count more, from another that knows the world already.

The real model learnt it in this way from a larger one. What the prompt changes in what the teacher draws is added to
what is to be learnt, once more for every `strength` above 1. Only where a section has no neighbours: there nothing but
the words decides, and what follows goes on from it. At guidance 1 the network stays with the world as it is.

Knows networks and samples, nothing of how they are trained.
"""

from collections.abc import Callable
from typing import TypeAlias

import torch

from training.network import Net
from training.rng import Rng
from training.samples import Sample, surroundings
from training.text import Tokens

EVERYDAY_GUIDANCE, NO_GUIDANCE = 10.0, 1.0
STRONGEST = 3.0
USUAL, UNGUIDED = 0.6, 0.2  # shares of both guidances among what is learnt; others are any
MOST = 32.0

# Of noisy windows (n, 16, w, h, w), noise levels and guidances (n): what is added to the velocities to be learnt.
Guide: TypeAlias = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def strength(guidance: torch.Tensor) -> torch.Tensor:
    """How many times what a prompt changes is drawn at this guidance: once at 1, twice at the everyday one."""
    return (1 + (guidance - NO_GUIDANCE) / (EVERYDAY_GUIDANCE - NO_GUIDANCE)).clamp(max=STRONGEST)


def guidances(rng: Rng, count: int) -> torch.Tensor:
    """Those of a batch."""
    kind, other = torch.from_numpy(rng.random(count)), torch.from_numpy(rng.uniform(NO_GUIDANCE, MOST, count)).float()
    return torch.where(kind < USUAL, EVERYDAY_GUIDANCE, torch.where(kind < USUAL + UNGUIDED, NO_GUIDANCE, other))


def guide(teacher: Net, tokens: Tokens, said: torch.Tensor, sample: Sample, seen: torch.Tensor) -> Guide:
    """What the teacher says that the prompts change in this batch; `said` are their rows, the last row is empty."""
    places, device = sample.alone.nonzero().flatten(), sample.window.device
    if not len(places):
        return lambda noisy, sigma, guidance: torch.zeros_like(noisy)
    both, empty = places.repeat(2), torch.full_like(places, len(tokens.llama) - 1)
    rows, context = (
        torch.cat([said[places], empty]),
        surroundings(sample.layout, sample.anchor[both], sample.history[both]),
    )

    @torch.no_grad()
    def changed(noisy: torch.Tensor, sigma: torch.Tensor, guidance: torch.Tensor) -> torch.Tensor:
        told = teacher.read(tokens.pick(rows).to(str(device)))
        velocities = teacher(noisy[both], sigma[both], context, told, seen[both], guidance[both])
        with_words, without = velocities.chunk(2)
        further = (strength(guidance[places]) - 1).view(-1, 1, 1, 1, 1) * (with_words - without)
        return torch.zeros_like(noisy).index_copy(0, places.to(device), further)

    return changed
