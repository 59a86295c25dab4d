"""The header of a safetensors file that anybody may have made, read within bounds.

A header says which tensors a file holds, of which type and size, and where; and what its maker had to say, as texts.
It is JSON of a length that the file states, so length comes before JSON, and nothing that it says is believed before it
agrees with itself and with the file. Whoever reads tensors by the library has them checked there once more. Knows no
LoRA, no model and no torch.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from heapq import nsmallest
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from eichi.files import only_file
from eichi.reasons import Unfit
from eichi.text import shorten

# A header's bytes: trainers put the words of their pictures into it, some megabytes at the most.
LARGEST = 16 * 2**20
FIRST = 512  # bytes that tell what a file is
# No tensor has more sides, and no place in a file a larger number: multiplied, what a header says could take hours.
SIDES, BEYOND = 64, 2**63
# Bits of a number of each type that the format knows.
BITS = {
    **dict.fromkeys(("C64", "F64", "I64", "U64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("BOOL", "I8", "U8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
}
# The bits that are all set in a number that is infinite or none, of the types that weights come in.
NO_NUMBER = {
    "F64": ("<u8", 0x7FF0000000000000),
    "F32": ("<u4", 0x7F800000),
    "F16": ("<u2", 0x7C00),
    "BF16": ("<u2", 0x7F80),
    "F8_E5M2": ("u1", 0x7C),
    "F8_E4M3": ("u1", 0x7F),
}
# Numbers that numpy has itself.
PLAIN = {"F64": "<f8", "F32": "<f4", "F16": "<f2"} | {
    f"{kind}{bits}": f"<{kind.lower()}{bits // 8}" for kind in "IU" for bits in (8, 16, 32, 64)
}
# What is often taken for such a file, by how it begins.
OTHERS = {
    "pickle": (b"PK\x03\x04", b"\x80\x02", b"\x80\x04"),  # zip or a bare pickle, both of torch.save
    "gguf": (b"GGUF",),
    "pointer": (b"version https://git-lfs",),
    "page": (b"<!doctype", b"<html", b"<?xml", b'{"error', b'{"message', b'{"detail'),
}
PIECE = 2**22  # bytes that are looked at together
FEW = 2**16  # numbers that are taken out of a file one by one


class HeaderError(Unfit):
    """A header that is not one, or that says what cannot be: a reason, or the place in it, in no language."""

    def __init__(self, place: str = "", id: str = "reason.detail", **values: Any) -> None:
        super().__init__(id, **({"detail": place} if place else {}), **values)


class OtherKind(HeaderError):
    """A file of another kind, one of `OTHERS`."""

    def __init__(self, kind: str) -> None:
        super().__init__(id=f"reason.{kind}")
        self.kind = kind


@dataclass(frozen=True)
class Entry:
    """One tensor: its type, its shape, and the place of its bytes in the file."""

    dtype: str
    shape: tuple[int, ...]
    first: int
    last: int

    @property
    def count(self) -> int:
        """How many numbers it has."""
        return prod(self.shape)


@dataclass(frozen=True)
class Header:
    """The tensors of a file by their names, and what its maker said."""

    path: Path
    tensors: dict[str, Entry]
    told: dict[str, str]

    def numbers(self, name: str) -> list[float]:
        """The numbers of a small tensor. Raises HeaderError for a type that is no real number, and OSError."""
        entry = self.tensors[name]
        if entry.count > FEW:
            raise HeaderError(f"{short(name)}: {entry.count} numbers")
        with self.path.open("rb") as file:
            file.seek(entry.first)
            content = file.read(entry.last - entry.first)
        return _decoded(content, entry.dtype, name)

    def finite(self, name: str) -> bool:
        """Whether all of a tensor's numbers are finite; so are those of types that have no others. Raises OSError."""
        entry = self.tensors[name]
        if entry.dtype not in NO_NUMBER:
            return True
        kind, bits = NO_NUMBER[entry.dtype]
        mask = np.array(bits, kind)
        with self.path.open("rb") as file:
            file.seek(entry.first)
            for place in range(entry.first, entry.last, PIECE):
                piece = np.frombuffer(file.read(min(PIECE, entry.last - place)), kind)
                if ((piece & mask) == mask).any():
                    return False
        return True


def read_header(path: Path) -> Header:
    """What a file says of itself. Raises HeaderError and OSError, also for a pipe, which would be waited for."""
    only_file(path)
    with path.open("rb") as file:
        size = path.stat().st_size - 8
        first = file.read(FIRST)
        length = _length(first, size)
        file.seek(8)
        text = file.read(length)
    try:
        values = json.loads(text.decode("utf-8"), object_pairs_hook=_once)
    except RecursionError as error:
        raise HeaderError("header: JSON […[…]…]") from error
    except ValueError as error:
        raise HeaderError(f"header: JSON, {error}") from error
    if not isinstance(values, dict):
        raise HeaderError("header: JSON ≠ {…}")
    told = _texts(values.pop("__metadata__", {}))
    tensors = {name: _entry(name, value, 8 + length) for name, value in values.items()}
    _check_places(tensors, 8 + length, 8 + size)
    return Header(path, tensors, told)


