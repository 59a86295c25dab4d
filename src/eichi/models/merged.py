"""Weights with LoRAs merged in, on disk, so that going back to a LoRA or a strength is a read and no work.

A file for each tensor, found by everything its numbers depend on: the checkpoint's file by name, size and date, the
tensor's name, the content of the LoRA files with their strengths in their order, the type, FP8 and its kind. So what
two requests have in common is kept once. Files are written aside and renamed; a damaged one counts as missing, and a
full disk costs the time of merging again. The oldest go when the folder grows over its limit.
"""

import hashlib
import json
import logging
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from eichi.files import aside, private, trim
from eichi.models.fp8 import Loss, Rounded

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """A merged weight as it is kept: in the type of the model, or rounded to eight bits with what that cost."""

    whole: Tensor | None
    rounded: Rounded | None = None
    loss: Loss = field(default_factory=Loss)

    @property
    def tensors(self) -> dict[str, Tensor]:
        """By the names that they have in a file."""
        if self.rounded is not None:
            return {"values": self.rounded.values, "scale": self.rounded.scale}
        assert self.whole is not None, "what is not rounded is whole"
        return {"whole": self.whole}


class Merged:
    """The folder, for one model."""

    def __init__(self, folder: Path, limit: int) -> None:
        """`limit` is in bytes."""
        self.folder, self.limit = folder, limit

    def find(self, key: str) -> Found | None:
        """What was kept under a key; its tensors are mapped."""
        path = self._path(key)
        try:
            with safe_open(path, framework="pt") as file:
                names = file.keys()
                kept = {name: file.get_tensor(name) for name in names}
                told = json.loads((file.metadata() or {})["loss"])
            with suppress(OSError):  # another process may have just removed it
                os.utime(path)  # used again: among the last to go
            whole = None if "values" in kept else kept["whole"]
            rounded = Rounded(kept["values"], kept["scale"]) if whole is None else None
        except (OSError, SafetensorError, ValueError, KeyError):
            return None
        return Found(whole, rounded, Loss(*told))

    def keep(self, key: str, found: Found) -> None:
        """Keep a merged weight."""
        path = self._path(key)
        try:
            private(path.parent)
            with aside(path, lasting=False) as draft:
                loss = json.dumps([found.loss.error, found.loss.weights])
                save_file(
                    {name: tensor.cpu().contiguous() for name, tensor in found.tensors.items()}, draft, {"loss": loss}
                )
        except (OSError, SafetensorError) as error:
            log.warning("a merged weight is not kept for the next time: %s", error)

    def tidy(self) -> None:
        """Remove the oldest above the limit."""
        if self.folder.is_dir():
            trim(self.folder, "*.safetensors", self.limit)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.safetensors"


def merged_key(mark: tuple[object, ...], recipe: object, dtype: torch.dtype) -> str:
    """What a merged weight is found by: what tells the original from all others, and what is done to it."""
    told = [*mark, repr(recipe), str(dtype)]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]
