"""Where training keeps what it has done: files that are written aside and renamed, and curves as lines of JSON.

Knows nothing of models. A file in the state folder is either complete or absent, so a stage that is interrupted at
any moment continues from its last checkpoint.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from eichi.files import aside


def fresh(model: nn.Module) -> dict[str, Any]:
    """A checkpoint whose training begins anew: no steps, no time spent, optimisers without a memory."""
    return {"model": model.state_dict(), "step": 0, "spent": 0.0, "optimisers": []}


def save(path: Path, content: Mapping[str, Any]) -> None:
    """Write a checkpoint so that a reader sees the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with aside(path) as draft:
        torch.save(dict(content), draft)


def load(path: Path, mapped: bool = False) -> dict[str, Any]:
    """A checkpoint, on the CPU. It may hold random states and options beside tensors, and is our own file.

    `mapped` leaves tensors in the file until they are looked at, so that they take no memory of the process.
    """
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=False, mmap=mapped)
    return content


def note(path: Path, **values: float | str) -> None:
    """Append one line to a curve."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as log:
        log.write(json.dumps({k: round(v, 5) if isinstance(v, float) else v for k, v in values.items()}) + "\n")
