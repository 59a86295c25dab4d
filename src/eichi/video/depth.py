"""How a picture becomes eight bits deep: which of its numbers is white, and which is black.

8-bit pictures are left alone but signed ones. 16-bit grey, which Pillow's own conversion would clip to white, has its
full range; signed numbers have the half of theirs that is not negative, and what is below 0 is black. 32-bit pictures
do not say their range, so it is guessed:

- Floats are 0 to 1, and what lies above is white: a mask may overshoot, a light may be brighter than paper. Where half
  of what is not black lies above 1, they are 0 to 255 or 0 to 65535 if something lies far above, and else the
  brightest is white, but for a little that is overshot.
- Whole numbers are 0 to 255, 65535 or all that their kind can hold, the first that holds all of them.
"""

from collections.abc import Callable, Iterator
from math import ceil

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import BITSPERSAMPLE, PHOTOMETRIC_INTERPRETATION, SAMPLEFORMAT, TiffImageFile

Part = Callable[[Image.Image], Image.Image]
STRIP = 2**20  # pixels that are converted at once
SIGNED = 2  # of TIFF's kinds of samples
SHOT = 1.5  # what is no higher was 1 before it was made sharper or smaller
FAR = 50  # no light is that many times as bright as paper in a picture that is brighter than paper on the whole
OVER = 4  # times 255 that a float of a picture of 0 to 255 may be


def strips(image: Image.Image, share: int = 1) -> Iterator[tuple[int, Image.Image]]:
    """A picture from the top down, some rows at a time, a multiple of `share`: where they begin, and they."""
    rows = max(STRIP // image.width // share, 1) * share
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def shallow(image: Image.Image) -> tuple[Part, int | None]:
    """How parts of a picture become eight bits deep, and the number that was guessed to be white, if one was."""
    tags = image.tag_v2 if isinstance(image, TiffImageFile) else {}
    signed, bits = tags.get(SAMPLEFORMAT, (1,))[0] == SIGNED, tags.get(BITSPERSAMPLE, (1,))[0]
    if not (image.mode.startswith(("I", "F")) or (image.mode == "L" and signed)):
        return lambda part: part, None
    kind = np.dtype({"L": "i1", "I": "i4" if signed or not tags else "u4"}.get(image.mode, "f4"))
    white, guessed = 2 ** min(bits - 1 if signed else bits, 16) - 1 if bits > 1 else 65535, False
    if image.mode == "F":
        white, guessed = _of_floats(image)
    elif image.mode == "I":
        white, guessed = _of_whole(image, kind, bits), True
    inverted = bool(tags) and tags.get(PHOTOMETRIC_INTERPRETATION, 0) == 0
    clear = image.info.get("transparency")

    def part_of(part: Image.Image) -> Image.Image:
        values = np.nan_to_num(_numbers(part, kind).astype(np.float32)).clip(0, white) / white * 255
        grey = Image.fromarray((255 - values if inverted else values).astype(np.uint8))
        if isinstance(clear, int):
            grey.putalpha(Image.fromarray(np.where(np.asarray(part) == clear, 0, 255).astype(np.uint8)))
        return grey

    return part_of, white if guessed else None


def _numbers(part: Image.Image, kind: np.dtype[np.generic]) -> NDArray[np.generic]:
    """The numbers of a part as the file means them: Pillow takes all of 32 bits for signed, all of 8 for not signed."""
    pixels = np.asarray(part)
    return pixels.view(kind) if kind.kind in "iu" else pixels


def _of_whole(image: Image.Image, kind: np.dtype[np.generic], bits: int) -> int:
    highest = max(int(_numbers(strip, kind).max(initial=0)) for _, strip in strips(image))
    full = 2 ** (bits - 1 if kind.kind == "i" else bits) - 1
    return next((white for white in (255, 65535) if highest <= white < full), full)


def _of_floats(image: Image.Image) -> tuple[int, bool]:
    """White, and whether anything lies above 1, so that it is a guess."""
    highest, painted, above = 0.0, 0, 0
    for _, strip in strips(image):
        values = np.asarray(strip)
        values = values[np.isfinite(values)]
        highest = max(highest, float(values.max(initial=0)))
        painted += int((values > 0).sum())
        above += int((values > 1).sum())
    if above * 2 < painted or highest < SHOT:
        return 1, highest > 1
    if highest <= FAR:
        return ceil(highest), True
    return (255 if highest <= 255 * OVER else 65535), True
