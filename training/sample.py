"""A small sampler for watching training: many clips at once, plain Euler steps, one picture size.

It repeats what the program's pipeline does per section (order, padding, history) with a batch axis, which the program
does not need. What users see is measured through the program itself; this is for curves and first looks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from transformers import PreTrainedTokenizerFast

from eichi.plan.layout import CONTEXT, forward_layout, reverse_layout
from training.network import Net
from training.samples import REVERSE, surroundings
from training.text import tokenize

WINDOW = 9


@dataclass(frozen=True)
class Sampler:
    """A trained network for one direction and how to run it."""

    net: Net
    tokenizers: tuple[PreTrainedTokenizerFast, PreTrainedTokenizerFast]
    direction: str
    steps: int = 12
    shift: float = 1.62  # of the program's schedule for 9 latents of 64 x 64 pixels
    guidance: float = 10.0

    @torch.no_grad()
    def clips(
        self,
        start: torch.Tensor,
        prompts: Sequence[str],
        seen: torch.Tensor,
        sections: int,
        final: torch.Tensor | None = None,
        seed: int = 0,
    ) -> torch.Tensor:
        """Latents (n, 16, 1 + 9 sections, h, w) for start pictures (n, 16, h, w); `final` is shaped like `start`."""
        told = self.net.read(tokenize(*self.tokenizers, prompts))
        generator = torch.Generator().manual_seed(seed)
        anchor = start[:, :, None]
        shape = (*anchor.shape[:2], WINDOW, *anchor.shape[3:])
        zeros = anchor.new_zeros(*anchor.shape[:2], CONTEXT, *anchor.shape[3:])

        def section(context: dict[str, torch.Tensor]) -> torch.Tensor:
            noise = torch.randn(shape, generator=generator)

            def velocity(x: torch.Tensor, sigma: float) -> torch.Tensor:
                level = torch.full((len(x),), sigma)
                towards: torch.Tensor = self.net(x, level, context, told, seen, torch.full_like(level, self.guidance))
                return towards

            return euler(velocity, noise, self.steps, self.shift)

        if self.direction == REVERSE:
            history = zeros if final is None else torch.cat([final[:, :, None], zeros[:, :, 1:]], 2)
            for padding in reversed(range(sections)):
                layout = reverse_layout(WINDOW, padding * WINDOW)
                made = section(surroundings(layout, anchor, history[:, :, :CONTEXT]))
                history = torch.cat([made, history], 2)
            return torch.cat([anchor, history[:, :, : WINDOW * sections]], 2)
        history = torch.cat([zeros, anchor], 2)
        for _ in range(sections):
            made = section(surroundings(forward_layout(WINDOW), anchor, history[:, :, -CONTEXT:]))
            history = torch.cat([history, made], 2)
        return history[:, :, CONTEXT:]


def euler(
    velocity: Callable[[torch.Tensor, float], torch.Tensor], noise: torch.Tensor, steps: int, shift: float
) -> torch.Tensor:
    """Follow the flow from noise (level 1) to a clean latent (level 0)."""
    times = torch.linspace(1, 0, steps + 1)
    levels = (shift * times / (1 + (shift - 1) * times)).tolist()
    x = noise
    for level, following in pairwise(levels):
        x = x + (following - level) * velocity(x, level)
    return x
