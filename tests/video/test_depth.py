"""Numbers of every kind become eight bits deep by the range that they mean."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from eichi.events import Adjusted
from eichi.video.images import load, load_mask
from tests.pictures import tiff

MOST = 2**32 - 1


def grey(path: Path, values: object, kind: str, photometric: int = 1) -> list[int]:
    """The levels of a row of numbers that are kept as a TIFF of their kind."""
    path.write_bytes(tiff([np.array([values], dtype=kind)], {262: photometric}))
    levels: list[int] = np.asarray(load(path))[0, :, 0].tolist()
    return levels


@pytest.mark.parametrize(("kind", "white"), [("u1", 255), ("u2", 65535), ("f4", 1)])
def test_zero_may_be_white(tmp_path: Path, kind: str, white: int) -> None:
    assert grey(tmp_path / "a.tif", [0, white], kind, 0) == [255, 0]


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("u4", [0, 2**31, MOST], [0, 127, 255]),
        ("u4", [0, 32768, 65535], [0, 127, 255]),
        ("u4", [0, 128, 255], [0, 128, 255]),
        ("i4", [-(2**31), -1, 2**30, 2**31 - 1], [0, 0, 127, 255]),
        ("i2", [-5, 0, 16384, 32767], [0, 0, 127, 255]),
        ("i2", [0, 128, 255], [0, 128, 255]),
        ("i1", [-5, 0, 64, 127], [0, 0, 128, 255]),
    ],
)
def test_whole_numbers(tmp_path: Path, kind: str, values: list[int], expected: list[int]) -> None:
    assert grey(tmp_path / "a.tif", values, kind) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 0.5, 1, 1.02], [0, 127, 255, 255]),
        ([0, 1.02, 1.02], [0, 255, 255]),
        ([0.5, 1, 5], [127, 255, 255]),
        ([1, 1, 5, 5], [51, 51, 255, 255]),
        ([0.5, 0.25, 0.25, 1000], [127, 63, 63, 255]),
        ([0, 128, 255, 260], [0, 128, 255, 255]),
        ([-60, 100, 100, np.inf], [0, 100, 100, 255]),
        ([0, 257, 32768, 65535], [0, 1, 127, 255]),
    ],
)
def test_floats(tmp_path: Path, values: list[float], expected: list[int]) -> None:
    assert grey(tmp_path / "a.tif", values, "f4") == expected


def test_twelve_bits(tmp_path: Path) -> None:
    packed = np.array([[0xFF, 0xF8, 0x00]], dtype=np.uint8)  # 4095 and 2048
    (tmp_path / "a.tif").write_bytes(tiff([packed], {256: 2, 258: 12}))
    assert np.asarray(load(tmp_path / "a.tif"))[0, :, 0].tolist() == [255, 127]


@pytest.mark.parametrize(
    ("values", "white"),
    [
        (np.array([[0, 1.02]], dtype=np.float32), 1),
        (np.array([[0, MOST]], dtype=np.uint32), MOST),
        (np.array([[0, 1]], dtype=np.float32), None),
        (np.array([[0, 65535]], dtype=np.uint16), None),
    ],
)
def test_a_mask_says_what_was_taken_for_white(tmp_path: Path, values: NDArray[np.generic], white: int | None) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(tiff([values], {}))
    mask, said = load_mask(path)
    assert np.asarray(mask).tolist() == [[0, 255]]
    assert said == (None if white is None else Adjusted("note.mask.range", {"path": str(path), "white": white}))
