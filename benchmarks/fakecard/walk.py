"""A walk: jobs of the product's own on a card of some size, one after another, with everything that is asserted.

Nothing of the product is left out between a plan and its frames. Of every job there is told where the weights lay, the
peak of each phase beside its forecast, how many streamed blocks were on the card at once and what was brought; and it
has failed where a product was made on another device or in another type than it should be, where weights lie elsewhere
than planned, or where frames are missing.
"""

import gc
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from diffusers import AutoencoderKLHunyuanVideo, HunyuanVideoFramepackTransformer3DModel
from diffusers.hooks.group_offloading import ModuleGroup
from diffusers.models.transformers.transformer_hunyuan_video import (
    HunyuanVideoSingleTransformerBlock,
    HunyuanVideoTransformerBlock,
)
from torch import nn
from transformers import CLIPTextModel, LlamaModel, SiglipVisionModel
from transformers.models.llama.modeling_llama import LlamaDecoderLayer
from transformers.models.siglip.modeling_siglip import SiglipEncoderLayer

from benchmarks.fakecard.count import Counter
from benchmarks.fakecard.cuda import card
from benchmarks.fakecard.once import Once
from benchmarks.fakecard.parts import at_hand, make_parts
from benchmarks.fakecard.walked import Kind, Walked
from benchmarks.fakecard.ways import Way
from eichi.catalog import PARTS, Entry, ModelFolders
from eichi.errors import EichiError
from eichi.events import Adjusted, Event, FrameDrawn, FramesReady, SectionDone
from eichi.models.fp8 import TYPE, eligible
from eichi.models.head import kept_in
from eichi.models.load import Components
from eichi.models.offload import streamed_names
from eichi.models.weights import Weights
from eichi.pipeline.generate import compute
from eichi.pipeline.originals import fitted
from eichi.plan.memory import CUDA, FLOAT32, GIB, Placement, forecast, lower
from eichi.prepare import make_plan
from eichi.settings import Runtime

NAMES: dict[float, str] = {8: "RTX 4060", 12: "RTX 4070", 16: "RTX 4080", 24: "RTX 4090", 80: "H100"}
FREE = 0.96  # of a card; the rest has been taken before we start
PHASES: tuple[tuple[Any, str, str], ...] = (
    (LlamaModel, "forward", "words"),
    (CLIPTextModel, "forward", "words"),
    (SiglipVisionModel, "forward", "vision"),
    (AutoencoderKLHunyuanVideo, "encode", "pictures"),
    (AutoencoderKLHunyuanVideo, "decode", "decoding"),
    (Weights, "changing", "weights"),
    (HunyuanVideoFramepackTransformer3DModel, "forward", "sampling"),
)
# What there are many of.
LAYERS: tuple[tuple[Any, str], ...] = (
    (HunyuanVideoTransformerBlock, "forward"),
    (HunyuanVideoSingleTransformerBlock, "forward"),
    (LlamaDecoderLayer, "forward"),
    (SiglipEncoderLayer, "forward"),
    (AutoencoderKLHunyuanVideo, "_decode"),
    (AutoencoderKLHunyuanVideo, "_encode"),
)
BEFORE = "before"
ROOMY = 24  # GB of a card that may have room to decode beside sampling
HALVES = {
    "words": {torch.float16},
    "vision": {torch.float16},
    "pictures": {torch.float16},
    "sampling": {torch.bfloat16, torch.float32, TYPE},  # float32 is the head, and the weights of FP8 as they come back
    "decoding": {torch.float16},
}


class Fault(Exception):
    """Something that must not be."""


# What comes out of torch, the libraries and our own code where something is wrong.
FAULTS = (Fault, EichiError, RuntimeError, TypeError, ValueError, AssertionError, AttributeError, LookupError)


