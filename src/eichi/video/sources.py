"""Whatever people bring: the one place where pictures and videos from outside are opened.

Nothing here trusts a file: it may be missing, a folder, a pipe, no picture at all, empty, or made to unpack to more
memory than there is. What it is says its content, out of a short list, and its header says how large it is before
anything is decoded. What is wrong with it is said by our own errors alone. Knows nothing of how pictures are used.
"""

import io
import os
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import av
from av.container import InputContainer
from PIL import Image, UnidentifiedImageError
from pillow_heif import HeifImageFile

from eichi.errors import InputError, PictureError
from eichi.video import png

# 100 megapixels: more than any camera in the field makes, less than memory minds.
MAX_PIXELS = 100_000_000
MAX_FRAME = 40_000_000  # pixels of a video's frame: 8K; decoders hold a dozen of them

# And HEIC. A JPEG may be an MPO, which is several in one file.
PICTURES = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
ENDINGS = {
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff",
    ".avif", ".avifs", ".heic", ".heics", ".heif", ".heifs", ".hif",
}  # fmt: skip
HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
# Containers that hold all that they show; FFmpeg knows others, which name files and addresses to be opened.
VIDEOS = "mov,mp4,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,gif,apng,png_pipe,jpeg_pipe,webp_pipe"

# What Pillow's readers raise on damaged files.
DAMAGE = (
    OSError, SyntaxError, ValueError, MemoryError, TypeError, LookupError, AttributeError, ArithmeticError,
    AssertionError, EOFError, RuntimeError, struct.error,
)  # fmt: skip


@contextmanager
def open_picture(path: Path) -> Iterator[Image.Image]:
    """A picture of a known kind and a bearable size, not decoded yet. Raises PictureError, also for what is found to be
    damaged while it is open.

    A PNG shows nothing of its texts, which `png.texts` reads.
    """
    try:
        if path.is_dir():
            raise PictureError("error.picture.folder", path=path)
        if not os.path.isfile(path):  # also false for a name that no file can have, and for a pipe
            raise PictureError("error.picture.missing", path=path)
        with warnings.catch_warnings(), path.open("rb") as file:
            # What matters is refused below; Pillow's warnings about odd tags and large sizes are not for users.
            warnings.simplefilter("ignore")
            with _identified(file) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise Image.DecompressionBombError
                yield image
    except UnidentifiedImageError as error:
        raise PictureError("error.picture.unknown", path=path) from error
    except Image.DecompressionBombError as error:
        raise PictureError("error.picture.large", path=path, limit=MAX_PIXELS // 1_000_000) from error
    except DAMAGE as error:
        raise PictureError("error.picture.damaged", path=path, reason=error) from error


@contextmanager
def open_video(path: Path) -> Iterator[InputContainer]:
    """A file of a known kind that has a picture in it, nothing decoded yet. Raises InputError, also for what is found
    to be damaged while it is open.
    """
    if not os.path.isfile(path):  # also false for a name that no file can have
        raise InputError("error.file.missing", path=path)
    bounds = {"format_whitelist": VIDEOS, "protocol_whitelist": "file", "max_pixels": str(MAX_FRAME)}
    try:
        with av.open(f"file:{path}", options=bounds, metadata_errors="replace") as container:  # noqa: TID251
            if not container.streams.video:
                raise InputError("error.video.read", path=path, reason="no picture in it")
            container.streams.video[0].codec_context.options = {"max_pixels": str(MAX_FRAME)}
            yield container
    except av.FFmpegError as error:
        raise InputError("error.video.read", path=path, reason=error.strerror or error) from error


def _identified(file: BinaryIO) -> Image.Image:
    """The picture in a file, by its content."""
    if png.is_png(file):
        image = Image.open(io.BufferedReader(png.Pixels(file)), formats=("PNG",))  # noqa: TID251
        image.info.update(png.look(file))
        return image
    if _is_heic(file):
        file.seek(0)
        heic: Image.Image = HeifImageFile(file)  # type: ignore[no-untyped-call]
        return heic
    file.seek(0)
    return Image.open(file, formats=PICTURES)  # noqa: TID251


def _is_heic(file: BinaryIO) -> bool:
    """Whether the box in front names HEVC among what is in the file; AVIF has the same box."""
    file.seek(0)
    head = file.read(256)
    if head[4:8] != b"ftyp":
        return False
    size = min(int.from_bytes(head[:4]), len(head))
    return any(head[at : at + 4] in HEIC for at in range(8, size - 3, 4))
