"""The sound of a finished video: copied where nothing changes, else decoded, paced, repeated and encoded.

It is as long as the pictures, cut or with silence behind it. At another speed its pitch stays (`atempo`). Knows no
pictures.
"""

from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.filter import Graph
from numpy.typing import NDArray

from eichi.finish.forms import OPUS
from eichi.finish.plan import FinishPlan
from eichi.video.sound import BITS, LAYOUTS, RATES, SECOND, Timed, Track, Voice, as_frames, dated, kind_of, wave

Samples = NDArray[np.float32]
SLOWEST = 0.5  # what one filter can do
OPUS_RATE = 48_000


def packets(plan: FinishPlan, output: OutputContainer) -> Iterator[Timed]:
    """Adds the track of a result's sound; its packets with the second of each. Nothing where it has none."""
    if not plan.heard:
        return iter(())
    path, clip, chain, form = plan.options.video, plan.clip, plan.chain, plan.form
    kind = kind_of(path)
    same = chain.speed == 1 and chain.repeat == 1
    if same and kind.codec in form.copied:
        return Track([Voice(path, -clip.start, Fraction(0), plan.once)]).packets(output)
    rate = OPUS_RATE if form.sound == OPUS else kind.rate if kind.rate in RATES else RATES[3]
    layout = kind.layout if kind.layout in LAYOUTS else LAYOUTS[-1]
    assert form.sound is not None, "what is heard has a codec"
    track = output.add_stream(form.sound, rate=rate, layout=layout)
    assert isinstance(track, AudioStream)
    track.codec_context.bit_rate = BITS
    return _encoded(track, _whole(plan, rate, layout), rate, layout)


def _encoded(track: AudioStream, samples: Iterator[Samples], rate: int, layout: str) -> Iterator[Timed]:
    kind = track.codec_context.format.name
    resampler = av.AudioResampler(format=kind, layout=layout, rate=rate, frame_size=track.codec_context.frame_size)
    for frame in as_frames(samples, rate, layout):
        for made in resampler.resample(frame):
            yield from map(dated, track.encode(made))
    for made in resampler.resample(None):
        yield from map(dated, track.encode(made))
    yield from map(dated, track.encode(None))


def _whole(plan: FinishPlan, rate: int, layout: str) -> Iterator[Samples]:
    """What is heard from the beginning to the end, once or again and again."""
    for turn in range(plan.chain.repeat):
        begin, end = (round(plan.once * number * rate) for number in (turn, turn + 1))
        yield from _fitted(_paced(plan, rate, layout), end - begin, layout)


def _fitted(samples: Iterator[Samples], count: int, layout: str) -> Iterator[Samples]:
    """So many samples: what there is, cut or with silence behind it."""
    left = count
    for run in samples:
        part = run[:, :left]
        left -= part.shape[1]
        if part.shape[1]:
            yield part
        if not left:
            return
    channels = av.AudioLayout(layout).nb_channels
    while left:
        size = min(left, SECOND)
        left -= size
        yield np.zeros((channels, size), dtype=np.float32)


def _paced(plan: FinishPlan, rate: int, layout: str) -> Iterator[Samples]:
    """The sound of the video at the speed of the pictures."""
    clip, speed = plan.clip, plan.chain.speed
    voice = Voice(plan.options.video, -clip.start, Fraction(0), clip.seconds)
    sound = wave([voice], rate, layout, 0)
    if speed == 1:
        yield from sound
        return
    graph = Graph()
    last = graph.add_abuffer(sample_rate=rate, format="fltp", layout=layout, time_base=Fraction(1, rate))
    for name, told in (*(("atempo", f"{part:.9g}") for part in _tempos(speed)), ("aformat", "sample_fmts=fltp")):
        made = graph.add(name, told)
        last.link_to(made)
        last = made
    last.link_to(graph.add("abuffersink"))
    graph.configure()
    for frame in _ended(as_frames(sound, rate, layout)):
        graph.push(frame)
        while True:
            try:
                yield graph.pull().to_ndarray().astype(np.float32, copy=False)
            except (av.BlockingIOError, av.EOFError):
                break


def _ended(frames: Iterator[av.AudioFrame]) -> Iterator[av.AudioFrame | None]:
    yield from frames
    yield None


def _tempos(speed: float) -> list[float]:
    """Speeds that a filter can do, which together make this one."""
    parts: list[float] = []
    while speed < SLOWEST:
        parts.append(SLOWEST)
        speed /= SLOWEST
    return [*parts, speed]
