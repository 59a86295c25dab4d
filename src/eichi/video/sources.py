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
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import BITSPERSAMPLE, COMPRESSION, ROWSPERSTRIP, SAMPLESPERPIXEL, TiffImageFile
from pillow_heif import HeifImageFile  # noqa: TID251

from eichi.errors import InputError, PictureError
from eichi.files import is_packed
from eichi.reasons import Unfit
from eichi.video import gif, jpeg, png, webp

BUDGET = 600_000_000  # bytes that a picture or a video may take while it is decoded
SIDE = 2_000_000  # pixels in a row or a column: each row has its price, and rows are converted whole
PROGRESSIVE = "progressive"  # a JPEG that comes in passes, and is held whole while it does
INKS = "inks"  # the same with four colours
# Bytes of it for a pixel of each kind, measured. A JPEG may be an MPO, which is several in one file. A TIFF may cost
# more, see `_tiff_cost`.
COSTS = {
    "PNG": 6, "JPEG": 6, "MPO": 6, "GIF": 6, "BMP": 6, "TIFF": 6, "WEBP": 17, "AVIF": 12, "HEIF": 12,
    PROGRESSIVE: 8, INKS: 12,
}  # fmt: skip
FRAME = 16  # of a video in eight bits, twice as many in more: decoders hold a dozen frames
ENDINGS = {
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".webp", ".gif", ".bmp", ".tif", ".tiff",
    ".avif", ".avifs", ".heic", ".heics", ".heif", ".heifs", ".hif",
}  # fmt: skip
AVIF = {b"avif", b"avis"}
HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
TILEWIDTH, TILELENGTH, PLAIN = 322, 323, 1  # of TIFF's tags and ways of packing
HELD = 4  # bytes of a pixel in Pillow
PASSES = "passes"  # by this name a JPEG that comes in several scans is marked
HEAD = 2**16  # bytes in front of a file that tell what is in it
# Containers that hold all that they show; FFmpeg knows others, which name files and addresses to be opened.
VIDEOS = "mov,mp4,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,gif,apng,png_pipe,jpeg_pipe,webp_pipe"
INDEXED = "mov,mp4,m4a,3gp,3g2,mj2"  # those of them that list where every frame lies
SOUNDS = "wav,w64,mp3,flac,aac,aiff,ac3,eac3,caf"

FILE = "file:"  # so that FFmpeg takes no name for an address

# What Pillow's readers raise on damaged files.
DAMAGE = (
    OSError, SyntaxError, ValueError, MemoryError, TypeError, LookupError, AttributeError, ArithmeticError,
    AssertionError, EOFError, RuntimeError, struct.error,
)  # fmt: skip


Stamp = tuple[int, int]  # size and time: what tells a file from another one in its place


