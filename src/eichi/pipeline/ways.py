"""The ways to run a model that a machine is tried out with, the most telling first, and the request of each.

A way is tried at the smallest picture, where the weights' path counts, and at a large one, where attention and memory
do. On a card that is large, smaller ones are played: the plan and the allocator get no more than such a card has. Ways
with the same weights stand together, since making others takes time. What a machine cannot do is said, never left out
in silence.
"""

from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save_file

from eichi.catalog import Entry, ModelFolders, Shapes
from eichi.models.device import on_gpu
from eichi.models.fp8 import eligible, multiplies
from eichi.models.kernels import PACKAGES
from eichi.models.load import Components
from eichi.models.meter import total
from eichi.models.pool import random_matrix
from eichi.options import FrameOptions, LoraOptions, VideoOptions, WeightsOptions
from eichi.pipeline.report import Left
from eichi.plan.memory import CUDA, GIB, SHARE, Machine, choose, forecast, ladder
from eichi.plan.oneframe import FramePlan
from eichi.plan.plan import Plan
from eichi.prepare import make_frame_plan, make_plan, weigh

RANK, CHANGE = 32, 0.05  # of the example LoRA: its rank, and how much it changes weights of random numbers
LARGE = 640
CARDS = (24, 16, 12, 8)  # GB of the cards that are played
TIGHT = 0.8  # of the forecast, to run out of memory
FREE = 0.96  # of a card that is played: the rest the system takes, as measured/memory.md counts
NEAR = 0.95  # so much of its name has a card of that many GB
EASY = 1.0  # the threshold of step caches: so that few steps are enough for one to reuse
ONE, TWO = 1.0, 2.0  # seconds of one section and of two

Kind = Literal["video", "forward", "frame"]


@dataclass(frozen=True)
class Way:
    """One way to run, at one size.

    `weights` is what is wanted of them, `cache` a step cache, `seconds` the length of the clip. `card` are GB of the
    card that is played, `streamed` a share of the blocks that is to come from RAM, `tight` whether less memory is there
    than was planned with. `exact` asks for kernels that repeat themselves.
    """

    name: str
    side: int
    weights: WeightsOptions = field(default_factory=WeightsOptions)
    attention: str = "auto"
    kind: Kind = "video"
    seconds: float = ONE
    cache: str = ""
    card: int | None = None
    streamed: float | None = None
    tight: bool = False
    compiled: bool = False
    exact: bool = False

    @property
    def card_played(self) -> tuple[object, ...]:
        """What of it decides where weights lie."""
        return self.card, self.streamed, self.tight

    @property
    def network(self) -> tuple[object, ...]:
        """What of it decides which weights there are."""
        return self.weights.fp8, self.weights.loras, self.compiled


def ways(entry: Entry, lora: Path) -> list[Way]:
    """All of them, the most telling first. `lora` is the file of the example."""
    least, most = min(entry.sizes), LARGE if LARGE in entry.sizes else max(entry.sizes)
    few = entry.anatomy.width < 1024  # streams nothing on the smallest card

    def both(name: str, *sides: int, **others: Any) -> list[Way]:
        return [Way(name, side, **others) for side in dict.fromkeys(sides or (least, most))]

    row, loras = WeightsOptions(fp8="row"), (LoraOptions(file=lora),)
    made = [*both("plain")]
    made += both("two sections", most, least, seconds=TWO)
    for kernel in ("native", *PACKAGES, "chunked"):
        made += both(f"attention {kernel}", attention=kernel)
    made += both("reproducible", exact=True)
    made += [way for cache in ("tea", "mag", "first") for way in both(f"step cache {cache}", least, cache=cache)]
    made += both("F1", least, kind="forward") + both("one frame", least, kind="frame")
    made += both("out of memory", least, tight=True)
    made += both("fp8 row", weights=row)
    made += both("fp8 row multiplied", weights=WeightsOptions(fp8="row", fp8_math=True))
    made += [way for gb in (8, 12) if not few for way in both(f"fp8 row {gb} GB", weights=row, card=gb)]
    made += both("fp8 row lora", weights=WeightsOptions(fp8="row", loras=loras))
    made += both("fp8 tensor", weights=WeightsOptions(fp8="tensor"))
    made += both("lora", weights=WeightsOptions(loras=loras))
    if few:
        made += [way for share in (0.5, 1.0) for way in both(f"streamed {share:.0%}", streamed=share)]
    else:
        made += [way for gb in CARDS for way in both(f"{gb} GB", card=gb)]
    made += [way for cache in ("tea", "mag", "first") for way in both(f"step cache {cache}", most, cache=cache)]
    made += both("F1", most, kind="forward") + both("one frame", most, kind="frame")
    made += both("compiled", least, most, compiled=True)
    return list({(way.name, way.side): way for way in made}.values())


