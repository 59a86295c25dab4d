"""The size of every kind of change, from the shapes of its parts; rows are never mistaken for columns."""

import pytest

from eichi.catalog import Shapes
from eichi.models.loraforms import Misshapen, Size, by_columns, measure


@pytest.mark.parametrize(
    ("kind", "shapes", "size"),
    [
        ("lora", {"down": (4, 10), "up": (6, 4)}, Size(6, 10, 4)),
        ("lora", {"down": (4, 10, 3, 3), "up": (6, 4, 1, 1)}, Size(6, 90, 4)),
        ("lora", {"down": (4, 10, 1, 1), "up": (6, 4, 1, 1), "mid": (4, 4, 3, 3)}, Size(6, 90, 4)),
        ("loha", {"w1_a": (6, 4), "w1_b": (4, 10), "w2_a": (6, 4), "w2_b": (4, 10)}, Size(6, 10, 4)),
        (
            "loha",
            {"w1_a": (4, 6), "w1_b": (4, 10), "w2_a": (4, 6), "w2_b": (4, 10), "t1": (4, 4, 3), "t2": (4, 4, 3)},
            Size(6, 30, 4),
        ),
        ("lokr", {"w1": (2, 3), "w2": (5, 7)}, Size(10, 21)),
        ("lokr", {"w1": (2, 3), "w2": (5, 7, 3, 3)}, Size(10, 189)),
        ("lokr", {"w1": (2, 3), "w2_a": (5, 4), "w2_b": (4, 7)}, Size(10, 21, 4)),
        ("lokr", {"w1_a": (2, 4), "w1_b": (4, 3), "w2": (5, 7)}, Size(10, 21, 4)),
        ("lokr", {"w1": (2, 3), "w2_a": (4, 5), "w2_b": (4, 7), "t2": (4, 4, 3)}, Size(10, 63, 4)),
        ("diff", {"diff": (6, 10, 3)}, Size(6, 30)),
        ("diff", {"diff": (6,)}, Size(6, 1)),
        ("bias", {"diff": (6,)}, Size(6, 1)),
    ],
)
def test_the_size_of_every_kind(kind: str, shapes: Shapes, size: Size) -> None:
    assert measure(kind, shapes) == size
    missing = dict(list(shapes.items())[1:])
    assert measure(kind, missing) is None


@pytest.mark.parametrize(
    ("kind", "shapes"),
    [
        ("lora", {"down": (4, 10), "up": (6, 5)}),
        ("lora", {"down": (0, 10), "up": (6, 0)}),
        ("lora", {"down": (4, 10), "up": (6, 4), "mid": (5, 4, 3)}),
        ("loha", {"w1_a": (6, 4), "w1_b": (4, 10), "w2_a": (7, 4), "w2_b": (4, 10)}),
        ("loha", {"w1_a": (6, 4), "w1_b": (4, 10), "w2_a": (6, 4), "w2_b": (4, 9)}),
        ("lokr", {"w1": (2,), "w2": (5, 7)}),
        ("diff", {"diff": ()}),
        ("diff", {"diff": (6, 0)}),
    ],
)
def test_what_cannot_be_multiplied_is_told(kind: str, shapes: Shapes) -> None:
    with pytest.raises(Misshapen):
        measure(kind, shapes)


@pytest.mark.parametrize(
    ("shape", "expected"), [((1, 10), True), ((6,), False), ((6, 1), False), ((6, 1, 1), False), ((10,), None)]
)
def test_lengths_are_of_rows_or_of_columns(shape: tuple[int, ...], expected: bool | None) -> None:
    assert by_columns(shape, Size(6, 10)) is expected
