"""Which sections of a latent file are kept, and which files have none."""

import pytest

from eichi.catalog import Direction
from eichi.errors import OptionError
from eichi.plan.continued import Shape, kept_sections

SIZE = (48, 80)


def shape(count: int, first: int = 0) -> Shape:
    return Shape(16, count, 6, 10, first)


@pytest.mark.parametrize(
    ("count", "first", "asked", "kept"),
    [(10, 0, None, 1), (19, 0, None, 2), (19, 0, 1, 1), (19, 0, 0, 0), (9, 10, None, 1)],
)
def test_kept(count: int, first: int, asked: int | None, kept: int) -> None:
    assert kept_sections(asked, shape(count, first), 9, SIZE, 3) == kept


@pytest.mark.parametrize(
    ("count", "asked", "words"),
    [(1, None, "has 1 latent"), (1, 0, "has 1 latent"), (5, None, "5 latents"), (19, 3, "not 3"), (46, None, "only 3")],
)
def test_refused(count: int, asked: int | None, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        kept_sections(asked, shape(count), 9, SIZE, 3)


def test_another_size_is_refused() -> None:
    with pytest.raises(OptionError, match="80x48"):
        kept_sections(None, shape(19), 9, (64, 64), 3)


@pytest.mark.parametrize(
    ("direction", "count", "first", "places"),
    [("reverse", 19, 0, [10, 1]), ("reverse", 18, 10, [9, 0]), ("forward", 19, 0, [1, 10])],
)
def test_where_sections_lie(direction: Direction, count: int, first: int, places: list[int]) -> None:
    assert [shape(count, first).place(order, 9, direction) for order in range(2)] == places
