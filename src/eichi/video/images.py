"""Pictures from users: turned upright, flattened, fitted to the size of the video.

One geometry for every picture of a job. What may be wrong with a file is for `sources` to say. Knows nothing of models.
"""

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from eichi.video.sources import open_picture

Fit = Literal["crop", "letterbox"]


def measure(path: Path) -> tuple[int, int]:
    """(width, height) of a picture as it is seen, from its header alone. Raises PictureError."""
    with open_picture(path) as image:
        turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)  # orientations that swap the sides
        return (image.height, image.width) if turned else (image.width, image.height)


def load(path: Path) -> Image.Image:
    """A picture as upright 8-bit RGB, transparency over white. Raises PictureError."""
    with open_picture(path) as image:
        image.load()
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith(("I", "F")):
            upright = _eight_bit(upright)
        if upright.has_transparency_data:
            rgba = upright.convert("RGBA")
            white = Image.new("RGBA", rgba.size, "white")
            return Image.alpha_composite(white, rgba).convert("RGB")
        return upright.convert("RGB")


def alpha(path: Path) -> Image.Image | None:
    """The transparency of a picture, upright, 255 where it is opaque; None where all of it is. Raises PictureError."""
    with open_picture(path) as image:
        image.load()
        upright = ImageOps.exif_transpose(image)
        if not upright.has_transparency_data:
            return None
        band = upright.convert("RGBA").getchannel("A")
        return None if band.getextrema() == (255, 255) else band


def stretch(mask: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A mask at the (width, height) of the picture that it is for."""
    return mask if mask.size == size else mask.resize(size, Image.Resampling.BILINEAR)


def fit(image: Image.Image, width: int, height: int, how: Fit) -> NDArray[np.uint8]:
    """A picture at the size of the video, [height, width, 3]: cover and crop the middle, or letterbox on black.

    A mask, grey, goes the same way to [height, width], but without Lanczos, whose ringing would grey its black.
    """
    sampling = Image.Resampling.BILINEAR if image.mode == "L" else Image.Resampling.LANCZOS
    if how == "letterbox":
        fitted = ImageOps.pad(image, (width, height), sampling, color="black")
    else:
        fitted = ImageOps.fit(image, (width, height), sampling)
    return np.asarray(fitted, dtype=np.uint8)


def _eight_bit(image: Image.Image) -> Image.Image:
    """16-bit grey and its kin by their full range; Pillow's own conversion would clip them to white.

    32-bit pictures do not say their range: up to 1 (floats), 255 or 65535 is assumed, whichever holds all values.
    """
    values = np.nan_to_num(np.asarray(image, dtype=np.float64))
    highest = values.max(initial=0.0)
    if image.mode.startswith("I;16") or highest > 255:
        top = 65535.0
    else:
        top = 1.0 if image.mode == "F" and highest <= 1.0 else 255.0
    return Image.fromarray((values / top * 255).clip(0, 255).astype(np.uint8))
