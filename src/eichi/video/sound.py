"""The sound of a joined video: copied packet by packet where one track can hold it as it is, else encoded once.

An MP4's track has one codec. Where all that is heard comes from one video, its packets are copied. Where more follows
AAC, or silence is before it, that is made into AAC of the same kind. Everything else is decoded, put in its place and
encoded as AAC, with silence where there is nothing. Knows nothing of pictures.

A packet of AAC is heard together with half of the one after it, each of which has half of what folds back in the other.
So where one sound follows another a few packets on either side are encoded anew, from what is heard there: beside
what the other encoder made of the same sound, nothing is left of the seam.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from numpy.typing import NDArray

from eichi.errors import InputError
from eichi.events import Adjusted
from eichi.video.sources import INDEXED, Stamp, is_cut, open_sound, stamp

COPIED = {"aac", "mp3", "opus", "ac3", "eac3", "flac", "alac"}  # what MP4 holds and players know there
AAC, LOW = "aac", 2  # its plain kind, by the number in its header
BITS = 192_000  # a second, of what is encoded
RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)
LAYOUTS = ("mono", "stereo")
BLOCK = 1024  # samples of a packet of AAC
SEAM = 2  # packets on either side of a seam that are encoded anew: one reaches over it, one that encoders look ahead by
LEAD = 3  # packets that an encoder is given before those which count
PRIMED = Fraction(1, 10)  # second of a sound from whose middle on it is heard, with which its decoder starts
LONG = Fraction(10**6)  # seconds: more than anything lasts
BACK = 1  # second from which on decoding begins before it is heard
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
        self._lead = lead or (self.kinds[0] if self.kinds else None)
        self._alone = len(voices) == 1 and self.kinds[0].codec in COPIED
        several = len(voices) > 1 or any(voice.start for voice in voices)
        self._joined = self._lead is not None and self._lead.plain and several

    @property
    def notes(self) -> Iterator[Adjusted]:
        """What is encoded again, cut or too short."""
        for voice, kind in zip(self.voices, self.kinds, strict=True):
            if not self._stays(voice, kind):
                yield Adjusted("note.join.sound", {"path": str(voice.path), "codec": kind.codec})
            room = voice.end - voice.start
            if voice.whole and abs(kind.seconds - room) > Fraction(1, 10):
                id = "note.join.sound_cut" if kind.seconds > room else "note.join.sound_short"
                there, taken = round(float(kind.seconds), 1), round(float(room), 1)
                yield Adjusted(id, {"path": str(voice.path), "seconds": there, "room": taken})

    def _stays(self, voice: Voice, kind: Kind) -> bool:
        """Whether the packets of a sound are copied: among others, those of a video, which may shift by half of one. A
        sound that was given is heard from the sample on that it belongs to.
        """
        joined = self._joined and self._lead is not None and kind.continues(self._lead)
        return joined and not voice.whole if self._joined else self._alone

    def packets(self, output: OutputContainer) -> Iterator[Timed]:
        """Adds the track; its packets with their times in the whole, and the second of each."""
        if not self.voices or self._lead is None:
            return iter(())
        if not (self._alone or self._joined):
            return self._encoded(output)
        template = next(voice.path for voice, kind in zip(self.voices, self.kinds, strict=True) if kind is self._lead)
        with open_sound(template) as container:
            track = output.add_stream_from_template(container.streams.audio[0])
        return self._bridged(track, self._lead) if self._joined else self._copied(track, self._lead)

    def _copied(self, track: AudioStream, kind: Kind) -> Iterator[Timed]:
        """The packets of the one voice that there is, as they are."""
        at: Fraction | None = None
        for time, packet in _packets(self.voices[0]):
            length = (packet.duration or 0) * (packet.time_base or Fraction(1, kind.rate))
            if at is None or time >= at - length / 2:  # else what is heard in its place was there before
                time = time if at is None else max(time, at)
                at = time + length
                yield _placed(track, time, packet)

    def _bridged(self, track: AudioStream, lead: Kind) -> Iterator[Timed]:
        """Packets of AAC as they are, and what lies between them encoded, packet by packet in their place."""
        block = Fraction(BLOCK, lead.rate)
        at: Fraction | None = None
        heard: list[Voice] = []
        last, ended = self.voices[-1], False
        for voice, kind in zip(self.voices, self.kinds, strict=True):
            whole = at is None and not heard and not voice.start
            low, high = _inner(voice, kind, block, whole, voice is last)
            first = (
                next((time for time, _ in _packets(voice) if time >= low), None) if self._stays(voice, kind) else None
            )
            if first is None or first + block > high:
                heard.append(voice)
                continue
            ended = voice is last
            if not whole:
                at = -block if at is None else at
                slot = at + round((first - at) / block) * block
                low, high, voice = low + slot - first, high + slot - first, _later(voice, slot - first)
                for time, packet in islice(_made([*heard, voice], lead, at), round((slot - at) / block)):
                    yield _placed(track, time, packet)
                at = slot
            for time, packet in _packets(voice):
                if time < low or time + block > high or (at is not None and time < at - block / 2):
                    continue
                for quiet, silence in _quiet(lead, time if at is None else at, time):
                    yield _placed(track, quiet, silence)
                    at = quiet + block
                time = time if at is None else max(time, at)
                at = time + block
                yield _placed(track, time, packet)
            heard = [voice]
        if not ended:
            for time, packet in _made(heard, lead, -block if at is None else at):
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
        for frame in as_frames(wave(self.voices, rate, layout, 0), rate, layout):
            yield from (dated(packet) for packet in track.encode(frame))
        yield from (dated(packet) for packet in track.encode(None))


def dated(packet: Packet) -> Timed:
    """A packet of an encoder with its second."""
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


def _inner(voice: Voice, kind: Kind, block: Fraction, whole: bool, last: bool) -> tuple[Fraction, Fraction]:
    """The seconds of the whole from which and until which packets of a sound stay: all of them at the beginning of the
    `whole` and at the end of the `last` one, else those that are away from its ends.
    """
    first = voice.offset + kind.start
    start, end = max(voice.start, first), min(voice.end, first + kind.seconds)
    return (voice.offset - LONG if whole else start + SEAM * block, end + LONG if last else end - SEAM * block)


def _later(voice: Voice, by: Fraction) -> Voice:
    """The same sound a little later, or earlier."""
    return replace(voice, offset=voice.offset + by, start=voice.start + by, end=voice.end + by)


def _quiet(kind: Kind, start: Fraction, end: Fraction) -> Iterator[tuple[Fraction, Packet]]:
    """Silence in whole packets of a kind of AAC, as many as have room."""
    room = int((end - start) * kind.rate) // BLOCK
    if room > 0:
        yield from islice(_made([], kind, start, end - start), room)


def _made(
    voices: Sequence[Voice], kind: Kind, start: Fraction, least: Fraction = Fraction(0)
) -> Iterator[tuple[Fraction, Packet]]:
    """What is heard from a time on, at least so many seconds, as AAC of a kind, in packets that follow one another."""
    context = av.Codec(AAC, "w").create("audio")
    context.sample_rate, context.layout, context.format = kind.rate, kind.layout, "fltp"
    context.bit_rate, context.time_base = BITS, Fraction(1, kind.rate)
    begin = start - Fraction(LEAD * BLOCK, kind.rate)
    near = [replace(voice, start=max(voice.start, begin)) for voice in voices if voice.end > begin]
    heard = wave(near, kind.rate, kind.layout, round(begin * kind.rate), round((start + least - begin) * kind.rate))
    for frame in _ended(as_frames(heard, kind.rate, kind.layout)):
        for packet in context.encode(frame):
            if packet.pts is not None and packet.pts >= LEAD * BLOCK:
                packet.time_base = Fraction(1, kind.rate)
                packet.duration = BLOCK
                yield begin + Fraction(packet.pts, kind.rate), packet


def _ended(frames: Iterator[av.AudioFrame]) -> Iterator[av.AudioFrame | None]:
    """Frames, and what makes an encoder give out what it holds."""
    yield from frames
    yield None


def as_frames(samples: Iterator[Samples], rate: int, layout: str) -> Iterator[av.AudioFrame]:
    """Samples as frames for an encoder, the first at 0."""
    at = 0
    for run in samples:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(run), format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, at, Fraction(1, rate)
        at += run.shape[1]
        yield frame


def wave(voices: Sequence[Voice], rate: int, layout: str, begin: int, least: int = 0) -> Iterator[Samples]:
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
        _seek(container, voice)
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


def _seek(container: InputContainer, voice: Voice) -> None:
    """Begin to decode not long before a sound is heard, where its file can be sought in."""
    stream, start = container.streams.audio[0], voice.start - voice.offset - BACK
    if container.format.name == INDEXED and start > 0 and stream.time_base:
        container.seek(int(start / stream.time_base), stream=stream)
