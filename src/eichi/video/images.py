"""Pictures from users: opened with care, turned upright, flattened, fitted to the size of the video.

One geometry for every picture of a job. Nothing here trusts a file: it may be missing, a folder, no picture at all,
empty, or made to unpack to more memory than there is. Knows nothing of models.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from eichi.errors import PictureError

# 100 megapixels: more than any camera in the field makes, less than memory minds.
MAX_PIXELS = 100_000_000

Fit = Literal["crop", "letterbox"]


def measure(path: Path) -> tuple[int, int]:
    """(width, height) of a picture as it is seen, from its header alone. Raises PictureError."""
    with _opened(path) as image:
        turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)  # orientations that swap the sides
        return (image.height, image.width) if turned else (image.width, image.height)


def load(path: Path) -> Image.Image:
    """A picture as upright 8-bit RGB, transparency over white. Raises PictureError."""
    with _opened(path) as image:
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
    with _opened(path) as image:
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


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The one place where Pillow's and the system's complaints about a picture become ours."""
    try:
        if not path.exists():
            raise PictureError("error.picture.missing", path=path)
        if path.is_dir():
            raise PictureError("error.picture.folder", path=path)
        with warnings.catch_warnings():
            # What matters is refused below; Pillow's warnings about odd tags and large sizes are not for users.
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise Image.DecompressionBombError
                yield image
    except UnidentifiedImageError as error:
        raise PictureError("error.picture.unknown", path=path) from error
    except Image.DecompressionBombError as error:
        raise PictureError("error.picture.large", path=path, limit=MAX_PIXELS // 1_000_000) from error
    except (OSError, SyntaxError, ValueError, MemoryError) as error:  # what Pillow's readers raise on damaged files
        raise PictureError("error.picture.damaged", path=path, reason=error) from error
