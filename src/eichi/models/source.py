"""Where the tensors of a network come from, one at a time: files, or whatever else can give them by name.

A network is filled from a source without there ever being more in memory than its own tensors and one more. What a file
holds in the very type that is wanted, for a network on the CPU, is not read at all: it stays mapped, and the system
keeps as much of it as it has room for.
"""

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from eichi.catalog import Shapes
from eichi.models.formats import Layout, Piece, arrange, misfit
from eichi.models.fp8 import TYPE, spans
from eichi.models.header import HeaderError
from eichi.models.mapped import map_tensor
from eichi.models.networks import hollow, put
from eichi.reasons import Unfit

CPU = torch.device("cpu")
NAN = 0x7F  # of an e4m3 number, without the sign
# torch's names of the types in which numbers are kept in files.
TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}


class Source(Protocol):
    """The tensors of one part, by the names that the part's network has for them."""

    @property
    def shapes(self) -> Shapes:
        """What there is."""
        ...

    def dtype(self, name: str) -> torch.dtype:
        """The type that `read` gives a tensor in."""
        ...

    def read(self, name: str) -> Tensor:
        """A tensor as it is kept, on the CPU, or on whatever device it was made.

        It may be mapped from a file, so it is not to be written to. Raises OSError, ValueError, SafetensorError.
        """
        ...

    def mark(self, name: str) -> tuple[object, ...]:
        """What tells the numbers of a tensor from all others, of any source: plain values. Raises OSError."""
        ...


class FileSource:
    """A part in files: a folder in the Hugging Face layout, or one file."""

    def __init__(self, part: str, place: Path) -> None:
        """Reads headers, no tensor. Raises OSError and ValueError."""
        self.layout: Layout = arrange(part, place)

    @property
    def shapes(self) -> Shapes:
        return self.layout.shapes

    def dtype(self, name: str) -> torch.dtype:
        piece = self.layout.pieces[name]
        return TYPES[piece.dtype] if piece.scale is None else torch.float32

    def read(self, name: str) -> Tensor:
        piece = self.layout.pieces[name]
        tensor = _mapped(piece)
        if piece.scale is None:
            return tensor
        scale = _mapped(piece.scale).to(torch.float32)
        if scale.numel() not in (1, len(tensor)):
            raise HeaderError(f"{piece.scale.name}: {tuple(scale.shape)}")
        return tensor.to(torch.float32) * scale.reshape(-1, *(1 for _ in piece.shape[1:]))

    def mark(self, name: str) -> tuple[object, ...]:
        piece = self.layout.pieces[name]
        stat = piece.path.stat()
        return str(piece.path.resolve()), stat.st_size, stat.st_mtime_ns, piece.name


def _mapped(piece: Piece) -> Tensor:
    return map_tensor(piece.path, piece.first, piece.shape, TYPES[piece.dtype])


def check(network: nn.Module, source: Source) -> Shapes:
    """The shapes of all that a network wants, which the source must have. Raises ValueError for what it has not."""
    wanted: Shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    wrong = source.layout.lacks(wanted) if isinstance(source, FileSource) else misfit(source.shapes, wanted)
    if wrong is not None:
        raise wrong
    return wanted


Done = Iterator[tuple[int, int]]  # bytes that are done, of how many: once before the first of them, then ever more


def fill(network: nn.Module, source: Source, dtype: torch.dtype | None, device: torch.device = CPU) -> None:
    """Give a network its weights, as `filling` does."""
    for _ in filling(network, source, dtype, device):
        pass


def filling(network: nn.Module, source: Source, dtype: torch.dtype | None, device: torch.device = CPU) -> Done:
    """Give a network its weights in `dtype`, or as they are kept, on `device`, one after the other.

    Raises ValueError, OSError, SafetensorError.
    """
    shapes = check(network, source)
    total = sum(prod(shape) * source.dtype(name).itemsize for name, shape in shapes.items())
    done = 0
    yield done, total
    for name, shape in shapes.items():
        with torch.inference_mode(False), torch.no_grad():
            read = source.read(name)
            tensor = read.to(device, dtype or read.dtype)
            if not finite(tensor):
                raise Unfit("reason.nan_in", name=name)
            put(network, name, tensor)
        done += prod(shape) * source.dtype(name).itemsize
        yield done, total
    with torch.inference_mode(False), torch.no_grad():
        for name, buffer in network.named_buffers():
            put(network, name, buffer.to(device))
    if left := hollow(network):
        raise ValueError(f"{left[0]}: -")


def finite(whole: Tensor) -> bool:
    """Whether all of a tensor is numbers."""
    if whole.dtype == TYPE:  # has no infinity, and one NaN of either sign; torch knows no largest of these numbers
        return not any(bool((whole[rows].view(torch.uint8) & NAN == NAN).any()) for rows in spans(whole))
    if whole.element_size() == 1:
        return all(bool(whole[rows].to(torch.float32).isfinite().all()) for rows in spans(whole))
    return not whole.numel() or all(bool(end.isfinite()) for end in torch.aminmax(whole))  # to which NaN is both
