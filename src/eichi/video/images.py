"""Pictures from users: turned upright, flattened, fitted to the size of the video.

One geometry for every picture of a job. What may be wrong with a file is for `sources` to say. Knows nothing of models.
"""

from collections.abc import Callable
from math import ceil, sqrt
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageOps

from eichi.errors import PictureError
from eichi.events import Adjusted
from eichi.video import turning
from eichi.video.depth import shallow, strips
from eichi.video.profile import colours
from eichi.video.sources import open_picture
from eichi.video.tiff import mend

ROOM = 50_000_000  # pixels of a picture that is kept as it is
FAINT = 25  # of 255: what is painted no more than that does not tell which colour is painted

Fit = Literal["crop", "letterbox", "original"]
Part = Callable[[Image.Image], Image.Image]


def measure(path: Path) -> tuple[int, int]:
    """(width, height) of a picture as it is seen, from its header alone. Raises PictureError."""
    with open_picture(path) as image:
        _check(image, path)
        width, height = image.size
        return (height, width) if turning.swaps(turning.told(image)) else (width, height)


def _check(image: Image.Image, path: Path) -> None:
    """What an opened picture needs before it is measured or decoded. Raises PictureError."""
    mend(image, path)
    if image.mode in ("P", "PA") and image.palette is None:
        raise PictureError("error.picture.damaged", path=path, reason="reason.palette")


def load(path: Path) -> Image.Image:
    """A picture as upright 8-bit sRGB, transparency over white. Raises PictureError.

    One of more than `ROOM` pixels comes at half its size or less, which is more than a video is made of. What is white
    in one of more than eight bits, `depth` says.
    """

    def flat(image: Image.Image) -> Part:
        shown = colours(image)

        def over_white(part: Image.Image) -> Image.Image:
            if not part.has_transparency_data:
                return shown(part)
            clear = part.convert("RGBA").getchannel("A")
            return Image.composite(shown(_opaque(part)), Image.new("RGB", part.size, "white"), clear)

        return over_white

    made, _ = _read(path, "RGB", flat)
    assert made is not None
    return made


def alpha(path: Path) -> Image.Image | None:
    """The transparency of a picture, upright, 255 where it is opaque; None where all of it is. Raises PictureError."""

    def clear(image: Image.Image) -> Part | None:
        return (lambda part: part.convert("RGBA").getchannel("A")) if image.has_transparency_data else None

    band, _ = _read(path, "L", clear)
    return None if band is None or band.getextrema() == (255, 255) else band


def mask_of(path: Path) -> tuple[Image.Image | None, Adjusted | None]:
    """The mask that a picture's transparency is, and a word on it; None where all of it is opaque."""
    clear = alpha(path)
    return clear, None if clear is None else Adjusted("note.frame.alpha", {"path": str(path)})


def load_mask(path: Path) -> tuple[Image.Image, Adjusted | None]:
    """A mask, upright and grey, whatever its profile, and a word on its transparency or on what was taken for white in
    it. Raises PictureError.

    What is painted on a transparent ground says what the ground means: among white strokes it is black, among
    black ones, or where nothing is painted, white.
    """
    grey, white = _read(path, "L", lambda image: lambda part: _opaque(part).convert("RGB").convert("L"))
    painted = alpha(path)
    assert grey is not None
    if painted is None:
        return grey, None if white is None else Adjusted("note.mask.range", {"path": str(path), "white": white})
    strokes = ImageChops.multiply(grey, painted)
    if np.asarray(grey)[np.asarray(painted) > FAINT].max(initial=0) > 127:
        return strokes, Adjusted("note.mask.black", {"path": str(path)})
    return ImageChops.add(strokes, ImageChops.invert(painted)), Adjusted("note.mask.white", {"path": str(path)})


def stretch(mask: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A mask at the (width, height) of the picture that it is for."""
    return mask if mask.size == size else mask.resize(size, Image.Resampling.BILINEAR)


def fit(image: Image.Image, width: int, height: int, how: Fit) -> NDArray[np.uint8]:
    """A picture at the size of the video, [height, width, 3]: cover and crop the middle, letterbox on black, or
    cover and crop whole pixels as the first FramePack did.

    A mask, grey, goes the same way to [height, width], but without Lanczos, whose ringing would grey its black.
    """
    sampling = Image.Resampling.BILINEAR if image.mode == "L" else Image.Resampling.LANCZOS
    if how == "letterbox":
        fitted = ImageOps.pad(image, (width, height), sampling, color="black")
    elif how == "original":
        fitted = _covered(image, width, height, sampling)
    else:
        fitted = ImageOps.fit(image, (width, height), sampling)
    return np.asarray(fitted, dtype=np.uint8)


LEVELS = {"black": 0, "grey": 128, "white": 255}


def plain(kind: str, width: int, height: int, seed: int) -> NDArray[np.uint8]:
    """A picture [height, width, 3] that is nobody's: of one colour, or of noise that follows from the seed."""
    shape = (height, width, 3)
    if kind == "noise":
        return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return np.full(shape, LEVELS[kind], np.uint8)


def _covered(image: Image.Image, width: int, height: int, sampling: Image.Resampling) -> Image.Image:
    """In two steps: resized to whole pixels, then cropped at whole pixels, both rounded half to even."""
    scale = max(width / image.width, height / image.height)
    wide, high = round(image.width * scale), round(image.height * scale)
    if wide * high > ROOM:  # a strip, which would be scaled to gigapixels: nobody's seeds were made with one
        return ImageOps.fit(image, (width, height), sampling)
    resized = image if image.size == (width, height) else image.resize((wide, high), sampling)
    left, top = round((wide - width) / 2), round((high - height) / 2)
    return resized.crop((left, top, left + width, top + height))


def _read(
    path: Path, mode: str, convert: Callable[[Image.Image], Part | None]
) -> tuple[Image.Image | None, int | None]:
    """A picture, upright, whose parts are converted to a mode one after the other, None where `convert` says so; and
    the number that was guessed to be white in it, where one was.
    """
    made, number, white = _converted(path, mode, convert)
    return None if made is None else turning.turn(made, number), white


def _converted(
    path: Path, mode: str, convert: Callable[[Image.Image], Part | None]
) -> tuple[Image.Image | None, int, int | None]:
    """The same as it lies in the file, and which way up that is.

    Going by parts, no second copy of a large one is made. What is above `ROOM` pixels is made smaller on the way, by a
    JPEG's own decoder where it is one.
    """
    with open_picture(path) as image:
        _check(image, path)
        number = turning.told(image)
        turning.keep_from_pillow(image)
        share = ceil(sqrt(image.width * image.height / ROOM))
        if share > 1:
            image.draft(None, (image.width // share, image.height // share))
            share = ceil(sqrt(image.width * image.height / ROOM))
        part = convert(image)
        if part is None:
            return None, number, None
        image.load()
        eight_bits, white = shallow(image)
        made = Image.new(mode, (ceil(image.width / share), ceil(image.height / share)))
        for top, strip in strips(image, share):
            converted = part(eight_bits(strip))
            made.paste(converted.reduce(share) if share > 1 else converted, (0, top // share))
        return made, number, white


def _opaque(part: Image.Image) -> Image.Image:
    """A part of a picture whose colours are as they are where it is opaque, whatever its transparency."""
    part.info.pop("transparency", None)
    return part.convert("RGBA") if part.mode == "RGBa" else part
