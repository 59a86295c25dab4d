"""The page on memory is what the plan says now, and its rows add up."""

import re
from pathlib import Path

from benchmarks.cards import CARDS, SIDES, page

PAGE = Path(__file__).parents[2] / "docs" / "memory.md"


def rows() -> list[list[str]]:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if re.match(r"\| \d", line)]


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m benchmarks.cards > docs/memory.md"


def test_every_card_has_its_row() -> None:
    assert len(rows()) == len(CARDS) * len(SIDES) * 2 * 2


def test_the_arithmetic_of_every_row() -> None:
    for card, usable, placement, fits, gpu, *phases, ram, moved in rows():
        sums = []
        for cell in (*phases, ram):
            addends, total = cell.split(" = ")
            parts = [float(addend.split()[-1]) for addend in addends.split(" + ")]
            assert abs(sum(parts) - float(total)) <= 0.006 * len(parts)
            sums.append(float(total))
        assert max(sums[:3]) == float(gpu)
        assert (fits == "yes") == (float(gpu) <= float(usable))
        assert (float(moved) > 0) == placement.startswith("streamed")
        assert float(usable) <= float(card.split()[0])
        assert sums[3] <= 64.0
