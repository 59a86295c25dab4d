"""Sizes, free memory and the size of a request -> where the weights lie, and what the peaks will be. Pure arithmetic.

Four placements, each slower than the one before:

    all        every part stays on the GPU, text encoders too
    kept       transformer and VAE stay on the GPU; text encoders visit it, whole or a layer at a time
    streamed   of the transformer only some blocks stay; the others come from RAM when their turn comes, the next one
               while one computes, spread evenly so that blocks that stay hide the transfer of those that do not
    cpu        no GPU: everything in RAM, in float32 or in bfloat16

The forecast adds up what is on the GPU in each phase (reading prompts, sampling, decoding) and takes the largest sum;
every addend is kept, so that a table can show the arithmetic. Weights are two bytes a parameter, four where a model
computes in float32 and in the transformer's head, one where FP8 stores them. Working memory was counted on torch's
`meta` device, tensor by tensor over a whole pass of the full-size network (the tests count again); what CUDA takes for
itself is an assumption. LoRA is merged into the weights: it costs RAM while that is done and nothing afterwards.
Weights read from mapped files count as RAM only where they are copied (`ram`): the rest is the system's file cache,
which it gives up when asked. Where the cache has no room for them they are read from the disk again at every step.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil, isqrt
from typing import Literal

from eichi.catalog import BRAIN, HALF, Anatomy, Blocks, Entry
from eichi.events import Adjusted
from eichi.plan.blocks import loose_blocks, streamed_blocks
from eichi.plan.cards import Card
from eichi.plan.ram import Bytes, beside_gpu, block_bytes, transformer_bytes, turn
from eichi.plan.speed import DISK, HOST, Away, Speed, rounded, speed

GIB = 2**30
FLOAT32 = 4

# Bytes at the peak of the transformer's pass in bfloat16, a token and channel: in single blocks the normalising of
# queries and keys in float32, beside what goes into the inner layer; in double blocks, which are larger, less; and
# where several GPUs put all tokens together.
WORK, DOUBLE, WHOLE = 38, 26, 8
LATENT = FLOAT32 * 16 / 64  # bytes of a latent, a pixel
# What the sampler keeps beside a pass: the window as it is, as it was predicted, and twice before; all given latents.
KEPT, GIVEN = 4, 21
CACHED = 3  # what TeaCache keeps a token and channel: the modulated input, the block's input, the residual
# Numbers that LLaMA has at its peak for a token and channel: what goes into each layer is kept. Its longest prompt has
# so many tokens with the template; a layer has so many squares of its channels.
READ, PROMPT, LAYER = 64, 351, 13
TEXT, VISION = 256, 729  # tokens of the longest prompt and of the start picture as SigLIP sees it
SQUARE = 256 * 256  # pixels of a tile of the VAE
DECODED = 2 * 3  # numbers a pixel of the frames of a tile while tiles are put together
HELD = 2 * 3  # the same of the frames before, which are blended with them
FRAMES = 17  # frames of five latents
CUDA = 0.7 * GIB  # assumption: the context, kernels and workspaces
PROGRAM = 3.0 * GIB  # assumption: Python, libraries and CUDA's part in RAM
PLAIN = 0.5 * GIB  # the same without CUDA: 0.4 were measured with the embedded model
SLACK = 4.0 * GIB  # RAM beyond the need, for weights to be pinned
RESERVED = 0.04  # assumption: share of a card that the system has taken before we start
CLEARLY = 0.98  # of a placement's time is a faster one's at the most
WORTH = 0.9  # of the time is what a change takes that is worth a word

# The document's example: of 16 GB, 14 are used at a preserved memory of 6.
SHARE, HEADROOM, NOTHING, LEAST = 1 / 8, 2.0 * GIB, 6.0, 6.0 * GIB

Level = Literal["all", "kept", "streamed", "cpu"]
Memory = Literal["gpu", "ram"]
Sum = dict[str, float]


@dataclass(frozen=True)
class Need:
    """What a request asks of memory and time. `clean` counts given latents at full resolution, `lora` bytes of LoRAs.

    `branches` are the guidance branches: 2 with real CFG. `product` is whether FP8 multiplies, `stored` whether the
    file has those weights in eight bits; `merged` are the parameters of the matrices that FP8 stores which LoRAs
    change, None for all of them, and `besides` all others that they change. `cached` is whether a step cache saves some
    of the `steps` of each of the `sections`, `kept` what one keeps: numbers a token and channel. `gpus` share the
    tokens. `nag` is whether blocks attend to a negative prompt as well (`models.nag`).
    """

    height: int
    width: int
    window: int = 9
    clean: int = 2
    fp8: bool = False
    lora: int = 0
    branches: int = 1
    product: bool = False
    steps: int = 25
    sections: int = 4
    cached: bool = False
    kept: int = CACHED
    stored: bool = False
    merged: int | None = None
    besides: int = 0
    gpus: int = 1
    nag: bool = False

    @property
    def attended(self) -> int:
        """Tokens that attend to one another: window and given latents whole, 2 latents at a half and 16 at a quarter
        resolution, and words.
        """
        whole, half, quarter = (ceil(self.height / side) * ceil(self.width / side) for side in (16, 32, 64))
        return whole * (self.window + self.clean) + half + 4 * quarter + TEXT + VISION

    @property
    def tokens(self) -> int:
        """Tokens of one pass: with NAG, the negative prompt goes beside the other one."""
        return self.attended + (TEXT if self.nag else 0)


@dataclass(frozen=True)
class Machine:
    """Bytes of free memory; `gpu` is None where there is none. `preserve_gb` is the setting of that name.

    `streams` is whether the GPU does one thing beside another, as CUDA does: decode beside sampling, fetch ahead.
    `card` is what is known of the GPU's speed, `kernel` the setting for attention; `half` is whether a CPU is to
    compute in bfloat16; `pinnable` is how much RAM may be pinned where the system has a limit of its own, `total` all
    RAM of the machine, None where it is only described.
    """

    gpu: float | None
    ram: float
    preserve_gb: float | None = None
    streams: bool = True
    card: Card | None = None
    kernel: str = "auto"
    half: bool = False
    pinnable: float | None = None
    total: float | None = None

    @property
    def usable(self) -> float:
        """Bytes of the GPU to be used.

        An eighth, at most 2 GiB, is headroom. Preserved memory counts as in eichi 1.9: 6 keeps nothing more, every
        GiB above it is kept free, down to 6 GiB that are always used.
        """
        if self.gpu is None:
            return 0.0
        room = self.gpu - min(self.gpu * SHARE, HEADROOM)
        kept = 0.0 if self.preserve_gb is None else (self.preserve_gb - NOTHING) * GIB
        return max(room - max(kept, 0.0), min(room, LEAST))


@dataclass(frozen=True)
class Placement:
    """Where the weights lie. `streamed` counts the blocks that come from RAM; `whole` is whether LLaMA visits whole.

    `beside` is whether there is room to decode one section while the next is sampled, `pinned` whether streamed weights
    lie in RAM that the GPU copies from by itself, beside its work, all but those of `loose` blocks. `half` is whether a
    CPU computes in bfloat16.
    """

    level: Level
    streamed: int = 0
    whole: bool = True
    beside: bool = True
    pinned: bool = False
    half: bool = False
    loose: int = 0


@dataclass(frozen=True)
class MemoryForecast:
    """Peaks in bytes, with the addends of every phase on the GPU and those of RAM; `moved` are bytes a step.

    `mapped` are bytes that every step reads from files, for which the system should have room beside all that.
    """

    phases: dict[str, Sum]
    memory: Sum
    moved: int
    mapped: int = 0

    @property
    def gpu(self) -> float:
        return max((sum(phase.values()) for phase in self.phases.values()), default=0.0)

    @property
    def ram(self) -> float:
        return sum(self.memory.values())


def choose(anatomy: Anatomy, need: Need, machine: Machine) -> Placement:
    """The fastest placement that fits; the smallest one where none does.

    Where nothing is known of the card's speed, that is the one with most on the GPU. Where it is, what is decoded
    beside sampling may be worth more streamed blocks. What is not clearly faster is not taken.
    """
    if machine.gpu is None:
        return Placement("cpu", half=machine.half)
    rungs = ladder(anatomy, need, machine.streams)
    fitting = [rung for rung in rungs if forecast(anatomy, need, rung).gpu <= machine.usable] or rungs[-1:]
    first = _pinned(anatomy, need, machine, fitting[0])
    if machine.card is None or not machine.streams:
        return first
    beside = (replace(rung, beside=True) for rung in fitting if rung.streamed)
    besides = [rung for rung in beside if forecast(anatomy, need, rung).gpu <= machine.usable][:1]
    others = [_pinned(anatomy, need, machine, rung) for rung in (*fitting[1:], *besides)]
    times = {rung: timed.section for rung in (first, *others) if (timed := time(anatomy, need, machine, rung))}
    best = min(times, key=times.__getitem__, default=first)
    return best if times[best] < times[first] * CLEARLY else first


def time(anatomy: Anatomy, need: Need, machine: Machine, placement: Placement) -> Speed | None:
    """What a request takes on a placement; None where nothing is known of the card's speed."""
    if machine.card is None or placement.level == "cpu":
        return None
    sizes = _blocks(anatomy, need)
    away = {i: sizes[i].whole for i in streamed_blocks(len(sizes), placement.streamed)}
    loose = frozenset(loose_blocks(away)[: placement.loose]) if placement.pinned else frozenset(away)
    # Mapped weights are in RAM where the system's cache has room for all of them.
    cached = not any(sizes[i].mapped for i in away) or machine.ram >= PROGRAM + sum(away.values())
    return speed(anatomy, need, placement, Away(away, loose, HOST if cached else DISK), machine.card, machine.kernel)


