"""What is walked on a card that is not there: ways to run a model, as requests and placements. Data."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from eichi.catalog import Shapes
from eichi.models.fp8 import eligible
from eichi.options import VideoOptions
from eichi.plan.memory import Placement

CARDS = (8.0, 12.0, 16.0, 24.0, 80.0)  # GB
SIDE, LARGER = 640, 960
RANK = 4
# Longer than what either text encoder reads, so that it reads the most it can.
PROMPT = "a red star moves to the right " * 60
STEPS = 2


@dataclass(frozen=True)
class Way:
    """A way to run a model: `options` of a request beside the common ones, its model; `lora` is whether it has a LoRA,
    `placement` where the weights lie if the product is not to choose.
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    model: str = "framepack"
    lora: bool = False
    placement: Placement | None = None

    def request(self, picture: Path, side: int, seconds: float, lora: Path | None) -> VideoOptions:
        """The request for a square video."""
        given: dict[str, Any] = {
            "model": self.model,
            "image": picture,
            "prompt": PROMPT,
            "seconds": seconds,
            "resolution": side,
            "seed": 1,
            "sampling": {"steps": STEPS} | self.options.get("sampling", {}),
            "weights": dict(self.options.get("weights", {})),
        }
        if self.lora:
            given["weights"]["loras"] = [lora]
        return VideoOptions.parse(given)


# In this order on every card, by one program: a worker's life, in which little is read again from one to the next.
WAYS = (
    Way("bfloat16, TeaCache"),
    Way("bfloat16, MagCache", {"sampling": {"cache": "mag"}}),
    Way("bfloat16, First Block Cache", {"sampling": {"cache": "first"}}),
    Way("bfloat16, no step cache", {"sampling": {"teacache": False}}),
    Way("bfloat16, real CFG 2", {"sampling": {"cfg": 2.0}}),
    Way("bfloat16, LoRA", lora=True),
    Way("FP8 by rows, LoRA", {"weights": {"fp8": "row"}}, lora=True),
    Way("FP8 by rows", {"weights": {"fp8": "row"}}),
    Way("FP8 by rows, multiplied", {"weights": {"fp8": "row", "fp8_math": True}}),
    Way("FP8 whole, multiplied", {"weights": {"fp8": "tensor", "fp8_math": True}}),
    Way("FP8 whole", {"weights": {"fp8": "tensor"}}),
    Way("F1, bfloat16", model="framepack-f1"),
)
# At the larger size.
FEW = ("bfloat16, TeaCache", "bfloat16, real CFG 2", "FP8 by rows", "FP8 by rows, multiplied")
# Whatever would be chosen.
PLACED = tuple(
    Way(name, placement=placement)
    for name, placement in {
        "all": Placement("all"),
        "kept, LLaMA whole": Placement("kept"),
        "kept, a layer at a time": Placement("kept", whole=False),
        "kept, nothing beside": Placement("kept", whole=False, beside=False),
        "streamed 1": Placement("streamed", 1, whole=False, beside=False),
        "streamed 30": Placement("streamed", 30, whole=False, beside=False),
        "streamed 30, pinned": Placement("streamed", 30, whole=False, beside=False, pinned=True),
        "streamed 59": Placement("streamed", 59, whole=False, beside=False),
        "streamed 59, pinned": Placement("streamed", 59, whole=False, beside=False, pinned=True),
    }.items()
)
PLACED += (
    Way(
        "streamed 59, pinned, FP8 by rows",
        {"weights": {"fp8": "row"}},
        placement=Placement("streamed", 59, whole=False, beside=False, pinned=True),
    ),
)
CHUNKED = Way("attention in runs of queries")
EMBEDDED = (Way("embedded, standard", model="tiny"), Way("embedded, F1", model="tiny-f1"))


def write_lora(shapes: Shapes, path: Path) -> Path:
    """A LoRA for every matrix in the blocks, of zeros."""
    tensors = {}
    for name, shape in shapes.items():
        if eligible(name, len(shape)):
            layer = f"transformer.{name.removesuffix('.weight')}"
            tensors[f"{layer}.lora_A.weight"] = torch.zeros(RANK, shape[1], dtype=torch.bfloat16)
            tensors[f"{layer}.lora_B.weight"] = torch.zeros(shape[0], RANK, dtype=torch.bfloat16)
    save_file(tensors, path)
    return path