def stamp(path: Path) -> Stamp:
    """What a file is known by. Raises InputError where there is none."""
    try:
        found = path.stat()
    except (OSError, ValueError) as error:  # a name that no file can have
        raise InputError("error.file.missing", path=path) from error
    return found.st_size, found.st_mtime_ns


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
                limit = int(BUDGET // _cost(image))
                if max(image.size) > SIDE:
                    raise PictureError("error.picture.long", path=path, limit=SIDE)
                if image.width * image.height > limit:
                    raise PictureError("error.picture.large", path=path, limit=limit // 1_000_000)
                yield image
    except UnidentifiedImageError as error:
        raise PictureError("error.picture.unknown", path=path) from error
    except Image.DecompressionBombError as error:  # far above any limit
        raise PictureError("error.picture.large", path=path, limit=max_pixels("PNG") // 1_000_000) from error
    except DAMAGE as error:
        raise PictureError("error.picture.damaged", path=path, reason=error) from error


@contextmanager
def open_video(path: Path) -> Iterator[InputContainer]:
    """A file of a known kind that has a picture in it, nothing decoded yet. Raises InputError, also for what is found
    to be damaged while it is open.
    """
    with _opened(path, VIDEOS, "error.video.read") as container:
        stream = video_of(container)
        if stream.codec_context is None:
            raise InputError("error.video.read", path=path, reason="reason.codec")
        limit = check_frame(container, stream.width, stream.height)
        stream.codec_context.options = {"max_pixels": str(limit)}  # also where the size changes later
        yield container


@contextmanager
def open_sound(path: Path) -> Iterator[InputContainer]:
    """A file that has sound in it, of a video or alone, in the same way."""
    with _opened(path, f"{VIDEOS},{SOUNDS}", "error.sound.read") as container:
        stream = next(iter(container.streams.audio), None)
        if stream is None:
            raise InputError("error.sound.read", path=path, reason="reason.sound")
        if stream.codec_context is None:
            raise InputError("error.sound.read", path=path, reason="reason.codec")
        yield container


@contextmanager
def _opened(path: Path, formats: str, id: str) -> Iterator[InputContainer]:
    if not os.path.isfile(path):  # also false for a name that no file can have
        raise InputError("error.file.missing", path=path)
    bounds = {"format_whitelist": formats, "protocol_whitelist": "file", "max_pixels": str(BUDGET // FRAME)}
    try:
        with (
            _playable(path) as place,
            av.open(f"{FILE}{place}", options=bounds, metadata_errors="replace") as container,  # noqa: TID251
        ):
            yield container
    except av.FFmpegError as error:
        raise InputError("error.file.packed" if is_packed(path) else id, path=path, reason=error) from error


@contextmanager
def _playable(path: Path) -> Iterator[Path]:
    """A file as FFmpeg reads it: itself, but for an animated WebP. Raises InputError."""
    try:
        with path.open("rb") as file:
            if gif.is_gif(file):
                gif.check(file)
    except (OSError, Unfit) as error:
        raise InputError("error.video.read", path=path, reason=error) from error
    if not webp.is_animated(path):
        yield path
        return
    with TemporaryDirectory() as folder:
        made = Path(folder) / path.name
        with open_picture(path) as image:
            webp.unfold(image, made)
        yield made


def video_of(container: InputContainer) -> VideoStream:
    """The first picture of a file that moves: the one on the cover of a song is none. Raises InputError."""
    moving = (one for one in container.streams.video if not one.disposition & Disposition.attached_pic)
    found = next(moving, None)
    if found is None:
        raise InputError("error.video.read", path=container.name.removeprefix(FILE), reason="reason.video")
    return found


def is_cut(container: InputContainer, path: Path) -> bool:
    """Whether a file ends before what its index lists, as one does that was not fetched to its end. What is there would
    play, and nothing would say that the rest is missing.
    """
    if container.format.name != INDEXED:
        return False
    end, streams = os.path.getsize(path), (*container.streams.video, *container.streams.audio)
    return any(entry.pos + entry.size > end for stream in streams for entry in stream.index_entries)


def check_frame(container: InputContainer, width: int, height: int) -> int:
    """How many pixels a frame of a video may have. Raises InputError for a size above it."""
    kind = video_of(container).codec_context.format
    deep = kind is not None and any(component.bits > 8 for component in kind.components)
    limit = BUDGET // FRAME // (2 if deep else 1)
    if width * height > limit:
        raise InputError("error.video.large", path=container.name.removeprefix(FILE), limit=limit // 1_000_000)
    return limit


def max_pixels(kind: str) -> int:
    """How many pixels a picture of a kind, by Pillow's name or what it costs as, may have."""
    return BUDGET // COSTS[kind]


def _cost(image: Image.Image) -> float:
    """The bytes that decoding a picture takes for a pixel."""
    if image.info.get(PASSES) or PROGRESSIVE in image.info:  # also one that is cut off in its first scan
        return COSTS[INKS if len(image.getbands()) > 3 else PROGRESSIVE]
    return _tiff_cost(image) if isinstance(image, TiffImageFile) else COSTS[str(image.format)]


def _tiff_cost(image: TiffImageFile) -> float:
    """The same for a TIFF: beside the picture, its largest piece is held as it is unpacked, in all of its depth."""
    tags = image.tag_v2
    if tags.get(COMPRESSION, PLAIN) == PLAIN:
        return COSTS["TIFF"]
    piece = image.width * min(_number(tags.get(ROWSPERSTRIP)) or image.height, image.height)
    if TILEWIDTH in tags:
        piece = _number(tags.get(TILEWIDTH)) * _number(tags.get(TILELENGTH))
    bits = tags.get(BITSPERSAMPLE, (1,))
    deep = sum(bits) if isinstance(bits, tuple) else _number(bits)
    samples = _number(tags.get(SAMPLESPERPIXEL, 1))
    if isinstance(bits, tuple) and len(bits) < samples:
        deep = max(bits) * samples
    held = piece * max(deep / 8, HELD) / (image.width * image.height)
    return max(COSTS["TIFF"], HELD + held)


def _number(value: object) -> int:
    """What a tag of a TIFF says, or 0 where it is no number."""
    return value if isinstance(value, int) else 0


def _identified(file: BinaryIO) -> Image.Image:
    """The picture in a file, by its content."""
    if png.is_png(file):
        whole = Image.open(io.BufferedReader(png.Pixels(file)), formats=("PNG",))  # noqa: TID251
        whole.info.update(png.look(file))
        return whole
    if jpeg.is_jpeg(file):
        several = jpeg.in_passes(file)
        file.seek(0)
        picture = Image.open(file, formats=("JPEG",))  # noqa: TID251
        picture.info[PASSES] = several
        return picture
    if gif.is_gif(file):
        gif.check(file)
    file.seek(0)
    head = file.read(HEAD)
    file.seek(0)
    brands = _brands(head)
    if not brands & (AVIF | HEIC):
        return Image.open(file, formats=("WEBP", "GIF", "BMP", "TIFF"))  # noqa: TID251
    image = _avif(file) if brands & AVIF else _heic(file)
    numbers = head.partition(b"colrnclx")[2][:4]
    if len(numbers) == 4 and not image.info.get("icc_profile"):  # which says more
        image.info["cicp"] = struct.unpack(">HH", numbers)
    return image


def boxed(path: Path) -> bytes | None:
    """What stands in front of a picture in boxes, AVIF or HEIC; None for any other file."""
    head = b""
    with suppress(OSError), path.open("rb") as file:
        head = file.read(HEAD)
    return head if _brands(head) & (AVIF | HEIC) else None


def _brands(head: bytes) -> set[bytes]:
    """What the box in front names as what is in the file, where there is such a box."""
    size = int.from_bytes(head[:4])
    return {head[at : at + 4] for at in (8, *range(16, min(size, len(head)) - 3, 4))} if head[4:8] == b"ftyp" else set()


def _heic(file: BinaryIO) -> Image.Image:
    image: Image.Image = HeifImageFile(file)  # type: ignore[no-untyped-call]
    return image


def _avif(file: BinaryIO) -> Image.Image:
    """An AVIF; if Pillow refuses it with its EXIF, without."""
    try:
        return Image.open(file, formats=("AVIF",))  # noqa: TID251
    except (UnidentifiedImageError, ValueError):
        file.seek(0)
        hidden = file.read().replace(b"Exif", b"Exi_")
        return Image.open(io.BytesIO(hidden), formats=("AVIF",))  # noqa: TID251
