"""Pixels to the colours that a video keeps, and back: the same numbers on every processor.

FFmpeg's scaler rounds as suits the instructions that a processor has, unless it is told not to. Being exact costs a
tenth more of a step that takes a tenth of the encoding. Knows nothing of files.
"""

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from numpy.typing import NDArray

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


def to_pixels(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """Any frame as RGB [height, width, 3], by the colours that it is tagged with."""
    return np.asarray(frame.reformat(format="rgb24", interpolation=EXACT, threads=1).to_ndarray(), dtype=np.uint8)
