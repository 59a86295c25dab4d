"""Segments of a finished video, and the file that they become.

A segment is coded alone, aside, and renamed. Segments whose packets can follow each other are copied into one file, as
often as it is repeated, with the sound beside them in the order of time. Of the others the frames are read once more:
a GIF is looked through twice, for its colours and for its frames, so that nothing is held but a palette. FFmpeg puts no
texts into a GIF or a WebP: the record is put there afterwards. Knows no steps.
"""

import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from heapq import merge
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import av
import numpy as np
from av.container import InputContainer, OutputContainer
from av.filter import Graph
from numpy.typing import NDArray
from PIL import Image

from eichi.files import aside, leave
from eichi.finish import heard
from eichi.finish.forms import FileForm, add_video, to_frame
from eichi.finish.plan import FinishPlan
from eichi.video import gif, webp
from eichi.video.metadata import Record, comment, exif, png_texts, tags
from eichi.video.sound import Timed
from eichi.video.writer import MOVFLAGS

Pixels = NDArray[np.uint8]
EPOCH = (1980, 1, 1, 0, 0, 0)  # of every file in an archive, so that equal frames make equal archives
BITEXACT = {"fflags": "bitexact"}  # no numbers that are drawn anew each time
COLOURS = 256
QUALITY = 100  # of WebP, less the compression


def write_segment(path: Path, plan: FinishPlan, frames: Iterable[Pixels]) -> Iterator[int]:
    """Code frames into a segment, written aside and renamed; says how many are. Raises OSError, FFmpegError."""
    count = 0
    form = plan.form
    with aside(path) as draft, av.open(str(draft), "w", format=form.segment) as container:  # noqa: TID251
        stream = add_video(container, form, plan.size, plan.out, plan.chain.compression)
        for pixels in frames:
            frame = to_frame(form, pixels)
            frame.pts = count
            container.mux(stream.encode(frame))
            count += 1
            yield count
        container.mux(stream.encode(None))


def open_segment(path: Path, form: FileForm) -> InputContainer:
    """A segment, as what it was written as and nothing else: another machine may have made it. Raises FFmpegError."""
    return av.open(str(path), format=form.segment)  # noqa: TID251


def write_file(draft: Path, plan: FinishPlan, segments: list[Path], values: Record) -> None:
    """The file of all segments. Raises OSError, FFmpegError."""
    match plan.form.container:
        case "gif":
            with _bare(draft) as bare:
                _write_gif(bare, plan, segments)
                gif.put_comment(bare, draft, comment(values))
        case "webp":
            with _bare(draft) as bare:
                _write_webp(bare, plan, segments)
                webp.put_exif(bare, draft, exif(values), plan.size)
        case "zip":
            _write_archive(draft, plan, segments, values)
        case _:
            _join(draft, plan, segments, values)


@contextmanager
def _bare(draft: Path) -> Iterator[Path]:
    """A place for a file without its record, beside it, which is given back."""
    bare = draft.with_name(f"{draft.name}-bare")
    try:
        yield bare
    finally:
        leave(bare)


def _join(draft: Path, plan: FinishPlan, segments: list[Path], values: Record) -> None:
    form = plan.form
    options = MOVFLAGS if form.container in ("mp4", "mov") else BITEXACT
    with av.open(str(draft), "w", format=form.container, options=options) as output:  # noqa: TID251
        output.metadata.update(_tags(values))
        with open_segment(segments[0], form) as first:
            stream = output.add_stream_from_template(first.streams.video[0], opaque=True)
            if form.tag is not None:
                stream.codec_context.codec_tag = form.tag
        stream.time_base = 1 / plan.out
        sound = heard.packets(plan, output)
        for _, packet in merge(_pictures(plan, segments, stream), sound, key=lambda timed: timed[0]):
            output.mux(packet)


def _pictures(plan: FinishPlan, segments: list[Path], stream: Any) -> Iterator[Timed]:
    """Packets of all segments, each behind the one before, again and again."""
    count, base = 0, 1 / plan.out
    for segment in segments * plan.chain.repeat:
        with open_segment(segment, plan.form) as source:
            given, begin = source.streams.video[0], count
            tick = given.time_base or base
            for packet in source.demux(given):
                if packet.pts is None:
                    continue  # the empty packet that ends a stream
                packet.pts = begin + round(packet.pts * tick / base)
                packet.dts, packet.duration, packet.time_base = count - plan.form.delay, 1, base
                packet.stream = stream
                yield float(count * base), packet
                count += 1


