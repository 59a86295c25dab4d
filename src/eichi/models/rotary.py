"""Places that lie nearer together: for pictures larger than those that a model was trained on.

A token's place turns its queries and keys by angles: its row y, its column x and its time t, times frequencies. Rows
and columns that a model never saw make it draw things twice. Scaled, they are y s and x s, as if the picture had s
times as many: 0.5 for twice the size, about 0.7 for one and a half. Times stay as they are. It is done while there is
much noise, for steps whose noise level (0-1000) is at least a given one, about 800: there it is decided what is where,
and after it details need the places that they were learned with.

Source: musubi-tuner's documentation of FramePack (`--rope_scaling_factor`, `--rope_scaling_timestep_threshold`), which
recommends it for single images. Written from that. Knows no steps: the scale is said with every call.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from diffusers import HunyuanVideoFramepackTransformer3DModel
from diffusers.hooks import HookRegistry, ModelHook
from diffusers.models.embeddings import get_1d_rotary_pos_embed
from torch import Tensor, nn

NAME = "eichi_rotary"
SCALE = "places"  # what the scale is called among the transformer's `attention_kwargs`


def scaled(rope: Any, times: Tensor, height: int, width: int, device: torch.device, scale: float) -> list[Tensor]:
    """Cosines and sines [n, c] for all tokens of latents of this size at these times."""
    rows, columns = (torch.arange(side // rope.patch_size, device=device) * scale for side in (height, width))
    places = torch.cartesian_prod(times.to(device, torch.float32), rows, columns)
    axes = enumerate(rope.rope_dim)
    tables = [get_1d_rotary_pos_embed(size, places[:, i], rope.theta, use_real=True) for i, size in axes]
    return [torch.cat(parts, dim=1) for parts in zip(*tables, strict=True)]


class _Places(ModelHook):  # type: ignore[misc]  # diffusers is not typed
    """The table of places, at the scale that is said now."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = 1.0

    def new_forward(
        self, module: nn.Module, frame_indices: Tensor, height: int, width: int, device: torch.device
    ) -> tuple[Tensor, Tensor]:
        if self.scale == 1.0:
            cosines, sines = self.fn_ref.original_forward(frame_indices, height, width, device)
        else:
            cosines, sines = scaled(module, frame_indices, height, width, device, self.scale)
        return cosines, sines


class _Told(ModelHook):  # type: ignore[misc]  # diffusers is not typed
    """Takes down, before the transformer is called, at what scale."""

    def __init__(self, places: _Places) -> None:
        super().__init__()
        self.places = places

    def pre_forward(self, module: nn.Module, *given: Any, **named: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        self.places.scale = (named.get("attention_kwargs") or {}).get(SCALE, 1.0)
        return given, named


@contextmanager
def scaling(transformer: HunyuanVideoFramepackTransformer3DModel) -> Iterator[None]:
    """For the time of a job, a transformer that can be told a scale as `attention_kwargs[SCALE]`."""
    places = _Places()
    hooks = [(transformer, _Told(places)), (transformer.rope, places)]
    for module, hook in hooks:
        HookRegistry.check_if_exists_or_initialize(module).register_hook(hook, NAME)
    try:
        yield
    finally:
        for module, _ in hooks:
            HookRegistry.check_if_exists_or_initialize(module).remove_hook(NAME, recurse=False)
