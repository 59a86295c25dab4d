"""Cards by name: what their makers publish of each, and what can be worked out of one that is not in the table. Data.

Teraflops are dense, with sums in float32, as torch computes: on GeForce cards that is half of what is possible. Where a
card is unknown, the driver tells how many processors it has, their clock and the width and clock of its memory, and the
generation says what a processor does in a clock. Bandwidths are peaks; how much of a peak is reached is the forecast's
business. Sources: NVIDIA's data sheets and architecture papers.
"""

import re
from dataclasses import dataclass

LANE = {3: 0.985, 4: 1.969, 5: 3.938}  # GB/s one way of a PCIe lane, by generation


@dataclass(frozen=True)
class Card:
    """A card: TFLOPS in bfloat16 and in FP8 (None where it has none), GB/s of its memory, its place on PCIe.

    `gib` is its memory, `capability` CUDA's number of its generation.
    """

    name: str
    gib: float
    capability: tuple[int, int]
    bf16: float
    fp8: float | None
    memory: float
    generation: int
    lanes: int = 16

    @property
    def pcie(self) -> float:
        """GB/s one way."""
        return LANE[self.generation] * self.lanes


@dataclass(frozen=True)
class Described:
    """What a driver tells of a card: clocks in GHz, the width of the memory's bus in bits."""

    name: str
    gib: float
    capability: tuple[int, int]
    processors: int
    clock: float
    bus: int
    memory_clock: float


AMPERE, ADA, HOPPER, BLACKWELL = (8, 6), (8, 9), (9, 0), (12, 0)

CARDS = (
    Card("RTX 3060", 12, AMPERE, 25.5, None, 360, 4),
    Card("RTX 3060 Ti", 8, AMPERE, 32.4, None, 448, 4),
    Card("RTX 3070", 8, AMPERE, 40.6, None, 448, 4),
    Card("RTX 3070 Ti", 8, AMPERE, 43.5, None, 608, 4),
    Card("RTX 3080", 10, AMPERE, 59.5, None, 760, 4),
    Card("RTX 3080 Ti", 12, AMPERE, 68.2, None, 912, 4),
    Card("RTX 3090", 24, AMPERE, 71.2, None, 936, 4),
    Card("RTX 3090 Ti", 24, AMPERE, 80.0, None, 1008, 4),
    Card("RTX 4060", 8, ADA, 30.2, 60.4, 272, 4, 8),
    Card("RTX 4060 Ti", 16, ADA, 44.1, 88.3, 288, 4, 8),
    Card("RTX 4070", 12, ADA, 58.3, 116.6, 504, 4),
    Card("RTX 4070 SUPER", 12, ADA, 71.0, 142.0, 504, 4),
    Card("RTX 4070 Ti", 12, ADA, 80.2, 160.4, 504, 4),
    Card("RTX 4070 Ti SUPER", 16, ADA, 88.2, 176.4, 672, 4),
    Card("RTX 4080", 16, ADA, 97.5, 194.9, 717, 4),
    Card("RTX 4080 SUPER", 16, ADA, 104.4, 208.9, 736, 4),
    Card("RTX 4090", 24, ADA, 165.2, 330.3, 1008, 4),
    Card("RTX 5060", 8, BLACKWELL, 38.4, 76.7, 448, 5, 8),
    Card("RTX 5060 Ti", 16, BLACKWELL, 47.4, 94.8, 448, 5, 8),
    Card("RTX 5070", 12, BLACKWELL, 61.7, 123.5, 672, 5),
    Card("RTX 5070 Ti", 16, BLACKWELL, 87.9, 175.8, 896, 5),
    Card("RTX 5080", 16, BLACKWELL, 112.6, 225.1, 960, 5),
    Card("RTX 5090", 32, BLACKWELL, 209.5, 419.0, 1792, 5),
    Card("A100", 80, (8, 0), 312.0, None, 2039, 4),
    Card("L20", 48, ADA, 119.5, 239.0, 864, 4),
    Card("L40S", 48, ADA, 362.1, 733.0, 864, 4),
    Card("H100", 80, HOPPER, 989.4, 1978.9, 3350, 5),
    Card("H100 PCIe", 80, HOPPER, 756.0, 1513.0, 2000, 5),
    Card("H200", 141, HOPPER, 989.4, 1978.9, 4800, 5),
)

# Operations of one processor in a clock, in bfloat16 with sums in float32; GeForce cards of a generation do half.
PER_CLOCK = {(8, 0): 2048, AMPERE: 1024, ADA: 1024, HOPPER: 4096, (10, 0): 8192, BLACKWELL: 1024}
HALVED = "GeForce"
MAKERS = ("nvidia", "geforce", "rtx")


def known_cards() -> tuple[str, ...]:
    """Names of all cards in the table."""
    return tuple(card.name for card in CARDS)


def find_card(name: str) -> Card | None:
    """The card of a name as people or drivers write it, None for one that is not in the table.

    A laptop's card has the name of a faster one: it is not taken for that.
    """
    told = _words(name)
    if "laptop" in told or "mobile" in told:
        return None
    named = ((len(_words(card.name)), card) for card in CARDS if _same(_words(card.name), told))
    return max(named, key=lambda pair: pair[0], default=(0, None))[1]


def work_out(told: Described) -> Card | None:
    """A card from what the driver tells of it; None for a generation that nothing is known of."""
    per_clock = PER_CLOCK.get(told.capability)
    if per_clock is None:
        return None
    if HALVED in told.name and told.capability != (8, 0):
        per_clock //= 2
    bf16 = round(told.processors * told.clock * per_clock / 1e3, 1)
    fp8 = None if told.capability < ADA else 2 * bf16
    # Two numbers in a clock, as every kind of graphics memory is counted by its driver.
    memory = round(told.bus / 8 * told.memory_clock * 2)
    generation = 5 if told.capability >= HOPPER else 4
    return Card(told.name, told.gib, told.capability, bf16, fp8, memory, generation)


def _words(name: str) -> tuple[str, ...]:
    """A name's words and numbers without the maker's: ("4070", "ti")."""
    return tuple(word for word in re.findall(r"[a-z]+|\d+", name.lower()) if word not in MAKERS)


def _same(known: tuple[str, ...], told: tuple[str, ...]) -> bool:
    """Whether a card of the table is meant: its words begin the name, and no other model's words follow."""
    rest = told[len(known) :]
    return told[: len(known)] == known and not {"ti", "super", "d", "s"} & set(rest)
