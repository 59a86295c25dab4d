"""What a video is that something is to be joined to, and its ends as frames at 30 a second.

A file's packets are looked through once, without decoding: their times say how long it is, whether it goes at an even
pace and at which one, whether it can be left as it is when more is joined to it. From the end, decoding begins at the
last key frame before what is wanted, so that it costs the same whatever the length. Knows nothing of models.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import floor
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

from eichi.errors import InputError
from eichi.video.avc import Sets, read_sets
from eichi.video.form import FPS, Form, form_of
from eichi.video.reader import View, timed
from eichi.video.sources import INDEXED, Stamp, is_cut, open_video, stamp, video_of
from eichi.video.srgb import HLG, PQ, by_numbers

# What files say of themselves as a rate is a guess of theirs; those that there are, are few.
RATES = tuple(Fraction(rate) for rate in (24, 25, 30, 48, 50, 60, 120, 240)) + tuple(
    Fraction(rate * 1000, 1001) for rate in (24, 30, 60, 120, 240)
)
NEAR = Fraction(1, 1000)  # of a rate: what is no farther from a known one is that one
FASTEST = 1000  # frames a second
TICKS = 90_000  # of a second, for files that tell no times of their own
EVEN = Fraction(1, 4)  # of a frame: how far from its place a frame of an even pace may lie
# Files whose frames can be sought by their times, and whose packets fit into an MP4 as they are.
MP4, MATROSKA = INDEXED, "matroska,webm"
BACK = 1  # second that is sought farther back: indexes go by the time of decoding
JUMP = 1  # second: times that go back by more are of another clip in the same file
PLAIN = ("yuv420p", "yuvj420p")


@dataclass(frozen=True)
class Clip:
    """A video as it is seen: `width` and `height` upright and with square pixels, `rate` frames a second, None where
    they go at no even pace, `start` and `seconds` of its frames, the last one's own time with them, `begin` where the
    file does, with its first frame or its sound.

    `turned` is how it lies in the file, by the numbers of `turning`; `sound` the codec of its sound, None where there
    is none; `bright` whether its tones are bent to ours. `reason` is why its packets cannot stay as they are (the id of
    a reason), None where they can; `form` and `sets` are how they lie in the file.
    """

    width: int
    height: int
    turned: int
    rate: Fraction | None
    frames: int
    start: Fraction
    seconds: Fraction
    begin: Fraction
    codec: str
    deep: bool
    bright: bool
    sound: str | None
    reason: str | None
    form: Form
    sets: Sets | None

    @property
    def copied(self) -> bool:
        """Whether a longer video can hold it as it is, packet by packet."""
        return self.reason is None

    @property
    def end(self) -> Fraction:
        """The second at which its last frame has been shown."""
        return self.start + self.seconds


@dataclass(frozen=True)
class Times:
    """When the frames of a video are shown, in ticks of `base` seconds and in the order of time.

    `last` is how long the last one is, `told` the rate that the file tells, `delay` how long before it is shown a frame
    has to be decoded at the most. `seekable`: frames can be found by their times; `plain`: what is in the file is
    shown, each at a time of its own.
    """

    shown: NDArray[np.int64]
    base: Fraction
    last: int
    told: Fraction
    delay: int
    seekable: bool
    plain: bool

    @property
    def seconds(self) -> Fraction:
        return (int(self.shown[-1] - self.shown[0]) + self.last) * self.base

    def nearest(self, start: int, step: int, count: int) -> list[int]:
        """The numbers of the frames nearest to each of `count` thirtieths of a second from a time on, one way or the
        other, as far as there are frames.
        """
        seconds = (self.shown - start) * float(self.base)
        there = floor(float(abs(seconds[-1 if step > 0 else 0])) * FPS + 0.5) + 1
        places = np.arange(min(count, there)) * step / FPS
        after = np.searchsorted(seconds, places).clip(1, max(len(seconds) - 1, 1))
        if len(seconds) == 1:
            return [0] * len(places)
        closer = places - seconds[after - 1] < seconds[after] - places
        return [int(one) for one in np.where(closer, after - 1, after)]


def look(path: Path) -> Clip:
    """What a video is. Raises InputError for what is none, has no frames, or is damaged."""
    return _look(path, stamp(path))


# The page plans at every keystroke, and a video is read through once to be known.
@lru_cache(maxsize=16)
def _look(path: Path, stamped: Stamp) -> Clip:
    with open_video(path) as container:
        stream = video_of(container)
        first = next(container.decode(stream), None)
        if first is None:
            raise InputError("error.video.read", path=path, reason="reason.frames")
        view = View(container, first)
        height, width = view.show(first).shape[:2]
        codec, bright = stream.codec_context.codec.canonical_name, first.color_trc in (PQ, HLG)
        deep = any(component.bits > 8 for component in first.format.components)
        voice = next(iter(container.streams.audio), None)
        if is_cut(container, path):
            raise InputError("error.video.read", path=path, reason="reason.damaged")
        sound = voice.codec_context.codec.canonical_name if voice and voice.codec_context else None
        heard = Fraction(voice.start_time or 0) * voice.time_base if sound and voice and voice.time_base else None
        form, sets = form_of(stream, first, view.turned), read_sets(stream.codec_context.extradata)
        plain = first.format.name in PLAIN and by_numbers(first.color_primaries, first.color_trc) is None
        reason = _reason(container, stream, plain, sets)
    times = times_of(path)
    if reason is None and not times.plain:
        reason = "reason.join.times"
    start = int(times.shown[0]) * times.base
    return Clip(
        width=width,
        height=height,
        turned=view.turned,
        rate=rate_of(times),
        frames=len(times.shown),
        start=start,
        seconds=times.seconds,
        begin=start if heard is None else min(start, max(heard, Fraction(0))),
        codec=codec,
        deep=deep,
        bright=bright,
        sound=sound,
        reason=reason,
        form=form,
        sets=sets,
    )


def _reason(container: InputContainer, stream: VideoStream, plain: bool, sets: Sets | None) -> str | None:
    """Why the packets of a video cannot stay as they are."""
    if stream.codec_context.name != "h264":
        return "reason.join.codec"
    if not plain:
        return "reason.join.form"
    if container.format.name not in (MP4, MATROSKA) or sets is None:
        return "reason.join.container"
    return None


def times_of(path: Path) -> Times:
    """The times of a video's frames, from its packets where those tell them. Raises InputError."""
    shown: list[int] = []
    latest, last, told, plain = -(2**62), 0, True, True
    with open_video(path) as container:
        stream = video_of(container)
        base, rate = stream.time_base or Fraction(1, FPS), stream.average_rate or Fraction(FPS)
        seekable = container.format.name in (MP4, MATROSKA)
        for packet in container.demux(stream):
            if packet.size == 0:
                continue  # the empty packet that ends a stream
            if packet.is_discard:  # an edit list leaves out what other frames are made from
                plain = False
                continue
            if packet.pts is None or packet.pts + JUMP / base < latest:
                told = False
                break
            if packet.pts > latest:
                latest, last = packet.pts, packet.duration or 0
            shown.append(packet.pts)
        if not told:
            base = Fraction(1, TICKS)
            container.seek(0)
            shown = [round(time / base) for time, _ in timed(container)]
    if not shown:
        raise InputError("error.video.read", path=path, reason="reason.frames")
    coded = np.array(shown, dtype=np.int64)
    places = np.sort(coded)
    gaps = np.diff(places)
    last = last or (int(np.median(gaps)) if len(gaps) else round(1 / rate / base))
    distinct = told and bool((gaps > 0).all())
    return Times(
        places, base, max(last, 1), rate, int((places - coded).max()), seekable and distinct, plain and distinct
    )


