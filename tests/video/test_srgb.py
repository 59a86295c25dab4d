"""Light of other curves and primaries becomes that of sRGB."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from eichi.video import srgb


def converted(primaries: int, transfer: int, *codes: float) -> list[int]:
    convert = srgb.by_numbers(primaries, transfer)
    assert convert is not None
    sixteen = (np.array([[codes]]) * 65535).round().astype(np.uint16)
    pixel: list[int] = convert(sixteen)[0, 0].tolist()
    return pixel


@pytest.mark.parametrize("primaries", [srgb.REC709, *srgb.PRIMARIES.values()])
def test_white_stays_white(primaries: tuple[float, ...]) -> None:
    assert srgb.matrix(primaries) @ np.ones(3) == pytest.approx(np.ones(3))


def test_its_own_primaries_change_nothing() -> None:
    assert srgb.matrix(srgb.REC709) == pytest.approx(np.eye(3), abs=1e-9)
    for transfer in (1, 2, 6, 13, 14):
        assert srgb.by_numbers(1, transfer) is None
        assert srgb.by_numbers(2, transfer) is None


@pytest.mark.parametrize(
    ("primaries", "transfer", "codes", "expected"),
    [
        (12, 13, (1.0, 60 / 255, 60 / 255), (255, 16, 45)),  # Display P3
        (9, 14, (1.0, 1.0, 1.0), (255, 255, 255)),
        (1, srgb.LINEAR, (0.2140, 0.0, 1.0), (127, 0, 255)),
        (1, 4, (0.5, 0.5, 0.5), (128, 128, 128)),
        (9, srgb.PQ, (0.0, 0.0, 0.0), (0, 0, 0)),
        (9, srgb.PQ, (1.0, 1.0, 1.0), (255, 255, 255)),
        (9, srgb.HLG, (0.0, 0.0, 0.0), (0, 0, 0)),
        (9, srgb.HLG, (1.0, 1.0, 1.0), (255, 255, 255)),
    ],
)
def test_colours_that_are_known(
    primaries: int, transfer: int, codes: tuple[float, ...], expected: tuple[int, int, int]
) -> None:
    assert converted(primaries, transfer, *codes) == pytest.approx(expected, abs=1)


@pytest.mark.parametrize(
    ("primaries", "expected"),
    [
        (9, [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]),  # as BT.2087 has it
        (11, [[1.1575, -0.1550, -0.0026], [-0.0415, 1.0456, -0.0041], [-0.0181, -0.0786, 1.0966]]),  # cinema's white
        (12, [[1.2249, -0.2249, 0.0], [-0.0421, 1.0421, 0.0], [-0.0196, -0.0786, 1.0983]]),
    ],
)
def test_primaries_are_those_of_the_standard(primaries: int, expected: list[list[float]]) -> None:
    assert srgb.matrix(srgb.PRIMARIES[primaries]) == pytest.approx(np.array(expected), abs=1e-4)


@pytest.mark.parametrize("level", [40, 90, 140])
@pytest.mark.parametrize(("more", "expected"), [(0.4, 0), (0.6, 1)])
def test_a_third_of_the_light_is_exact(level: int, more: float, expected: int) -> None:
    """In shares of BT.2408's 203 cd/m², by what ST 2084 says of codes for light."""
    nits = 203 * ((level + more + 14.025) / 269.025) ** 2.4
    power = (nits / 10_000) ** 0.1593017578125
    code = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    assert converted(1, srgb.PQ, code, code, code) == [level + expected] * 3


def test_both_kinds_of_brightness_agree() -> None:
    """BT.2408: 203 cd/m² is 58 % of PQ and 75 % of HLG."""
    one, other = converted(9, srgb.PQ, *[0.58] * 3), converted(9, srgb.HLG, *[0.75] * 3)
    assert one == pytest.approx(other, abs=2)
    assert 200 < one[0] < 230


@given(st.floats(0, 1))
def test_a_curve_and_its_inverse(value: float) -> None:
    assert srgb.decode(srgb.encode(np.array(value))) == pytest.approx(value, abs=1e-6)


def test_bending_begins_smoothly_and_ends_at_white() -> None:
    light: NDArray[np.float64] = np.linspace(0, srgb.PEAK / srgb.WHITE, 1000)
    bent = srgb.bend(np.repeat(light[:, None], 3, axis=1))[:, 0]
    steps = np.diff(bent)
    assert (steps > 0).all()
    assert np.abs(np.diff(steps)).max() < 2e-4  # no corner
    assert bent[light <= srgb.KNEE] == pytest.approx(light[light <= srgb.KNEE])
    assert bent[-1] == pytest.approx(1.0)


def test_hues_stay() -> None:
    bent = srgb.bend(np.array([[4.0, 2.0, 1.0]]))[0]
    assert bent[0] <= 1.0
    assert bent / bent[2] == pytest.approx([4.0, 2.0, 1.0])


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_large_pictures_go_in_parts(depth: type[np.uint8 | np.uint16], monkeypatch: pytest.MonkeyPatch) -> None:
    convert = srgb.by_numbers(9, srgb.HLG)
    assert convert is not None
    codes: NDArray[np.uint8 | np.uint16] = np.random.default_rng(0).integers(0, np.iinfo(depth).max, (7, 9, 3), depth)
    whole = convert(codes)
    monkeypatch.setattr(srgb, "ROWS", 5)
    assert np.array_equal(convert(codes), whole)
