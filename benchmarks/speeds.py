"""The seconds of measured/memory.md: steps on cards by name, where they go, and how far off what users published.

Knows the forecast alone: nothing here is measured by us. Part of `python -m benchmarks.cards`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import median

from eichi.catalog import find
from eichi.plan.cards import Card, find_card
from eichi.plan.memory import GIB, RESERVED, Machine, Need, Placement, choose, lacks, plan_memory, time
from eichi.plan.speed import Speed

ANATOMY = find("framepack").anatomy
NAMES = (
    *("RTX 3060", "RTX 3080", "RTX 3090", "RTX 4060 Ti", "RTX 4070", "RTX 4080", "RTX 4090"),
    *("RTX 5070 Ti", "RTX 5090", "L20", "A100", "H100"),
)
PLENTY, LITTLE = 64.0, (26.0, 20.0, 12.0)  # GiB of RAM that are free
FRAMES = 36  # new frames of a section of nine latents
WINDOW = Need(640, 640)


@dataclass(frozen=True)
class Published:
    """What a user of FramePack published of another program: `value` in seconds for a `unit`; `height` and `width` are
    those said, else the commonest. `gib` is the card's memory where it is another than the table's.
    """

    card: str
    unit: str
    value: float
    who: str
    kernel: str = "auto"
    cached: bool = False
    height: int = 640
    width: int = 608
    gib: float | None = None


PUBLISHED = (
    Published("RTX 4090", "frame", 2.5, "FramePack README"),
    Published("RTX 4090", "frame", 1.5, "FramePack README", cached=True),
    Published("L20", "5 s clip", 540, "MagCache4FramePack README"),
    Published("L20", "5 s clip", 280, "MagCache4FramePack README", cached=True),
    Published("A100", "5 s clip", 630, "FramePack issue 55"),
    Published("RTX 3090", "step", 9.75, "FramePack issue 117, 512x768", height=512, width=768),
    Published("RTX 3090", "section", 120, "FramePack issue 523", cached=True),
    Published("RTX 5090", "step", 3.5, "FramePack issue 327"),
    Published("RTX 5090", "step", 2.0, "FramePack issue 327", kernel="sage"),
    Published("RTX 3080", "step", 10.4, "FramePack issue 43, 20 GB", gib=20),
    Published("RTX 3060", "step", 32, "FramePack issue 43"),
    Published("RTX 4060 Ti", "step", 11.4, "FramePack-eichi README"),
    Published("RTX 4060 Ti", "step", 8, "FramePack-eichi README", kernel="sage"),
)

HEAD = f"""## Seconds on a card

**Arithmetic: nothing has run on a card.** Operations are counted from the network (its matrices by tokens, attention by
their square, once for each guidance branch), the bytes that all other operations move were counted on torch's `meta`
device, cards have the peaks that their maker publishes, and of these the shares are reached that stand in
`src/eichi/plan/speed.py`. `eichi memory --card "RTX 4070"` tells the same for any request. Once a machine has made a
section, the page goes by what that took.

A step is one of 25 of a section of 9 latents at 640 x 640, one guidance branch, no step cache; {PLENTY:.0f} GiB of RAM
are free. In brackets: how many of the 60 blocks come from RAM. *59 streamed* is with all blocks but one from RAM,
pinned, and from the mapped files in the system's cache. A 5 s video has four sections; the step cache is counted as
saving 48 % of the steps, and reading the weights from a fast SSD is in it.

Read off it: streamed blocks that are pinned cost nothing at this size, since a block takes longer to compute than to
come; so FP8 is worth it where it keeps blocks from having to come from mapped files, and saves no time elsewhere unless
it multiplies, too. What a card waits for most is RAM that is too small to pin what is streamed.
"""

COLUMNS = (
    *("card", "bfloat16", "FP8 stored", "FP8 multiplied", "bfloat16, Sage", "59 streamed", "59 streamed, mapped"),
    *("decoding a section", "5 s video", "with step cache"),
)


def page() -> Iterator[str]:
    """The lines of all tables."""
    yield HEAD
    yield from _table(COLUMNS, (_steps(_card(name)) for name in NAMES))
    yield "### Where a step goes"
    yield ""
    yield (
        "Products of matrices, attention, what only moves memory, FP8's own share (multiplying out, or rounding), and\n"
        "waiting for blocks from RAM.\n"
    )
    yield from _table(("card", "", "products", "attention", "moving", "fp8", "waiting", "step"), _parts())
    yield PLACED
    yield from _table(
        ("card", "free RAM", "nothing pinned", "by size", "section", "by time", "section", "advice"), _placed()
    )
    yield COMPARED
    rows = [_compared(one) for one in PUBLISHED]
    yield from _table(("card", "published", "of", "forecast", "off", "who"), [cells for cells, _ in rows])
    away = [abs(off) for _, off in rows]
    yield MISFIT.format(median=median(away), worst=max(away))


PLACED = """### Placed by time

Where the card is known, the placement is the one with the shortest section, if it is clearly shorter (2 %) than the one
with most on the GPU. Most cards get the same either way. Where RAM is too small to pin all that is streamed, as many
blocks are pinned as there is room for, and the GPU waits for the others; decoding beside that can be worth more
streamed blocks. These are the cards that wait, with the seconds of a section, and those if nothing were pinned.
"""

COMPARED = """### Beside what was published

