"""The transformer's place taken by a recorder: what it is given can be read, and what it answers is known."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from diffusers import HunyuanVideoFramepackTransformer3DModel
from torch import Tensor


@contextmanager
def recorded(
    model: HunyuanVideoFramepackTransformer3DModel, goal: Callable[[int, Tensor], Tensor] = lambda _, x: 0 * x
) -> Iterator[list[dict[str, Any]]]:
    """What the model is given, call by call.

    It answers with the velocity to `goal(call, state)`, by default zero, so that any solver ends there.
    """
    seen: list[dict[str, Any]] = []
    real = model.forward

    def answer(hidden_states: Tensor, timestep: Tensor, **rest: Any) -> tuple[Tensor]:
        target = goal(len(seen), hidden_states)
        seen.append({"hidden_states": hidden_states.clone(), "timestep": timestep.clone(), **rest})
        return ((hidden_states - target) / (timestep.view(1, 1, 1, 1, 1) / 1000.0),)

    model.forward = answer
    try:
        yield seen
    finally:
        model.forward = real


def drawn(seed: int, like: Tensor) -> Tensor:
    """Numbers in the shape of a tensor, the same for the same seed."""
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(seed))
