"""What came of a walk, kept in a file from one to the next, so that a command that was stopped goes on. No torch."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from eichi.plan.memory import Placement

LEAST, MOST = 0.85, 1.0  # shares of the forecast that are good
Kind = Literal["way", "placed", "told", "other"]


@dataclass(frozen=True)
class Walked:
    """What came of a job: bytes at the peak of each phase, and what was forecast of it; `moved` are bytes a pass.

    `card` is in GB, `blocks` the most streamed blocks at once, `lowered` how often memory ran out. `words` are the ids
    of what was said; `fault` is what went wrong, `short` whether the card was too small, as the forecast says.
    """

    kind: Kind
    name: str
    side: int
    card: float
    placement: Placement | None = None
    counted: dict[str, int] = field(default_factory=dict)
    planned: dict[str, float] = field(default_factory=dict)
    moved: float = 0.0
    moved_planned: float = 0.0
    blocks: int = 0
    words: tuple[str, ...] = ()
    seconds: float = 0.0
    fault: str = ""
    short: bool = False

    @property
    def peak(self) -> float:
        return max(self.counted.values(), default=0)

    @property
    def forecast(self) -> float:
        """The largest phase, without what CUDA takes for itself, which nobody sees here."""
        return max(self.planned.values(), default=0)

    @property
    def share(self) -> float:
        return self.peak / self.forecast if self.forecast else 0.0

    @property
    def lowered(self) -> int:
        return self.words.count("note.memory.lower")

    @property
    def wrong(self) -> str:
        """What is wrong, empty where nothing is. Where memory ran out, the peak is that of the tries, too."""
        if self.fault or self.short or not self.planned:
            return self.fault
        most = float("inf") if self.kind == "told" else MOST
        least = LEAST if self.kind in ("way", "placed") else 0.0  # the others are small, or leave some phases out
        if self.blocks > 2:
            return f"{self.blocks} streamed blocks at once"
        return "" if least <= self.share <= most else f"counted / forecast is {self.share:.3f}"

    @property
    def key(self) -> tuple[str, str, int, float]:
        return self.kind, self.name, self.side, self.card


def keep(walks: Sequence[Walked], path: Path) -> None:
    """Write walks to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(walk) for walk in walks], indent=1) + "\n", encoding="utf-8")


def kept(path: Path) -> list[Walked]:
    """The walks of a file, none where there is none."""
    if not path.is_file():
        return []
    told = json.loads(path.read_text(encoding="utf-8"))
    return [Walked(**one | {"placement": _placement(one["placement"]), "words": tuple(one["words"])}) for one in told]


def _placement(told: dict[str, object] | None) -> Placement | None:
    return None if told is None else Placement(**told)  # type: ignore[arg-type]  # as it was written
