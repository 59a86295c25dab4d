"""Which way up a picture is: read from what cameras write, and put right.

Eight ways are known, by EXIF's numbers; a video's matrix is one of them. EXIF is read here as far as this needs: it is
damaged more often than the pixels beside it, and a picture whose EXIF says nothing readable is shown as it is.
"""

import re
import struct
from collections.abc import Mapping
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

UPRIGHT = 1
ORIENTATION = 0x0112
# What a viewer does for each number: swap rows and columns, then mirror left to right, then top to bottom.
WAYS = {
    (False, False, False): 1,
    (False, True, False): 2,
    (False, True, True): 3,
    (False, False, True): 4,
    (True, False, False): 5,
    (True, True, False): 6,
    (True, True, True): 7,
    (True, False, True): 8,
}
QUARTERS = (1, 8, 3, 6)  # turned to the left by so many quarters
STEPS = {number: steps for steps, number in WAYS.items()}
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
XMP = rb'(?:%b):Orientation(?:\s*=\s*["\']|>)\s*([1-8])'
NAMES = 8  # that a file may give to TIFF's words
PREFIX = re.compile(rb'xmlns:([^\s=:"\'<>/]+)\s*=\s*["\']http://ns\.adobe\.com/tiff/1\.0/["\']')


def told(image: Image.Image) -> int:
    """The number that an opened picture carries; 1 where nothing readable is said, and where its reader turns it."""
    if image.format == "HEIF":  # libheif turns it
        return UPRIGHT
    if isinstance(image, TiffImageFile):
        if image.tag_v2.get(ORIENTATION) in STEPS:  # Pillow turns it
            return UPRIGHT
        number = None
    else:
        number = _in_exif(_exif(image.info))
    return number or _in_xmp(image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")) or UPRIGHT


def keep_from_pillow(image: Image.Image) -> None:
    """Hides the XMP of a TIFF, by which Pillow would turn it while it decodes, after its header told another size."""
    if isinstance(image, TiffImageFile):
        image.info.pop("xmp", None)


def of_matrix(matrix: bytes) -> int:
    """The number nearest to a video's matrix, nine integers a b . c d …: x' = a x + c y, y' = b x + d y."""
    a, b, _, c, d = struct.unpack_from("=5i", matrix)
    swapped = abs(b) + abs(c) > abs(a) + abs(d)
    return WAYS[swapped, (c if swapped else a) < 0, (b if swapped else d) < 0]


def of_angle(degrees: int) -> int:
    """The number nearest to a turn to the left by so many degrees."""
    return QUARTERS[round(degrees / 90) % 4]


def of_boxes(head: bytes) -> int | None:
    """The number of a picture in boxes (AVIF, HEIC), which is turned and then mirrored; None where parts of it are each
    turned in another way.
    """
    (turned, quarters), (mirrored, axis) = (_box(head, name) for name in (b"irot", b"imir"))
    if turned > 1 or mirrored > 1:
        return None
    swapped, across, down = STEPS[QUARTERS[quarters & 3]]
    if mirrored:
        across, down = (not across, down) if axis & 1 else (across, not down)
    return WAYS[swapped, across, down]


def _box(head: bytes, name: bytes) -> tuple[int, int]:
    """How many boxes of a name there are, each with one byte in it, and what is in the first."""
    _, *found = head.split(b"\0\0\0\x09" + name)
    return len(found), found[0][0] if found and found[0] else 0


def to_matrix(number: int) -> list[int]:
    """A video's matrix for a number, the inverse of `of_matrix`."""
    swapped, across, down = STEPS[number]
    x, y = (-(2**16) if across else 2**16), (-(2**16) if down else 2**16)
    a, b, c, d = (0, y, x, 0) if swapped else (x, 0, 0, y)
    return [a, b, 0, c, d, 0, 0, 0, 2**30]


def swaps(number: int) -> bool:
    """Whether width and height change places."""
    return STEPS[number][0]


def back(number: int) -> int:
    """The number that undoes another: a quarter of a turn is undone by one the other way, all else by itself."""
    return {6: 8, 8: 6}.get(number, number)


def turn(image: Image.Image, number: int) -> Image.Image:
    """A picture put upright."""
    return image if number == UPRIGHT else image.transpose(TURNS[number])


def turn_frame(pixels: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    """Pixels [height, width, 3] put upright."""
    swapped, across, down = STEPS[number]
    pixels = pixels.swapaxes(0, 1) if swapped else pixels
    return np.ascontiguousarray(pixels[:: -1 if down else 1, :: -1 if across else 1])


def _exif(info: Mapping[Any, Any]) -> bytes:
    """The EXIF of a picture; ImageMagick once wrote it into PNGs as a text of hexadecimal digits behind three lines."""
    exif = info.get("exif") or b""
    if not exif and "Raw profile type exif" in info:
        try:
            exif = bytes.fromhex("".join(str(info["Raw profile type exif"]).split("\n")[3:]))
        except ValueError:
            exif = b""
    return exif if isinstance(exif, bytes) else b""


def _in_xmp(xmp: object) -> int | None:
    """The number in XMP, None where there is none: by any name that the file gives to TIFF's words, also in UTF-16."""
    text = xmp if isinstance(xmp, bytes) else str(xmp or "").encode("utf-8", "replace")
    text = text.replace(b"\0", b"")
    names = {b"tiff", *(one[1] for one in islice(PREFIX.finditer(text), NAMES))}
    found = re.search(XMP % b"|".join(re.escape(name) for name in names), text)
    return int(found[1]) if found else None


def _in_exif(exif: bytes) -> int | None:
    """The number in EXIF, None where none can be read there."""
    while exif.startswith(b"Exif\0\0"):
        exif = exif[6:]
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return None
    try:
        (table,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, table)
        for at in range(table + 2, min(table + 2 + 12 * count, len(exif)), 12):
            tag, kind = struct.unpack_from(f"{order}HH", exif, at)
            if tag == ORIENTATION:
                (number,) = struct.unpack_from(order + {1: "B", 4: "I"}.get(kind, "H"), exif, at + 8)
                return number if number in STEPS else None
    except struct.error:
        pass
    return None
