"""How the files of a part have its tensors: which file, under which name, of which type. Without torch.

The names that a network has for its tensors are found in files behind prefixes: of the program that wrote them, or of
the larger network that the part was taken out of. One tensor that every such network has tells the prefix.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from eichi.catalog import WEIGHTS, Shapes
from eichi.files import read_file
from eichi.models.header import HeaderError, read_header

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


@dataclass(frozen=True)
class Piece:
    """Where one tensor is: the file, its name there, its type in the terms of the format, and its first byte."""

    path: Path
    name: str
    dtype: str
    shape: tuple[int, ...]
    first: int


@dataclass(frozen=True)
class Layout:
    """The tensors of one part in its files, by the names that its network has for them."""

    pieces: dict[str, Piece]

    @cached_property
    def shapes(self) -> Shapes:
        """Shape by name."""
        return {name: piece.shape for name, piece in self.pieces.items()}


def arrange(part: str, place: Path) -> Layout:
    """How a folder in the Hugging Face layout, or a file, has the tensors of a part; none where it is something else.

    Raises OSError and ValueError for files that cannot be read.
    """
    pieces = _pieces(place)
    anchor = ANCHORS[part]
    prefixes = [name.removesuffix(anchor) for name in pieces if f".{name}".endswith(f".{anchor}")]
    prefix = min(prefixes, key=len, default="")
    return Layout({name.removeprefix(prefix): piece for name, piece in pieces.items() if name.startswith(prefix)})


def read_config(place: Path, published: Mapping[str, Any]) -> Mapping[str, Any]:
    """The config beside the files of a part; `published` for those that have none. Raises OSError, ValueError."""
    path = place / CONFIG
    if not path.is_file():
        return published
    told = json.loads(read_file(path))
    if not isinstance(told, dict):
        raise HeaderError(f"{CONFIG}: JSON ≠ {{…}}")
    return told


def _pieces(place: Path) -> dict[str, Piece]:
    """All tensors of a folder or file, by the names that they have there."""
    table = _table(place)
    found = {}
    for path in _files(place, table):
        for name, entry in read_header(path).tensors.items():
            if table is None or table.get(name) == path.name:
                found[name] = Piece(path, name, entry.dtype, entry.shape, entry.first)
    return found


def _table(place: Path) -> dict[str, str] | None:
    """Which file has which tensor, as an index says; None where there is none."""
    for path in sorted(place.glob(f"*{INDEX}")) if place.is_dir() else ():
        table: dict[str, str] = json.loads(read_file(path))["weight_map"]
        return table
    return None


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
