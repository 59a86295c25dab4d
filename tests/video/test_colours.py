"""Colours go to a video and come back: near to what they were, and to the same numbers on every processor."""

import sys

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.encodes import clip
from eichi.video.colours import to_pixels, to_video
from tests.processor import plain


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.uint8]:
    frame: NDArray[np.uint8] = clip(1, 96, 136)[0]
    return frame


def planes(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(to_video(pixels).to_ndarray(), dtype=np.uint8)


def test_light_is_weighed_as_bt709_says(pixels: NDArray[np.uint8]) -> None:
    light = pixels @ np.array([0.2126, 0.7152, 0.0722]) * 219 / 255 + 16
    assert np.abs(planes(pixels)[:96] - light).max() < 0.6


@pytest.mark.parametrize("color", [(255, 0, 0), (0, 255, 0), (20, 60, 200), (0, 0, 0), (255, 255, 255)])
def test_there_and_back(color: tuple[int, int, int]) -> None:
    pixels = np.full((16, 16, 3), color, dtype=np.uint8)
    assert np.abs(to_pixels(to_video(pixels)).astype(int) - color).max() <= 2


@pytest.mark.skipif(sys.platform == "win32", reason="libraries are not found through each other")
def test_the_processor_does_not_show(pixels: NDArray[np.uint8]) -> None:
    frame = to_video(pixels)
    back = to_pixels(frame)
    deep = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv422p10le")
    shallow = to_pixels(deep)
    with plain():
        assert np.array_equal(planes(pixels), frame.to_ndarray())
        assert np.array_equal(to_pixels(frame), back)
        assert np.array_equal(to_pixels(deep), shallow)
