"""How frames are laid down in a video: size, rate, colours, turn; ours, or that of a video that they are joined to.

Frames are made at 30 a second. At another rate a frame shows the made one that is nearest in time, so that motion goes
on at its pace. Knows nothing of files.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor

import av
from av.video.stream import VideoStream

FPS = 30
BT709 = 1  # the number of BT.709 in H.264's tables of primaries, transfer and matrix
LIMITED, FULL = 1, 2  # "tv" and "pc" range in FFmpeg's numbering
UPRIGHT = 1  # of the ways of `turning`
OURS = (BT709, BT709, BT709, LIMITED)


@dataclass(frozen=True)
class Form:
    """The form of a track: `width` and `height` as they are stored, `shape` that of a pixel, `turned` how frames lie in
    it, `colours` the numbers of primaries, transfer, matrix and range, `number` that of its parameter sets.
    """

    width: int
    height: int
    rate: Fraction = Fraction(FPS)
    shape: Fraction = Fraction(1)
    turned: int = UPRIGHT
    colours: tuple[int, int, int, int] = OURS
    number: int = 0

    @property
    def look(self) -> "Form":
        """All that has to be equal in every part of a track."""
        return replace(self, rate=Fraction(FPS), number=0)


def form_of(stream: VideoStream, first: av.VideoFrame, turned: int) -> Form:
    """The form of a track that there is, by its header and its first frame."""
    full = first.format.name.startswith("yuvj") or first.color_range == FULL
    colours = (first.color_primaries, first.color_trc, first.colorspace, FULL if full else int(first.color_range))
    shape = stream.sample_aspect_ratio or Fraction(1)
    return Form(first.width, first.height, shape=shape, turned=turned, colours=colours)


@dataclass(frozen=True)
class Pace:
    """Which of `frames` that were made at 30 a second are shown at `rate`.

    They follow a video, one step of theirs behind its last frame; those that only lead up to one, `backward`, end one
    step before its first.
    """

    frames: int
    rate: Fraction = Fraction(FPS)
    backward: bool = False

    @property
    def total(self) -> int:
        """How many are shown: as long as what was made, at least one."""
        return max(floor(self.frames * self.rate / FPS + Fraction(1, 2)), 1)

    def made(self, shown: int) -> int:
        """The made frame that is shown at a place."""
        place = self.total - 1 - shown if self.backward else shown
        nearest = min(max(floor((place + 1) * FPS / self.rate + Fraction(1, 2)) - 1, 0), self.frames - 1)
        return self.frames - 1 - nearest if self.backward else nearest

    def places(self, first: int, end: int) -> range:
        """Where the made frames [first, end) are shown."""
        low = self._from(first)
        return range(low, self._from(end))

    def _from(self, made: int) -> int:
        """The first place that shows a made frame or a later one."""
        if made >= self.frames:
            return self.total
        near = min(max(floor(made * self.rate / FPS) - 2, 0), self.total)
        while near > 0 and self.made(near - 1) >= made:
            near -= 1
        while near < self.total and self.made(near) < made:
            near += 1
        return near
