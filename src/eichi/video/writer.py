"""Frames to an MP4: every frame encoded once, in segments that are joined without encoding again.

Frames arrive in runs, in any order of time: the standard model makes the end of a video first. Each run becomes a
closed segment; joining copies the segments' packets in the order of time. Segments live in a hidden folder beside the
result, and the result appears under its name only when it is complete. A segment that is there already, from a job
that was interrupted, is not encoded again; that it is whole is for whoever keeps the folder to say.

H.264 with 4:2:0 colour in BT.709, tagged as such, index in front: what every browser and player takes; where it is to
be joined to another video, in that one's `form`. Equal frames give equal bytes, whatever the processor, its cores and
what else they do. Knows nothing of latents, requests or jobs.
"""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray
from safetensors import SafetensorError

from eichi.errors import DiskError
from eichi.files import aside
from eichi.options import quality
from eichi.video.colours import to_video
from eichi.video.form import UPRIGHT, Form
from eichi.video.turning import to_matrix

# Left to itself x264 counts the cores and asks the processor. Every number of threads gives another stream, one thread
# the smallest. The assembly that weighs a block by its future rounds otherwise than the C does, and what AVX-512 has of
# it reads memory that nobody wrote, for another stream each time.
X264 = "threads=1:cpu-independent=1"
SEGMENT = re.compile(r"(\d+)-(\d+)\.mp4")
MOVFLAGS = {"movflags": "+faststart+use_metadata_tags"}  # the index in front, and tags of our own
REORDER = 2  # frames that x264's default of three B-frames, one of them a reference, delays decoding by


class Writer:
    """Writes one video. A context manager: leaving it removes the segments, unless their folder is the caller's.

    `finished` hears of every segment that was encoded.
    """

    def __init__(
        self,
        path: Path,
        width: int,
        height: int,
        crf: int,
        folder: Path | None = None,
        finished: Callable[[Path], object] = lambda path: None,
        form: Form | None = None,
    ) -> None:
        self.path = path
        self.size = (width, height)
        self.form = form or Form(width, height)
        self.crf = quality(crf)
        self.encoded = 0
        self.segments: dict[tuple[int, int], Path] = {}  # by the frames [first, end) they hold
        self._own = folder is None
        self._finished = finished
        self._folder = folder or path.parent / f".{path.stem}.segments"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._own:
            shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, first: int, frames: NDArray[np.uint8]) -> None:
        """Encode frames [n, height, width, 3] whose first has index `first` in the video. Raises DiskError."""
        assert frames.shape[1:] == (self.size[1], self.size[0], 3), f"frames of another size: {frames.shape}"
        with writing(self.path):
            self._folder.mkdir(parents=True, exist_ok=True)
            end = first + len(frames)
            path = self._folder / f"{first:06d}-{end - 1:06d}.mp4"
            if not path.is_file():
                self._encode(path, frames)
                self._finished(path)
            self.segments[first, end] = path
            self.encoded += len(frames)

    def _encode(self, path: Path, frames: NDArray[np.uint8]) -> None:
        """One closed segment, written aside and renamed."""
        with aside(path) as draft, av.open(str(draft), "w", format="mp4") as container:  # noqa: TID251
            stream = add_track(container, self.form, self.crf)
            for index, pixels in enumerate(frames):
                frame = to_video(pixels, self.form)
                frame.pts = index
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))

    def find(self, first: int, end: int) -> None:
        """Take over the segments of frames [first, end) that were finished before, as far as they meet those here."""
        there: dict[int, tuple[int, Path]] = {}
        for path in self._folder.glob("*.mp4"):
            if named := SEGMENT.fullmatch(path.name):
                there[int(named[1])] = int(named[2]) + 1, path
        before = {last: (start, path) for start, (last, path) in there.items()}
        if not self.segments and there:  # the last run of them: where the video is made from its end on, the only one
            start = max(there)
            if start >= first and there[start][0] <= end:
                self._adopt(start, *there[start])
        while self.segments and (span := max(self.segments)[1]) in there and there[span][0] <= end:
            self._adopt(span, *there[span])
        while self.segments and (span := min(self.segments)[0]) in before and before[span][0] >= first:
            self._adopt(before[span][0], span, before[span][1])

    def _adopt(self, first: int, end: int, path: Path) -> None:
        self.segments[first, end] = path
        self.encoded += end - first

    def publish(self, tags: Mapping[str, str], path: Path | None = None) -> int:
        """Join all segments into the file, with tags, and put it in its place. Returns the number of frames."""
        target = path or self.path
        spans = sorted(self.segments)
        assert all(one[1] == other[0] for one, other in pairwise(spans)), f"segments do not meet: {spans}"
        with writing(target), aside(target, self._folder) as draft:
            count = _join([self.segments[span] for span in spans], draft, tags)
        return count


def add_track(container: OutputContainer, form: Form, crf: int) -> VideoStream:
    """A track that frames are encoded to, in a form."""
    number = f":sps-id={form.number}" if form.number else ""
    options = {"crf": str(crf), "preset": "medium", "x264-params": X264 + number}
    stream = container.add_stream("libx264", rate=form.rate, options=options)
    stream.width, stream.height = form.width, form.height
    stream.pix_fmt = "yuv420p"
    if form.turned != UPRIGHT:
        stream.set_display_matrix(to_matrix(form.turned))
    context = stream.codec_context
    context.color_primaries, context.color_trc, context.colorspace, context.color_range = form.colours
    if form.shape != 1:
        context.sample_aspect_ratio = form.shape
    return stream


def join_segments(segments: list[Path], target: Path) -> None:
    """A video of segments alone, in their order: what is finished while the rest is being made. Raises DiskError."""
    with writing(target), aside(target, lasting=False) as draft:
        _join(segments, draft, {})


def _join(segments: list[Path], target: Path, tags: Mapping[str, str]) -> int:
    """Copy the packets of segments into one file, each starting where the last one ended. Returns the frames."""
    count = 0
    with av.open(str(target), "w", format="mp4", options=MOVFLAGS) as output:  # noqa: TID251
        output.metadata.update(tags)
        stream: VideoStream | None = None
        for segment in segments:
            with av.open(str(segment)) as source:  # noqa: TID251
                given = source.streams.video[0]
                if stream is None:
                    stream = output.add_stream_from_template(given)
                    stream.time_base = given.time_base
                begin = count
                for packet in source.demux(given):
                    if packet.pts is None:
                        continue  # the empty packet that ends a stream
                    assert packet.duration
                    tick = packet.duration  # of a frame: all have the same
                    offset = begin * tick
                    # Packets come in decoding order; a short segment needs less delay than a long one, the file one.
                    packet.pts, packet.dts = packet.pts + offset, (count - REORDER) * tick
                    packet.stream = stream
                    output.mux(packet)
                    count += 1
    return count


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """The one place where the libraries' and the system's complaints about a result become ours."""
    try:
        yield
    except (av.FFmpegError, SafetensorError, OSError) as error:
        raise DiskError("error.video.write", path=path, reason=error) from error
