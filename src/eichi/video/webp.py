"""Animated WebP pictures as videos: FFmpeg reads none, Pillow does, so they are unfolded into a file that it reads.

Without loss, each frame at its time, one after the other. FFmpeg writes them, too, with no place for EXIF, which is put
behind the frames. Knows nothing of who reads it, nor where it lies.
"""

import shutil
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream
from PIL import Image, ImageSequence

HEAD, ANIMATED, WITH_EXIF = 21, 0x02, 0x08  # bytes in front, and flags in the last of them
RIFF, EXTENDED = 12, b"VP8X"  # bytes in front of the first part, and what that is called where there are flags
MOMENT = Fraction(1, 1000)  # what their times are told in
STILL = 100  # moments that a frame is shown which says nothing, or nothing that a browser would heed
SHORTEST = 11


def is_animated(path: Path) -> bool:
    """Whether a file is a WebP of several frames, by its header."""
    head = b""
    with suppress(OSError, ValueError), path.open("rb") as file:
        head = file.read(HEAD)
    return head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and len(head) == HEAD and bool(head[-1] & ANIMATED)


def unfold(image: Image.Image, target: Path) -> None:
    """The frames of a picture that moves as a video. Raises what Pillow, FFmpeg and the system do."""
    image.load()  # before, it says nothing of times
    with av.open(str(target), "w", format="matroska") as output:  # noqa: TID251
        track = output.add_stream("ffv1", rate=1 / (_shown(image) * MOMENT))  # so long the last one is shown, too
        assert isinstance(track, VideoStream)
        track.width, track.height = image.size
        track.pix_fmt, track.codec_context.time_base = "bgra", MOMENT
        at = 0
        for part in ImageSequence.Iterator(image):
            frame = av.VideoFrame.from_ndarray(np.asarray(part.convert("RGBA")), format="rgba").reformat(format="bgra")
            frame.pts, frame.time_base = at, MOMENT
            at += _shown(part)
            output.mux(track.encode(frame))
        output.mux(track.encode(None))


def put_exif(source: Path, target: Path, exif: bytes, size: tuple[int, int]) -> None:
    """Copy a WebP of this size (width, height) with EXIF behind its frames. Raises OSError."""
    with source.open("rb") as given, target.open("wb") as made:
        head = given.read(HEAD)
        flags = WITH_EXIF
        if head[RIFF : RIFF + 4] == EXTENDED:
            flags |= head[-1]
            rest = given.read(9)
        else:  # one frame alone has no flags, and nothing that moves
            given.seek(RIFF)
            rest = bytes(3) + b"".join((side - 1).to_bytes(3, "little") for side in size)
        made.write(head[:RIFF] + EXTENDED + (10).to_bytes(4, "little") + bytes([flags]) + rest)
        shutil.copyfileobj(given, made)
        made.write(b"EXIF" + len(exif).to_bytes(4, "little") + exif + bytes(len(exif) % 2))
        whole = made.tell()
        made.seek(4)
        made.write((whole - 8).to_bytes(4, "little"))


def _shown(image: Image.Image) -> int:
    """The moments that a frame is shown."""
    told = int(image.info.get("duration") or 0)
    return told if told >= SHORTEST else STILL