def _length(first: bytes, size: int) -> int:
    """Bytes of the header of a file that begins so, with so many bytes after the eight that tell it.

    Raises HeaderError, also for files that are of another format.
    """
    if not first:
        raise HeaderError(id="reason.no_bytes")
    if first[4:9] != b"\0\0\0\0{":  # the length of a header can begin as a pickle does
        for kind, signs in OTHERS.items():
            if first.startswith(signs) or first.lstrip().lower().startswith(signs):
                raise OtherKind(kind)
        raise HeaderError(id="reason.no_header")
    length = int.from_bytes(first[:8], "little")
    if length > LARGEST:
        raise HeaderError(f"header: {length} > {LARGEST} B")
    if length > size:
        raise HeaderError(id="reason.cut")
    return length


def short(name: str, most: int = 120) -> str:
    """A name for a sentence: of one line, and of bounded length."""
    line = "".join(sign if sign.isprintable() else "�" for sign in name[:most])
    return line if len(name) <= most else f"{line}…"


def few(names: Iterable[str], most: int = 160) -> str:
    """The first of several names by the alphabet, for a sentence."""
    first = nsmallest(most, names)  # a file can have 200,000, and more than `most` do not fit
    return shorten(", ".join(short(name, 100) for name in first), most)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A table whose keys are all different, and can be written. Raises ValueError."""
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("key ×2")
    "".join(table).encode()  # half a surrogate pair cannot be
    return table


def _texts(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise HeaderError("header: __metadata__")
    return value


def _entry(name: str, value: Any, start: int) -> Entry:
    """A tensor as the header has it; its data begin at `start`. Raises HeaderError."""
    try:
        dtype, shape, (first, last) = value["dtype"], value["shape"], value["data_offsets"]
        right = isinstance(shape, list) and len(shape) <= SIDES
        right = right and all(type(number) is int and 0 <= number < BEYOND for number in (*shape, first, last))
    except (TypeError, KeyError, ValueError):
        right = False
    if not right:
        raise HeaderError(f"header: {short(name)}")
    if not isinstance(dtype, str) or dtype not in BITS:
        raise HeaderError(f"dtype: {short(name)}, {short(str(dtype), 40)}")
    entry = Entry(dtype, tuple(shape), start + first, start + last)
    if prod(shape) * BITS[dtype] != 8 * (last - first):
        raise HeaderError(f"data_offsets: {short(name)}, {dtype} {short(str(shape), 60)}")
    return entry


def _check_places(tensors: dict[str, Entry], start: int, end: int) -> None:
    """The tensors must fill the file, none over another. Raises HeaderError."""
    places = sorted((entry.first, entry.last) for entry in tensors.values())
    last = places[-1][1] if places else start
    if last != end:
        raise HeaderError(id="reason.cut" if last > end else "reason.longer")
    ends = [(start, start), *places, (end, end)]
    if any(before[1] != after[0] for before, after in pairwise(ends)):
        raise HeaderError("data_offsets")


def _decoded(content: bytes, dtype: str, name: str) -> list[float]:
    """Numbers of any type that is a real number."""
    if dtype in PLAIN:
        values = np.frombuffer(content, PLAIN[dtype]).astype(np.float64)
    elif dtype == "BF16":  # the upper half of a float32
        values = (np.frombuffer(content, "<u2").astype("<u4") << 16).view("<f4").astype(np.float64)
    elif dtype == "F8_E5M2":  # the upper half of a float16
        values = (np.frombuffer(content, "u1").astype("<u2") << 8).view("<f2").astype(np.float64)
    elif dtype == "F8_E4M3":
        values = np.array([_e4m3(byte) for byte in content])
    elif dtype == "F8_E8M0":  # an exponent and nothing else
        values = np.array([float("nan") if byte == 255 else 2.0 ** (byte - 127) for byte in content])
    else:
        raise HeaderError(f"{short(name)}: {dtype}")
    return [float(value) for value in values]


def _e4m3(byte: int) -> float:
    """A sign, four bits of exponent, three of mantissa; no infinity, and NaN where all seven bits are set."""
    exponent, mantissa = byte >> 3 & 15, byte & 7
    if exponent == 15 and mantissa == 7:
        return float("nan")
    size = (8 + mantissa) * 2.0 ** (exponent - 10) if exponent else mantissa * 2.0**-9
    return -size if byte & 128 else size
