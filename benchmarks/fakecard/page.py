"""measured/fakecard.md: what was walked, as tables. Arithmetic and words, no torch."""

from collections.abc import Iterable, Sequence

from benchmarks.fakecard.walked import Walked
from eichi.plan.memory import GIB, Placement

HEAD = """# A card that is not there

The path of a GPU, walked on a machine without one: `make fakecard`. torch's fake tensors know devices, types, shapes
and memory and compute nothing. On them the product's own code runs, from a request to its frames, with networks of the
published size: encoders, weights, LoRA, FP8, placements, step caches, drawing, decoding. A tensor on a wrong device
ends a walk at once. In what numbers are multiplied, where weights lie after the job, that all frames come and how many
streamed blocks are on the card at once is checked. **Nothing here was run on a GPU.**

Layers of one kind, and tiles, are walked once: the others are given what the first one took and gave back.

Bytes of living tensors are counted at every moment; the table has the largest sum of a job in GiB beside the forecast
(`src/eichi/plan/memory.py`), both without what CUDA takes for itself. Of a card, 4 % count as taken by the system, and
0.7 GiB as CUDA's; a tensor that does not fit beside the others raises torch's own error. Where decoding goes on beside
sampling, the peaks of both count as coming at the same time.

Between 0.85 and 1.00 of the forecast is good. Where memory runs out, the peak is that of the tries before, too; small
or partial work may need less. What is empty has not been walked yet: the command goes on where it was stopped.
"""
TAIL = """## What this cannot see

* Numbers: everything that is right or wrong in value. Tests of numbers pass, step caches find nothing changed.
* What kernels take for themselves while they run, what the allocator rounds up and keeps, gaps between tensors: the 0.7
  GiB and the headroom are for that, and are assumptions.
* Time, streams and races: everything happens at once and in order. Whether a block has come before it is used, and
  whether memory is used again too early, only a card tells.
* Compiled blocks, FlashAttention's and SageAttention's packages, xformers: not walked. Decoding again in float32, where
  half precision gives no numbers, is not walked either.
* RAM, which `make rehearsal` measures.
"""


def page(walks: Sequence[Walked]) -> str:
    """The whole page."""
    parts = [HEAD]
    for side in sorted({walk.side for walk in walks if walk.kind == "way"}):
        parts += [f"## {side} x {side}\n", *_ways([walk for walk in walks if (walk.kind, walk.side) == ("way", side)])]
    for kind, title in TITLES.items():
        rows = [walk for walk in walks if walk.kind == kind]
        if rows:
            parts += [f"## {title}\n", *_rows(rows)]
    found = [walk for walk in walks if walk.wrong]
    if found:
        parts += [
            "## What is wrong\n",
            *(f"* {walk.name}, {walk.side}, {walk.card:g} GB: {walk.wrong}" for walk in found),
            "",
        ]
    return "\n".join([*parts, TAIL])


TITLES = {
    "placed": "Placements, whatever would be chosen, on a card of 80 GB",
    "told": "Memory that runs out: the card seems to have 80 GB",
    "other": "What else there is",
}


def _ways(walks: Sequence[Walked]) -> Iterable[str]:
    """A table of ways and cards: the placement, counted / forecast, and the share."""
    cards = sorted({walk.card for walk in walks})
    found = {(walk.name, walk.card): walk for walk in walks}
    yield f"| | {' | '.join(f'{card:g} GB' for card in cards)} |"
    yield "| --- " * (len(cards) + 1) + "|"
    for name in dict.fromkeys(walk.name for walk in walks):
        cells = [_cell(found[name, card]) if (name, card) in found else "" for card in cards]
        yield f"| {name} | {' | '.join(cells)} |"
    yield ""


def _cell(walk: Walked) -> str:
    if walk.fault:
        return "**fails**"
    if walk.short:
        return "too small, as forecast"
    return f"{place(walk.placement)}: {_gib(walk.peak)} / {_gib(walk.forecast)} = {_share(walk)}"


def _rows(walks: Sequence[Walked]) -> Iterable[str]:
    """A row for each walk, by phase."""
    yield "| | card | placement | reading prompts | sampling | decoding | most | blocks at once | moved a pass |"
    yield "| --- " * 9 + "|"
    for walk in walks:
        phases = (f"{_gib(walk.counted.get(name, 0))} / {_gib(walk.planned.get(name, 0))}" for name in PHASES)
        moved = f"{_gib(walk.moved)} / {_gib(walk.moved_planned)}"
        down = f", {walk.lowered} down" if walk.lowered else ""
        cells = [
            walk.name,
            f"{walk.card:g}",
            place(walk.placement) + down,
            *phases,
            _share(walk),
            str(walk.blocks),
            moved,
        ]
        yield f"| {' | '.join(cells)} |"
    yield ""


PHASES = ("words", "sampling", "decoding")


def place(placement: Placement | None) -> str:
    """A placement in a word or two."""
    if placement is None:
        return "-"
    name = f"streamed {placement.streamed}" if placement.streamed else placement.level
    marks = [", pinned"] * placement.pinned + [", beside"] * (placement.beside and placement.level != "all")
    return name + "".join(marks)


def _share(walk: Walked) -> str:
    if not walk.planned:
        return "passed" if not walk.fault else "**fails**"
    share = f"{walk.share:.2f}"
    return f"**{share}**" if walk.wrong else share


def _gib(size: float) -> str:
    return f"{size / GIB:.2f}"
