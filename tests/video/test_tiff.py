"""TIFFs that are not packed are read as their tags say."""

from pathlib import Path

import numpy as np
import pytest

from eichi.errors import PictureError
from eichi.video import tiff as mended
from eichi.video.images import alpha, load, measure
from tests.pictures import tiff

RED, GREEN = (200, 40, 40), (40, 200, 40)


def planes(*pixels: tuple[int, ...]) -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint16]]]:
    """A row of pixels of 16 bits, in planes."""
    return [np.array([plane], dtype=np.uint16) * 257 for plane in zip(*pixels, strict=True)]


def test_deep_planes(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff(planes(RED, GREEN), {262: 2}))
    assert np.asarray(load(tmp_path / "a.tif"))[0].tolist() == [list(RED), list(GREEN)]


def test_deep_planes_with_transparency(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff(planes((*RED, 255), (*GREEN, 0)), {262: 2, 338: 2}))
    assert np.asarray(load(tmp_path / "a.tif"))[0].tolist() == [list(RED), [255] * 3]
    clear = alpha(tmp_path / "a.tif")
    assert clear is not None
    assert np.asarray(clear).tolist() == [[255, 0]]


def test_deep_planes_of_ink(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff(planes((0, 255, 255, 0), (0, 0, 0, 255)), {262: 5}))
    assert np.asarray(load(tmp_path / "a.tif"))[0].tolist() == [[255, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(("kind", "white"), [("u1", 255), ("u2", 65535), ("f4", 1)])
@pytest.mark.parametrize("photometric", [0, 1])
def test_one_plane_alone(tmp_path: Path, kind: str, white: int, photometric: int) -> None:
    row = np.array([[0, white, white]], dtype=kind)
    (tmp_path / "a.tif").write_bytes(tiff([row], {262: photometric, 284: 2}))
    expected = [0, 255, 255] if photometric else [255, 0, 0]
    assert np.asarray(load(tmp_path / "a.tif"))[0, :, 0].tolist() == expected


def test_ycbcr(tmp_path: Path) -> None:
    colours = np.array([[[76, 85, 255], [149, 43, 21]]], dtype=np.uint8)  # red and green
    (tmp_path / "a.tif").write_bytes(tiff([colours], {262: 6, 530: [1, 1]}))
    assert measure(tmp_path / "a.tif") == (2, 1)
    assert np.asarray(load(tmp_path / "a.tif"))[0] == pytest.approx(np.array([[255, 0, 0], [0, 255, 0]]), abs=3)


def test_what_libtiff_may_hold_twice_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.tif").write_bytes(tiff(planes(RED, GREEN), {262: 2}))
    monkeypatch.setattr(mended, "LIMIT", 1)
    for read in (load, measure):
        with pytest.raises(PictureError) as caught:
            read(tmp_path / "a.tif")
        assert caught.value.id == "error.picture.large"
