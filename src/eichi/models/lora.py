"""LoRA: a change of little size that is merged into the weights.

    weight + strength · change

Merging costs nothing per step and gives the same weights in every memory mode; a LoRA that is kept beside the weights
does neither. All arithmetic is in float32, some rows at a time, whatever the file and the checkpoint hold, and is
rounded to the transformer's type once, at the end; only then is a weight put into fp8. A weight is changed as it is
read (`weights`), so no second model is ever in memory, and a change is taken back by reading the original again:
subtracting what was added would leave the rounding behind.

Every change is taken from the original weight and the changes are added, so their order does not matter. A DoRA, which
gives rows a length and is no sum, counts as what it makes of the original less the original: at strength 1 that is
PEFT's weight, and half the strength is half the way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from eichi.catalog import Shapes
from eichi.models.deltas import open_delta
from eichi.models.fp8 import spans
from eichi.models.lorafile import lora_print, read_lora
from eichi.models.loramatch import Match, match_lora
from eichi.options import LoraOptions


@dataclass(frozen=True)
class Lora:
    """A file that fits the model, and how strongly it is merged. `print` tells it from all others by its content."""

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
    """Write into `into` a weight with everything that LoRAs add to it. Raises LoraError."""
    deltas = [(lora.strength, open_delta(lora.path, lora.match.shares[name], weight, into.device)) for lora in loras]
    sums = all(delta.magnitude is None for _, delta in deltas)  # these do not look at the original
    for span in spans(into):  # it may be on a GPU, where pieces are larger
        made = weight[span].to(into.device, torch.float32, copy=True)
        rows = made.view(len(made), -1)
        before = rows if sums else rows.clone()
        for strength, delta in deltas:
            rows.add_(delta.change(before, span.start), alpha=strength)
        into[span] = made