class Life:
    """A program on a card of `size` GiB, from its start to its end: one model after another, job after job.

    `told` is how large the card seems when it is asked, where that is another. `once` has the layers that were walked.
    """

    def __init__(self, folder: Path, size: float, once: Once, *, told: float | None = None, fused: bool = True) -> None:
        self.folder, self.size, self.once = folder, size, once
        self.counter = Counter("cuda", size * FREE * GIB - CUDA)
        self.told = (told or size) * FREE * GIB
        self.here: set[nn.Module] = set()  # streamed blocks
        self.most = 0
        self.parts: Components | None = None
        self._fused = fused
        self._stack = ExitStack()

    def __enter__(self) -> "Life":
        for owner, name, phase in PHASES:
            self._stack.enter_context(patch.object(owner, name, self._phased(getattr(owner, name), phase)))
        for owner, name in LAYERS:
            walked = self.once.wrap(getattr(owner, name), self.counter, self._fused)
            self._stack.enter_context(patch.object(owner, name, walked))
        self._stack.enter_context(patch.object(ModuleGroup, "onload_", self._come(ModuleGroup.onload_)))
        self._stack.enter_context(patch.object(ModuleGroup, "offload_", self._go(ModuleGroup.offload_)))
        self._stack.enter_context(card(self.counter, self._free, NAMES.get(self.size, "?"), self._fused))
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.close()

    def _free(self) -> float:
        return self.told - self.counter.live

    def load(self, entry: Entry) -> Components:
        """A model's parts; those of another one go."""
        if self.parts is None or self.parts.entry != entry:
            self.end()
            self.parts = make_parts(entry, Runtime(ModelFolders(self.folder), "cuda"))
        return self.parts

    def end(self) -> None:
        """Give everything back. Raises Fault where something stays."""
        if self.parts is not None:
            self.parts.release(*PARTS)
            self.parts = None
        self.here.clear()
        gc.collect()
        if self.counter.live:
            raise Fault(f"{self.counter.live} bytes stay on the card")

    def run(self, kind: Kind, way: Way, side: int, picture: Path, lora: Path | None = None) -> Walked:
        """A video, drawn in some way."""
        entry = at_hand(way.model, self.folder)
        side = entry.resolution if entry.embedded else side
        # Two sections where one may be decoded beside the other.
        seconds = 2.0 if self.size >= ROOMY or entry.embedded else 1.0

        def job(parts: Components) -> Iterator[Event]:
            plan = make_plan(way.request(picture, side, seconds, lora), ModelFolders(self.folder), entry)
            frames = 0
            for event in compute(plan, parts, fitted(plan)):
                frames += len(event.frames) if isinstance(event, FramesReady) else 0
                yield event
            if frames != plan.frames:
                raise Fault("not all frames have come")

        with placed(way.placement):
            return self.walk(Walked(kind, way.name, side, self.size), entry, job)

    def walk(self, walked: Walked, entry: Entry, job: Callable[[Components], Iterable[Event]]) -> Walked:
        """A job of a model's parts."""
        began = time.monotonic()
        try:
            parts = self.load(entry)
            self.restart()
            events = list(job(parts))
            self.check(parts)
            walked = self.tell(walked, parts, events)
        except FAULTS as error:
            walked = self._short(walked) if self._small(error) else replace(walked, fault=_told(error))
            self.parts = None
        return replace(walked, seconds=time.monotonic() - began)

    def try_out(self, walked: Walked, call: Callable[[], None]) -> Walked:
        """Something that loads what it needs itself, and that leaves nothing on the card."""
        began = time.monotonic()
        try:
            call()
            self.end()
        except FAULTS as error:
            walked = replace(walked, fault=_told(error))
        return replace(walked, seconds=time.monotonic() - began)

    def _small(self, error: BaseException) -> bool:
        """Whether a card is too small, and was known to be: by the forecast of the smallest placement."""
        parts = self.parts
        if not isinstance(error, torch.OutOfMemoryError) or parts is None or parts.need is None:
            return False
        anatomy = parts.entry.anatomy
        least = lower(anatomy, parts.need, parts.placement) is None
        return least and forecast(anatomy, parts.need, parts.placement).gpu > self.counter.limit + CUDA

    def _short(self, walked: Walked) -> Walked:
        assert self.parts is not None
        return replace(walked, placement=self.parts.placement, short=True)

    def restart(self) -> None:
        """Forget what was counted before."""
        gc.collect()
        self.counter.restart()
        self.counter.phase = BEFORE
        self.most = 0

    def check(self, parts: Components) -> None:
        """Everything was made where it should be, in the type that it should have. Raises Fault."""
        full = parts.entry.anatomy.precision.size == FLOAT32
        for phase, made in self.counter.products.items():
            wanted = {torch.float32} if full else HALVES.get(phase)
            if wanted is not None and not self._fused:
                wanted = wanted | {torch.float32}  # attention by the formula, for which torch takes float32
            wrong = {one for one in made if one[0] != "cuda" or (wanted is not None and one[1] not in wanted)}
            if wrong:
                raise Fault(f"{phase}: products on or in {sorted(map(str, wrong))}")
        if "transformer" not in parts._networks:
            return
        names = streamed_names(parts.transformer, parts.placement)
        for name, parameter in parts.transformer.named_parameters():
            kept = {kept_in(name, parts.transformer_dtype)} | ({TYPE} if eligible(name, parameter.ndim) else set())
            place = "cpu" if name.startswith(names) and names else "cuda"
            if parameter.dtype not in kept or parameter.device.type != place:
                raise Fault(f"{name} is {parameter.dtype} on {parameter.device}")

    def tell(self, walked: Walked, parts: Components, events: list[Event]) -> Walked:
        """What is to be told of a job that is over."""
        if parts.need is None:  # a tool that draws nothing
            return replace(walked, counted=dict(self.counter.peaks))
        peaks = forecast(parts.entry.anatomy, parts.need, parts.placement)
        passes = sum(event.computed for event in events if isinstance(event, SectionDone | FrameDrawn))
        return replace(
            walked,
            placement=parts.placement,
            counted={phase: size for phase, size in self.counter.peaks.items() if phase != BEFORE},
            planned={name: sum(phase.values()) - CUDA for name, phase in peaks.phases.items()},
            moved=self.counter.moved["sampling"] / max(1, passes),
            moved_planned=peaks.moved / parts.need.branches,
            blocks=self.most,
            words=tuple(event.id for event in events if isinstance(event, Adjusted)),
        )

    def _phased(self, call: Callable[..., Any], phase: str) -> Callable[..., Any]:
        """A function that begins a phase, which lasts until the next one."""

        @wraps(call)
        def phased(*args: Any, **kwargs: Any) -> Any:
            self.counter.phase = phase
            return call(*args, **kwargs)

        return phased

    def _come(self, call: Callable[[ModuleGroup], None]) -> Callable[[ModuleGroup], None]:
        """Blocks that come to the card, counted."""

        def come(group: ModuleGroup) -> None:
            call(group)
            self._lies(group, "cuda")
            self.here.add(group.modules[0])
            self.most = max(self.most, len(self.here))

        return come

    def _go(self, call: Callable[[ModuleGroup], None]) -> Callable[[ModuleGroup], None]:
        """Blocks that leave the card."""

        def go(group: ModuleGroup) -> None:
            call(group)
            self._lies(group, "cpu")
            self.here.discard(group.modules[0])

        return go

    def _lies(self, group: ModuleGroup, place: str) -> None:
        """A block lies where it should. Raises Fault."""
        found = {parameter.device.type for module in group.modules for parameter in module.parameters()}
        if found != {place}:
            raise Fault(f"a block lies on {sorted(found)} instead of {place}")


@contextmanager
def placed(placement: Placement | None) -> Iterator[None]:
    """Weights lie where it is said for a time, whatever would be chosen."""
    if placement is None:
        yield
        return
    with patch("eichi.models.load.choose", lambda *given: placement):
        yield


def _told(error: BaseException) -> str:
    """An error and the place in our code where it came from."""
    places = [place for place in traceback.extract_tb(error.__traceback__) if "eichi" in place.filename]
    where = f" ({Path(places[-1].filename).name}:{places[-1].lineno})" if places else ""
    return f"{type(error).__name__}: {str(error)[:200]}{where}"
