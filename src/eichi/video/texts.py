"""What a picture or a video says in words: its texts, by small name.

In a PNG these are the chunks before and after the image data, which are read without it; in other pictures the
comment, and EXIF with its user comment; in videos the tags of the container. Each is read as the coding that it is in,
which programs often do not say or say wrongly. Of texts that are packed no more is unpacked than is read. Knows
nothing of what they mean.
"""

import html
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import av
from PIL import Image

# Bytes of one text, and texts of a file; a record of ours with a hundred prompts has far less.
LIMIT = 4 * 2**20
MOST = 100
# Chunks of a PNG that are passed over; a large picture has thousands.
CHUNKS = 200_000

PNG = b"\x89PNG\r\n\x1a\n"
EXIF, COMMENT, MAKE, MODEL, DESCRIPTION, WINDOWS = 0x8769, 0x9286, 0x010F, 0x0110, 0x010E, 0x9C9C
USER = "usercomment"
XMP = "xml:com.adobe.xmp"
# Brands of files that begin like an MP4 and hold pictures.
PICTURES = (b"avif", b"avis", b"heic", b"heix", b"hevc", b"mif1", b"msf1")
FORMATS = ("JPEG", "WEBP", "AVIF", "GIF", "TIFF")
# What Pillow raises on damaged files and damaged EXIF.
DAMAGE = (OSError, ValueError, SyntaxError, TypeError, KeyError, IndexError, AttributeError, struct.error, OverflowError)


def texts_in(path: Path) -> dict[str, str]:
    """The texts of a file by small name, of two of a name the first; none of a file that cannot be read."""
    texts: dict[str, str] = {}
    with suppress(*DAMAGE, av.FFmpegError, MemoryError, Image.DecompressionBombError), path.open("rb") as file:
        for name, text in _texts(path, file):
            if text.strip("\0 \t\r\n") and len(text) <= LIMIT:
                texts.setdefault(name.lower(), text)
            if len(texts) == MOST:
                break
    return texts


def _texts(path: Path, file: BinaryIO) -> Iterator[tuple[str, str]]:
    head = file.read(16)
    if head.startswith(PNG):
        yield from _chunks(file)
    elif head[4:8] == b"ftyp" and head[8:12] not in PICTURES:
        yield from _container(path, "mp4")
    elif head.startswith(b"\x1a\x45\xdf\xa3"):
        yield from _container(path, "matroska")
    else:
        with Image.open(path, formats=FORMATS) as image:
            info = dict(image.info)
            data = info.get("exif") or image.getexif().tobytes()
        for name in ("comment", "xmp"):
            if isinstance(value := info.get(name), bytes | str):
                yield from _named(name, value if isinstance(value, str) else decoded(value))
        yield from _exif(data)


def _container(path: Path, format: str) -> Iterator[tuple[str, str]]:
    with av.open(str(path), format=format, metadata_errors="replace") as container:
        yield from dict(container.metadata).items()


def _chunks(file: BinaryIO) -> Iterator[tuple[str, str]]:
    """The texts of a PNG, wherever they stand in it."""
    file.seek(len(PNG))
    for _ in range(CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            return
        size, kind = struct.unpack(">I4s", head)
        read = READERS.get(kind)
        if read is None or size > LIMIT:
            file.seek(size + 4, 1)
            continue
        data = file.read(size)
        file.seek(4, 1)
        with suppress(zlib.error, ValueError, *DAMAGE):
            yield from read(data)


def _plain(data: bytes) -> Iterator[tuple[str, str]]:
    name, _, text = data.partition(b"\0")
    yield from _named(name.decode("latin-1"), decoded(text))


def _packed(data: bytes) -> Iterator[tuple[str, str]]:
    name, _, rest = data.partition(b"\0")
    yield from _named(name.decode("latin-1"), decoded(_unpacked(rest[1:])))


def _international(data: bytes) -> Iterator[tuple[str, str]]:
    name, _, rest = data.partition(b"\0")
    packed, rest = rest[:1] == b"\1", rest[2:]
    text = rest.split(b"\0", 2)[2]
    yield from _named(name.decode("latin-1"), decoded(_unpacked(text) if packed else text))


def _exif(data: bytes) -> Iterator[tuple[str, str]]:
    """The texts in EXIF. Some programs put `name:text` where the camera stands."""
    exif = Image.Exif()
    exif.load(data)
    tags: Mapping[int, Any] = {**exif, **exif.get_ifd(EXIF)}
    if isinstance(value := tags.get(COMMENT), bytes | str):
        yield USER, value if isinstance(value, str) else user_comment(value)
    if isinstance(value := tags.get(WINDOWS), bytes):
        yield "windows", value.decode("utf-16-le", "replace")
    for tag in (DESCRIPTION, MAKE, MODEL):
        if isinstance(value := tags.get(tag), str):
            text = decoded(value.encode("latin-1", "replace"))
            name, sign, rest = text.partition(":")
            yield ("description", text) if not sign or "{" in name else (name.strip(), rest.strip())


READERS: Mapping[bytes, Callable[[bytes], Iterator[tuple[str, str]]]] = {
    b"tEXt": _plain,
    b"zTXt": _packed,
    b"iTXt": _international,
    b"eXIf": _exif,
}


def _named(name: str, text: str) -> Iterator[tuple[str, str]]:
    """A text; of XMP the user comment in it."""
    if name.lower() not in (XMP, "xmp"):
        yield name, text
        return
    _, _, rest = text.partition("<exif:UserComment>")
    inner, end, _ = rest.partition("</exif:UserComment>")
    if end:
        words = "".join(part.partition(">")[2] for part in inner.split("<"))
        yield USER, html.unescape(words).strip()


def _unpacked(data: bytes) -> bytes:
    """What was packed, if it is within the limit. Raises ValueError, zlib.error."""
    unpacked = zlib.decompressobj().decompress(data, LIMIT + 1)
    if len(unpacked) > LIMIT:
        raise ValueError("too large")
    return unpacked


def decoded(data: bytes) -> str:
    """A text as UTF-8, which most programs write, or else as Latin-1, as PNG has it."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def user_comment(data: bytes) -> str:
    """A user comment: eight bytes name its coding, not its byte order, and some programs write another one."""
    code, text = data[:8], data[8:]
    match code.rstrip(b"\0 "):
        case b"UNICODE" | b"Unicode":
            return _utf16(text)
        case b"JIS":
            return _first(text, "iso2022_jp", "cp932")
        case b"ASCII":
            return decoded(text)
        case b"":
            return _utf16(text) if b"\0" in text.rstrip(b"\0") else decoded(text)
    return decoded(data)


def _utf16(data: bytes) -> str:
    """UTF-16 in the order in which most of it is European, unless it says its order; without zeros it is UTF-8."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    if b"\0" not in data:
        with suppress(UnicodeDecodeError):
            return data.decode("utf-8")
    big = data[::2].count(0) >= data[1::2].count(0)
    return data.decode("utf-16-be" if big else "utf-16-le", "replace")


def _first(data: bytes, *codings: str) -> str:
    for coding in codings:
        with suppress(UnicodeDecodeError):
            return data.decode(coding)
    return decoded(data)