def _pinned(anatomy: Anatomy, need: Need, machine: Machine, placement: Placement) -> Placement:
    """A placement with its streamed weights pinned, as many blocks of them as RAM has room for."""
    if not placement.streamed or not machine.streams:
        return placement
    sizes = _blocks(anatomy, need)
    away = streamed_blocks(len(sizes), placement.streamed)
    limit = float("inf") if machine.pinnable is None else machine.pinnable
    pinned = sum((sizes[i] for i in away), Bytes())
    room = machine.ram - SLACK - forecast(anatomy, need, placement).ram
    moved = [sizes[i] for i in away]
    for loose, block in enumerate(loose_blocks(away)):
        # What was changed is in RAM already; what is mapped comes on top of what is counted for it.
        more = pinned.mapped + turn(moved, loose == 0) - turn(moved, False)
        if pinned.whole <= limit and more <= room:
            return replace(placement, pinned=True, loose=loose)
        pinned = Bytes(pinned.whole - sizes[block].whole, pinned.own - sizes[block].own)
    return placement


def _blocks(anatomy: Anatomy, need: Need) -> list[Bytes]:
    """Bytes of every block, in order."""
    number = anatomy.precision.size
    rows = (anatomy.double, anatomy.single)
    return [size for row in rows for size in [block_bytes(anatomy, row, need, number)] * row.count]


