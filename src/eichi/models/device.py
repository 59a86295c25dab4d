"""Where a model runs, and every question that is put to it by the name of its maker.

    cuda   NVIDIA's cards, and AMD's in torch's ROCm build, which answers to the same name
    xpu    Intel's cards
    mps    Apple's chips, whose memory is the computer's own
    cpu    everywhere

The rest of the program asks here: what is free, what the peak was, what it is called, to wait, to give memory back. One
place that differs from maker to maker, and one for a stand-in. What exists on CUDA alone is a stream of one's own:
without it weights are not brought ahead of their turn, and nothing is decoded beside sampling. Knows no network and no
placement. Run on no GPU yet, of whichever maker.
"""

from typing import Any

import torch
from torch import distributed

from eichi.errors import DeviceError
from eichi.models import ram
from eichi.plan.cards import Card, Described, find_card, work_out
from eichi.plan.memory import GIB, Machine

KHZ = 1e6  # in a GHz
GPUS = ("cuda", "xpu", "mps")  # as they are tried where nothing is said


def pick_device(name: str) -> torch.device:
    """The device to run on; "auto" takes the first GPU where there is one. Raises DeviceError."""
    if name == "auto":
        return torch.device(next((kind for kind in GPUS if _module(kind).is_available()), "cpu"))
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch's own words for a bad name and for a missing backend
        raise DeviceError("error.device.absent", device=name) from error
    return device


def neighbours(device: torch.device, count: int) -> tuple[torch.device, ...]:
    """So many devices to compute one video, this one first; a CPU is as many as it is asked to be.

    Raises DeviceError where there are fewer, or of a maker whose cards nobody has let do so.
    """
    if device.type == "cpu":
        return (device,) * count
    if device.type != "cuda" or not distributed.is_available() or not distributed.is_nccl_available():
        raise DeviceError("error.gpus.kind", device=title(device))
    first = device.index or 0
    found = torch.cuda.device_count() - first
    if found < count:
        raise DeviceError("error.gpus.few", gpus=count, found=found)
    return tuple(torch.device("cuda", first + rank) for rank in range(count))


def on_gpu(device: torch.device) -> bool:
    """Whether a device has memory beside the program's own, or counts it so."""
    return device.type in GPUS


def streams(device: torch.device) -> bool:
    """Whether work can be given to a device beside other work."""
    return device.type == "cuda"


def side_stream(device: torch.device) -> torch.cuda.Stream | None:
    """A stream of one's own, None where there are none."""
    return torch.cuda.Stream(device) if streams(device) else None


def title(device: torch.device) -> str:
    """What a device is called: a card's name where its maker tells one, else torch's name."""
    if device.type in ("cuda", "xpu"):
        return str(_module(device.type).get_device_name(device))
    return str(device)


def room(device: torch.device) -> tuple[float, float] | None:
    """Bytes of a GPU: free, and in all. What torch holds for later use counts as free. None without a GPU."""
    if device.type == "mps":
        total = float(torch.mps.recommended_max_memory())
        return total - torch.mps.current_allocated_memory(), total
    if not on_gpu(device):
        return None
    module = _module(device.type)
    held = module.memory_reserved(device) - module.memory_allocated(device)
    try:
        free, total = module.mem_get_info(device)
    except RuntimeError:  # Intel's drivers tell what is free of some cards only
        total = module.get_device_properties(device).total_memory
        free = total - module.memory_reserved(device)
    return float(free + held), float(total)


def card_of(device: torch.device) -> Card | None:
    """What is known of a device's speed: by its name, else by what the driver tells; None for all but NVIDIA's."""
    if device.type != "cuda" or torch.version.hip is not None:
        return None
    try:
        told = torch.cuda.get_device_properties(device)
    except (RuntimeError, AssertionError):  # torch's own words for a driver that does not answer
        return None
    return find_card(told.name) or work_out(
        Described(
            name=told.name,
            gib=told.total_memory / GIB,
            capability=(told.major, told.minor),
            processors=told.multi_processor_count,
            clock=told.clock_rate / KHZ,
            bus=told.memory_bus_width,
            memory_clock=told.memory_clock_rate / KHZ,
        )
    )


def measure(device: torch.device, preserve_gb: float | None = None, half: bool = False) -> Machine:
    """What is free beside a device now."""
    here, found = ram.free(), room(device)
    if found is None:
        return Machine(None, here, preserve_gb, half=half, total=ram.total())
    free = min(found[0], here) if device.type == "mps" else found[0]
    return Machine(
        free, here, preserve_gb, streams(device), card_of(device), pinnable=ram.pinnable(), total=ram.total()
    )


def synchronise(device: torch.device) -> None:
    """Wait until a device has done what it was given."""
    if on_gpu(device):
        given = () if device.type == "mps" else (device,)
        _module(device.type).synchronize(*given)


def empty_cache(device: torch.device) -> None:
    """Give back what torch holds for later use."""
    if on_gpu(device):
        _module(device.type).empty_cache()


def reset_peak(device: torch.device) -> None:
    """Count the peak from here on, where it is counted."""
    if device.type in ("cuda", "xpu"):
        _module(device.type).reset_peak_memory_stats(device)


def peak(device: torch.device) -> int | None:
    """The most bytes that torch took of a GPU since `reset_peak`; None where nobody counts."""
    return int(_module(device.type).max_memory_reserved(device)) if device.type in ("cuda", "xpu") else None


def _module(kind: str) -> Any:
    """torch's module for a kind of device."""
    return getattr(torch, kind)