def _tags(values: Record) -> Mapping[str, str]:
    request = values["sources"][0]["request"] if values["sources"][0] else {}
    return {**tags(values), "comment": str(request.get("prompt", ""))}


def _frames(plan: FinishPlan, segments: list[Path]) -> Iterator[Pixels]:
    """All frames of segments that lost nothing, again and again."""
    for segment in segments * plan.chain.repeat:
        with open_segment(segment, plan.form) as source:
            for frame in source.decode(video=0):
                yield np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)


def _write_gif(draft: Path, plan: FinishPlan, segments: list[Path]) -> None:
    palette = _palette(plan, segments)
    graph = Graph()
    width, height = plan.size
    video = graph.add_buffer(width=width, height=height, format=av.VideoFormat("rgb24"), time_base=1 / plan.out)
    colours = graph.add_buffer(width=16, height=16, format=av.VideoFormat("rgb32"), time_base=1 / plan.out)
    use, sink = graph.add("paletteuse", "dither=bayer:bayer_scale=4"), graph.add("buffersink")
    video.link_to(use, 0, 0)
    colours.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    palette.pts, palette.time_base = 0, 1 / plan.out
    colours.push(palette)
    colours.push(None)
    with av.open(str(draft), "w", format="gif", options={"loop": "0"}) as output:  # noqa: TID251
        stream: Any = output.add_stream("gif", rate=plan.out)
        stream.width, stream.height, stream.pix_fmt = width, height, "pal8"
        stream.codec_context.time_base = 1 / plan.out
        for number, pixels in enumerate(_frames(plan, segments)):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number, 1 / plan.out
            video.push(frame)
            _drain(sink, stream, output)
        video.push(None)
        _drain(sink, stream, output)
        output.mux(stream.encode(None))


def _drain(sink: Any, stream: Any, output: OutputContainer) -> None:
    while True:
        try:
            output.mux(stream.encode(sink.pull()))
        except (av.BlockingIOError, av.EOFError):
            return


def _palette(plan: FinishPlan, segments: list[Path]) -> av.VideoFrame:
    """The colours that are nearest to those of all frames."""
    graph = Graph()
    width, height = plan.size
    video = graph.add_buffer(width=width, height=height, format=av.VideoFormat("rgb24"), time_base=1 / plan.out)
    made, sink = graph.add("palettegen", f"max_colors={COLOURS}:stats_mode=full"), graph.add("buffersink")
    video.link_to(made)
    made.link_to(sink)
    graph.configure()
    for number, pixels in enumerate(_frames(plan, segments)):
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts, frame.time_base = number, 1 / plan.out
        video.push(frame)
    video.push(None)
    palette = sink.pull()
    assert isinstance(palette, av.VideoFrame)
    return palette


def _write_webp(draft: Path, plan: FinishPlan, segments: list[Path]) -> None:
    quality = str(max(1, QUALITY - plan.chain.compression))
    with av.open(str(draft), "w", format="webp", options={"loop": "0"}) as output:  # noqa: TID251
        stream: Any = output.add_stream("libwebp_anim", rate=plan.out, options={"quality": quality, "loop": "0"})
        stream.width, stream.height, stream.pix_fmt = *plan.size, "yuv420p"
        for number, pixels in enumerate(_frames(plan, segments)):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p", threads=1)
            frame.pts, frame.time_base = number, 1 / plan.out
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def _write_archive(draft: Path, plan: FinishPlan, segments: list[Path], values: Record) -> None:
    """Every frame as a PNG with the record and its number, not packed once more."""
    with ZipFile(draft, "w", ZIP_STORED) as archive:
        for number, pixels in enumerate(_frames(plan, segments)):
            held = io.BytesIO()
            Image.fromarray(pixels).save(held, "PNG", pnginfo=png_texts({**values, "frame": number}))
            archive.writestr(ZipInfo(f"{number:06d}.png", EPOCH), held.getvalue())
