"""A card, a request and where the weights lie -> seconds: of a step, of decoding a section, of a job. Pure arithmetic.

Operations are counted from the network: every token times every matrix, attention by the square of the tokens, once for
each guidance branch. The tests count them again on torch's `meta` device, and the bytes that all other operations move,
which at bandwidth cost a quarter of a step on most cards. A maker's peaks are not reached: the shares that are, below,
are few and are fitted to what users of FramePack have published; measured/memory.md says how far off each number is.

Streamed blocks go as `models.offload` lets them: one ahead. Pinned, a block is copied while the one before computes.
Not pinned, the processor first copies it to pinned memory, from RAM or from the disk, and the GPU waits unless blocks
that stay are still in its queue. Decoding beside sampling shares the GPU, so all it can save is that waiting.

**Nothing of this was measured by us.** A time that this machine took for a like job is always the better forecast.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from eichi.catalog import HALF, Anatomy
from eichi.plan.cards import Card

if TYPE_CHECKING:
    from eichi.plan.memory import Need, Placement

GIGA, TERA = 1e9, 1e12

# Bytes that everything but products and attention moves in a block, a token and channel: norms, rotation, gates.
TRAFFIC = 243
NAGGED = 56  # beside that where it attends to a negative prompt as well
# What FP8 moves: to multiply a matrix out again, a number; to round what is multiplied with it, a number of that, most
# of it in the card's cache (pieces are made for that).
UNPACKED, ROUNDED = 19, 8
# Inputs of the matrices of a block, a token and channel: each is rounded where FP8 multiplies.
INPUTS = 9
HEAD, SCORE = 128, 20  # channels of a head; bytes that a score moves where attention is computed in chunks
SIDE, OVERLAP, LATENTS, FRAMES = 256, 64, 3, 17  # tiles of the VAE: pixels; latents from one to the next, frames of one

# Shares of a maker's peaks that are reached. Those of `Reach` are fitted to what users published for RTX 3080, 3090,
# 4090, 5090 and L20 (measured/memory.md); of larger cards, of which nobody did, they are what is known of torch's
# kernels: less of a higher peak.
MOVED = 0.85  # of a memory's bandwidth
LINKED = 0.8  # of PCIe's; what connects several GPUs is counted as no more than that
EXCHANGED = (
    4  # numbers a token and channel that a block gives away where GPUs share tokens: three go out, one comes back
)
EIGHT = 0.8  # of products in FP8, beside those in bfloat16
SAGE = 2.2  # times as fast as other kernels: 3.5 -> 2 s, 2.85 -> 2.04 s and 11.4 -> 8 s a step were published
CACHED = 0.52  # of a job's steps are computed with a step cache: 540 s -> 280 s were published
QUEUED = 1e-3  # seconds to queue the commands of a block, an assumption: small models wait for that
HOST, DISK = 6.0, 2.0  # GB/s, assumptions: one processor's copy in RAM; reading a fast SSD


@dataclass(frozen=True)
class Reach:
    """Shares of a card's peak that products, attention and convolutions reach."""

    products: float = 0.95
    attention: float = 0.95
    convolution: float = 0.4


REACH = {(8, 0): Reach(0.8, 0.65, 0.2), (9, 0): Reach(0.65, 0.4, 0.07), (10, 0): Reach(0.6, 0.35, 0.05)}


@dataclass(frozen=True)
class Cost:
    """Seconds that a block computes: products of matrices, attention, all that only moves memory, FP8's own share; and
    those of the exchange with other GPUs.
    """

    products: float = 0.0
    attention: float = 0.0
    moving: float = 0.0
    fp8: float = 0.0
    exchange: float = 0.0

    @property
    def total(self) -> float:
        return self.products + self.attention + self.moving + self.fp8 + self.exchange


@dataclass(frozen=True)
class Away:
    """Blocks that come from RAM: their bytes by their place, which of them are not pinned, and with how many GB/s the
    processor copies those.
    """

    sizes: dict[int, int]
    loose: frozenset[int] = frozenset()
    link: float = HOST


@dataclass(frozen=True)
class Speed:
    """Seconds on a card. `parts` add up to `step`; `waiting` is for blocks that come from RAM, or for the program.

    `section` is all steps of a section and what its decoding adds, `start` all before the first step, `job` everything.
    """

    card: str
    step: float
    parts: dict[str, float]
    decode: float
    section: float
    start: float
    job: float


def rounded(timed: Speed) -> Speed:
    """The same in hundredths of a second."""
    return Speed(
        card=timed.card,
        step=round(timed.step, 2),
        parts={name: round(seconds, 2) for name, seconds in timed.parts.items()},
        decode=round(timed.decode, 2),
        section=round(timed.section, 2),
        start=round(timed.start, 2),
        job=round(timed.job, 2),
    )


