"""The sound of a joined video: copied packet by packet where one track can hold it as it is, else encoded once.

An MP4's track has one codec. Where all that is heard comes from one video, its packets are copied. Where more follows
AAC, that is made into AAC of the same kind and appended. Everything else is decoded, put in its place and encoded as
AAC, with silence where there is nothing. Knows nothing of pictures.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from numpy.typing import NDArray

from eichi.errors import InputError
from eichi.events import Adjusted
from eichi.video.sources import Stamp, is_cut, open_sound, stamp

COPIED = {"aac", "mp3", "opus", "ac3", "eac3", "flac", "alac"}  # what MP4 holds and players know there
AAC, LOW = "aac", 2  # its plain kind, by the number in its header
BITS = 192_000  # a second, of what is encoded
RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)
LAYOUTS = ("mono", "stereo")
BLOCK = 1024  # samples of a packet of AAC
PRIMED = Fraction(1, 10)  # second of a sound from whose middle on it is heard, with which its decoder starts
SECOND = 48_000  # samples of silence that are made at once

Samples = NDArray[np.float32]
Packet: TypeAlias = "av.Packet[Any]"
Timed = tuple[float, "av.Packet[Any]"]


@dataclass(frozen=True)
class Voice:
    """The sound of a file, which begins `offset` seconds later in the whole, heard from `start` to `end` there. `whole`
    is one that its user gave: a word is said where it is cut or too short.
    """

    path: Path
    offset: Fraction
    start: Fraction
    end: Fraction
    whole: bool = False


@dataclass(frozen=True)
class Kind:
    """What sound a file has: codec, samples a second, layout, the codec's header, and where it begins and ends."""

    codec: str
    rate: int
    layout: str
    header: bytes
    start: Fraction
    seconds: Fraction

    @property
    def plain(self) -> bool:
        """Whether it is AAC that more can be appended to."""
        return self.codec == AAC and len(self.header) >= 2 and self.header[0] >> 3 == LOW and self.rate in RATES

    def continues(self, other: "Kind") -> bool:
        """Whether its packets can follow those of the other."""
        return self.plain and other.plain and self.header[:2] == other.header[:2]


def kind_of(path: Path) -> Kind:
    """What sound a file has. Raises InputError for one that has none, or is damaged."""
    return _kind_of(path, stamp(path))


@lru_cache(maxsize=16)  # as `clip.look`
def _kind_of(path: Path, stamped: Stamp) -> Kind:
    with open_sound(path) as container:
        if is_cut(container, path):
            raise InputError("error.sound.read", path=path, reason="reason.damaged")
        stream = container.streams.audio[0]
        context, base = stream.codec_context, stream.time_base or Fraction(1, stream.rate or 1)
        first, last = None, Fraction(0)
        for packet in container.demux(stream):
            if packet.pts is not None:
                first = packet.pts * base if first is None else first
                last = (packet.pts + (packet.duration or 0)) * base
        start = max(first or Fraction(0), Fraction(0))
        name, header = context.codec.canonical_name, context.extradata or b""
        return Kind(name, context.sample_rate, context.layout.name, header, start, max(last - start, Fraction(0)))


class Track:
    """What is heard in a joined video: `voices` in the order of time, none of which overlap. Raises InputError."""

    def __init__(self, voices: Sequence[Voice]) -> None:
        self.voices = list(voices)
        self.kinds = [kind_of(voice.path) for voice in voices]
        lead = next((kind for voice, kind in zip(voices, self.kinds, strict=True) if not voice.whole), None)
        self._alone = len(voices) == 1 and self.kinds[0].codec in COPIED
        self._appended = lead is not None and lead.plain and len(voices) > 1
        self._lead = lead or (self.kinds[0] if self.kinds else None)

    @property
    def notes(self) -> Iterator[Adjusted]:
        """What is encoded again, cut or too short."""
        for voice, kind in zip(self.voices, self.kinds, strict=True):
            if not self._stays(kind):
                yield Adjusted("note.join.sound", {"path": str(voice.path), "codec": kind.codec})
            room = voice.end - voice.start
            if voice.whole and abs(kind.seconds - room) > Fraction(1, 10):
                id = "note.join.sound_cut" if kind.seconds > room else "note.join.sound_short"
                there, taken = round(float(kind.seconds), 1), round(float(room), 1)
                yield Adjusted(id, {"path": str(voice.path), "seconds": there, "room": taken})

    def _stays(self, kind: Kind) -> bool:
        """Whether packets of a kind are copied."""
        return self._alone or (self._appended and self._lead is not None and kind.continues(self._lead))

    def packets(self, output: OutputContainer) -> Iterator[Timed]:
        """Adds the track; its packets with their times in the whole, and the second of each."""
        if not self.voices or self._lead is None:
            return iter(())
        if not (self._alone or self._appended):
            return self._encoded(output)
        template = next(voice.path for voice, kind in zip(self.voices, self.kinds, strict=True) if kind is self._lead)
        with open_sound(template) as container:
            track = output.add_stream_from_template(container.streams.audio[0])
        return self._copied(track)

    def _copied(self, track: AudioStream) -> Iterator[Timed]:
        """Packets as they are and others made to follow them, with silence in between where that is AAC."""
        at = Fraction(0)
        for voice, kind in zip(self.voices, self.kinds, strict=True):
            lead = self._lead or kind
            for time, packet in _packets(voice) if self._stays(kind) else _made([voice], lead, voice.start):
                length = (packet.duration or 0) * (packet.time_base or Fraction(1, kind.rate))
                if time < at - length / 2 and (at or voice.start):
                    continue  # what is heard in its place was there before
                if lead.plain and (time - at) * lead.rate >= BLOCK:
                    for quiet, silence in _quiet(lead, at, time):
                        yield _placed(track, quiet, silence)
                        at = quiet + Fraction(BLOCK, lead.rate)
                time = max(time, at) if at else time
                at = time + length
                yield _placed(track, time, packet)

    def _encoded(self, output: OutputContainer) -> Iterator[Timed]:
        """Everything encoded, from the beginning of the whole on."""
        assert self._lead is not None
        rate = self._lead.rate if self._lead.rate in RATES else RATES[3]
        layout = self._lead.layout if self._lead.layout in LAYOUTS else LAYOUTS[-1]
        track = output.add_stream(AAC, rate=rate, layout=layout)
        assert isinstance(track, AudioStream)
        track.codec_context.bit_rate = BITS
        return self._streamed(track, rate, layout)

    def _streamed(self, track: AudioStream, rate: int, layout: str) -> Iterator[Timed]:
        for frame in _frames(_wave(self.voices, rate, layout, 0), rate, layout):
            yield from (_dated(packet) for packet in track.encode(frame))
        yield from (_dated(packet) for packet in track.encode(None))


