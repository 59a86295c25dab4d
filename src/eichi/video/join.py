"""A new part joined to the videos that it follows or leads up to: these as they were, packet by packet, if possible.

H.264 of eight bits in 4:2:0 is not encoded again: the new part is made in its form, with parameter sets of another
number, and the one track lists both (`avc`). What is anything else is encoded once, before the parts are joined, and
said. Packets are copied from file to file, so that no length of a video takes more memory than another. Of times only
that of decoding is counted anew, for all parts alike. Knows nothing of latents, requests or jobs.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from copy import copy
from dataclasses import dataclass, replace
from fractions import Fraction
from heapq import merge
from io import RawIOBase
from math import ceil, lcm
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from eichi.errors import InputError
from eichi.events import Adjusted, Converted, Whole
from eichi.files import aside
from eichi.video import sound
from eichi.video.avc import Sets, free_numbers, read_sets, together
from eichi.video.clip import Clip, look, times_of
from eichi.video.colours import to_video
from eichi.video.form import FPS, Form, Pace
from eichi.video.reader import read_frames
from eichi.video.sound import Timed
from eichi.video.sources import open_video, video_of
from eichi.video.writer import MOVFLAGS, add_track, writing

LONGEST = 2**31 - 1  # ticks of a second that an MP4 can tell
TICKS = 90_000  # of a second, for what has none in common
SPARE = 3  # numbers of parameter sets: of the new part, and of what has to be encoded on either side
TOLD = 30  # frames encoded between two words on it


@dataclass(frozen=True)
class Around:
    """The video that a new part follows, the one that it leads up to, and the file whose sound it has."""

    before: Path | None = None
    after: Path | None = None
    sound: Path | None = None

    def __bool__(self) -> bool:
        return any((self.before, self.after, self.sound))


@dataclass(frozen=True)
class Side:
    """A video beside the new part; `reason` is why it has to be encoded, None where it is copied, `number` that of the
    parameter sets that it is encoded with.
    """

    path: Path
    clip: Clip
    reason: str | None
    number: int


@dataclass(frozen=True)
class Run:
    """A file whose frames are part of the video, and the second there at which the first of them is shown."""

    path: Path
    start: Fraction


class Join:
    """How a new part of `frames` frames, made at 30 a second in `size` (width, height), becomes one video with what is
    around it. Raises InputError for a video or a sound that cannot be read.

    `form` is what the new part has to be written in, `pace` which of its frames are shown, from the second `begin` of
    the whole to `end`; all of it lasts `seconds`. Of the places that are shown those from `first` on are there, `shown`
    of them: all, unless it is `cut`. `notes` are what is done otherwise than left as it is.
    """

    def __init__(self, around: Around, frames: int, size: tuple[int, int]) -> None:
        self.around = around
        clips = {path: look(path) for path in (around.before, around.after) if path is not None}
        lead = next(iter(clips.values()), None)
        rate = lead.rate if lead and lead.rate else Fraction(FPS)
        numbers = free_numbers([clip.sets for clip in clips.values() if clip.sets], SPARE)
        self.form = _form(lead, size, rate, numbers[0])
        self.pace = Pace(frames, rate, backward=around.before is None and around.after is not None)
        known = lead.sets if lead and lead.copied else None
        self.before = self._side(around.before, clips, known, numbers[1])
        self.after = self._side(around.after, clips, known, numbers[2])
        self.sides = [side for side in (self.before, self.after) if side is not None]
        self._put(0, self.pace.total)
        self.notes = tuple(self._notes())

    def _put(self, first: int, end: int) -> None:
        """Find the times of what is shown, the new part's places [first, end) and what is around them."""
        self.first, self.shown = first, end - first
        self.begin = self.before.clip.end - self.before.clip.begin if self.before else Fraction(0)
        self.end = self.begin + self.shown / self.form.rate
        self.seconds = self.end + (self.after.clip.seconds if self.after else 0)
        self.sound = sound.Track(self._voices())

    @property
    def whole(self) -> Whole | None:
        """The whole video, None where that is the new part alone."""
        frames = self.shown + sum(side.clip.frames for side in self.sides)
        return Whole(frames, round(float(self.seconds), 3)) if self.sides else None

    def cut(self, first: int, end: int) -> "Join":
        """The same with no more of the new part than its places [first, end), and with those videos that they meet."""
        made = copy(self)
        made.before = self.before if first == 0 else None
        made.after = self.after if end == self.pace.total else None
        made.sides = [side for side in (made.before, made.after) if side is not None]
        made._put(first, end)
        return made

    def _side(self, path: Path | None, clips: Mapping[Path, Clip], known: Sets | None, number: int) -> Side | None:
        """One of the videos around, copied where its form is that of the whole and its sets clash with no others."""
        if path is None:
            return None
        clip = clips[path]
        reason = clip.reason
        if clip.copied:
            fits = clip.form.look == self.form.look and clip.sets is not None
            reason = None if fits and (known is None or known.agrees(clip.sets or known)) else "reason.join.other"
        return Side(path, clip, reason, number)

    def _notes(self) -> Iterator[Adjusted]:
        for side in self.sides:
            if side.reason is not None:
                yield Adjusted("note.join.encoded", {"path": str(side.path), "reason": side.reason})
            if side.clip.bright:
                yield Adjusted("note.video.bright", {"path": str(side.path)})
            if side.clip.rate is None:
                yield Adjusted("note.join.uneven", {"path": str(side.path), "fps": FPS})
        if self.before and self.after and _shape(self.before.clip) != _shape(self.after.clip):
            path, form = str(self.after.path), self.form
            yield Adjusted("note.join.stretched", {"path": path, "width": form.width, "height": form.height})
        yield from self.sound.notes

    def _voices(self) -> list[sound.Voice]:
        """What is heard, in the order of time: each until the next one begins."""
        voices: list[sound.Voice] = []
        end = self.seconds
        if self.before and self.before.clip.sound:
            last = self.end if self.after and self.after.clip.sound else end
            last = self.begin if self.around.sound else last
            voices.append(sound.Voice(self.before.path, -self.before.clip.begin, Fraction(0), last))
        if self.around.sound:
            start = self.begin - self.first / self.form.rate
            voices.append(sound.Voice(self.around.sound, start, self.begin, self.end, whole=True))
        if self.after and self.after.clip.sound:
            voices.append(sound.Voice(self.after.path, self.end - self.after.clip.start, self.end, end))
        return voices

    def lay(
        self, folder: Path, crf: int, finished: Callable[[Path], object] = lambda path: None
    ) -> Iterator[Converted]:
        """Encode into `folder` what cannot be copied, unless it lies there, and rehearse the joining.

        Before anything is made, so that a damaged file does not show itself after hours. Raises InputError, DiskError.
        """
        for side in self.sides:
            path = _laid(folder, side)
            if side.reason is not None and not path.is_file():
                folder.mkdir(parents=True, exist_ok=True)
                with writing(path), _blamed(side.path):
                    yield from _encode(side, path, replace(self.form, number=side.number), crf)
                finished(path)
        runs, around = self._runs(folder, {}), (self.around.before, self.around.after, self.around.sound)
        with _blamed(next(filter(None, around))), av.open(Void(), "w", format="mp4") as output:  # noqa: TID251
            self._mux(output, runs)

    def write(self, folder: Path, segments: Mapping[int, Path], target: Path, tags: Mapping[str, str]) -> int:
        """The whole video, of the new part's segments by the places of their first frames, and of what was laid down.

        Returns its frames. Raises InputError, and what FFmpeg and the system say of the target.
        """
        runs = self._runs(folder, segments)
        with av.open(str(target), "w", format="mp4", options=MOVFLAGS) as output:  # noqa: TID251
            output.metadata.update(tags)
            return self._mux(output, runs)

    def _runs(self, folder: Path, segments: Mapping[int, Path]) -> list[Run]:
        """Everything that is shown, in order."""
        placed = sorted(segments.items())
        runs = [Run(path, self.begin + (first - self.first) / self.form.rate) for first, path in placed]
        if self.before:
            runs.insert(0, _run(folder, self.before, self.before.clip.start - self.before.clip.begin))
        if self.after:
            runs.append(_run(folder, self.after, self.end))
        return runs

    def _mux(self, output: OutputContainer, runs: Sequence[Run]) -> int:
        """Copy all packets in the order of time. Returns the frames."""
        frames: Iterator[Timed] = iter(())
        count = 0
        if runs:
            track, clock = _track(output, self._template(runs), runs), _Clock.of(runs, self.form.rate)
            track.time_base = clock.base
            frames, count = clock.packets(runs, track), len(clock.order)
        for _, packet in merge(frames, self.sound.packets(output), key=lambda one: one[0]):
            output.mux(packet)
        return count

    def _template(self, runs: Sequence[Run]) -> Path:
        """The file whose track says what the whole one is: one that is copied, or else the first."""
        copied = [side.path for side in self.sides if side.reason is None]
        return copied[0] if copied else runs[0].path


