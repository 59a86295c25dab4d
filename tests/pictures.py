"""Bytes of pictures, good ones and bad ones."""

import io
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ORIENTATION = 0x0112


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def header(width: int, height: int) -> bytes:
    """A PNG that promises a size and holds no pixel."""
    start = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + start + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def with_chunks(png: bytes, before: bytes = b"", after: bytes = b"") -> bytes:
    """A PNG with other chunks before and behind its pixels."""
    end = len(png) - 12
    return png[:33] + before + png[33:end] + after + png[end:]


def bare_png(rows: np.ndarray[Any, np.dtype[Any]], kind: int, before: bytes = b"") -> bytes:
    """A PNG of 16-bit samples [height, width, n], of a kind that Pillow does not write."""
    height, width, _ = rows.shape
    data = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rows)
    start = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + start + before + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def save_small(path: Path) -> Path:
    """A small picture, wider than high, at a path."""
    Image.linear_gradient("L").resize((96, 64)).convert("RGB").save(path)
    return path


def encoded(kind: str, side: int = 64, **values: Any) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return saved(Image.fromarray(noise), kind, **values)


def saved(image: Image.Image, kind: str, **values: Any) -> bytes:
    """A picture as a file of a kind, HEIC among them."""
    buffer = io.BytesIO()
    if kind == "HEIC":
        from pillow_heif import from_pillow

        heic = from_pillow(image)
        heic.info.update(values)
        heic.save(buffer, quality=90)
    else:
        image.save(buffer, kind, **values)
    return buffer.getvalue()


def exif(orientation: int) -> bytes:
    """What a camera writes: make, resolution, exposure, place, and which way up it was held."""
    made = Image.Exif()
    made[ORIENTATION] = orientation
    made[0x010F] = "Maker"
    made[0x011A] = 72.0
    made.get_ifd(0x8769)[0x829A] = (1, 125)
    made.get_ifd(0x8825)[2] = (1.0, 2.0, 3.0)
    return made.tobytes()


def tiff(planes: Sequence[NDArray[Any]], tags: Mapping[int, int | bytes | Sequence[int]]) -> bytes:
    """A TIFF as other programs write it: numbers of any kind, one array for each plane, and tags of its own."""
    high, wide, *rest = planes[0].shape
    samples = len(planes) * (rest[0] if rest else 1)
    kind = {"u": 1, "i": 2, "f": 3}[planes[0].dtype.kind]
    pixels = 4096  # where they begin
    usual = {
        256: wide, 257: high, 258: [8 * planes[0].itemsize] * samples, 259: 1, 262: 1, 277: samples, 278: high,
        273: [pixels + planes[0].nbytes * at for at in range(len(planes))], 279: [planes[0].nbytes] * len(planes),
        284: 1 if len(planes) == 1 else 2, 339: [kind] * samples,
    }  # fmt: skip
    made, extra = b"", b""
    values = sorted({**usual, **tags}.items())
    for tag, value in values:
        several = [value] if isinstance(value, int) else value
        data = struct.pack(f"<{len(several)}{'B' if isinstance(value, bytes) else 'I'}", *several)
        if len(data) > 4:
            extra, data = extra + data, struct.pack("<I", 2048 + len(extra))
        made += struct.pack("<HHI", tag, 1 if isinstance(value, bytes) else 4, len(several)) + data.ljust(4, b"\0")
    head = (b"II*\0" + struct.pack("<IH", 8, len(values)) + made).ljust(2048, b"\0") + extra
    return head.ljust(pixels, b"\0") + b"".join(plane.tobytes() for plane in planes)
