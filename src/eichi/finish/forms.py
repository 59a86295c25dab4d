"""The forms that a finished video is written in: codec, container, what sound they hold, whether they are joined.

A segment is coded alone, so that a job that was interrupted goes on from its last one and comes to the same bytes.
Where a form's packets can follow each other, segments are in that form and are copied into one file; the others
(pictures that move, pictures in an archive) are made in one go from segments that lost nothing. Encoders run in one
thread, or in threads that do not change what they make. Knows no filter and no job.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream
from numpy.typing import NDArray

from eichi.options import quality
from eichi.video.colours import EXACT, to_video
from eichi.video.form import BT709, LIMITED
from eichi.video.sound import AAC, COPIED
from eichi.video.writer import X264

OPUS = "libopus"
LOSSLESS = "lossless"
X265 = "pools=none:frame-threads=1:log-level=none:repeat-headers=0"
AV1_MOST, VP9_MOST, X264_MOST = 63, 63, 51
REORDER = 2  # frames that x264 and x265 delay decoding by, with the B-frames that they are allowed
QUIET = "SVT_LOG", "0"  # nothing of its own; the library asks the environment, and writes to standard error
GIF_RATE = 50  # frames a second, above which browsers show a GIF slowly


@dataclass(frozen=True)
class FileForm:
    """A form: the ending of its file, the codec and the pixels of its segments, the container of the file.

    `sound` is the codec that its sound is encoded with, None where it has none, `copied` those that it holds as they
    are; `delay` how many frames decoding runs ahead; `fastest` the most frames
    a second that it takes, None where any. `joined` is whether segments become the file by copying.
    """

    name: str
    ending: str
    codec: str
    pixels: str
    container: str
    sound: str | None = None
    copied: frozenset[str] = frozenset()
    delay: int = 0
    joined: bool = True
    tag: str | None = None
    fastest: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def segment(self) -> str:
        """The container of a segment."""
        return "matroska" if self.name in ("webm", LOSSLESS) or not self.joined else self.container

    @property
    def part(self) -> str:
        """The ending of a segment."""
        return ".mkv" if self.segment == "matroska" else f".{self.segment}"


MP4 = frozenset(COPIED)
EXACTLY = "libx264rgb", "rgb24"
PLAIN = {"qp": "0", "preset": "ultrafast", "g": "30", "threads": "1"}

FORMS: dict[str, FileForm] = {
    one.name: one
    for one in (
        FileForm("mp4", ".mp4", "libx264", "yuv420p", "mp4", AAC, MP4, REORDER),
        FileForm("hevc", ".mp4", "libx265", "yuv420p", "mp4", AAC, MP4, REORDER, tag="hvc1"),
        FileForm("av1", ".mp4", "libsvtav1", "yuv420p", "mp4", AAC, MP4, fastest=240),
        FileForm("prores", ".mov", "prores_ks", "yuv422p10le", "mov", AAC, frozenset({"aac"})),
        FileForm("webm", ".webm", "libvpx-vp9", "yuv420p", "webm", OPUS, frozenset({"opus"})),
        FileForm("gif", ".gif", *EXACTLY, "gif", joined=False, options=PLAIN),
        FileForm("webp", ".webp", *EXACTLY, "webp", joined=False, options=PLAIN),
        FileForm("png", ".zip", *EXACTLY, "zip", joined=False, options=PLAIN),
    )
}
SPOOL = FileForm(LOSSLESS, ".mkv", *EXACTLY, "matroska", options=PLAIN)


def settings_of(form: FileForm, crf: int) -> dict[str, str]:
    """What an encoder is told, for a compression of 0-100 (as `options.quality` has it)."""
    level = quality(crf)
    match form.name:
        case "mp4":
            return {"crf": str(level), "preset": "medium", "x264-params": X264}
        case "hevc":
            return {"crf": str(level), "preset": "medium", "x265-params": X265}
        case "av1":
            return {"crf": str(round(level * AV1_MOST / X264_MOST)), "preset": "8", "svtav1-params": "lp=1"}
        case "webm":
            crf = round(level * VP9_MOST / X264_MOST)
            return {"crf": str(crf), "b": "0", "deadline": "good", "cpu-used": "4", "threads": "1"}
        case "prores":
            return {"profile": "3", "vendor": "apl0", "threads": "1"}
    return dict(form.options)


def add_video(
    container: OutputContainer, form: FileForm, size: tuple[int, int], rate: Fraction, crf: int
) -> VideoStream:
    """A track that frames are encoded to."""
    os.environ.setdefault(*QUIET)
    stream: Any = container.add_stream(form.codec, rate=rate, options=settings_of(form, crf))
    stream.width, stream.height = size
    stream.pix_fmt = form.pixels
    if form.tag is not None:
        stream.codec_context.codec_tag = form.tag
    if form.pixels != "rgb24":
        context = stream.codec_context
        context.color_primaries = context.color_trc = context.colorspace = BT709
        context.color_range = LIMITED
    assert isinstance(stream, VideoStream)
    return stream


def to_frame(form: FileForm, pixels: NDArray[np.uint8]) -> av.VideoFrame:
    """RGB [height, width, 3] as a form's encoder takes it."""
    if form.pixels == "yuv420p":
        return to_video(pixels)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    if form.pixels == "rgb24":
        return frame
    return frame.reformat(
        format=form.pixels,
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        interpolation=EXACT,
        threads=1,
    )