def speed(anatomy: Anatomy, need: "Need", placement: "Placement", away: Away, card: Card, kernel: str) -> Speed:
    """The seconds of a request on a placement whose streamed blocks are `away`; `kernel` is attention's."""
    costs = list(block_costs(anatomy, need, card, kernel))
    queued = [max(cost.total, QUEUED) for cost in costs]
    wall = pass_seconds(queued, away, card)
    busy = sum(cost.total for cost in costs)
    parts = {
        "products": sum(cost.products for cost in costs),
        "attention": sum(cost.attention for cost in costs),
        "moving": sum(cost.moving for cost in costs),
        "fp8": sum(cost.fp8 for cost in costs),
        "waiting": wall - busy,
    }
    if need.gpus > 1:
        parts["exchange"] = sum(cost.exchange for cost in costs)
    steps = need.steps * need.branches * (CACHED if need.cached else 1.0)
    decoded = decode_seconds(anatomy, need, card)
    apart = steps * wall + decoded
    section = max(steps * wall, steps * busy + decoded) if placement.beside else apart
    # The last section's frames have nothing to be decoded beside.
    drawn = (need.sections - 1) * section + apart if placement.beside else need.sections * section
    pinned = sum(size for place, size in away.sizes.items() if place not in away.loose)
    start = start_seconds(anatomy, pinned, card)
    return Speed(
        card=card.name,
        step=wall * need.branches,
        parts={name: seconds * need.branches for name, seconds in parts.items()},
        decode=decoded,
        section=section,
        start=start,
        job=start + drawn,
    )


def block_costs(anatomy: Anatomy, need: "Need", card: Card, kernel: str) -> Iterator[Cost]:
    """What every block costs, in order, on each of the GPUs that share the tokens."""
    reach, number = REACH.get(card.capability, Reach()), anatomy.precision.size / HALF.size
    tokens = need.tokens / need.gpus
    channels = tokens * anatomy.width
    multiplied = need.product and need.fp8 and card.fp8 is not None
    rate = reach.products * TERA * (EIGHT * (card.fp8 or 0.0) if multiplied else card.bf16 / number)
    attention = attention_seconds(anatomy.width, need.attended, card, reach, kernel) * number / need.gpus
    attention *= 2 if need.nag else 1
    moving = memory_seconds((TRAFFIC + (NAGGED if need.nag else 0)) * channels * number, card)
    # Of its share each keeps what it computes itself.
    given = EXCHANGED * anatomy.precision.size * channels * (1 - 1 / need.gpus)
    exchange = given / (card.pcie * GIGA * LINKED)
    # A double block has a set of matrices for the picture and one for the words: a token meets one of them.
    for row, sets in ((anatomy.double, 2), (anatomy.single, 1)):
        fp8 = INPUTS * ROUNDED * channels if multiplied else UNPACKED * row.quantised if need.fp8 else 0
        products = 2 * tokens * row.quantised / sets / rate
        yield from [Cost(products, attention, moving, memory_seconds(fp8, card), exchange)] * row.count


def attention_seconds(width: int, tokens: int, card: Card, reach: Reach, kernel: str) -> float:
    """Attention of all tokens to all, in one block."""
    if kernel == "chunked":
        return memory_seconds(SCORE * tokens**2 * width / HEAD, card)
    faster = SAGE if kernel == "sage" else 1.0
    return 4 * tokens**2 * width / (card.bf16 * TERA * reach.attention * faster)


def memory_seconds(size: float, card: Card) -> float:
    """Seconds to move so many bytes through a card's own memory."""
    return size / (card.memory * GIGA * MOVED)


def pass_seconds(costs: Sequence[float], away: Away, card: Card) -> float:
    """Seconds of one pass over blocks of these costs, some of them fetched.

    Three clocks: the program's, which queues work and waits as diffusers' hooks do; the GPU's; the copy's. A fetched
    block waits for the copy before its own, starts the next one's copy and computes; after it the program waits for the
    GPU. So copies of pinned blocks run beside computing, and a copy into pinned memory only beside what is queued.
    """
    queue = sorted(away.sizes)
    program = gpu = copied = 0.0
    for place, cost in enumerate(costs):
        if place not in away.sizes:
            gpu = max(gpu, program) + cost
            continue
        coming = [other for other in queue if other > place][:1]
        for wanted in [place, *coming] if place == queue[0] else coming:
            program = max(program, copied)
            program += away.sizes[wanted] / (away.link * GIGA) if wanted in away.loose else 0.0
            copied = program + away.sizes[wanted] / (card.pcie * GIGA * LINKED)
        if not coming:
            program = max(program, copied)
        gpu = max(gpu, program) + cost
        program = gpu
    return gpu


def decode_seconds(anatomy: Anatomy, need: "Need", card: Card) -> float:
    """Seconds to decode one section, in tiles of the usual size that overlap in space and time."""
    operations, moved = anatomy.decoding
    reach = REACH.get(card.capability, Reach())
    number = anatomy.precision.size / HALF.size
    tile = operations * number / (card.bf16 * TERA * reach.convolution) + memory_seconds(moved, card)
    whole = max(need.height, need.width) <= SIDE
    area = need.height * need.width / SIDE**2 if whole else _along(need.height) * _along(need.width)
    return tile * area * (need.window / LATENTS if need.window >= LATENTS else (4 * need.window - 3) / FRAMES)


def start_seconds(anatomy: Anatomy, pinned: int, card: Card) -> float:
    """Seconds before the first step of a program that is just started: weights are read, encoders visit the card."""
    encoders = sum(anatomy.size(part) for part in ("text_encoder", "text_encoder_2", "image_encoder"))
    read = anatomy.size("transformer") + anatomy.size("vae") + encoders
    carried = encoders / GIGA * (1 / HOST + 1 / (card.pcie * LINKED))
    return read / (DISK * GIGA) + carried + pinned / (HOST * GIGA)


def _along(side: int) -> float:
    """The sides of all tiles along a side, in tiles: each one's begins three quarters after the one before."""
    step = SIDE - OVERLAP
    return sum(min(SIDE, side - step * tile) for tile in range(ceil(side / step))) / SIDE
