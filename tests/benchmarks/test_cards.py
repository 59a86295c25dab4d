"""The page on memory is what the plan says now, and its rows add up."""

import re
from pathlib import Path

import pytest

from benchmarks import speeds
from benchmarks.cards import CARDS, SIDES, page

PAGE = Path(__file__).parents[2] / "measured" / "memory.md"


def rows() -> list[list[str]]:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if re.match(r"\| \d", line)]


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m benchmarks.cards > measured/memory.md"


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


def test_a_step_is_where_it_goes() -> None:
    row = re.compile(r"\| (?:RTX|H)[^|]+ \| (bfloat16|FP8 stored|FP8 multiplied) \|")
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if row.match(line)]
    assert len(lines) == 5 * 3 - 1  # the oldest card has no products in eight bits
    for line in lines:
        *parts, step = (float(cell) for cell in re.findall(r"\d+\.\d\d", line))
        assert sum(parts) == pytest.approx(step, abs=0.03)


def test_every_published_number_stands_beside_its_forecast() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"| {one.card} | {one.value:g} s | {one.unit}" in text for one in speeds.PUBLISHED)
    away = sorted(abs(off) for _, off in map(speeds._compared, speeds.PUBLISHED))
    assert away[len(away) // 2] < 0.25
