"""Positions of generation.md §4.2 and §5.1."""

from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eichi.plan.layout import CONTEXT, Layout, forward_layout, reverse_layout


@pytest.mark.parametrize(
    ("window", "padding", "first", "post", "last"),
    [
        (9, 27, 28, 37, 55),
        (9, 18, 19, 28, 46),
        (9, 9, 10, 19, 37),
        (9, 0, 1, 10, 28),
        (5, 13, 14, 19, 37),
        (5, 9, 10, 15, 33),
        (5, 4, 5, 10, 28),
        (5, 0, 1, 6, 24),
    ],
)
def test_reverse_positions(window: int, padding: int, first: int, post: int, last: int) -> None:
    assert reverse_layout(window, padding) == Layout(
        start=(0,),
        window=tuple(range(first, first + window)),
        clean=(post,),
        x2=(post + 1, post + 2),
        x4=tuple(range(post + 3, last + 1)),
    )


@pytest.mark.parametrize(("window", "last"), [(9, 28), (5, 24)])
def test_forward_positions(window: int, last: int) -> None:
    assert forward_layout(window) == Layout(
        start=(0,), window=tuple(range(20, last + 1)), clean=(19,), x2=(17, 18), x4=tuple(range(1, 17))
    )


@given(st.sampled_from([5, 9]), st.integers(0, 27))
def test_positions_are_consecutive_and_used_once(window: int, padding: int) -> None:
    for layout, gap in ((reverse_layout(window, padding), padding), (forward_layout(window), 0)):
        runs: list[tuple[int, ...]] = sorted(astuple(layout))
        positions = [position for run in runs for position in run]
        blank = range(1, 1 + gap)
        assert sorted([*positions, *blank]) == list(range(1 + gap + window + CONTEXT))
        sizes = [len(run) for run in (layout.start, layout.window, layout.clean, layout.x2, layout.x4)]
        assert sizes == [1, window, 1, 2, 16]
