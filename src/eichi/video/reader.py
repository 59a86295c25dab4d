"""Frames of a video file, one after the other: opened with care, turned upright, in the colours that it is tagged with.

Nothing is held but the frame at hand. Frames are taken as they come, whatever their times. Knows nothing of latents.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from eichi.errors import InputError
from eichi.video.colours import to_pixels


@dataclass(frozen=True)
class VideoShape:
    """A video as it is seen. `frames` is what its header says, 0 where it does not; `rate` is frames a second."""

    width: int
    height: int
    frames: int
    rate: float


def measure_video(path: Path) -> VideoShape:
    """What a video is, from its header and its first frame. Raises InputError."""
    with _opened(path) as container:
        stream = container.streams.video[0]
        first = next(container.decode(stream), None)
        if first is None:
            raise InputError("error.video.read", path=path, reason="reason.frames")
        height, width = _upright(first).shape[:2]
        return VideoShape(width, height, stream.frames, float(stream.average_rate or 0))


def read_frames(path: Path) -> Iterator[NDArray[np.uint8]]:
    """Frames [height, width, 3] in the order of time. Raises InputError, also in the middle of a damaged file."""
    with _opened(path) as container:
        for frame in container.decode(container.streams.video[0]):
            yield _upright(frame)


def _upright(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """A frame as RGB, turned as the camera says."""
    return np.rot90(to_pixels(frame), round(frame.rotation / 90) % 4)


@contextmanager
def _opened(path: Path) -> Iterator[InputContainer]:
    """The one place where FFmpeg's complaints about a file to read become ours."""
    if not os.path.isfile(path):  # also false for a name that no file can have
        raise InputError("error.file.missing", path=path)
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise InputError("error.video.read", path=path, reason="reason.video")
            yield container
    except av.FFmpegError as error:
        raise InputError("error.video.read", path=path, reason=error) from error
