"""The passes of a JPEG: whether its pixels come in several scans, and whether in more than any program writes.

Each scan is a walk over all of the picture, though it may take a few bytes of the file. Knows nothing of pixels.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

START = b"\xff\xd8"
SCANS = 100  # of a picture; programs write a dozen or two
MARKERS = 10_000  # of a file, with segments of up to 64 KB; Pillow looks at each in front of the pixels
BLOCK = 2**14  # bytes that are read at once in search of markers
AHEAD = 10  # bytes of a marker and behind it that tell what is asked here
SCAN, END = b"\xff\xda", b"\xff\xd9"
FRAMES = {bytes((0xFF, number)) for number in (0xC0, 0xC1, 0xC9)}  # that may come in one scan
MARKER = re.compile(rb"\xff[\x01-\xfe]")
WITHIN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # the same, but those that are part of a scan
BARE = {b"\xff\x01", *(bytes((0xFF, number)) for number in range(0xD0, 0xDA))}  # that have no length


def is_jpeg(file: BinaryIO) -> bool:
    """Whether a file begins as a JPEG does."""
    file.seek(0)
    return file.read(len(START)) == START


def in_passes(file: BinaryIO) -> bool:
    """Whether a JPEG comes in several scans, and is held whole until the last. Raises OSError for one of more scans or
    markers than any program writes.
    """
    scans = parts = 0
    for number, (marker, ahead) in enumerate(_markers(file)):
        scans += marker == SCAN
        if scans > SCANS or number > MARKERS:
            raise OSError("the file has too many scans or markers")
        if marker in FRAMES:
            parts = int.from_bytes(ahead[7:8])
        elif marker == END or (scans == 1 and parts and ahead[2:3] == bytes([parts])):  # the one scan has all
            break
    return scans > 1


def _markers(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """The markers of a JPEG in their order, each with some bytes behind it, as far as it is whole."""
    place = first = 0
    block, pattern = b"", MARKER
    while True:
        if not block or place - first > len(block):
            first, block = file.seek(place), file.read(BLOCK)
        match = pattern.search(block, place - first)
        at = match.start() if match else len(block) - 1
        if at + AHEAD > len(block) == BLOCK:
            if match is None and pattern is MARKER:  # filled with what Pillow would go through byte by byte
                raise OSError("the file has no marker where one is due")
            place, block = first + at, b""
            continue
        if match is None:
            return
        yield match[0], block[at + 2 : at + AHEAD]
        pattern = WITHIN if match[0] == SCAN else pattern
        length = 0 if match[0] in BARE else int.from_bytes(block[at + 2 : at + 4])
        place = first + at + 2 + length
