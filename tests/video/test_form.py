"""Which frames that were made at 30 a second are shown at another rate."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eichi.video.form import Pace

RATES = [Fraction(rate) for rate in (1, 10, 24, 25, 30, 48, 50, 60, 240)] + [Fraction(30000, 1001)]


@given(
    st.integers(1, 400), st.sampled_from(RATES), st.booleans(), st.lists(st.integers(1, 399), max_size=5, unique=True)
)
def test_runs_share_out_every_place_once(frames: int, rate: Fraction, backward: bool, cuts: list[int]) -> None:
    pace = Pace(frames, rate, backward)
    bounds = [0, *sorted(cut for cut in cuts if cut < frames), frames]
    runs = [(first, end, pace.places(first, end)) for first, end in pairwise(bounds)]
    assert [place for *_, places in runs for place in places] == list(range(pace.total))
    assert all(first <= pace.made(place) < end for first, end, places in runs for place in places)


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("rate", RATES[2:])
def test_motion_goes_on_at_its_pace(rate: Fraction, backward: bool) -> None:
    """The last frame before is at 0 and each made one a thirtieth later: no frame is farther off than half of that."""
    pace = Pace(360, rate, backward)
    assert abs(pace.total / rate - 12) <= 1 / rate / 2
    for place in range(1, pace.total - 1):
        shown = (pace.total - place) / rate if backward else (place + 1) / rate
        if shown < Fraction(1, 60):
            continue  # nothing was made so near to the cut
        made = Fraction(360 - pace.made(place) if backward else pace.made(place) + 1, 30)
        assert abs(shown - made) <= Fraction(1, 60)


def test_at_30_every_frame_is_shown() -> None:
    assert [Pace(37).made(place) for place in range(Pace(37).total)] == list(range(37))