@dataclass(frozen=True)
class Given:
    """What every way's request is made of."""

    entry: Entry
    models: ModelFolders
    picture: Path
    prompt: str
    steps: int

    def plan(self, way: Way) -> Plan | FramePlan:
        """The plan of a way."""
        sampling: dict[str, object] = {"steps": self.steps, "teacache": bool(way.cache)}
        if way.cache:
            sampling |= {"cache": way.cache, "threshold": EASY}
        values: dict[str, object] = {"image": self.picture, "prompt": self.prompt, "seed": 1, "resolution": way.side}
        values |= {"weights": way.weights, "sampling": sampling}
        if way.kind == "frame":
            return make_frame_plan(FrameOptions.parse(values), self.models, self.entry)
        entry = replace(self.entry, direction="forward") if way.kind == "forward" else self.entry
        return make_plan(VideoOptions.parse(values | {"seconds": way.seconds}), self.models, entry)


@dataclass(frozen=True)
class Room:
    """How much of a card a way gets, in bytes: what the plan is made for, and what the allocator hands out."""

    planned: float | None = None
    allowed: float | None = None


def unable(way: Way, components: Components) -> Left | None:
    """Why this machine cannot be tried with a way, None where it can."""
    device, least = components.device, min(components.entry.sizes)
    cuda = device.type == "cuda"
    if way.side > least and not on_gpu(device):
        return "large"
    if not cuda and (way.card or way.streamed or way.tight or way.exact):
        return "device"
    if way.compiled and not (cuda and find_spec("triton")):
        return "compile"
    if way.card and total(device) < NEAR * way.card * GIB:
        return "card"
    if way.kind != "video" and components.entry.direction == "forward":
        return "forward"
    if way.weights.fp8_math and not multiplies(device):
        return "fp8"
    package = PACKAGES.get(way.attention)  # type: ignore[call-overload]
    return "kernel" if package and find_spec(package) is None else None


def lacks_ram(plan: Plan | FramePlan, way: Way, components: Components, mapped: bool) -> bool:
    """Whether there is less RAM than a way takes. What is `mapped` need not be there as a whole."""
    need, machine = weigh(plan.need, plan.options), components.machine
    placement = choose(components.entry.anatomy, need, _smaller(machine, room(plan, way, components)))
    if placement.level == "streamed" and not mapped:
        placement = replace(placement, pinned=True, loose=0)  # takes as much
    return forecast(components.entry.anatomy, need, placement).ram > machine.ram


def room(plan: Plan | FramePlan, way: Way, components: Components) -> Room:
    """What a way gets of a card: all of it, unless it plays a smaller one."""
    anatomy, need, machine = components.entry.anatomy, weigh(plan.need, plan.options), components.machine
    if machine.gpu is None:
        return Room()
    if way.card is not None:
        size = FREE * way.card * GIB
        return Room(size, size)
    if way.streamed is not None:
        rungs = [rung for rung in ladder(anatomy, need) if rung.level == "streamed"]
        rung = rungs[round(way.streamed * (len(rungs) - 1))]
        size = forecast(anatomy, need, rung).gpu / (1 - SHARE) + 1  # what is kept free beside it
        return Room(size, size + CUDA)
    if way.tight:
        return Room(None, TIGHT * forecast(anatomy, need, choose(anatomy, need, machine)).gpu)
    return Room()


def _smaller(machine: Machine, room: Room) -> Machine:
    """A machine with no more of its card than is planned with."""
    if machine.gpu is None or room.planned is None:
        return machine
    return replace(machine, gpu=min(machine.gpu, room.planned))


def example_lora(shapes: Shapes, path: Path) -> Path:
    """A LoRA of random numbers for every matrix in the blocks. It changes them by a twentieth."""
    tensors = {}
    for name, shape in shapes.items():
        if eligible(name, len(shape)):
            layer = f"transformer.{name.removesuffix('.weight')}"
            for half, size, scale in (("A", (RANK, shape[1]), 1.0), ("B", (shape[0], RANK), CHANGE)):
                key = f"{layer}.lora_{half}.weight"
                tensors[key] = random_matrix(key, size, scale, torch.bfloat16)
    save_file(tensors, path)
    return path