class Void(RawIOBase):
    """A file that keeps nothing of what is written to it."""

    def __init__(self) -> None:
        self._at = self._size = 0

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._at += len(data)
        self._size = max(self._size, self._at)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at


@contextmanager
def _blamed(path: Path) -> Iterator[None]:
    """What FFmpeg finds to be no sense is the fault of the file that it comes from, not of the one that it goes to."""
    try:
        yield
    except (av.error.InvalidDataError, av.error.PatchWelcomeError, av.error.ArgumentError) as error:
        raise InputError("error.video.read", path=path, reason="reason.damaged") from error


@dataclass(frozen=True)
class _Clock:
    """The times of a track: the ticks at which its frames are shown, in order, how many before that each is to be
    decoded at the latest, and the first time in each file, in its own ticks.
    """

    base: Fraction
    order: NDArray[np.int64]
    delay: int
    firsts: tuple[int, ...]

    @classmethod
    def of(cls, runs: Sequence[Run], rate: Fraction) -> "_Clock":
        times = [times_of(run.path) for run in runs]
        ticks = lcm(rate.numerator, *(one.base.denominator for one in times))
        base = Fraction(1, ticks if ticks <= LONGEST else TICKS)
        order = [
            round((int(at - one.shown[0]) * one.base + run.start) / base)
            for run, one in zip(runs, times, strict=True)
            for at in one.shown
        ]
        delay = max(ceil(one.delay * one.base / base) for one in times)
        return cls(base, np.array(order, dtype=np.int64), delay, tuple(int(one.shown[0]) for one in times))

    def packets(self, runs: Sequence[Run], track: VideoStream) -> Iterator[Timed]:
        """The packets of all runs with their times in the whole, and the second at which each is decoded."""
        count = 0
        for run, first in zip(runs, self.firsts, strict=True):
            with open_video(run.path) as container:
                given = video_of(container)
                base = given.time_base or Fraction(1, FPS)
                for packet in container.demux(given):
                    if packet.pts is None:
                        continue  # the empty packet that ends a stream
                    packet.pts = round(((packet.pts - first) * base + run.start) / self.base)
                    packet.dts = int(self.order[count]) - self.delay
                    packet.duration = round((packet.duration or 0) * base / self.base)
                    packet.time_base, packet.stream = self.base, track
                    yield float(packet.dts * self.base), packet
                    count += 1


