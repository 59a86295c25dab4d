"""Frames of a video file, one after the other: upright, with square pixels, in sRGB, each with its time.

Nothing is held but the frame at hand. Frames are taken as they come; where their times go back, as in files that were
put one behind the other, they go on from there. All have the size of the first, and transparency is over white. What a
file is tagged with counts; what says nothing of its colours has those that players assume. Knows nothing of latents.
"""

import errno
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.buffer import Buffer
from av.container import InputContainer
from numpy.typing import NDArray

from eichi.errors import InputError, PictureError
from eichi.video import turning
from eichi.video.colours import over_white, to_deep, to_opacity, to_pixels
from eichi.video.sources import FILE, INDEXED, boxed, check_frame, open_picture, open_video, video_of
from eichi.video.srgb import HLG, PQ, Converter, by_numbers

STILLS = ("png_pipe", "apng", "jpeg_pipe", "webp_pipe")  # pictures that FFmpeg takes for videos


@dataclass(frozen=True)
class VideoShape:
    """A video as it is seen. `frames` is what its header says, 0 where it does not; `rate` is frames a second on
    average, `bright` whether it is made for brighter displays, so that its tones are bent for ours.
    """

    width: int
    height: int
    frames: int
    rate: float
    bright: bool = False


@dataclass(frozen=True)
class Frame:
    """A frame [height, width, 3] and the second that it is shown from, the first from 0."""

    time: float
    pixels: NDArray[np.uint8]


def measure_video(path: Path) -> VideoShape:
    """What a video is, from its header and its first frame. Raises InputError."""
    with open_video(path) as container:
        stream = video_of(container)
        first = next(container.decode(stream), None)
        if first is None:
            raise InputError("error.video.read", path=path, reason="reason.frames")
        height, width = View(container, first).show(first).shape[:2]
        bright = first.color_trc in (PQ, HLG)
        return VideoShape(width, height, stream.frames, float(stream.average_rate or 0), bright)


def read_frames(path: Path) -> Generator[Frame, None, None]:
    """All frames in the order of time. Raises InputError, also in the middle of a damaged file."""
    with open_video(path) as container:
        view: View | None = None
        for time, frame in timed(container):
            view = view or View(container, frame)
            yield Frame(time, view.show(frame))


def timed(container: InputContainer) -> Iterator[tuple[float, av.VideoFrame]]:
    """All frames as they are decoded, each with the second that it is shown from, the first from 0."""
    stream = video_of(container)
    begin, last, step = 0.0, 0.0, 1 / float(stream.average_rate or 30)
    for index, frame in enumerate(container.decode(stream)):
        time = index * step if frame.time is None else frame.time
        if index == 0:
            begin = time
        if time - begin < last:
            begin = time - last - step
        last = time - begin
        yield last, frame


def count_frames(path: Path) -> int:
    """How many frames a video has, counted where its header does not say. Raises InputError."""
    known = measure_video(path).frames
    return known or sum(1 for _ in read_frames(path))


def read_last(path: Path) -> NDArray[np.uint8]:
    """The frame that a video ends with; what is before it is decoded and not converted. Raises InputError."""
    with open_video(path) as container:
        view: View | None = None
        last: av.VideoFrame | None = None
        for _, frame in timed(container):
            view, last = view or View(container, frame), frame
        if view is None or last is None:
            raise InputError("error.video.read", path=path, reason="reason.frames")
        return view.show(last)


def read_frame(path: Path, number: int) -> NDArray[np.uint8]:
    """One frame of a video of an even pace, as ours are, counted from 0: decoded from the last key frame before it.

    Raises InputError where there is none of that number.
    """
    with open_video(path) as container:
        stream = video_of(container)
        rate, base = stream.average_rate, stream.time_base
        if number < 0 or rate is None or base is None:
            raise InputError("error.video.frame", path=path, number=number)
        wanted = number / rate / base + (stream.start_time or 0)
        container.seek(int(wanted), stream=stream)
        view: View | None = None
        for frame in container.decode(stream):
            view = view or View(container, frame)
            if frame.pts is not None and frame.pts >= wanted - 1 / rate / base / 2:
                if frame.pts > wanted + 1 / rate / base / 2:
                    break
                return view.show(frame)
    raise InputError("error.video.frame", path=path, number=number)


class View:
    """How the frames of a stream are shown, from its header and its first frame; `turned` is how they lie there."""

    def __init__(self, container: InputContainer, first: av.VideoFrame) -> None:
        stream = video_of(container)
        width = max(round(first.width * (stream.sample_aspect_ratio or 1)), 1)
        check_frame(container, width, first.height)
        self._size = (width, first.height)
        self._path = container.name.removeprefix(FILE)
        # The fourth byte of raw pixels in an AVI is reserved, and often 0.
        self._opaque = container.format.name == "avi" and stream.codec_context.name == "rawvideo"
        self.turned = _lies(container.format.name, Path(self._path)) or _turned(first)
        self._converters: dict[tuple[int, int], Converter | None] = {}

    def show(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """A frame as it is seen. Raises InputError for colours that FFmpeg does not convert."""
        key = (frame.color_primaries, frame.color_trc)
        if key not in self._converters:
            self._converters[key] = by_numbers(*key)
        convert = self._converters[key]
        try:
            pixels = to_pixels(frame, self._size) if convert is None else convert(to_deep(frame, self._size))
            opacity = None if self._opaque else to_opacity(frame, self._size)
        except av.FFmpegError as error:
            if error.errno not in (errno.ENOTSUP, errno.EOPNOTSUPP):
                raise
            raise InputError("error.video.read", path=self._path, reason="reason.colours") from error
        return turning.turn_frame(pixels if opacity is None else over_white(pixels, opacity), self.turned)


def _turned(frame: av.VideoFrame) -> int:
    """How a frame lies, by the numbers of `turning`. PyAV raises ValueError for what it does not know."""
    with suppress(ValueError):
        told = frame.side_data.get("DISPLAYMATRIX")
        return turning.of_matrix(bytes(told)) if isinstance(told, Buffer) else turning.UPRIGHT
    return turning.of_angle(frame.rotation)


def _lies(kind: str, path: Path) -> int | None:
    """The same of a picture, by what stands in its file; None for a video.

    PyAV tells no angle of one that is mirrored, and what it frees of a PNG with a colour profile it frees twice, which
    ends the process some time later.
    """
    if kind == INDEXED:
        head = boxed(path)
        return None if head is None else turning.of_boxes(head)
    if kind not in STILLS:
        return None
    with suppress(PictureError), open_picture(path) as image:
        return turning.told(image)
    return turning.UPRIGHT
