"""How the files of a part have its tensors: which file, under which name, of which type. Without torch.

The names that a network has for its tensors are found in files behind prefixes: of the program that wrote them, or of
the larger network that the part was taken out of. One tensor that every such network has tells the prefix. The VAE has
two more sets of names, see `vaenames`. Weights in eight bits may have a scale beside them, by which they are multiplied
out; without one they are as they stand.

What a file is called tells nothing here: a part is what has all the tensors of it, in the right shapes.
"""

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

from eichi.catalog import WEIGHTS, Shapes
from eichi.files import read_file
from eichi.models.header import BITS, Header, HeaderError, few, read_header
from eichi.models.vaenames import our_names
from eichi.reading import parse_json
from eichi.reasons import Unfit, because

CONFIG = "config.json"
INDEX = f"{WEIGHTS}.index.json"  # how the name of a file ends that says which tensor is where
# How the libraries call a part's only file; others beside it are the same in other types.
SINGLE = ("model.safetensors", "diffusion_pytorch_model.safetensors")
# A tensor that every network of the kind has, wherever it came from.
ANCHORS = {
    "transformer": "x_embedder.proj.weight",
    "vae": "decoder.conv_in.conv.weight",
    "text_encoder": "embed_tokens.weight",
    "text_encoder_2": "embeddings.token_embedding.weight",
    "image_encoder": "embeddings.patch_embedding.weight",
}
# Types of real numbers that can be read, and what people call them.
TYPES = {"F64": "fp64", "F32": "fp32", "F16": "fp16", "BF16": "bf16", "F8_E4M3": "fp8", "F8_E5M2": "fp8"}
EIGHT = ("F8_E4M3", "F8_E5M2")
# What stands beside a weight in eight bits: its scale, in the old and the new words of ComfyUI.
SCALES = (".scale_weight", ".weight_scale")

# Files by name, size and date.
Print = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class Piece:
    """Where one tensor is: the file, its name there, its type in the terms of the format, its first byte, its scale.

    `shape` is that of the network's, of as many numbers; the file's may have more sides of length one.
    """

    path: Path
    name: str
    dtype: str
    shape: tuple[int, ...]
    first: int
    scale: "Piece | None" = None


@dataclass(frozen=True)
class Layout:
    """The tensors of one part in its files, by the names that its network has for them."""

    pieces: dict[str, Piece]

    @cached_property
    def shapes(self) -> Shapes:
        """Shape by name, of what can be read."""
        return {name: piece.shape for name, piece in self.pieces.items() if piece.dtype in TYPES}

    @property
    def precision(self) -> str:
        """What the part is kept in, by most of its bits; eight bits count as soon as they are there."""
        bits: Counter[str] = Counter()
        for piece in self.pieces.values():
            bits[piece.dtype] += prod(piece.shape) * BITS[piece.dtype]
        if any(kind in bits for kind in EIGHT):
            return "fp8 scaled" if any(piece.scale for piece in self.pieces.values()) else "fp8"
        return TYPES.get(max(bits, key=lambda kind: bits[kind], default=""), "?")

    def lacks(self, wanted: Shapes) -> Unfit | None:
        """What keeps this from being a network that wants these tensors; None where nothing does."""
        types = sorted({piece.dtype for name, piece in self.pieces.items() if name in wanted} - TYPES.keys())
        if types:
            return Unfit("reason.types", types=", ".join(types))
        return misfit({name: piece.shape for name, piece in self.pieces.items()}, wanted)


def misfit(shapes: Shapes, wanted: Shapes) -> Unfit | None:
    """What of tensors that are wanted is not there, or else not in the right shape; None where all is as wanted."""
    missing = few(wanted.keys() - shapes.keys())
    if missing:
        return Unfit("reason.lacks", lacks=missing)
    for name, shape in wanted.items():
        if shapes[name] != shape:
            return Unfit("reason.shapes", name=name, shape=_sides(shapes[name]), expected=_sides(shape))
    return None


