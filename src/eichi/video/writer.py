"""Frames to an MP4: every frame encoded once, segments joined without encoding again, published when complete.

Frames arrive in runs. A run that continues the last one goes into the same segment; any other, such as the next
section of the standard model, which lies *before* the last one, opens a new one. Publishing joins the segments in
order by copying their packets. Segments live in a hidden folder beside the result until then.

H.264 with 4:2:0 colour in BT.709, tagged as such, index in front: what every browser and player takes. Knows nothing
of latents, requests or jobs.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream
from numpy.typing import NDArray

from eichi.errors import RunError
from eichi.options import quality

FPS = 30
BT709 = 1  # the number of BT.709 in H.264's tables of primaries, transfer and matrix
LIMITED = 1  # "tv" range in FFmpeg's numbering


class Writer:
    """Writes one video. A context manager: leaving it removes what was not published."""

    def __init__(self, path: Path, width: int, height: int, crf: int) -> None:
        self.path = path
        self.size = (width, height)
        self.crf = quality(crf)
        self.encoded = 0
        self._folder = path.parent / f".{path.stem}.parts"
        self._segments: dict[int, Path] = {}
        self._open: tuple[OutputContainer, VideoStream] | None = None
        self._next: int | None = None
        self._written = 0  # frames in the open segment

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open is not None:
            self._open[0].close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, first: int, frames: NDArray[np.uint8]) -> None:
        """Encode frames [n, height, width, 3] whose first has index `first` in the video. Raises RunError."""
        with _boundary(self.path):
            if first != self._next:
                self._close()
                self._begin(first)
            assert self._open is not None
            container, stream = self._open
            for pixels in frames:
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
                    format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
                )
                frame.pts = self._written
                self._written += 1
                container.mux(stream.encode(frame))
            self._next = first + len(frames)
            self.encoded += len(frames)

    def publish(self, tags: Mapping[str, str], path: Path | None = None) -> int:
        """Join all segments into the file, with tags, and put it in its place. Returns the number of frames.

        Segments must not overlap; a stopped job has a gap nowhere, since sections follow each other.
        """
        target = path or self.path
        with _boundary(target):
            self._close()
            draft = self._folder / "joined.mp4"
            count = _join([segment for _, segment in sorted(self._segments.items())], draft, tags)
            os.replace(draft, target)
        return count

    def _begin(self, first: int) -> None:
        """Open a new segment."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._segments[first] = self._folder / f"{first:08d}.mp4"
        container = av.open(str(self._segments[first]), "w")
        stream = container.add_stream("libx264", rate=FPS, options={"crf": str(self.crf), "preset": "medium"})
        stream.width, stream.height = self.size
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.color_primaries = context.color_trc = context.colorspace = BT709
        context.color_range = LIMITED
        self._open, self._written = (container, stream), 0

    def _close(self) -> None:
        """Finish the open segment, if there is one."""
        if self._open is not None:
            container, stream = self._open
            container.mux(stream.encode(None))
            container.close()
            self._open = None


def _join(segments: list[Path], target: Path, tags: Mapping[str, str]) -> int:
    """Copy the packets of segments into one file, each starting where the last one ended. Returns the frames."""
    count = 0
    with av.open(str(target), "w", format="mp4", options={"movflags": "+faststart+use_metadata_tags"}) as output:
        output.metadata.update(tags)
        stream: VideoStream | None = None
        for segment in segments:
            with av.open(str(segment)) as source:
                given = source.streams.video[0]
                if stream is None:
                    stream = output.add_stream_from_template(given)
                    stream.time_base = given.time_base
                assert given.time_base is not None
                frame = round(1 / (FPS * given.time_base))  # ticks of a frame
                offset, frames = count * frame, 0
                for packet in source.demux(given):
                    if packet.dts is None or packet.pts is None:
                        continue  # the empty packet that ends a stream
                    packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                    packet.stream = stream
                    output.mux(packet)
                    frames += 1
                count += frames
    return count


@contextmanager
def _boundary(path: Path) -> Iterator[None]:
    """The one place where FFmpeg's and the system's complaints about a file become ours."""
    try:
        yield
    except (av.FFmpegError, OSError) as error:
        raise RunError("error.video.write", path=path, reason=getattr(error, "strerror", None) or error) from error
