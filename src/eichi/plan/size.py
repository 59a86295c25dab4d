"""The size of a video: the published (height, width) whose shape is nearest to the picture's."""

from fractions import Fraction

from eichi.catalog import LATER, SIDE, Entry, Sizes
from eichi.errors import OptionError


def published(entry: Entry, resolution: int, picture: tuple[int, int], first: bool = False) -> tuple[int, int]:
    """A model's (height, width) of that resolution for a picture of (width, height) pixels, on request one of those
    that the first FramePack had. Raises OptionError.
    """
    if resolution not in entry.sizes:
        known = ", ".join(map(str, entry.sizes))
        raise OptionError("error.resolution.unknown", value=resolution, model=entry.name, known=known)
    sizes = entry.sizes[resolution]
    return nearest(tuple(size for size in sizes if size not in LATER) if first else sizes, *picture)


def usual(entry: Entry, picture: tuple[int, int]) -> int:
    """The resolution that a model takes for a picture of (width, height) pixels if none is asked for."""
    least = min(height * width for height, width in entry.sizes[entry.resolution])
    if entry.small is not None and picture[0] * picture[1] < least:
        return entry.small
    return entry.resolution


def resolution_of(entry: Entry, size: tuple[int, int]) -> int | None:
    """A model's resolution by which a picture of (height, width) keeps its size, None where there is none."""
    return next((one for one, sizes in entry.sizes.items() if nearest(sizes, size[1], size[0]) == size), None)


def clip_size(entry: Entry, resolution: int | None, clip: tuple[int, int]) -> tuple[int, int]:
    """(height, width) to encode a clip of (width, height) pixels at, its own by default. Raises OptionError."""
    if resolution is not None:
        return published(entry, resolution, clip)
    width, height = clip
    if width % SIDE or height % SIDE:
        known = ", ".join(map(str, entry.sizes))
        raise OptionError("error.video.sides", size=size_words(*clip), side=SIDE, flag="--resolution", known=known)
    return height, width


def stretched(theirs: tuple[int, int], ours: tuple[int, int]) -> Fraction:
    """How much of its form a picture of (width, height) loses that is made to fill another size; nothing is 0."""
    share = Fraction(theirs[0] * ours[1], theirs[1] * ours[0])
    return max(share, 1 / share) - 1


def size_words(width: int, height: int) -> str:
    """A size as it is written everywhere."""
    return f"{width}x{height}"


def nearest(sizes: Sizes, width: int, height: int) -> tuple[int, int]:
    """(height, width) for a picture of `width` x `height` pixels; of equally near sizes the later one wins.

    The distance |height * w - width * h| is not scale-free, so that smaller sizes are slightly favoured. It is kept
    because it decides which sizes the released models' users know.
    """
    best = min(abs(height * w - width * h) for h, w in sizes)
    return [(h, w) for h, w in sizes if abs(height * w - width * h) == best][-1]
