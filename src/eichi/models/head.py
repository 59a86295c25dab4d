"""The transformer's output head in float32, whatever the rest computes in.

The head makes velocities of the last tokens: a norm that time and guidance modulate, and one matrix. In bfloat16 it
alone would round them by a third of a per cent in the root mean square, for its result is rounded and nothing comes
after it; FramePack's own head is in float32. It has 19 million of 12.9 billion parameters. `weights` keeps them in the
type that is named here, a hook casts what comes in; what goes out is float32 by that. It stays for the transformer's
life.

Where everything is float32, on a CPU, nothing changes.
"""

from typing import Any

import torch
from diffusers import HunyuanVideoFramepackTransformer3DModel
from diffusers.hooks import HookRegistry, ModelHook
from torch import Tensor, nn

NAME = "eichi_head"
HEAD = ("norm_out.", "proj_out.")  # how the names of its weights begin


class HeadHook(ModelHook):  # type: ignore[misc]  # diffusers is not typed
    """Casts the tokens [1, n, d] and the embedding [1, d] of time and guidance before the norm."""

    def pre_forward(self, module: nn.Module, *given: Tensor, **named: Any) -> tuple[tuple[Tensor, ...], dict[str, Any]]:
        return tuple(tensor.float() for tensor in given), named


def apply_head(transformer: HunyuanVideoFramepackTransformer3DModel) -> None:
    """Let the head of a transformer compute in float32; its weights are the caller's to give, see `kept_in`."""
    HookRegistry.check_if_exists_or_initialize(transformer.norm_out).register_hook(HeadHook(), NAME)


def kept_in(name: str, dtype: torch.dtype) -> torch.dtype:
    """The type that a weight is kept in where the transformer computes in `dtype`."""
    return torch.float32 if name.startswith(HEAD) else dtype
