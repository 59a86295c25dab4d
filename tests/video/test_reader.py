"""Frames of a video as they are seen; what is no video is one sentence."""

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eichi.errors import InputError
from eichi.video.reader import VideoShape, measure_video, read_frames
from eichi.video.writer import Writer

WIDTH, HEIGHT = 64, 48
CORNERS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128))


def write(path: Path, count: int = 20) -> Path:
    """A video of four coloured quarters under a light that grows."""
    frame = np.zeros((HEIGHT, WIDTH, 3), dtype=np.float64)
    for place, color in enumerate(CORNERS):
        row, column = divmod(place, 2)
        frame[row * 24 : row * 24 + 24, column * 32 : column * 32 + 32] = color
    frames = np.stack([frame * (0.5 + 0.5 * index / count) for index in range(count)]).round().astype(np.uint8)
    with Writer(path, WIDTH, HEIGHT, 1) as writer:
        for first in range(0, count, 7):
            writer.add(first, frames[first : first + 7])
        writer.publish({})
    return path


def turn(path: Path) -> Path:
    """Write into the file's header that it is to be shown turned by 90 degrees, as a phone does."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # the matrix of version 0: six numbers of 16.16, three of 2.30
    one, far = 1 << 16, 1 << 30
    data[at : at + 36] = struct.pack(">9i", 0, one, 0, -one, 0, 0, HEIGHT << 16, 0, far)
    path.write_bytes(data)
    return path


def test_every_frame_in_order_and_in_its_colours(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mp4")
    assert measure_video(path) == VideoShape(WIDTH, HEIGHT, 20, 30.0)
    frames = list(read_frames(path))
    assert len(frames) == 20
    for index, (frame, time) in enumerate((frame.pixels, frame.time) for frame in frames):
        assert time == pytest.approx(index / 30)
        light = 0.5 + 0.5 * index / 20
        for place, color in enumerate(CORNERS):
            row, column = divmod(place, 2)
            seen = frame[row * 24 + 12, column * 32 + 16].tolist()
            assert seen == pytest.approx([light * value for value in color], abs=6)


def test_a_turned_video_is_read_upright(tmp_path: Path) -> None:
    path = turn(write(tmp_path / "v.mp4"))
    clip = measure_video(path)
    assert (clip.width, clip.height) == (HEIGHT, WIDTH)
    frame = next(iter(read_frames(path))).pixels
    # Turned clockwise, what was at the bottom left is at the top left now.
    assert frame[16, 12].argmax() == 2
    assert frame[16, 36].argmax() == 0


@pytest.mark.parametrize("name", ["none.mp4", "text.mp4", "empty.mp4", "picture.mp4", "."])
def test_what_is_no_video_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.mp4").write_text("hello")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "picture.mp4").write_bytes(b"\x00" * 100)
    with pytest.raises(InputError):
        measure_video(tmp_path / name)
    with pytest.raises(InputError):
        list(read_frames(tmp_path / name))


def test_a_picture_is_a_video_of_one_frame(tmp_path: Path) -> None:
    Image.new("RGB", (32, 16), (10, 20, 30)).save(tmp_path / "a.png")
    clip = measure_video(tmp_path / "a.png")
    assert (clip.width, clip.height) == (32, 16)
    assert len(list(read_frames(tmp_path / "a.png"))) == 1


def test_a_cut_file_is_an_error_or_its_first_frames(tmp_path: Path) -> None:
    """The index lies in front, so that a file which was not copied to its end can be opened."""
    path = write(tmp_path / "v.mp4")
    path.write_bytes(path.read_bytes()[:-200])
    try:
        assert len(list(read_frames(path))) < 20
    except InputError as error:
        assert "cannot be read" in str(error)