def _track(output: OutputContainer, template: Path, runs: Sequence[Run]) -> VideoStream:
    """The one track of all runs, with the parameter sets of each."""
    several: dict[Sets, None] = {}
    for run in runs:
        with open_video(run.path) as container:
            sets = read_sets(video_of(container).codec_context.extradata)
            assert sets is not None, f"no H.264 as an MP4 has it: {run.path}"
            several[sets] = None
    with open_video(template) as container:
        track = output.add_stream_from_template(video_of(container))
    track.codec_context.extradata = together(list(several)).dump()
    return track


def _form(lead: Clip | None, size: tuple[int, int], rate: Fraction, number: int) -> Form:
    """The form of the whole: that of the video which is left as it is, else ours, whose sides are even."""
    if lead is not None and lead.copied:
        return replace(lead.form, rate=rate, number=number)
    width, height = (lead.width, lead.height) if lead is not None else size
    return Form(width + width % 2, height + height % 2, rate, number=number)


def _shape(clip: Clip) -> Fraction:
    return Fraction(clip.width, clip.height)


def _laid(folder: Path, side: Side) -> Path:
    """Where a video lies that had to be encoded."""
    return folder / f"beside-{side.number}.mp4"


def _run(folder: Path, side: Side, start: Fraction) -> Run:
    return Run(side.path if side.reason is None else _laid(folder, side), start)


def _encode(side: Side, path: Path, form: Form, crf: int) -> Iterator[Converted]:
    """All frames of a video in a form, each at its time, one after the other."""
    rate = side.clip.rate or form.rate
    base = Fraction(1, min(lcm(TICKS, rate.numerator), LONGEST))
    with aside(path) as draft, av.open(str(draft), "w", format="mp4") as output:  # noqa: TID251
        track = add_track(output, replace(form, rate=rate), crf)
        track.codec_context.time_base = base
        before, times = -1, times_of(side.path)
        places = ((int(at - times.shown[0]) * times.base) / base for at in times.shown)
        with closing(read_frames(side.path)) as frames:
            for count, (place, given) in enumerate(zip(places, frames, strict=False), start=1):
                frame = to_video(_even(given.pixels), form)
                frame.pts = before = max(round(place), before + 1)
                frame.time_base = base
                output.mux(track.encode(frame))
                if count % TOLD == 0:
                    yield Converted(count, side.clip.frames)
        output.mux(track.encode(None))


def _even(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A frame whose sides are even, as 4:2:0 needs them: the last row and column are there twice, nothing is scaled."""
    height, width = pixels.shape[:2]
    return np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), "edge") if height % 2 or width % 2 else pixels