def lacks(anatomy: Anatomy, need: Need, machine: Machine, placement: Placement) -> tuple[Memory, ...]:
    """The memory that a placement's forecast needs more of than the machine has."""
    peaks = forecast(anatomy, need, placement)
    gpu: tuple[Memory, ...] = ("gpu",) if machine.gpu is not None and peaks.gpu > machine.usable else ()
    return (*gpu, "ram") if peaks.ram > machine.ram else gpu


def lower(anatomy: Anatomy, need: Need, placement: Placement) -> Placement | None:
    """The placement to fall back to when memory ran out, a good step below; None where there is none."""
    if placement.streamed and placement.beside:
        return replace(placement, beside=False)
    plain = replace(placement, pinned=False, loose=0)
    rungs = next((rungs for rungs in (ladder(anatomy, need, s) for s in (True, False)) if plain in rungs), [plain])
    if plain == rungs[-1]:
        return None
    place = rungs.index(plain)
    smaller = rungs[min(place + max(1, len(rungs) // 8), len(rungs) - 1)]
    # As much is pinned as before: what is streamed in addition is not.
    loose = placement.loose + smaller.streamed - placement.streamed if placement.pinned else 0
    return replace(smaller, pinned=placement.pinned, loose=loose)


def ladder(anatomy: Anatomy, need: Need, streams: bool = True) -> list[Placement]:
    """Placements from the fastest to the smallest, without those that are no smaller than a faster one.

    `streams` as a machine has it: without, nothing is decoded beside sampling.
    """
    count = anatomy.double.count + anatomy.single.count if need.gpus == 1 else 1  # several stream nothing
    rungs = [Placement("all"), Placement("kept"), Placement("kept", whole=False)]
    rungs += [Placement("kept", whole=False, beside=False)]
    rungs += [Placement("streamed", streamed, whole=False, beside=False) for streamed in range(1, count)]
    kept: list[Placement] = []
    least = float("inf")
    for rung in rungs if streams else [replace(rung, beside=False) for rung in rungs]:
        peak = forecast(anatomy, need, rung).gpu
        if peak < least:
            kept.append(rung)
            least = peak
    return kept


def copied(anatomy: Anatomy, need: Need, placement: Placement) -> float:
    """The share of the streamed blocks that lie in RAM of the program's own, changed or pinned, and not mapped."""
    sizes = _blocks(anatomy, need)
    away = streamed_blocks(len(sizes), placement.streamed)
    mapped = sum(sizes[i].mapped for i in _unpinned(away, placement))
    return 1.0 - mapped / sum(sizes[i].whole for i in away) if away else 0.0


def _unpinned(away: frozenset[int], placement: Placement) -> list[int]:
    """The streamed blocks that are not pinned."""
    return loose_blocks(away)[: placement.loose] if placement.pinned else list(away)


def forecast(anatomy: Anatomy, need: Need, placement: Placement) -> MemoryForecast:
    """The peaks of a request on a placement."""
    if placement.level == "cpu":
        return _cpu(anatomy, need, placement.half)
    number, sizes = anatomy.precision.size, _blocks(anatomy, need)
    streamed = streamed_blocks(len(sizes), placement.streamed)
    away = sum(sizes[i].whole for i in streamed)
    around = number * anatomy.rest + (FLOAT32 - number) * anatomy.head
    resident: Sum = {
        "cuda": CUDA,
        "transformer": around + sum(size.whole for size in sizes) - away,
        "vae": number * anatomy.vae,
    }
    words = number * (anatomy.text_encoder_2 + _llama(anatomy.text_encoder, anatomy.words, placement.whole))
    if placement.level == "all":
        resident |= {"encoders": words + number * anatomy.image_encoder}
        words = 0
    channels = need.tokens * anatomy.width / need.gpus
    work = _turns([sizes[i].whole for i in sorted(streamed)], streamed, anatomy, channels * number / HALF.size)
    work["work"] = max(work["work"], WHOLE * need.gpus * channels * number / HALF.size) + _latents(need)
    cache = {"cache": number * need.kept * channels * need.branches}
    decode = {"decode": _decode(anatomy, need, number)}
    reading = {"work": number * READ * PROMPT * isqrt(anatomy.text_encoder.parameters // LAYER)}
    phases = {
        "words": resident | {"encoders": resident.get("encoders", 0.0) + words} | reading,
        "sampling": resident | work | cache | (decode if placement.beside else {}),
        "decoding": resident | cache | decode,
    }
    loose = [sizes[i] for i in _unpinned(streamed, placement)]
    memory = {"program": PROGRAM} | beside_gpu([sizes[i] for i in streamed], loose, need, placement)
    return MemoryForecast(phases, memory, away * need.branches, sum(block.mapped for block in loose))


@dataclass(frozen=True)
class MemoryPlan:
    """The plan of a model and a size for a machine: a placement of so many `blocks`, its forecast in GiB, by phase.

    `lacks` names the memory that there is too little of: `usable` is what may be used of the GPU, `free` is RAM, and
    `fp8` whether the blocks are stored so already. `parameters` are those of every part.
    """

    model: str
    height: int
    width: int
    placement: Placement
    blocks: int
    gpu: float
    ram: float
    lacks: tuple[Memory, ...]
    phases: dict[str, Sum]
    memory: Sum
    moved: float
    mapped: float
    usable: float
    free: float
    fp8: bool
    tokens: int
    parameters: dict[str, int]
    speed: Speed | None = None
    advice: tuple[Adjusted, ...] = ()

    @property
    def shortages(self) -> tuple[Adjusted, ...]:
        """A word on each memory that there is too little of, with what helps here."""
        gpu = {"gpu": self.gpu, "usable": self.usable}
        ram = {"ram": self.ram, "free": self.free}
        said = {
            "gpu": Adjusted("memory.short.gpu_fp8" if self.fp8 else "memory.short.gpu", gpu),
            "ram": Adjusted(self._short, ram),
        }
        room = max(0.0, round(self.free - self.ram, 2))
        slow = Adjusted("memory.slow_fp8" if self.fp8 else "memory.slow", {"mapped": self.mapped, "room": room})
        return (*(said[memory] for memory in self.lacks), *([slow] if self.mapped > room else []))

    @property
    def _short(self) -> str:
        """Which sentence says that there is too little RAM."""
        if self.placement.level != "cpu":
            return "memory.short.ram"
        return "memory.short.cpu" if self.placement.half else "memory.short.cpu_float"


def plan_memory(entry: Entry, need: Need, machine: Machine, placement: Placement | None = None) -> MemoryPlan:
    """Where a model's weights would lie on a machine, unless that is said, and what the peaks would be."""
    anatomy = entry.anatomy
    placement = placement or choose(anatomy, need, machine)
    peaks, timed = forecast(anatomy, need, placement), time(anatomy, need, machine, placement)
    return MemoryPlan(
        model=entry.name,
        height=need.height,
        width=need.width,
        placement=placement,
        blocks=anatomy.double.count + anatomy.single.count,
        gpu=_gib(peaks.gpu),
        ram=_gib(peaks.ram),
        lacks=lacks(anatomy, need, machine, placement),
        phases={name: {part: _gib(size) for part, size in phase.items()} for name, phase in peaks.phases.items()},
        memory={part: _gib(size) for part, size in peaks.memory.items()},
        moved=_gib(peaks.moved),
        mapped=_gib(peaks.mapped),
        usable=_gib(machine.usable),
        free=_gib(machine.ram),
        fp8=need.fp8,
        tokens=need.tokens,
        parameters=parameters(anatomy),
        speed=None if timed is None else rounded(timed),
        advice=tuple(_advice(anatomy, need, machine, placement)),
    )


def _advice(anatomy: Anatomy, need: Need, machine: Machine, placement: Placement) -> Iterator[Adjusted]:
    """What would make it clearly faster, or as fast and more exact, with the seconds of a step before and after."""
    now = time(anatomy, need, machine, placement)
    if now is None:
        return
    other = replace(need, fp8=not need.fp8, product=False)
    if need.fp8 or not lacks(anatomy, need, machine, placement):
        chosen = choose(anatomy, other, machine)
        then = time(anatomy, other, machine, chosen)
        fits = not lacks(anatomy, other, machine, chosen)
        if then is not None and fits and then.section < now.section * (1.0 if need.fp8 else WORTH):
            values = {"before": round(now.step, 2), "after": round(then.step, 2)}
            yield Adjusted("memory.advice.plain" if need.fp8 else "memory.advice.fp8", values)
    pinned = replace(placement, pinned=True, loose=0)
    then = time(anatomy, need, machine, pinned)
    if placement.streamed and machine.streams and then is not None and then.section < now.section * WORTH:
        ram = _gib(forecast(anatomy, need, pinned).ram + SLACK)
        values = {"ram": ram, "before": round(now.step, 2), "after": round(then.step, 2)}
        enough = machine.total is not None and ram * GIB <= machine.total
        yield Adjusted("memory.advice.ram" if enough else "memory.advice.more", values)


def parameters(anatomy: Anatomy) -> dict[str, int]:
    """Parameters of every part that has weights."""
    return {
        "transformer": anatomy.transformer,
        "vae": anatomy.vae,
        "text_encoder": anatomy.text_encoder.count * anatomy.text_encoder.parameters + anatomy.words,
        "text_encoder_2": anatomy.text_encoder_2,
        "image_encoder": anatomy.image_encoder,
    }


def _turns(away: Sequence[int], places: Collection[int], anatomy: Anatomy, channels: float) -> Sum:
    """The streamed blocks that are there at once, one that computes and the next one, with what a pass takes beside
    them: the larger sum of double and of single blocks. `away` are the bytes of the blocks in these `places`.
    """
    doubles = sum(place < anatomy.double.count for place in places)
    # Whatever follows a double block may be there beside it; after the last one there are single blocks alone.
    found = [(sorted(away[doubles:]), WORK), (sorted(away) if doubles else [], DOUBLE)]
    blocks, work = max(((sum(sizes[-2:]), work * channels) for sizes, work in found), key=sum)
    return {"blocks": blocks, "work": work}


def _latents(need: Need) -> float:
    """Bytes of the latents that the sampler keeps, which no pass of the network shows."""
    return LATENT * need.height * need.width * (KEPT * need.window + GIVEN)


def _llama(layers: Blocks, rest: int, whole: bool) -> int:
    """Parameters of LLaMA on the GPU: all of them, or two layers and what is no layer."""
    return rest + layers.parameters * (layers.count if whole else 2)


def _cpu(anatomy: Anatomy, need: Need, half: bool) -> MemoryForecast:
    """RAM where everything computes there.

    In float32 all weights are copied; in bfloat16 those of the transformer that are as in their files stay there, but
    for the head. LLaMA stays in its files always, and a layer at a time is copied when its turn comes.
    """
    number = BRAIN.size if half else FLOAT32
    channels = need.tokens * anatomy.width
    transformer = transformer_bytes(anatomy, need, number)
    encoders = max(anatomy.text_encoder.parameters + anatomy.text_encoder_2, anatomy.image_encoder)
    memory: Sum = {
        "program": need.gpus * PLAIN,
        "transformer": need.gpus * (FLOAT32 * anatomy.head + (transformer.own if half else transformer.whole)),
        "vae": number * anatomy.vae,
        "work": max(
            number * encoders,
            channels * (WORK * number / HALF.size + number * need.kept * need.branches) + _turn(anatomy, need, number),
            _decode(anatomy, need, number),
        ),
        "lora": need.lora,
    }
    return MemoryForecast({}, memory, 0, transformer.mapped if half else 0)


def _turn(anatomy: Anatomy, need: Need, number: int) -> int:
    """Bytes of a matrix in eight bits that is multiplied out."""
    return number * anatomy.matrix if need.fp8 else 0


def _decode(anatomy: Anatomy, need: Need, number: int) -> float:
    """Bytes for decoding a tile, and for the frames that are put together of tiles."""
    pixels = need.height * need.width
    return number * (anatomy.tile / HALF.size * min(1.0, pixels / SQUARE) + (DECODED + HELD) * FRAMES * pixels)


def _gib(size: float) -> float:
    return round(size / GIB, 2)