def rate_of(times: Times) -> Fraction | None:
    """The pace of frames, None where it is none: a known rate where it is near one."""
    steps = len(times.shown) - 1
    span = int(times.shown[-1] - times.shown[0]) * times.base if steps else times.last * times.base
    found = max(steps, 1) / span
    coarse = max(NEAR, times.base / span)  # times are rounded to ticks
    near = [rate for rate in RATES if abs(found / rate - 1) <= coarse]
    rate = min(near, key=lambda rate: abs(times.told - rate)) if near else found.limit_denominator(1001)
    if not 1 <= rate <= FASTEST:
        return None
    seconds = (times.shown - times.shown[0]) * float(times.base)
    away = np.abs(seconds - np.arange(steps + 1) / float(rate))
    return rate if (away <= float(EVEN / rate + times.base)).all() else None


def tail(path: Path, count: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The last frames of a video as they are at 30 a second, `count` or as many as there are, the last of them its own
    last, stretched to `size` (height, width): [n, height, width, 3]. Raises InputError.
    """
    times = times_of(path)
    return _picked(path, times, times.nearest(int(times.shown[-1]), -1, count)[::-1], size)


def head(path: Path, count: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The first frames of a video in the same way, the first of them its own first. Raises InputError."""
    times = times_of(path)
    return _picked(path, times, times.nearest(int(times.shown[0]), 1, count), size)


def last_frame(path: Path) -> NDArray[np.uint8]:
    """The last frame of a video at its own size, [height, width, 3]. Raises InputError."""
    times = times_of(path)
    frame: NDArray[np.uint8] = _picked(path, times, [len(times.shown) - 1], None)[0]
    return frame


def _picked(path: Path, times: Times, picks: Sequence[int], size: tuple[int, int] | None) -> NDArray[np.uint8]:
    """Frames by their numbers in the order of time, stretched where there is a size; for one that cannot be decoded,
    the one nearest to it. Raises InputError where there is none.
    """
    wanted, made = set(picks), dict[int, NDArray[np.uint8]]()
    with open_video(path) as container:
        view: View | None = None
        for number, frame in _decoded(container, times, min(wanted)):
            view = view or View(container, frame)
            if number in wanted:
                shown = view.show(frame)
                made[number] = shown if size is None else stretched(shown, size)
            if number >= max(wanted) and len(made) == len(wanted):
                break
    if not made:
        raise InputError("error.video.read", path=path, reason="reason.frames")
    there = sorted(made)
    return np.stack([made[min(there, key=lambda one: abs(one - number))] for number in picks])


def _decoded(container: InputContainer, times: Times, first: int) -> Iterator[tuple[int, av.VideoFrame]]:
    """Frames from one on, or from before it, with their numbers."""
    stream = video_of(container)
    if not times.seekable:
        yield from enumerate(container.decode(stream))
        return
    container.seek(int(times.shown[first] - BACK / times.base), stream=stream)
    for frame in container.decode(stream):
        number = int(np.searchsorted(times.shown, frame.pts or 0))
        if number < len(times.shown) and times.shown[number] == frame.pts:
            yield number, frame


def stretched(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A frame at (height, width), whatever its form: nothing is cropped, so that nothing zooms where videos meet."""
    if pixels.shape[:2] == size:
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(size[::-1], Image.Resampling.LANCZOS), dtype=np.uint8)
