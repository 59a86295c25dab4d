"""Frames of a video as they are seen; what is no video is one sentence."""

import struct
import subprocess
import sys
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image, ImageCms

from eichi.errors import InputError
from eichi.video import sources, turning
from eichi.video.clip import look
from eichi.video.images import load
from eichi.video.reader import VideoShape, measure_video, read_frames
from eichi.video.writer import Writer
from tests.pictures import saved

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


def with_matrix(path: Path, a: int, b: int, c: int, d: int) -> Path:
    """Write into the file's header how it is to be turned, as a phone does."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # the matrix of version 0: six numbers of 16.16, three of 2.30
    data[at : at + 36] = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def quarters(frame: NDArray[np.uint8]) -> list[int]:
    """The strongest colour in the middle of each quarter, 3 for grey."""
    middles = frame[frame.shape[0] // 4 :: frame.shape[0] // 2, frame.shape[1] // 4 :: frame.shape[1] // 2][:2, :2]
    return [3 if np.ptp(pixel.astype(int)) < 30 else int(pixel.argmax()) for pixel in middles.reshape(-1, 3)]


def quartered(height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint8]:
    """Four coloured quarters."""
    frame = np.empty((height, width, 3), dtype=np.uint8)
    for place, color in enumerate(CORNERS):
        row, column = divmod(place, 2)
        frame[row * height // 2 : (row + 1) * height // 2, column * width // 2 : (column + 1) * width // 2] = color
    return frame


def record(
    path: Path,
    codec: str,
    kind: str,
    frame: NDArray[np.uint8] | NDArray[np.uint16],
    times: Iterable[int] = range(3),
    shape: Fraction | None = None,
    tags: Mapping[str, int] = MappingProxyType({}),
) -> Path:
    """A video as other programs write them: one frame at these thirtieths of a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30, options={"crf": "1"})
        assert isinstance(stream, VideoStream)
        stream.height, stream.width = frame.shape[:2]
        stream.pix_fmt = kind
        if shape is not None:
            stream.codec_context.sample_aspect_ratio = shape
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        for time in times:
            given = av.VideoFrame.from_ndarray(frame, format="rgb48le" if frame.dtype == np.uint16 else "rgb24")
            matrix, full = tags.get("colorspace"), ColorRange.JPEG if tags.get("color_range") == 2 else None
            made = given.reformat(format=kind, dst_colorspace=matrix, dst_color_range=full)
            made.pts = time
            container.mux(stream.encode(made))
        container.mux(stream.encode(None))
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


@pytest.mark.parametrize(
    ("matrix", "size", "seen"),
    [
        ((0, 1, -1, 0), (HEIGHT, WIDTH), [2, 0, 3, 1]),
        ((0, -1, 1, 0), (HEIGHT, WIDTH), [1, 3, 0, 2]),
        ((-1, 0, 0, -1), (WIDTH, HEIGHT), [3, 2, 1, 0]),
        ((-1, 0, 0, 1), (WIDTH, HEIGHT), [1, 0, 3, 2]),
        ((1, 0, 0, -1), (WIDTH, HEIGHT), [2, 3, 0, 1]),
        ((0, 1, 1, 0), (HEIGHT, WIDTH), [0, 2, 1, 3]),
    ],
    ids=["clockwise", "anticlockwise", "half a turn", "mirrored", "upside down", "transposed"],
)
def test_a_turned_or_mirrored_video_is_read_upright(
    tmp_path: Path, matrix: tuple[int, int, int, int], size: tuple[int, int], seen: list[int]
) -> None:
    path = with_matrix(write(tmp_path / "v.mp4", 3), *matrix)
    clip = measure_video(path)
    assert (clip.width, clip.height) == size
    frame = next(iter(read_frames(path))).pixels
    assert frame.shape == (clip.height, clip.width, 3)
    assert quarters(frame) == seen


@pytest.mark.parametrize(
    ("shape", "width"), [(Fraction(4, 3), 128), (Fraction(8, 9), 85), (None, 96), (Fraction(1, 1), 96)]
)
def test_pixels_that_are_not_square_become_so(tmp_path: Path, shape: Fraction | None, width: int) -> None:
    path = record(tmp_path / "v.mp4", "libx264", "yuv420p", quartered(64, 96), shape=shape)
    clip, frame = measure_video(path), next(iter(read_frames(path))).pixels
    assert (clip.width, clip.height) == (width, 64)
    assert frame.shape == (64, width, 3)
    assert quarters(frame) == [0, 1, 2, 3]


def test_pixels_as_wide_as_the_file_likes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = record(tmp_path / "v.mkv", "libx264", "yuv420p", quartered(64, 96), shape=Fraction(2, 1))
    monkeypatch.setattr(sources, "BUDGET", 130 * 64 * sources.FRAME)
    with pytest.raises(InputError, match="megapixels"):
        measure_video(path)


