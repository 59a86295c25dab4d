"""Golden values of generation.md §22; section counts follow features.md B3."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eichi.plan.timeline import (
    FRAMES_PER_LATENT,
    WINDOWS,
    frame_count,
    frame_span,
    latent_count,
    padding_latents,
    paddings,
    real_seconds,
    section_count,
)

windows = st.sampled_from(sorted(WINDOWS.values()))
seconds = st.floats(0.001, 120.0, allow_nan=False) | st.integers(1, 1200).map(lambda tenths: tenths / 10)


@pytest.mark.parametrize(
    ("wish", "long", "short"),
    list(
        zip(
            [0.01, 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 30, 40, 60, 120],
            [1, 1, 2, 2, 3, 4, 5, 7, 8, 10, 13, 17, 25, 33, 50, 100],
            [1, 1, 3, 4, 6, 7, 9, 12, 15, 18, 24, 30, 45, 60, 90, 180],
            strict=True,
        )
    ),
)
def test_section_counts(wish: float, long: int, short: int) -> None:
    assert (section_count(wish, 9), section_count(wish, 5)) == (long, short)


@pytest.mark.parametrize(("wish", "count"), [(1.7, 2), (1.71, 3), (3.7, 5), (3.71, 6), (119.7, 179), (119.71, 180)])
def test_a_tie_takes_the_shorter_video(wish: float, count: int) -> None:
    assert section_count(wish, 5) == count


@given(seconds, windows, st.sampled_from([0, 1]))
def test_no_other_section_count_is_nearer(wish: float, window: int, own: int) -> None:
    frames = Fraction(str(wish)) * 30
    distances = {count: abs(4 * window * count + own - frames) for count in range(1, 190)}
    best = min(distances, key=lambda count: (distances[count], count))
    assert section_count(wish, window, own) == best
    assert own == 0 or section_count(wish, window) == best


@pytest.mark.parametrize(
    ("sections", "window", "latents", "frames"),
    [(1, 9, 10, 37), (8, 9, 73, 289), (9, 9, 82, 325), (17, 5, 86, 341), (20, 5, 101, 401)],
)
def test_latents_and_frames(sections: int, window: int, latents: int, frames: int) -> None:
    assert latent_count(window, sections) == latents
    assert frame_count(latents) == frames == 4 * window * sections + 1
    assert real_seconds(frames) == frames / 30


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        (1, [0]),
        (2, [1, 0]),
        (3, [2, 1, 0]),
        (4, [3, 2, 1, 0]),
        (5, [3, 2, 2, 1, 0]),
        (8, [3, 2, 2, 2, 2, 2, 1, 0]),
        (17, [3, *[2] * 14, 1, 0]),
    ],
)
def test_paddings(sections: int, expected: list[int]) -> None:
    assert list(paddings(sections)) == expected


@given(st.integers(1, 200), windows)
def test_paddings_follow_the_formula(sections: int, window: int) -> None:
    made = paddings(sections)
    assert len(made) == sections
    assert made[-1] == 0
    assert all(after in (before, before - 1) for before, after in pairwise(made))
    assert made[0] == min(sections - 1, 3)
    assert padding_latents(sections, window, None) == tuple(count * window for count in made)


@pytest.mark.parametrize("window", WINDOWS.values())
@pytest.mark.parametrize("tenths", range(31))
def test_all_padding_is_exact_in_every_tenth(tenths: int, window: int) -> None:
    assert padding_latents(4, window, tenths / 10) == (*[tenths * window // 10] * 3, 0)


@pytest.mark.parametrize(
    ("value", "latents"), [(0, 0), (0.2, 1), (0.5, 4), (1, 9), (1.5, 13), (2, 18), (2.5, 22), (3, 27)]
)
def test_all_padding_golden_values(value: float, latents: int) -> None:
    assert padding_latents(2, 9, value) == (latents, 0)


@given(st.lists(st.integers(1, 12), min_size=1, max_size=8))
def test_spans_of_neighbours_meet(lengths: list[int]) -> None:
    start, end = 0, 0
    for length in lengths:
        first, stop = frame_span(start, start + length)
        assert first == end
        assert stop - first == FRAMES_PER_LATENT * length - 3 * (start == 0)
        start, end = start + length, stop
