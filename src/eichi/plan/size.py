"""The size of a video: the published (height, width) whose shape is nearest to the picture's."""

from eichi.catalog import Sizes


def nearest(sizes: Sizes, width: int, height: int) -> tuple[int, int]:
    """(height, width) for a picture of `width` x `height` pixels; of equally near sizes the later one wins.

    The distance |height * w - width * h| is not scale-free, so that smaller sizes are slightly favoured. It is kept
    because it decides which sizes the released models' users know.
    """
    best = min(abs(height * w - width * h) for h, w in sizes)
    return [(h, w) for h, w in sizes if abs(height * w - width * h) == best][-1]