@pytest.mark.parametrize("times", [(0, 1, 2, 8, 9, 30), range(5), range(60, 65)])
def test_frames_have_their_times(tmp_path: Path, times: Iterable[int]) -> None:
    path = record(tmp_path / "v.mkv", "libx264", "yuv420p", quartered(), times)
    first, *_ = times
    expected = [(time - first) / 30 for time in times]
    assert [frame.time for frame in read_frames(path)] == pytest.approx(expected, abs=0.002)


@pytest.mark.parametrize(
    ("name", "codec", "kind", "tags"),
    [
        ("V.MP4", "libx264", "yuv420p", {}),
        ("v.mkv", "ffv1", "bgr0", {}),
        ("v.mkv", "ffv1", "yuv422p10le", {}),
        ("v.MOV", "prores_ks", "yuv422p10le", {}),
        ("v.webm", "libvpx-vp9", "yuva420p", {}),
        ("v.avi", "mjpeg", "yuvj420p", {}),
        ("full.mp4", "libx264", "yuvj420p", {"color_range": 2}),
        ("wide.mp4", "libx264", "yuv420p", {"colorspace": 1}),
    ],
)
def test_what_cameras_and_programs_write(
    tmp_path: Path, name: str, codec: str, kind: str, tags: dict[str, int]
) -> None:
    """Odd sizes where a codec has them, ten bits, full range, transparency, endings in capitals."""
    odd = codec == "ffv1" and kind == "bgr0"
    frame = quartered(47 if odd else 48, 63 if odd else 64)
    path = record(tmp_path / name, codec, kind, frame, tags=tags)
    assert (measure_video(path).width, measure_video(path).height) == frame.shape[1::-1]
    seen = list(read_frames(path))
    assert len(seen) == 3
    for place, color in enumerate(CORNERS):
        row, column = divmod(place, 2)
        assert seen[0].pixels[row * 24 + 12, column * 32 + 16].tolist() == pytest.approx(color, abs=8)


@pytest.mark.parametrize(("height", "matrix"), [(480, 5), (720, 1)])
def test_a_video_that_does_not_name_its_colours_has_those_of_its_size(tmp_path: Path, height: int, matrix: int) -> None:
    frame = np.full((height, 64, 3), (200, 40, 60), dtype=np.uint8)
    with av.open(str(tmp_path / "v.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=30)
        stream.height, stream.width, stream.pix_fmt = height, 64, "yuv444p"
        made = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="yuv444p", dst_colorspace=matrix)
        made.colorspace = 2
        made.pts = 0
        container.mux([*stream.encode(made), *stream.encode(None)])
    assert next(iter(read_frames(tmp_path / "v.mkv"))).pixels[9, 9].tolist() == pytest.approx((200, 40, 60), abs=3)


@pytest.mark.parametrize(("transfer", "white"), [(16, 0.58), (18, 0.75)], ids=["PQ", "HLG"])
def test_a_bright_video_is_shown_as_ours_are(tmp_path: Path, transfer: int, white: float) -> None:
    """The lower half is white as BT.2408 has it, the upper as bright as can be."""
    codes = np.full((48, 64, 3), round(white * 65535), dtype=np.uint16)
    codes[:24] = 65535
    bright = {"colorspace": 9, "color_primaries": 9, "color_trc": transfer}
    path = record(tmp_path / "v.mkv", "ffv1", "yuv444p10le", codes, tags=bright)
    assert measure_video(path).bright
    frame = next(iter(read_frames(path))).pixels
    assert frame[12, 32].tolist() == pytest.approx([255] * 3, abs=1)
    assert frame[36, 32].tolist() == pytest.approx([215] * 3, abs=6)
    assert not measure_video(record(tmp_path / "plain.mkv", "ffv1", "yuv444p10le", codes)).bright


@pytest.mark.parametrize("name", ["none.mp4", "text.mp4", "empty.mp4", "picture.mp4", "."])
def test_what_is_no_video_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.mp4").write_text("hello")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "picture.mp4").write_bytes(b"\x00" * 100)
    with pytest.raises(InputError):
        measure_video(tmp_path / name)
    with pytest.raises(InputError):
        list(read_frames(tmp_path / name))


def test_a_codec_that_nobody_knows_is_one_sentence(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mp4", 2)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzz9"))
    with pytest.raises(InputError):
        measure_video(path)


