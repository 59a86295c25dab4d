"""A model of random numbers: the anatomy of a known one, nothing to download. For trying machines, not for pictures.

Numbers come from one pool, which every tensor takes a run of, from a place that its name gives. The pool is made of
whole numbers and is scaled by one product, so that all machines, and all devices of one, have the same weights. They
are scaled by what a layer adds up (fan-in), which keeps what goes through as large as it came in: finite through sixty
blocks and through the VAE, in half precision too. Norms are ones, biases zeros.

Tokenizers are those of the embedded model: its words are few, and any network has that many.
"""

import hashlib
from dataclasses import dataclass, replace
from functools import cache
from math import prod, sqrt
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from transformers import SiglipImageProcessorPil

from eichi.catalog import HALF, NETWORKS, Entry, PartSource, Shapes, Sizes, find
from eichi.models.networks import make_network

Size = Literal["small", "full"]
LIKE: dict[Size, str] = {"small": "tiny", "full": "framepack"}
SIDES: dict[int, Sizes] = {64: ((64, 64),), 640: ((640, 640),)}  # (height, width) by resolution
TOKENIZERS = ("tokenizer", "tokenizer_2")
FEATURES = "feature_extractor"

CPU = torch.device("cpu")
SEED = 20
LENGTH = 4_194_301  # a prime, so that rows of any width begin elsewhere
SPREAD = sqrt(3.0)  # of even numbers between -1 and 1, to a variance of 1


@dataclass(frozen=True)
class RandomSource:
    """The tensors of one part, by name; numbers are made where they are asked for, on `device`, in the type `kind`."""

    shapes: Shapes
    kind: torch.dtype
    device: torch.device

    def dtype(self, name: str) -> torch.dtype:
        """The type of a tensor."""
        return self.kind

    def read(self, name: str) -> Tensor:
        """The tensor of a name. Raises KeyError."""
        shape = self.shapes[name]
        if len(shape) < 2:
            fill = torch.ones if name.endswith("weight") else torch.zeros
            return fill(shape, dtype=self.kind, device=self.device)
        return random_matrix(name, shape, 1.0, self.kind, self.device)

    def mark(self, name: str) -> tuple[object, ...]:
        """What tells these numbers from others."""
        return "random", SEED, name, self.shapes[name], str(self.kind)


def random_entry(size: Size, folder: Path) -> Entry:
    """The catalogue entry of a model of random numbers. What it has of files is in the package or put into a folder."""
    base, tiny = find(LIKE[size]), find(LIKE["small"])
    parts = base.parts | {part: PartSource(None, part, tiny.root) for part in (*TOKENIZERS, FEATURES)}
    if size == "full":
        config = base.published["image_encoder"].config
        side = config.get("vision_config", config)["image_size"]
        SiglipImageProcessorPil(size={"height": side, "width": side}).save_pretrained(folder / FEATURES)
        parts[FEATURES] = PartSource(None, FEATURES, folder)
    anatomy = replace(base.anatomy, precision=HALF)
    return replace(base, name=f"random-{size}", parts=parts, sizes=SIDES, resolution=min(SIDES), anatomy=anatomy)


def random_sources(entry: Entry, device: torch.device) -> dict[str, RandomSource]:
    """Where the weights of every part come from."""
    sources = {}
    for part in NETWORKS:
        network = make_network(part, entry.published[part].config)
        shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
        kind = torch.bfloat16 if part == "transformer" else torch.float16  # as they are published
        sources[part] = RandomSource(shapes, kind, device)
    return sources


def random_matrix(
    name: str, shape: tuple[int, ...], gain: float, dtype: torch.dtype, device: torch.device = CPU
) -> Tensor:
    """A matrix [out, in] or a kernel [out, in, …] that gives numbers `gain` times as large as it is given.

    The same for a name and a shape on every device.
    """
    scale = gain * SPREAD / sqrt(prod(shape[1:]))
    pool = _pool(device)
    made = torch.empty(prod(shape), dtype=dtype, device=device)
    begin = int.from_bytes(hashlib.sha256(f"{SEED} {name}".encode()).digest()[:8], "big") % LENGTH
    done = 0
    while done < len(made):
        run = pool[begin : begin + len(made) - done]
        made[done : done + len(run)] = run * scale
        done, begin = done + len(run), 0
    return made.view(shape)


@cache
def _pool(device: torch.device) -> Tensor:
    """The pool on a device, float32 between -1 and 1: sixteen bits each, which float32 holds to the last one."""
    whole = np.random.Generator(np.random.PCG64(SEED)).integers(-(2**15), 2**15, LENGTH, np.int16)
    return (torch.from_numpy(whole).to(torch.float32) / 2**15).to(device)
