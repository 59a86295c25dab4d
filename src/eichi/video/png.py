"""The chunks of a PNG: what its pixels are, how they look, and the texts beside them.

Pillow refuses a picture for a text or a profile above a megabyte, though neither has to do with its pixels. So it is
shown the file without them, and they are read here, each within a bound of its own. Knows nothing of what texts mean.
"""

import io
import struct
import zlib
from collections.abc import Container, Iterator
from itertools import islice
from typing import Any, BinaryIO, NamedTuple

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LONGEST = 2**20  # bytes of a text, unpacked
ALL = 16 * LONGEST  # of all texts of a file
PROFILE = 4 * LONGEST  # of a profile
WORK = 4 * ALL  # bytes that are unpacked for the texts of a file, those that are found to be too long among them
MOST = 10_000  # texts of a file that are looked at
CHUNKS = 250_000  # of a file; the largest pictures that are read have that many in pieces of 4 KB
LOOKS = (b"eXIf", b"iCCP", b"cICP", b"sRGB", b"gAMA", b"cHRM")  # how it is to be looked at
PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")  # what a picture is made of
BLOCK = 2**12  # bytes that are read at once in search of chunks
CAMERA = ("XML:com.adobe.xmp", "Raw profile type exif")  # texts that may say which way up a picture is


class Chunk(NamedTuple):
    """A chunk and where its data lies in the file."""

    name: bytes
    start: int
    length: int


def is_png(file: BinaryIO) -> bool:
    """Whether a file begins as a PNG does."""
    file.seek(0)
    return file.read(len(SIGNATURE)) == SIGNATURE


def chunks(file: BinaryIO) -> Iterator[Chunk]:
    """The first `CHUNKS` chunks of a PNG in their order, as far as it is whole, whatever their checksums say."""
    place = len(SIGNATURE)
    end = file.seek(0, io.SEEK_END)
    block, first = b"", 0
    for _ in range(CHUNKS):
        if place + 12 > end:
            return
        if place > first + len(block) - 8:  # small chunks lie close together
            first = file.seek(place)
            block = file.read(BLOCK)
        length, name = struct.unpack_from(">I4s", block, place - first)
        yield Chunk(name, place + 8, length)
        if name == b"IEND":
            return
        place += 12 + length


def texts(file: BinaryIO, wanted: Container[str] | None = None) -> dict[str, str]:
    """The texts of a PNG by their keys, those that are wanted, before and behind its pixels; what is above a bound is
    left out.

    UTF-8 where it is said or where it can be read as that, Latin-1 otherwise. Of two with one key the first counts.
    """
    found: dict[str, str] = {}
    left, work = ALL, WORK
    those = (chunk for chunk in chunks(file) if chunk.name in (b"tEXt", b"zTXt", b"iTXt") and chunk.length <= LONGEST)
    for chunk in islice(those, MOST):
        raw, _, rest = _data(file, chunk).partition(b"\0")
        key = raw.decode("latin-1")
        if key in found or not (wanted is None or key in wanted):
            continue
        value, whole = _value(chunk.name, rest)
        work -= len(value)
        if whole and len(value) <= left:
            left -= len(value)
            found[key] = _decoded(value)
        if work <= 0:
            break
    return found


def look(file: BinaryIO) -> dict[str, Any]:
    """How a PNG is to be looked at, by the names that Pillow has for it; what is damaged is left out.

    Of several chunks of a kind the first counts. `cicp` are the numbers of primaries and transfer in ITU-T H.273.
    """
    found: dict[str, Any] = dict(texts(file, CAMERA))
    firsts: dict[bytes, Chunk] = {}
    for each in chunks(file):
        if each.name in LOOKS:
            firsts.setdefault(each.name, each)
    if (chunk := firsts.get(b"eXIf")) and chunk.length <= LONGEST:
        found["exif"] = _data(file, chunk)
    if (chunk := firsts.get(b"iCCP")) and chunk.length <= PROFILE:
        packed = _data(file, chunk).partition(b"\0")[2]
        profile, whole = _unpacked(packed[1:], PROFILE) if packed[:1] == b"\0" else (b"", False)
        if whole:
            found["icc_profile"] = profile
    if (chunk := firsts.get(b"cICP")) and chunk.length == 4:
        found["cicp"] = tuple(_data(file, chunk)[:2])
    if b"sRGB" in firsts:
        found["srgb"] = 0
    if (chunk := firsts.get(b"gAMA")) and chunk.length == 4:
        found["gamma"] = int.from_bytes(_data(file, chunk)) / 100_000
    if (chunk := firsts.get(b"cHRM")) and chunk.length == 32:
        found["chromaticity"] = tuple(value / 100_000 for value in struct.unpack(">8I", _data(file, chunk)))
    return found


class Pixels(io.RawIOBase):
    """A PNG as a file that has only what makes its pixels. Raises OSError where the file ends among them, and for one
    of more chunks than any program writes.

    Its empty chunks are left out: Pillow would look at each.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        end = file.seek(0, io.SEEK_END)
        self._spans: list[tuple[int, int, int]] = [(0, 0, len(SIGNATURE))]  # place here, place there, length
        number = 0
        for chunk in chunks(file):
            number += 1
            if chunk.name == b"IDAT" and chunk.start + chunk.length > end:
                raise OSError("the file is cut off")
            if chunk.name in PIXELS and (chunk.length or chunk.name == b"IEND"):
                self._append(chunk.start - 8, chunk.length + 12)
        if number == CHUNKS:
            raise OSError("the file has too many chunks")
        self._place = self._span = 0

    def _append(self, there: int, length: int) -> None:
        here, last, size = self._spans[-1]
        if last + size == there:
            self._spans[-1] = (here, last, size + length)
        else:
            self._spans.append((here + size, there, length))

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        here, _, size = self._spans[-1]
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: here + size}[whence]
        self._span = 0
        return self._place

    def readinto(self, buffer: Any) -> int:
        while self._span < len(self._spans):
            here, there, size = self._spans[self._span]
            if here <= self._place < here + size:
                self._file.seek(there + self._place - here)
                part = self._file.read(min(len(buffer), here + size - self._place))
                buffer[: len(part)] = part
                self._place += len(part)
                return len(part)
            self._span += 1
        return 0


def _data(file: BinaryIO, chunk: Chunk) -> bytes:
    file.seek(chunk.start)
    return file.read(chunk.length)


def _value(name: bytes, rest: bytes) -> tuple[bytes, bool]:
    """The bytes of a text behind its key, and whether that is all of it: it may be damaged or too long."""
    if name == b"tEXt":
        return rest, True
    if name == b"zTXt":
        return _unpacked(rest[1:])
    text = rest[2:].split(b"\0", 2)[-1]  # behind a language and the key in it
    return _unpacked(text) if rest[:1] == b"\1" else (text, True)


def _unpacked(data: bytes, longest: int = LONGEST) -> tuple[bytes, bool]:
    """What zlib packed, as far as the bound, and whether it is whole."""
    unpacker = zlib.decompressobj()
    try:
        value = unpacker.decompress(data, longest)
    except zlib.error:
        return b"", False
    return value, unpacker.eof


def _decoded(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