def test_a_picture_is_a_video_of_one_frame(tmp_path: Path) -> None:
    Image.new("RGB", (32, 16), (10, 20, 30)).save(tmp_path / "a.png")
    clip = measure_video(tmp_path / "a.png")
    assert (clip.width, clip.height) == (32, 16)
    assert len(list(read_frames(tmp_path / "a.png"))) == 1


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("form", ["jpg", "png", "webp", "avif", "heic"])
def test_a_picture_with_exif_is_a_video_that_lies_so(tmp_path: Path, form: str, number: int) -> None:
    """Mirrored ones, too, as the same picture in a place for pictures does."""
    exif, kind = Image.Exif(), {"jpg": "JPEG"}.get(form, form.upper())
    exif[turning.ORIENTATION] = number
    image = Image.new("RGB", (96, 64), "red")
    image.paste("green", (0, 0, 48, 32))
    image.paste("blue", (48, 0, 96, 32))
    (path := tmp_path / f"a.{form}").write_bytes(saved(image, kind, exif=exif.tobytes()))
    (frame,) = read_frames(path)
    shown = np.asarray(load(path))
    assert frame.pixels.shape == shown.shape == ((96, 64, 3) if number > 4 else (64, 96, 3))
    assert np.abs(frame.pixels.astype(int) - shown).mean() < 4
    assert (look(path).turned, measure_video(path).height) == (number, shown.shape[0])


def test_a_profile_in_a_picture_does_not_end_the_process(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("RGB", (32, 16), "red").save(tmp_path / "a.png", icc_profile=profile)
    lines = "import gc, sys, pathlib, eichi.video.reader as r", "path = pathlib.Path(sys.argv[1])"
    again = "[(list(r.read_frames(path)), gc.collect()) for _ in range(5)]"
    made = subprocess.run([sys.executable, "-c", "; ".join((*lines, again)), tmp_path / "a.png"], capture_output=True)
    assert made.returncode == 0, made.stderr[-300:]


def test_a_cut_file_is_an_error_or_its_first_frames(tmp_path: Path) -> None:
    """The index lies in front, so that a file which was not copied to its end can be opened."""
    path = write(tmp_path / "v.mp4")
    path.write_bytes(path.read_bytes()[:-200])
    try:
        assert len(list(read_frames(path))) < 20
    except InputError as error:
        assert "cannot be read" in str(error)


def test_the_fourth_byte_of_raw_pixels_is_no_transparency(tmp_path: Path) -> None:
    frame = np.zeros((48, 64, 4), dtype=np.uint8)
    frame[..., 0] = 200
    with av.open(str(tmp_path / "v.avi"), "w") as container:
        stream = container.add_stream("rawvideo", rate=30)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "bgra"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgba").reformat(format="bgra")))
    assert next(iter(read_frames(tmp_path / "v.avi"))).pixels[9, 9].tolist() == [200, 0, 0]


def test_transparency_is_over_white(tmp_path: Path) -> None:
    frame = np.full((48, 64, 4), (200, 40, 60, 0), dtype=np.uint8)
    frame[:, 32:, 3] = 255
    frame[24:, :, 3] = 127
    with av.open(str(tmp_path / "v.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=30)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "bgra"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgba").reformat(format="bgra")))
        container.mux(stream.encode(None))
    (seen,) = read_frames(tmp_path / "v.mkv")
    assert seen.pixels[9, 9].tolist() == [255, 255, 255]
    assert seen.pixels[9, 50].tolist() == [200, 40, 60]
    assert seen.pixels[40, 9].tolist() == pytest.approx((228, 148, 158), abs=1)


@pytest.mark.parametrize(("transfer", "grey"), [(8, 188), (5, 106), (4, 128), (1, 128)])
def test_other_curves_are_converted_as_in_pictures(tmp_path: Path, transfer: int, grey: int) -> None:
    path = record(
        tmp_path / "v.mp4", "libx264", "yuv420p", np.full((48, 64, 3), 128, np.uint8), tags={"color_trc": transfer}
    )
    assert next(iter(read_frames(path))).pixels[9, 9].tolist() == pytest.approx([grey] * 3, abs=3)


def test_times_go_on_where_videos_were_put_one_behind_the_other(tmp_path: Path) -> None:
    part = record(tmp_path / "v.ts", "libx264", "yuv420p", quartered()).read_bytes()
    (tmp_path / "two.ts").write_bytes(part + part)
    times = [frame.time for frame in read_frames(tmp_path / "two.ts")]
    assert times == pytest.approx([index / 30 for index in range(6)], abs=0.002)


def test_colours_that_are_not_converted_have_their_sentence(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "odd.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=30)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv444p"
        stream.codec_context.colorspace = 14
        made = av.VideoFrame.from_ndarray(quartered(), format="rgb24").reformat(format="yuv444p")
        made.pts, made.colorspace = 0, 14
        container.mux([*stream.encode(made), *stream.encode(None)])
    with pytest.raises(InputError, match="its colour format"):
        measure_video(tmp_path / "odd.mkv")