def _dated(packet: Packet) -> Timed:
    return float((packet.pts or 0) * (packet.time_base or 0)), packet


def _placed(track: AudioStream, time: Fraction, packet: Packet) -> Timed:
    """A packet of a track at a time."""
    base = packet.time_base or Fraction(1, track.rate or 1)
    packet.pts = packet.dts = round(time / base)
    packet.stream = track
    return float(time), packet


def _packets(voice: Voice) -> Iterator[tuple[Fraction, Packet]]:
    """The packets of a file that are heard, each with its time in the whole."""
    with open_sound(voice.path) as container:
        stream = container.streams.audio[0]
        base = stream.time_base or Fraction(1, stream.rate or 1)
        for packet in container.demux(stream):
            if packet.pts is None:
                continue  # the empty packet that ends a stream
            time = packet.pts * base + voice.offset
            if time >= voice.end:
                return
            # What comes before the beginning of all only starts the decoder.
            starts = not voice.start and (not voice.whole or time > -PRIMED)
            if time + (packet.duration or 0) * base > voice.start or starts:
                packet.time_base = base
                yield time, packet


def _quiet(kind: Kind, start: Fraction, end: Fraction) -> Iterator[tuple[Fraction, Packet]]:
    """Silence in whole packets of a kind of AAC, as many as have room."""
    room = int((end - start) * kind.rate) // BLOCK
    yield from islice(_made([], kind, start, room * BLOCK), room)


def _made(voices: Sequence[Voice], kind: Kind, start: Fraction, least: int = 0) -> Iterator[tuple[Fraction, Packet]]:
    """What is heard as AAC of a kind, from a time on; without the packet that only starts the decoder."""
    context = av.Codec(AAC, "w").create("audio")
    context.sample_rate, context.layout, context.format = kind.rate, kind.layout, "fltp"
    context.bit_rate, context.time_base = BITS, Fraction(1, kind.rate)
    begin = round(start * kind.rate)
    wave = _wave(voices, kind.rate, kind.layout, begin, least)
    for frame in _ended(_frames(wave, kind.rate, kind.layout)):
        for packet in context.encode(frame):
            if packet.pts is not None and packet.pts >= 0:
                packet.time_base = Fraction(1, kind.rate)
                packet.duration = BLOCK
                yield start + Fraction(packet.pts, kind.rate), packet


def _ended(frames: Iterator[av.AudioFrame]) -> Iterator[av.AudioFrame | None]:
    """Frames, and what makes an encoder give out what it holds."""
    yield from frames
    yield None


def _frames(wave: Iterator[Samples], rate: int, layout: str) -> Iterator[av.AudioFrame]:
    """Samples as frames for an encoder, the first at 0."""
    at = 0
    for samples in wave:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, at, Fraction(1, rate)
        at += samples.shape[1]
        yield frame


def _wave(voices: Sequence[Voice], rate: int, layout: str, begin: int, least: int = 0) -> Iterator[Samples]:
    """All that is heard without a gap, [channels, n], from a sample of the whole on: at least so many samples."""
    at = begin
    for voice in voices:
        for place, samples in _decoded(voice, rate, layout):
            yield from _silence(layout, place - at)
            at = max(at, place)
            left = samples[:, at - place :]
            if left.shape[1]:
                yield left
            at += left.shape[1]
    yield from _silence(layout, begin + least - at)


def _silence(layout: str, count: int) -> Iterator[Samples]:
    channels = av.AudioLayout(layout).nb_channels
    for start in range(0, count, SECOND):
        yield np.zeros((channels, min(SECOND, count - start)), dtype=np.float32)


def _decoded(voice: Voice, rate: int, layout: str) -> Iterator[tuple[int, Samples]]:
    """The samples of a file that are heard, each run with its place in the whole."""
    first, last = round(voice.start * rate), round(voice.end * rate)
    resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate)
    place: int | None = None
    with open_sound(voice.path) as container:
        for frame in _ended(container.decode(container.streams.audio[0])):
            if place is None and frame is not None:
                place = round((Fraction(frame.time or 0) + voice.offset) * rate)
            for made in resampler.resample(frame):
                samples = made.to_ndarray().astype(np.float32, copy=False)
                assert place is not None
                low, high = max(first - place, 0), min(last - place, samples.shape[1])
                if low < high:
                    yield place + low, samples[:, low:high]
                place += samples.shape[1]
            if place is not None and place >= last:
                return
