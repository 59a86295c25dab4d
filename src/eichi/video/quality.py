"""Does a finished section look wrong: black, frozen, or of other colours than the video's pictures?

Figures on frames as they become final, one frame and a few sums held for each section that is not complete. A flag is
a word to the user and changes nothing: the file is the same with and without it. Invalid numbers (NaN) in latents end
a job by themselves; where only the decoder fails it gives black frames, which are seen here.

Frames are compared as means of 8 x 8 pixels, the area of one latent, so that a flag costs little and grain counts
little. The limits below were measured, with what came nearest to each without being wrong; see tests/video.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from eichi.events import Event, Flagged, FramesReady
from eichi.plan.plan import Plan, SectionPlan

BLOCK = 8

# A frame is black where 98 % of it, as in FFmpeg's blackdetect, are darker than this, of 255. FFmpeg's own limit of 26
# takes night scenes for black: photographs at a twentieth of their light have 2 % above 5.5, a failed decode has 0.
DARK = 5.0
SHARE = 98.0
# One latent that failed is four black frames; a single dark frame may be a cut or a flash of the scene's own.
BLACK_FRAMES = 4

# A section is frozen where no block of any frame differs by more than this from the section's first, on average of
# its pixels. Grain of half a level on a still photograph gives 0.7 to 1.0, of a quarter, which rounding hides, 0.3.
STILL = 0.5

# Share of the full range by which the mean or the spread of a colour, or the mean saturation, may leave what the
# request's pictures span. Zooming to twice the size and panning by a third change photographs by up to 0.09; a fifth
# more light changes them by 0.20, twice the saturation by 0.14 to 0.30.
DRIFT = 0.15


@dataclass
class Tally:
    """What is known of a section whose frames are not all here yet."""

    section: SectionPlan
    frames: int = 0
    black: int = 0
    change: float = 0.0
    first: NDArray[np.uint8] | None = None
    sums: NDArray[np.float64] = field(default_factory=lambda: np.zeros(7))

    @property
    def complete(self) -> bool:
        return self.frames == self.section.end_frame - self.section.start_frame

    def add(self, frame: NDArray[np.uint8]) -> None:
        """Take in one frame [height, width, 3]."""
        small = shrink(frame)
        self.frames += 1
        self.black += is_black(small)
        self.sums += colours(small)
        if self.first is None:
            self.first = frame.copy()
        elif self.change <= STILL:  # beyond that the section moves, whatever comes
            self.change = max(self.change, float(shrink(np.abs(frame.astype(np.int16) - self.first)).max()))


class Quality:
    """Follows the frames of one job. `pictures` are those of the request, fitted, [height, width, 3] each."""

    def __init__(self, plan: Plan, pictures: Iterable[NDArray[np.uint8]]) -> None:
        small = [shrink(picture) for picture in pictures]
        known = np.stack([colours(picture) for picture in small])
        self.low, self.high = known.min(axis=0), known.max(axis=0)
        if plan.made:  # what is made has no colours of the video's
            self.low, self.high = np.full_like(self.low, -np.inf), np.full_like(self.high, np.inf)
        self.dark = any(is_black(picture) for picture in small)
        self.tallies = [Tally(section) for section in plan.sections]

    def take(self, event: FramesReady) -> Iterator[Flagged]:
        """The flags of the sections that these frames complete."""
        end = event.first + len(event.frames)
        for tally in self.tallies:
            section = tally.section
            for index in range(max(section.start_frame, event.first), min(section.end_frame, end)):
                tally.add(event.frames[index - event.first])
                if tally.complete:
                    yield from self._flags(tally)
                    tally.first = None

    def _flags(self, tally: Tally) -> Iterator[Flagged]:
        """What is wrong with a complete section. A video that has a black picture may be black."""
        number, count = tally.section.number, tally.frames
        if tally.black >= BLACK_FRAMES and not self.dark:
            yield Flagged(number, "flag.black", {"frames": tally.black, "count": count})
            return  # all else follows from it
        if tally.change <= STILL:
            yield Flagged(number, "flag.frozen", {"change": round(tally.change, 2)})
        mean = tally.sums / count
        drift = float(np.maximum(self.low - mean, mean - self.high).max())
        if drift > DRIFT:
            yield Flagged(number, "flag.drift", {"percent": round(100 * drift)})


def watch(plan: Plan, pictures: Iterable[NDArray[np.uint8]], events: Iterable[Event]) -> Iterator[Event]:
    """The events of a job, and behind the frames that complete a section what is wrong with it."""
    quality = Quality(plan, pictures)
    for event in events:
        yield event
        if isinstance(event, FramesReady):
            yield from quality.take(event)


def shrink(frame: NDArray[np.uint8] | NDArray[np.int16]) -> NDArray[np.float32]:
    """Means of blocks, [height/8, width/8, 3]."""
    height, width, _ = frame.shape
    blocks = frame.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK, 3)
    means: NDArray[np.float32] = blocks.mean(axis=(1, 3), dtype=np.float32)
    return means


def is_black(small: NDArray[np.float32]) -> bool:
    """Whether nearly all of a shrunk frame is as good as black."""
    luma = small @ np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)
    return bool(np.percentile(luma, SHARE) < DARK)


def colours(small: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean and spread of red, green, blue in a shrunk frame, and its mean saturation, as shares of the full range."""
    flat = small.reshape(-1, 3).astype(np.float64) / 255.0
    return np.concatenate([flat.mean(axis=0), flat.std(axis=0), [np.ptp(flat, axis=1).mean()]])
