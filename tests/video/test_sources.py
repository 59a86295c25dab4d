"""One way in: what a file is says its content, how large it is its header, and nothing else is opened."""

import io
import os
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from eichi.errors import InputError, PictureError
from eichi.video import sources
from eichi.video.images import load, measure
from eichi.video.reader import measure_video, read_frames
from eichi.video.sources import ENDINGS, max_pixels, open_picture
from tests.pictures import encoded, exif, header

KINDS = ("PNG", "JPEG", "MPO", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIC")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_known_by_its_content(tmp_path: Path, kind: str) -> None:
    others = {"save_all": True, "append_images": [Image.new("RGB", (24, 24))]} if kind == "MPO" else {}
    (tmp_path / "a.txt").write_bytes(encoded(kind, 24, **others))
    with open_picture(tmp_path / "a.txt") as image:
        assert (image.format, image.size) == ("HEIF" if kind == "HEIC" else kind, (24, 24))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "AVIF", "TIFF"])
def test_of_several_pictures_the_first_is_taken(tmp_path: Path, kind: str) -> None:
    first, second = (Image.new("RGB", (24, 24), color) for color in ((200, 40, 40), (40, 200, 40)))
    first.save(tmp_path / "a", kind, save_all=True, append_images=[second])
    assert load(tmp_path / "a").getpixel((12, 12)) == pytest.approx((200, 40, 40), abs=4)


@pytest.mark.parametrize(
    "content",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n{} loop\n",
        b"%PDF-1.4\n1 0 obj\n",
        b"P6 2 2 255\n" + bytes(12),
        b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
        b"\0\0\0\x18ftypisom\0\0\2\0isomiso2",
        encoded("ICO", 16),
        encoded("TGA", 16),
        encoded("JPEG2000", 16),
        encoded("SGI", 16),
    ],
    ids=range(9),
)
def test_no_other_kind_is_opened(tmp_path: Path, content: bytes) -> None:
    """PostScript would be run by another program, and run for ever."""
    (tmp_path / "ok.png").write_bytes(content)
    with pytest.raises(PictureError) as caught:
        load(tmp_path / "ok.png")
    assert caught.value.id == "error.picture.unknown"


def test_endings_are_those_of_these_kinds() -> None:
    Image.init()
    known = {ending for ending, kind in Image.registered_extensions().items() if kind in KINDS}
    assert known <= ENDINGS
    assert ENDINGS - known == {".heic", ".heics", ".heif", ".heifs", ".hif"}  # which Pillow alone does not know


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("there are no pipes in folders")
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(PictureError):
        load(tmp_path / "pipe.png")
    with pytest.raises(InputError):
        measure_video(tmp_path / "pipe.png")


def with_size(content: bytes, marker: bytes, width: int, height: int) -> bytes:
    """A JPEG whose header says another size."""
    at = content.index(marker) + 5
    return content[:at] + height.to_bytes(2) + width.to_bytes(2) + content[at + 4 :]


@pytest.mark.parametrize(
    ("kind", "progressive", "marker"), [("JPEG", False, b"\xff\xc0"), ("progressive", True, b"\xff\xc2")]
)
def test_a_limit_for_what_a_kind_costs(tmp_path: Path, kind: str, progressive: bool, marker: bytes) -> None:
    """A JPEG that comes in passes is held in memory whole."""
    path, content = tmp_path / "a.jpg", encoded("JPEG", 16, progressive=progressive)
    height = max_pixels(kind) // 10_000
    path.write_bytes(with_size(content, marker, 10_000, height))
    with open_picture(path) as image:
        assert image.size == (10_000, height)
    path.write_bytes(with_size(content, marker, 10_000, height + 1))
    with pytest.raises(PictureError, match=f"{max_pixels(kind) // 1_000_000} megapixels"), open_picture(path):
        pass


def test_a_tiff_in_one_piece_costs_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Image.new("RGB", (60, 60))
    for rows in (60, 20):
        whole.save(tmp_path / f"{rows}.tif", compression="tiff_lzw", tiffinfo={278: rows})
    monkeypatch.setattr(sources, "BUDGET", 60 * 60 * 7)
    load(tmp_path / "20.tif")
    with pytest.raises(PictureError, match="larger than"):
        load(tmp_path / "60.tif")


@pytest.mark.parametrize(
    ("tags", "cost"), [({278: 40}, 12), ({278: 20}, 8), ({278: 5}, 6), ({322: 48, 323: 48}, 4 + 8 * 48**2 / 40**2)]
)
def test_a_deep_tiff_in_few_pieces_costs_by_its_depth(tmp_path: Path, tags: dict[int, int], cost: float) -> None:
    Image.new("RGB", (40, 40)).save(tmp_path / "a.tif", compression="tiff_lzw")
    with Image.open(tmp_path / "a.tif") as image:
        assert isinstance(image, TiffImageFile)
        image.tag_v2[258] = (16, 16, 16, 16)
        del image.tag_v2[278]
        for tag, value in tags.items():
            image.tag_v2[tag] = value
        assert sources._tiff_cost(image) == pytest.approx(cost)


