"""Parts of a model for a card that is not there: the published networks at full size, of tensors without numbers.

The catalogue knows every network by its config and the shapes of its weights; a source gives tensors of these shapes,
on the CPU, in the types that the files have. The product makes its parts of them as it does of files. Tokenizers are
the embedded model's, which cut texts at the same length, and pictures are scaled as for the published encoder.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from eichi.catalog import NETWORKS, PARTS, Entry, PartSource, Shapes, find
from eichi.models.formats import arrange
from eichi.models.load import Components
from eichi.settings import Runtime

TYPES = {"transformer": torch.bfloat16}  # all other parts are published in float16
SEEN = 384  # pixels, of the published picture encoder
TOOLS = ("tokenizer", "tokenizer_2")


@dataclass(frozen=True)
class Nothing:
    """A source of tensors that have no numbers."""

    part: str
    shapes: Shapes
    kept: torch.dtype

    def dtype(self, name: str) -> torch.dtype:
        return self.kept

    def read(self, name: str) -> Tensor:
        return torch.empty(self.shapes[name], dtype=self.kept)

    def mark(self, name: str) -> tuple[object, ...]:
        return self.part, name


def at_hand(name: str, folder: Path) -> Entry:
    """A model's entry whose tokenizers and picture processor are here; `folder` takes the last one."""
    entry, tiny = find(name), find("tiny")
    if entry.embedded:
        return entry
    assert tiny.root is not None
    told = json.loads((tiny.root / "feature_extractor" / "preprocessor_config.json").read_text(encoding="utf-8"))
    told["size"] = {"height": SEEN, "width": SEEN}
    (folder / "preprocessor_config.json").write_text(json.dumps(told), encoding="utf-8")
    here = {tool: PartSource(None, tool, tiny.root) for tool in TOOLS}
    return replace(entry, parts=dict(entry.parts) | here | {"feature_extractor": PartSource(None, "", folder)})


def shapes(entry: Entry, part: str) -> Shapes:
    """The shapes of a part's weights; the embedded model's are read from the headers of its files."""
    if not entry.embedded:
        return entry.published[part].shapes
    assert entry.root is not None
    return arrange(part, entry.root / entry.parts[part].folder).shapes


def make_parts(entry: Entry, runtime: Runtime, parts: Collection[str] = PARTS) -> Components:
    """The product's components of such a model."""
    sources = {
        part: Nothing(part, shapes(entry, part), TYPES.get(part, torch.float16)) for part in NETWORKS if part in parts
    }
    return Components(entry, runtime, parts, sources)
