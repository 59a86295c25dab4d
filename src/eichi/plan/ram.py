"""What of the transformer lies in RAM of the program's own, and what stays in its files. Pure arithmetic.

A tensor is left where its file is mapped as long as it is what the file has: the system's cache keeps it, and gives it
up when asked. What LoRAs change is made anew, and so is what is rounded to eight bits; the rest of the same block stays
in its file. Which weights LoRAs change is known from their files: nearly always the matrices that FP8 stores, and not
the modulation beside them, which is a third of the transformer.

What is pinned for a GPU is copied whatever it is. Where a CPU computes in float32 everything is copied.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eichi.catalog import Anatomy, Blocks

if TYPE_CHECKING:
    from eichi.plan.memory import Need, Placement


@dataclass(frozen=True)
class Bytes:
    """Of a block, or of several: all bytes, and those of what is not as its file has it."""

    whole: int = 0
    own: int = 0

    @property
    def mapped(self) -> int:
        """What stays in its file where it may."""
        return self.whole - self.own

    def __add__(self, other: "Bytes") -> "Bytes":
        return Bytes(self.whole + other.whole, self.own + other.own)


def block_bytes(anatomy: Anatomy, row: Blocks, need: "Need", number: int) -> Bytes:
    """A block of a row, whose numbers have `number` bytes where they are not in eight bits."""
    inside, outside = _changed(anatomy, need)
    rest = row.parameters - row.quantised
    matrix = 1 if need.fp8 else number  # bytes of a number in a matrix
    anew = inside if need.stored or not need.fp8 else 1.0
    own = matrix * row.quantised * anew + number * rest * outside
    return Bytes(matrix * row.quantised + number * rest, round(own))


def transformer_bytes(anatomy: Anatomy, need: "Need", number: int) -> Bytes:
    """All of it without its head, which is in float32 always and copied."""
    blocks = sum((_times(block_bytes(anatomy, row, need, number), row.count) for row in _rows(anatomy)), Bytes())
    around = number * (anatomy.rest - anatomy.head)
    # A file in eight bits has the matrices around the blocks so, too: those are cast.
    return blocks + Bytes(around, around if need.stored else round(around * _changed(anatomy, need)[1]))


def beside_gpu(away: list[Bytes], loose: list[Bytes], need: "Need", placement: "Placement") -> dict[str, float]:
    """What weights add to RAM beside a GPU: of the streamed blocks `away`, of which the `loose` ones are not pinned.

    Streamed blocks that are not pinned are copied in their turn, one while another computes. What stays on the GPU is
    made there tensor by tensor, from the files.
    """
    memory: dict[str, float] = {}
    if away:
        kept = sum(block.own for block in (loose if placement.pinned else away))
        pinned = sum(block.whole for block in away) - sum(block.whole for block in loose) if placement.pinned else 0
        memory["transformer"] = kept + pinned + turn(away, placement.pinned and not loose)
    if need.lora:
        memory["lora"] = need.lora
    return memory


def turn(away: list[Bytes], pinned: bool) -> int:
    """Bytes of the blocks that are copied once more while they are moved: one where all is pinned, else two."""
    return (1 if pinned else 2) * max((block.whole for block in away), default=0)


def _changed(anatomy: Anatomy, need: "Need") -> tuple[float, float]:
    """The shares that LoRAs change: of the matrices that FP8 stores, and of all other parameters."""
    if not need.lora:
        return 0.0, 0.0
    matrices = sum(row.count * row.quantised for row in _rows(anatomy))
    inside = 1.0 if need.merged is None else min(1.0, need.merged / max(1, matrices))
    return inside, min(1.0, need.besides / max(1, anatomy.transformer - matrices))


def _rows(anatomy: Anatomy) -> tuple[Blocks, Blocks]:
    return anatomy.double, anatomy.single


def _times(size: Bytes, count: int) -> Bytes:
    return Bytes(count * size.whole, count * size.own)