Of other programs, mostly FramePack's own, as placed here with plenty of RAM. Steps are without a step cache; a frame is
a thirty-sixth of a section with its decoding.
"""


MISFIT = """Half of them are within {median:.0%}, the worst is {worst:.0%} off. Of the A100 its owner wrote that it was
slower than a 4090, which nothing of its data explains. The forecast is too slow for RTX 4060 Ti and 4090, and too fast
for the RTX 3060, whose program waited for weights that it did not fetch ahead. One share for all GeForce cards cannot
meet all of them, and nothing is bent to any one.
"""


def _steps(card: Card) -> Iterator[str]:
    """A card's row: seconds a step in every way."""
    stored, multiplied = replace(WINDOW, fp8=True), replace(WINDOW, fp8=True, product=True)
    plain = _timed(card, WINDOW)
    yield card.name
    yield _told(card, WINDOW)
    yield _told(card, stored)
    yield "-" if card.fp8 is None else _told(card, multiplied)
    yield _told(card, WINDOW, "sage")
    for pinned in (True, False):
        placement = Placement("streamed", 59, whole=False, beside=False, pinned=pinned)
        yield f"{_timed(card, WINDOW, placement=placement).step:.1f}"
    yield f"{plain.decode:.0f} s"
    yield _minutes(plain.job)
    yield _minutes(_timed(card, replace(WINDOW, cached=True)).job)


def _parts() -> Iterator[Iterator[str]]:
    """Where the seconds go, for some cards in some ways."""
    ways = {"bfloat16": WINDOW, "FP8 stored": replace(WINDOW, fp8=True)}
    ways["FP8 multiplied"] = replace(WINDOW, fp8=True, product=True)
    for name in ("RTX 3060", "RTX 4070", "RTX 4090", "RTX 5090", "H100"):
        for way, need in ways.items():
            card = _card(name)
            if card.fp8 is not None or not need.product:
                timed = _timed(card, need)
                yield iter((name, way, *(f"{part:.2f}" for part in timed.parts.values()), f"{timed.step:.2f}"))


def _placed() -> Iterator[Iterator[str]]:
    """What goes by time where RAM is short."""
    for ram in LITTLE:
        for name in NAMES:
            machine = _machine(_card(name), ram)
            by_size = choose(ANATOMY, WINDOW, replace(machine, card=None))
            if by_size.streamed and (by_size.loose or not by_size.pinned):
                by_time = choose(ANATOMY, WINDOW, machine)
                none = replace(by_size, pinned=False, loose=0)
                yield iter(
                    (
                        *(name, f"{ram:.0f}", _section(machine, none)),
                        *(_where(by_size), _section(machine, by_size), _where(by_time), _section(machine, by_time)),
                        _fp8(machine),
                    )
                )


def _fp8(machine: Machine) -> str:
    """What FP8 would make of a step, where that is worth a word."""
    said = [note for note in plan_memory(find("framepack"), WINDOW, machine).advice if note.id == "memory.advice.fp8"]
    return "FP8: {before} → {after} s a step".format(**said[0].values) if said else ""


def _compared(one: Published) -> tuple[list[str], float]:
    """A published number beside its forecast, and by what share it is off."""
    card = _card(one.card)
    need = Need(one.height, one.width, cached=one.cached)
    timed = _timed(replace(card, gib=one.gib or card.gib), need, one.kernel)
    units = {"step": timed.step, "section": timed.section, "frame": timed.section / FRAMES}
    made = units.get(one.unit, 4 * timed.section)
    off = made / one.value - 1
    said = one.unit + (", step cache" if one.cached else "") + (", Sage" if one.kernel == "sage" else "")
    return [one.card, f"{one.value:g} s", said, f"{made:.3g} s", f"{off:+.0%}", one.who], off


def _card(name: str) -> Card:
    card = find_card(name)
    assert card is not None, name
    return card


def _machine(card: Card, ram: float, kernel: str = "auto") -> Machine:
    return Machine(card.gib * (1 - RESERVED) * GIB, ram * GIB, card=card, kernel=kernel)


def _timed(card: Card, need: Need, kernel: str = "auto", placement: Placement | None = None) -> Speed:
    machine = _machine(card, PLENTY, kernel)
    timed = time(ANATOMY, need, machine, placement or choose(ANATOMY, need, machine))
    assert timed is not None
    return timed


def _told(card: Card, need: Need, kernel: str = "auto") -> str:
    """Seconds a step, and how many blocks are streamed for them."""
    machine = _machine(card, PLENTY, kernel)
    placement = choose(ANATOMY, need, machine)
    assert not lacks(ANATOMY, need, machine, placement)
    streamed = f" ({placement.streamed})" if placement.streamed else ""
    return f"{_timed(card, need, kernel, placement).step:.1f}{streamed}"


def _where(placement: Placement) -> str:
    pinned = placement.streamed - placement.loose if placement.pinned else 0
    return f"streamed {placement.streamed}, {pinned} pinned" + (", decoding beside" if placement.beside else "")


def _section(machine: Machine, placement: Placement) -> str:
    timed = time(ANATOMY, WINDOW, machine, placement)
    assert timed is not None
    return f"{timed.section:.0f} s"


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def _table(columns: tuple[str, ...], rows: Iterator[Iterator[str]] | list[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield "| --- " * len(columns) + "|"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""
