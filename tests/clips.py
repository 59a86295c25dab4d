"""Short videos of one bright square that moves to the right, as ours are."""

from pathlib import Path

import numpy as np

from eichi.video.writer import Writer


def write_clip(path: Path, frames: int, size: tuple[int, int] = (64, 64), step: int = 1, begin: int = 0) -> Path:
    """A video of (width, height) pixels; the square moves by `step` pixels a frame, round the edge."""
    width, height = size
    with Writer(path, width, height, 1) as writer:
        pixels = np.full((frames, height, width, 3), 40, dtype=np.uint8)
        for index in range(frames):
            left = (begin + index * step) % (width - 16)
            pixels[index, 8:24, left : left + 16] = (230, 200, 60)
        writer.add(0, pixels)
        writer.publish({})
    return path
