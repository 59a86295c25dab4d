"""measured/memory.md: seconds on cards by name; where the weights lie on cards of every size, the sums of each row.

python -m benchmarks.cards > measured/memory.md
"""

from collections.abc import Iterator

from benchmarks import speeds
from benchmarks.printing import printing
from eichi.catalog import find
from eichi.plan.memory import GIB, RESERVED, Machine, Need, choose, forecast, lacks

CARDS = (6, 8, 12, 16, 24, 32, 48, 80)
SIDES = (640, 960, 1280)
LORA = 0.5  # GiB of LoRA files
RAM = 64.0

HEAD = """# Memory

Forecasts of `eichi memory` for the full model (12.87 billion parameters, sections of 9 latents) and square pictures.
Made by `python -m benchmarks.cards`; the arithmetic is that of `src/eichi/plan/memory.py`. **None of it was measured
on a GPU**: weights are exact, working memory was counted on torch's `meta` device, and what CUDA takes for itself is an
assumption.
"""

SIZES = f"""## Where the weights lie

All sizes are in GiB. Of a card, {RESERVED:.0%} count as taken by the system; of what is free an eighth, at most 2, is
headroom; the rest can be used. {RAM:.0f} GiB of RAM are free. Where it says LoRA, {LORA} GiB of LoRA files are merged:
they cost RAM while that is done and nothing on the GPU.

* **all**: every part stays on the GPU. **kept**: transformer and VAE stay; LLaMA visits for new prompts, whole or a
  layer at a time. **streamed n**: n of the 60 blocks come from RAM when their turn comes, the next one while one
  computes.
* GPU is the largest of three sums. Reading prompts: cuda + transformer + vae + encoders + work. Sampling: cuda +
  transformer + blocks + vae + work + cache, and decode where there is room to decode the section before meanwhile.
  Decoding: cuda + transformer + vae + cache + decode. Where everything stays, encoders count in each.
* transformer counts what lies on the GPU all the time: the blocks that stay, and what is no block. While sampling,
  blocks are two of the largest streamed ones.
* moved is what goes from RAM to the GPU at every step.
* A row that says **no** does not fit: choose a lower resolution.
"""

COLUMNS = ("card", "usable", "placement", "fits", "GPU", "reading prompts", "sampling", "decoding", "RAM", "moved")


def page() -> str:
    """The whole page."""
    return "\n".join(
        [HEAD, *speeds.page(), SIZES, *(line for side in SIDES for fp8 in (False, True) for line in _table(side, fp8))]
    )


def _table(side: int, fp8: bool) -> Iterator[str]:
    """One table: all cards, with LoRA and without."""
    need = Need(side, side, fp8=fp8)
    yield f"## {side} x {side}, {'FP8' if fp8 else 'bfloat16'} ({need.tokens:,} tokens)"
    yield ""
    yield f"| {' | '.join(COLUMNS)} |"
    yield "| --- " * len(COLUMNS) + "|"
    for card in CARDS:
        for lora in (0.0, LORA):
            yield _row(card, Need(side, side, fp8=fp8, lora=int(lora * GIB)))
    yield ""


def _row(card: int, need: Need) -> str:
    anatomy, machine = find("framepack").anatomy, Machine(card * (1 - RESERVED) * GIB, RAM * GIB)
    placement = choose(anatomy, need, machine)
    peaks = forecast(anatomy, need, placement)
    name = f"streamed {placement.streamed}" if placement.streamed else placement.level
    cells = [
        f"{card}{' + LoRA' if need.lora else ''}",
        _gib(machine.usable),
        name + (", LLaMA whole" if placement.level == "kept" and placement.whole else ""),
        "**no**" if lacks(anatomy, need, machine, placement) else "yes",
        _gib(peaks.gpu),
        *(_sum(phase) for phase in peaks.phases.values()),
        _sum(peaks.memory),
        _gib(peaks.moved),
    ]
    return f"| {' | '.join(cells)} |"


def _sum(addends: dict[str, float]) -> str:
    """A sum with its addends."""
    return " + ".join(f"{name} {_gib(size)}" for name, size in addends.items()) + f" = {_gib(sum(addends.values()))}"


def _gib(size: float) -> str:
    return f"{size / GIB:.2f}"


if __name__ == "__main__":
    with printing():
        print(page(), end="")  # noqa: T201
