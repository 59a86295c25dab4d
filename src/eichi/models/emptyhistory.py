"""Inputs of the transformer that are left out: a single image has no latents at half or quarter resolution.

diffusers declares these inputs optional, yet its forward pass reads a rotary table that it only makes for inputs that
are there, and stops at an unbound name. So an absent input is given as a latent at no position at all: the table is
empty, and what was made of the latent is dropped here, before the tokens are put together. No other call changes.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from diffusers import HunyuanVideoFramepackTransformer3DModel
from torch import Tensor

from eichi.models.borrowed import packing

Rotary = tuple[Tensor, Tensor]
Packed = tuple[Tensor, Rotary]


def allow_empty_history(transformer: HunyuanVideoFramepackTransformer3DModel) -> AbstractContextManager[None]:
    """For the time of a job, leave out inputs whose list of positions is empty."""
    return packing(transformer, _without_absent)


def _without_absent(pack: Callable[..., Packed]) -> Callable[..., Packed]:
    """The transformer's way to put tokens together, for inputs that may be absent."""

    def packed(hidden: Tensor, clean: Tensor, x2: Tensor, x4: Tensor, rotary: Rotary, *tables_and_size: Any) -> Packed:
        clean_table, x2_table, x4_table, height, width = tables_and_size
        return pack(
            hidden,
            clean,
            x2 if len(x2_table[0]) else None,
            x4 if len(x4_table[0]) else None,
            rotary,
            clean_table,
            x2_table,
            x4_table,
            height,
            width,
        )

    return packed
