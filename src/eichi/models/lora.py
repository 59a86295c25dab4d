"""LoRA: a low-rank change that is merged into a weight.

    weight + strength · alpha / rank · up @ down

Merging costs nothing per step and gives the same weights in every memory mode; a LoRA that is kept beside the weights
does neither. All arithmetic is in float32, some rows at a time, whatever the file and the checkpoint hold, and is
rounded to the transformer's type once, at the end; only then is a weight put into fp8. A weight is changed as it is
read (`weights`), so no second model is ever in memory, and a change is taken back by reading the original again:
subtracting what was added would leave the rounding behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from eichi.errors import LoraError
from eichi.models.fp8 import spans
from eichi.models.lorafile import Match, Share, lora_print, match_lora, read_lora
from eichi.models.shapes import Shapes
from eichi.options import LoraOptions


@dataclass(frozen=True)
class Lora:
    """A file that fits the model, and how strongly it is merged. `print` tells it from another file of that name."""

    match: Match
    strength: float
    print: str

    @property
    def path(self) -> Path:
        return self.match.file.path


def open_loras(options: Sequence[LoraOptions], shapes: Shapes, model: str) -> list[Lora]:
    """The LoRAs of a request, those of strength 0 left out. Raises LoraError."""
    wanted = [option for option in options if option.strength != 0]
    return [
        Lora(match_lora(read_lora(lora.file), shapes, model), lora.strength, lora_print(lora.file)) for lora in wanted
    ]


def merge(weight: Tensor, into: Tensor, name: str, loras: Sequence[Lora]) -> None:
    """Write into `into` a weight with everything that LoRAs add to it, in their order. Raises LoraError."""
    factors = [(lora, *_factors(lora.path, lora.match.shares[name], into.device)) for lora in loras]
    for rows in spans(weight):
        part = weight[rows].to(into.device, torch.float32, copy=True).flatten(1)
        for lora, down, up in factors:
            layer = lora.match.shares[name].layer
            part.addmm_(up[rows], down, alpha=lora.strength * layer.alpha / layer.rank)
        into[rows] = part.view(into[rows].shape)


def _factors(path: Path, share: Share, device: torch.device) -> tuple[Tensor, Tensor]:
    """`down` [rank, inputs] and the rows of `up` [rows, rank] that belong to one weight, float32."""
    layer = share.layer
    try:
        with safe_open(path, framework="pt") as file:
            down = file.get_tensor(layer.down).to(device, torch.float32).flatten(1)
            up = file.get_slice(layer.up)[share.first : share.first + share.rows].to(device, torch.float32).flatten(1)
    except (SafetensorError, OSError) as error:
        raise LoraError("error.lora.damaged", path=path, reason=error) from error
    if not (down.isfinite().all() and up.isfinite().all()):
        raise LoraError("error.lora.numbers", path=path, layer=layer.down)
    return down, up