def _sides(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "1"


def arrange(part: str, place: Path) -> Layout:
    """How a folder in the Hugging Face layout, or a file, has the tensors of a part; none where it is something else.

    Raises OSError and ValueError for files that cannot be read.
    """
    return _layout(part, _pieces(place)) or Layout({})


def layouts(place: Path) -> dict[str, Layout]:
    """What a folder or file may be, by part; an all-in-one file may be several. Raises OSError and ValueError."""
    pieces = _pieces(place)
    found = {part: _layout(part, pieces) for part in ANCHORS}
    return {part: layout for part, layout in found.items() if layout is not None}


def file_print(place: Path) -> Print:
    """What tells the files of a part from others that lay there before: names, sizes, dates. Raises OSError."""
    found = [place] if os.path.isfile(place) else sorted(place.iterdir())
    return tuple((f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in found if f.is_file())


def read_config(place: Path, published: Mapping[str, Any]) -> Mapping[str, Any]:
    """The config beside the files of a part; `published` for those that have none. Raises OSError, ValueError."""
    path = place / CONFIG
    if not path.is_file():
        return published
    told = parse_json(read_file(path))
    if not isinstance(told, dict):
        raise HeaderError(f"{CONFIG}: JSON ≠ {{…}}")
    return told


def _layout(part: str, pieces: dict[str, Piece]) -> Layout | None:
    """The part in these tensors; None where its mark is not among them."""
    prefix = _prefix(ANCHORS[part], pieces)
    if prefix is None:
        return None
    mine = {name.removeprefix(prefix): piece for name, piece in pieces.items() if name.startswith(prefix)}
    if part == "vae":
        mine = {ours: _flat(ours, mine[theirs]) for theirs, ours in our_names(mine).items()}
    scaled = {
        name: replace(piece, scale=mine[beside])
        for name, piece in mine.items()
        if piece.dtype in EIGHT and name.endswith(".weight")
        for beside in (name.removesuffix(".weight") + ending for ending in SCALES)
        if beside in mine
    }
    return Layout({name: piece for name, piece in (mine | scaled).items() if not name.endswith(SCALES)})


def _prefix(anchor: str, names: Iterable[str]) -> str | None:
    """What stands before the names of a network of which one is `anchor`; the shortest, where there are several."""
    found = [name.removesuffix(anchor) for name in names if f".{name}".endswith(f".{anchor}")]
    return min(found, key=lambda prefix: (len(prefix), prefix), default=None)


def _flat(name: str, piece: Piece) -> Piece:
    """A matrix of an attention that a file has as a convolution over one place."""
    matrix = ".attentions." in name and name.endswith(".weight") and len(piece.shape) > 2
    if matrix and set(piece.shape[2:]) == {1}:
        return replace(piece, shape=piece.shape[:2])
    return piece


def _pieces(place: Path) -> dict[str, Piece]:
    """All tensors of a folder or file, by the names that they have there."""
    table = _table(place)
    found = {}
    for path in _files(place, table):
        for name, entry in _header(path, place).tensors.items():
            if table is None or table.get(name) == path.name:
                found[name] = Piece(path, name, entry.dtype, entry.shape, entry.first)
    return found


def _header(path: Path, place: Path) -> Header:
    """What a file says; of one among several, what is wrong with it names it. Raises OSError, HeaderError."""
    try:
        return read_header(path)
    except (OSError, HeaderError) as error:
        if path == place:
            raise
        within = because(error)
        values: dict[str, Any] = {name: value for name, value in within.items() if name != "reason"}
        raise HeaderError(id="reason.within", file=path.name, within=within["reason"], **values) from error


def _table(place: Path) -> dict[str, str] | None:
    """Which file has which tensor, as an index says; None where there is none. Raises OSError, ValueError."""
    for path in sorted(place.glob(f"*{INDEX}")) if place.is_dir() else ():
        told = parse_json(read_file(path))
        table = told.get("weight_map") if isinstance(told, dict) else None
        if not isinstance(table, dict) or not all(_plain(name) for name in table.values()):
            raise HeaderError(f"{path.name}: weight_map")
        return table
    return None


def _plain(name: object) -> bool:
    """Whether something is the name of a file beside, and no way to another folder."""
    return isinstance(name, str) and Path(name).name == name


def _files(place: Path, table: dict[str, str] | None) -> list[Path]:
    """The files of a part."""
    if place.is_file():
        return [place]
    if table is not None:
        return [place / name for name in sorted(set(table.values()))]
    for name in SINGLE:
        if (place / name).is_file():
            return [place / name]
    return sorted(place.glob(f"*{WEIGHTS}"))
