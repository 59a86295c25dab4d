"""Pixels to the colours that a video keeps, and back: the same numbers on every processor.

FFmpeg's scaler rounds as suits the instructions that a processor has, unless it is told not to. Being exact costs a
tenth more of a step that takes a tenth of the encoding. Knows nothing of files.
"""

from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from numpy.typing import NDArray

from eichi.video import turning
from eichi.video.form import FULL, Form

UNSPECIFIED = 2  # of H.273's matrices
ROWS = 64  # that are made at once
SD = 576  # the most lines that BT.601 has
EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT


# FFmpeg's scaler has numbers of its own for the matrices.
MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.SMPTE170M,
    7: Colorspace.SMPTE240M,
}
FINE = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT


def to_video(pixels: NDArray[np.uint8], form: Form | None = None) -> av.VideoFrame:
    """RGB [height, width, 3] as 4:2:0 colour in a form: turned, scaled and coloured as that is, in BT.709 and limited
    range where nothing else is said.
    """
    form = form or Form(pixels.shape[1], pixels.shape[0])
    laid = turning.turn_frame(pixels, turning.back(form.turned)) if form.turned != turning.UPRIGHT else pixels
    same = laid.shape[:2] == (form.height, form.width)
    _, _, matrix, range_ = form.colours
    silent = Colorspace.ITU709 if form.height > SD else Colorspace.ITU601
    return av.VideoFrame.from_ndarray(laid, format="rgb24").reformat(
        width=form.width,
        height=form.height,
        format="yuv420p",
        dst_colorspace=MATRICES.get(matrix, silent),
        dst_color_range=ColorRange.JPEG if range_ == FULL else ColorRange.MPEG,
        interpolation=EXACT if same else FINE,
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
