"""A machine tried out: short runs of every way to run a model, with time and memory beside the forecast.

For what cannot be tested without a GPU and the full weights: bfloat16, FP8 stored and multiplied, a LoRA, streamed
blocks, every attention kernel that works here. Each is a job of one section and a few steps of the same request; one
that fails says so and the others go on. What was found goes into a file that can be attached to a report. It runs on a
CPU, too, where memory is not measured.
"""

import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from eichi.errors import EichiError, ErrorView
from eichi.events import Adjusted, FramesReady
from eichi.models.attention import PACKAGES, Kernel, works
from eichi.models.device import empty_cache, peak, reset_peak, room, title
from eichi.models.fp8 import eligible, multiplies
from eichi.models.load import Components
from eichi.options import WeightsOptions
from eichi.pipeline.generate import compute, fitted
from eichi.pipeline.job import boundary
from eichi.plan.memory import GIB, Placement, forecast
from eichi.plan.plan import Plan
from eichi.video.metadata import versions
from eichi.words import ENGLISH

RANK = 4


@dataclass(frozen=True)
class Way:
    """One way to run: what is wanted of the weights, the attention kernel, and a share of the GPU not to go over."""

    name: str
    weights: dict[str, Any]
    attention: str = "auto"
    share: float | None = None


def ways(device: torch.device, lora: Path) -> list[Way]:
    """All that this device can be tried with."""
    made = [Way("plain", {}), Way("lora", {"loras": [lora]}), Way("fp8 tensor", {"fp8": "tensor"})]
    made += [Way("fp8 row", {"fp8": "row"}), Way("fp8 row, lora", {"fp8": "row", "loras": [lora]})]
    if multiplies(device):
        made.append(Way("fp8 row, multiplied", {"fp8": "row", "fp8_math": True}))
    made += [Way("streamed", {}, share=0.6), Way("streamed further, fp8 row", {"fp8": "row"}, share=0.4)]
    kernels: tuple[Kernel, ...] = ("native", "chunked", *PACKAGES)
    return made + [Way(f"attention {kernel}", {}, kernel) for kernel in kernels if works(kernel, device)]


def example_lora(components: Components, path: Path) -> Path:
    """A LoRA of random matrices for every matrix in the blocks, so weak that it changes next to nothing."""
    generator, tensors = torch.Generator().manual_seed(0), {}
    for name, shape in components.weights.shapes.items():
        if eligible(name, len(shape)):
            layer = f"transformer.{name.removesuffix('.weight')}"
            for half, size in (("A", (RANK, shape[1])), ("B", (shape[0], RANK))):
                tensors[f"{layer}.lora_{half}.weight"] = torch.randn(size, generator=generator).bfloat16() * 1e-3
    save_file(tensors, path)
    return path


@dataclass(frozen=True)
class About:
    """The machine and the versions, for the head of a report; the last three where there is a GPU."""

    system: str
    versions: dict[str, str]
    device: str
    gpu: str | None = None
    cuda: str | None = None
    gpu_gib: float | None = None


@dataclass(frozen=True)
class Trial:
    """What came of a way: whether all frames came, seconds, the ids of what was said, where the weights lay.

    Memory in GiB is measured and forecast on a GPU alone; `error` is what went wrong.
    """

    way: str
    good: bool
    seconds: float | None = None
    notes: tuple[str, ...] = ()
    placement: Placement | None = None
    peak_gib: float | None = None
    forecast_gib: float | None = None
    error: ErrorView | None = None


def try_out(plan: Plan, components: Components, tried: list[Way]) -> Iterator[Trial]:
    """What came of every way, one after the other."""
    pixels = fitted(plan)
    for way in tried:
        yield _run(way, plan, components, pixels)


def about(components: Components) -> About:
    """The machine that the components are on."""
    told = About(platform.platform(), versions(), str(components.device))
    found = room(components.device)
    if found is None:
        return told
    return replace(told, gpu=title(components.device), cuda=torch.version.cuda, gpu_gib=round(found[1] / GIB, 2))


def _run(way: Way, plan: Plan, components: Components, pixels: dict[str, NDArray[np.uint8]]) -> Trial:
    """One job; its time, its peak, and what was forecast."""
    empty_cache(components.device)
    reset_peak(components.device)
    components.attention, components.share = way.attention, way.share
    options = plan.options.model_copy(update={"weights": WeightsOptions.model_validate(way.weights)})
    start, frames, words = time.monotonic(), 0, []
    try:
        with boundary():
            for event in compute(replace(plan, options=options), components, pixels):
                if isinstance(event, FramesReady):
                    frames += len(event.frames)
                if isinstance(event, Adjusted):
                    words.append(event.id)
    except EichiError as error:
        return Trial(way.name, False, error=ErrorView.of(error, ENGLISH))
    finally:
        components.attention, components.share = components.runtime.attention, None
    seconds = round(time.monotonic() - start, 2)
    made = Trial(way.name, frames == plan.frames, seconds, tuple(words), components.placement)
    taken = peak(components.device)
    if taken is None or components.need is None:
        return made
    expected = forecast(components.entry.anatomy, components.need, components.placement)
    return replace(made, peak_gib=round(taken / GIB, 2), forecast_gib=round(expected.gpu / GIB, 2))
