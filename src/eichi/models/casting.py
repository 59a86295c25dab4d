"""LLaMA on a CPU: its weights stay as their file has them, and a layer computes with a copy made for its turn.

The published file holds fifteen gigabytes of float16, in which processors have no products to speak of. A copy of all
of it, in bfloat16 or in float32, would be the largest thing in memory, for one prompt; a layer's is a thirtieth of
that, and what is mapped from the file is the system's cache. The copy of a layer takes less than its own computing.

Numbers are the same as in a network that is copied as a whole. Knows nothing of files.
"""

from typing import Any

import torch
from diffusers.hooks import HookRegistry, ModelHook
from torch import Tensor, nn
from transformers import LlamaModel

NAME = "eichi_cast"


class TurnHook(ModelHook):  # type: ignore[misc]  # diffusers is not typed
    """Gives a layer its weights in another type while it computes."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self._kept: list[tuple[nn.Parameter, Tensor]] = []

    def pre_forward(self, module: nn.Module, *given: Any, **named: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        self._give_back()  # of a turn that an error ended
        with torch.inference_mode(False), torch.no_grad():
            for parameter in module.parameters():
                if parameter.dtype != self.dtype:
                    self._kept.append((parameter, parameter.data))
                    parameter.data = parameter.data.to(self.dtype)
        return given, named

    def post_forward(self, module: nn.Module, output: Any) -> Any:
        self._give_back()
        return output

    def _give_back(self) -> None:
        while self._kept:
            parameter, before = self._kept.pop()
            parameter.data = before


class OutputHook(ModelHook):  # type: ignore[misc]
    """Casts what a layer gives: rows of a table that are looked up are few."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def post_forward(self, module: nn.Module, output: Tensor) -> Tensor:
        return output.to(self.dtype)


def cast_layers(encoder: LlamaModel, dtype: torch.dtype) -> None:
    """Let an encoder compute in `dtype`, whatever type its weights are kept in."""
    for layer in (*encoder.layers, encoder.norm):
        HookRegistry.check_if_exists_or_initialize(layer).register_hook(TurnHook(dtype), NAME)
    HookRegistry.check_if_exists_or_initialize(encoder.embed_tokens).register_hook(OutputHook(dtype), NAME)
