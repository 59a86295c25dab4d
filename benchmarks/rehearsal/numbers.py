"""Files of random weights, fast: one pool of random numbers in memory, of which every tensor is a slice.

Numbers of a standard deviation of 0.02 keep what goes through the networks in bounds: about one for a layer of 3072
inputs, with norms between them. The weights of norms are ones. Two tensors may share numbers, no two begin at the same.
"""

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from eichi.files import aside

DEVIATION = 0.02
STRIDE = 1_000_003  # numbers between the beginnings of two tensors in the pool
KINDS = {
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "U8": torch.uint8,
}

Layout = Mapping[str, tuple[str, tuple[int, ...]]]  # kind and shape by name


@dataclass(frozen=True)
class Pool:
    """So many random numbers, in every type that is asked for."""

    count: int = 2**25

    @cached_property
    def _drawn(self) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        return (torch.randn(self.count, generator=generator) * DEVIATION).bfloat16()

    @cached_property
    def _made(self) -> dict[tuple[str, bool], memoryview]:
        return {}

    def bytes_of(self, kind: str, ones: bool) -> memoryview:
        """The pool in a type, or as many ones."""
        if (kind, ones) not in self._made:
            numbers = (torch.ones(2**16) if ones else self._drawn).to(KINDS[kind])
            self._made[kind, ones] = numbers.view(torch.uint8).numpy().data
        return self._made[kind, ones]


def size_of(layout: Layout) -> int:
    """Bytes of a file."""
    return len(_header(layout)) + sum(KINDS[kind].itemsize * prod(shape) for kind, shape in layout.values())


def write_numbers(path: Path, layout: Layout, pool: Pool) -> bool:
    """Write a file unless it is there, whole; whether it was written."""
    if path.is_file() and path.stat().st_size == size_of(layout):
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    with aside(path, lasting=False) as draft, draft.open("wb") as file:
        file.write(_header(layout))
        for place, (name, (kind, shape)) in enumerate(_sorted(layout)):
            ones = len(shape) == 1 and "norm" in name and name.endswith("weight")
            _write(file, pool.bytes_of(kind, ones), KINDS[kind].itemsize * prod(shape), place * STRIDE)
    return True


def _write(file: BinaryIO, numbers: memoryview, size: int, first: int) -> None:
    """Write so many bytes of a pool, from a place in it on, going round."""
    place = first * 8 % len(numbers)  # whole numbers, whatever their type
    while size:
        piece = numbers[place : place + size]
        file.write(piece)
        size -= len(piece)
        place = 0


def _sorted(layout: Layout) -> Iterator[tuple[str, tuple[str, tuple[int, ...]]]]:
    """The order in which the library writes: the wide types first, then by name."""
    yield from sorted(layout.items(), key=lambda item: (-KINDS[item[1][0]].itemsize, item[0]))


def _header(layout: Layout) -> bytes:
    told: dict[str, object] = {"__metadata__": {"format": "pt"}}
    place = 0
    for name, (kind, shape) in _sorted(layout):
        size = KINDS[kind].itemsize * prod(shape)
        told[name] = {"dtype": kind, "shape": shape, "data_offsets": [place, place + size]}
        place += size
    text = json.dumps(told, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text
