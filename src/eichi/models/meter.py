"""What a card says of itself for a report, and how much of its memory a process may take.

Beside `device`, which knows what every maker's devices are asked: this is asked of CUDA's alone, by whoever tries a
machine out. On other devices nothing is limited and answers are empty. Not run on a GPU yet.
"""

import shutil
import subprocess
from dataclasses import dataclass
from functools import cache

import torch

from eichi.models.device import empty_cache, peak, reset_peak, room, title
from eichi.plan.memory import CUDA, GIB


@dataclass(frozen=True)
class Card:
    """A card: its name, its memory in GiB, CUDA's version, and its generation as "8.9"."""

    name: str
    gib: float
    cuda: str
    capability: str


@dataclass(frozen=True)
class Peaks:
    """The most bytes that tensors took, and that torch's allocator held for them."""

    allocated: int
    reserved: int


def card(device: torch.device) -> Card | None:
    """What a device is, None where it is no card of CUDA's."""
    if device.type != "cuda":
        return None
    major, minor = torch.cuda.get_device_capability(device)
    version = torch.version.cuda or torch.version.hip or "?"
    return Card(title(device), round(total(device) / GIB, 2), version, f"{major}.{minor}")


def total(device: torch.device) -> float:
    """Bytes of a card, 0 without one."""
    found = room(device)
    return 0.0 if found is None else found[1]


@cache
def driver() -> str:
    """The version of NVIDIA's driver; "?" where nobody says it."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return "?"
    asked = [tool, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        said = subprocess.run(asked, capture_output=True, encoding="utf-8", timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return "?"
    return said.strip().partition("\n")[0] or "?"


def begin(device: torch.device) -> None:
    """Give back what the allocator holds for later, and count peaks anew."""
    empty_cache(device)
    reset_peak(device)


def peaks(device: torch.device) -> Peaks | None:
    """The peaks since `begin`, None where nobody counts."""
    held = peak(device)
    if held is None:
        return None
    return Peaks(torch.cuda.max_memory_allocated(device) if device.type == "cuda" else held, held)


def allow(device: torch.device, size: float | None) -> None:
    """Let this process take as much memory as a card of `size` bytes has, CUDA's own part taken off; None for all."""
    if device.type == "cuda":
        share = 1.0 if size is None else min(1.0, max(size - CUDA, 0.0) / total(device))
        torch.cuda.set_per_process_memory_fraction(share, device)
