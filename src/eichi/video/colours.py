"""Pixels to the colours that a video keeps, and back: the same numbers on every processor.

FFmpeg's scaler rounds as suits the instructions that a processor has, unless it is told not to. Being exact costs a
tenth more of a step that takes a tenth of the encoding. Knows nothing of files.
"""

from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from numpy.typing import NDArray

UNSPECIFIED = 2  # of H.273's matrices
ROWS = 64  # that are made at once
SD = 576  # the most lines that BT.601 has
EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT


def to_video(pixels: NDArray[np.uint8]) -> av.VideoFrame:
    """RGB [height, width, 3] as 4:2:0 colour in BT.709, limited range."""
    return av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        interpolation=EXACT,
        threads=1,
    )


def to_pixels(frame: av.VideoFrame, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Any frame as RGB [height, width, 3], on request of a size (width, height), by the colours it is tagged with."""
    return np.asarray(_rgb(frame, size, "rgb24"), dtype=np.uint8)


def to_deep(frame: av.VideoFrame, size: tuple[int, int] | None = None) -> NDArray[np.uint16]:
    """The same in sixteen bits."""
    return np.asarray(_rgb(frame, size, "rgb48le"), dtype=np.uint16)


def to_opacity(frame: av.VideoFrame, size: tuple[int, int] | None = None) -> NDArray[np.uint8] | None:
    """How opaque a frame is, [height, width], 255 where nothing shows through; None where its form knows none."""
    if not any(component.is_alpha for component in frame.format.components):
        return None
    opacity = np.ascontiguousarray(_rgb(frame, size, "rgba")[..., 3])
    return None if opacity.min() == 255 else np.asarray(opacity, dtype=np.uint8)


def over_white(pixels: NDArray[np.uint8], opacity: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB [height, width, 3] over white, as pictures are."""
    made = np.empty_like(pixels)
    for row in range(0, len(pixels), ROWS):
        part = opacity[row : row + ROWS, :, None].astype(np.uint32)
        made[row : row + ROWS] = (pixels[row : row + ROWS] * part + 255 * (255 - part) + 127) // 255
    return made


def _rgb(frame: av.VideoFrame, size: tuple[int, int] | None, kind: str) -> NDArray[Any]:
    # What says nothing of its colours is BT.709 where it is HD, as players have it; FFmpeg always assumes BT.601.
    silent = frame.colorspace == UNSPECIFIED and not frame.format.is_rgb and frame.height > SD
    width, height = size or (frame.width, frame.height)
    return frame.reformat(
        width,
        height,
        kind,
        src_colorspace=Colorspace.ITU709 if silent else None,
        interpolation=EXACT,
        threads=1,
    ).to_ndarray()
