"""The comment of a GIF: how it is put into one, and how much of it there may be.

Pillow joins a comment block by block and copies what it has each time, which for many megabytes takes minutes: so they
are counted before it sees them. Knows nothing of what a comment says.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from eichi.reasons import Unfit

HEAD, COLOURS, SIZE = 13, 0x80, 0x07  # bytes in front; in one of them whether colours follow, and how many
EXTENSION, COMMENT, PROGRAM = b"\x21", b"\xfe", b"\xff"
BLOCK = 255  # bytes of a block, the most that there can be
LONGEST = 2**20  # bytes of all comments


def is_gif(file: BinaryIO) -> bool:
    """Whether a file begins as a GIF does."""
    file.seek(0)
    return file.read(6) in (b"GIF87a", b"GIF89a")


def check(file: BinaryIO) -> None:
    """Raises Unfit for comments in front of the first picture that are longer than anybody writes."""
    total = 0
    for kind, length in _extensions(file):
        total += length if kind == COMMENT else 0
        if total > LONGEST:
            raise Unfit("reason.larger", limit=LONGEST)


def put_comment(source: Path, target: Path, text: str) -> None:
    """Copy a GIF with a comment behind what says how often it is played, if it is not longer than what is read again.
    `text` is ASCII. Raises OSError.
    """
    data = text.encode("ascii") if len(text) <= LONGEST else b""
    with source.open("rb") as given, target.open("wb") as made:
        place = _front(given)
        for kind, _ in _extensions(given):
            if kind != PROGRAM:
                break
            place = given.tell()
        given.seek(0)
        made.write(given.read(place))
        made.write(EXTENSION + COMMENT)
        for at in range(0, len(data), BLOCK):
            part = data[at : at + BLOCK]
            made.write(bytes([len(part)]) + part)
        made.write(b"\0")
        shutil.copyfileobj(given, made)


def _front(file: BinaryIO) -> int:
    """Where the blocks of a GIF begin."""
    file.seek(0)
    flags = (file.read(HEAD) + bytes(HEAD))[10]
    return HEAD + (3 << (flags & SIZE) + 1 if flags & COLOURS else 0)


def _extensions(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """What stands in front of the first picture: of each extension its kind and its bytes. The file is behind it."""
    file.seek(_front(file))
    while file.read(1) == EXTENSION:
        kind, total = file.read(1), 0
        while size := file.read(1):
            if size == b"\0":
                break
            total += size[0]
            file.seek(size[0], 1)
            if total > LONGEST:  # enough is known
                break
        yield kind, total