@pytest.mark.parametrize("size", [(sources.SIDE + 1, 1), (1, sources.SIDE + 1)])
def test_a_side_has_a_limit(tmp_path: Path, size: tuple[int, int]) -> None:
    (tmp_path / "a.png").write_bytes(header(*size))
    with pytest.raises(PictureError, match="a side of more than"):
        measure(tmp_path / "a.png")


def test_four_colours_in_passes_cost_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for mode in ("RGB", "CMYK"):
        Image.new(mode, (60, 60)).save(tmp_path / f"{mode}.jpg", progressive=True)
    monkeypatch.setattr(sources, "BUDGET", 60 * 60 * 11)
    load(tmp_path / "RGB.jpg")
    with pytest.raises(PictureError, match="larger than"):
        load(tmp_path / "CMYK.jpg")


def test_a_jpeg_of_more_scans_than_programs_write_is_damaged(tmp_path: Path) -> None:
    content = encoded("JPEG", 24, progressive=True)
    last = content[content.rindex(b"\xff\xda") : -2]
    for number in (50, 100):
        (tmp_path / f"{number}.jpg").write_bytes(content[:-2] + last * number + content[-2:])
    assert measure(tmp_path / "50.jpg") == (24, 24)
    with pytest.raises(PictureError, match="damaged or incomplete"):
        measure(tmp_path / "100.jpg")


@pytest.mark.parametrize("kind", ["AVIF", "WEBP", "HEIC"])
def test_a_limit_for_every_kind(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(encoded(kind, 32))
    load(tmp_path / "a")
    monkeypatch.setattr(sources, "BUDGET", 32 * 32 * 12 - 1)
    with pytest.raises(PictureError, match="larger than"):
        load(tmp_path / "a")


@pytest.mark.parametrize("told", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", exif(6)[:60]])
def test_an_avif_is_opened_whatever_its_exif(tmp_path: Path, told: bytes) -> None:
    content = encoded("AVIF", 24, exif=exif(1).ljust(200, b"\0"))
    at = content.index(b"Exif\0\0MM")
    (tmp_path / "a.avif").write_bytes(content[:at] + told + content[at + len(told) :])
    assert load(tmp_path / "a.avif").size == (24, 24)


def pictures(path: Path, *sizes: tuple[int, int]) -> Path:
    """A video of grey JPEGs, each of a size of its own; the header has the first one's."""
    with av.open(str(path), "w", format="avi") as container:
        stream = container.add_stream("mjpeg", rate=30)
        stream.width, stream.height = sizes[0]
        stream.pix_fmt = "yuvj420p"
        for index, size in enumerate(sizes):
            buffer = io.BytesIO()
            Image.new("RGB", size, (120, 130, 140)).save(buffer, "JPEG")
            packet = av.Packet(buffer.getvalue())
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, index, index, Fraction(1, 30)
            container.mux(packet)
    return path


def test_frames_of_other_sizes_come_in_the_first_ones(tmp_path: Path) -> None:
    frames = list(read_frames(pictures(tmp_path / "v.avi", (64, 48), (128, 96), (64, 48))))
    assert [frame.pixels.shape for frame in frames] == [(48, 64, 3)] * 3
    assert np.abs(frames[1].pixels.astype(int) - (120, 130, 140)).max() <= 3


@pytest.mark.parametrize(("sizes", "count"), [([(128, 96), (64, 48)], 0), ([(64, 48), (128, 96)], 1)])
def test_frames_have_a_limit(
    tmp_path: Path, sizes: list[tuple[int, int]], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "BUDGET", 64 * 48 * sources.FRAME)
    frames = read_frames(pictures(tmp_path / "v.avi", *sizes))
    for _ in range(count):
        next(frames)
    with pytest.raises(InputError):
        next(frames)


@pytest.mark.parametrize(
    "content",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {}\n",
        "<?xml version='1.0'?><MPD><Period><BaseURL>{}</BaseURL></Period></MPD>",
    ],
)
def test_what_names_other_files_is_no_video(tmp_path: Path, content: str) -> None:
    pictures(tmp_path / "other.avi", (64, 48))
    (tmp_path / "v.mp4").write_text(content.format("other.avi"), encoding="utf-8")
    with pytest.raises(InputError):
        measure_video(tmp_path / "v.mp4")


@pytest.mark.skipif(sys.platform == "win32", reason="no such names")
def test_a_name_is_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pictures(tmp_path / "concat:v.avi", (64, 48))
    assert measure_video(Path("concat:v.avi")).width == 64
