"""Every way up that a camera knows is put right; what is damaged beside the pixels stops nothing."""

import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eichi.video import turning
from eichi.video.images import load, measure
from tests.pictures import ORIENTATION, encoded, exif, saved, with_chunks
from tests.video.test_png import itxt, ztxt

KINDS = ("JPEG", "MPO", "PNG", "WEBP", "AVIF", "TIFF", "HEIC")
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


def picture() -> Image.Image:
    """Four quarters, so that every way up looks different; large enough for lossy kinds."""
    image = Image.new("RGB", (96, 64), (200, 40, 40))
    image.paste((40, 200, 40), (48, 0, 96, 32))
    image.paste((40, 40, 200), (0, 32, 48, 64))
    image.paste((220, 220, 220), (48, 32, 96, 64))
    return image


def quarters(image: Image.Image) -> list[int]:
    """The strongest colour in the middle of each quarter, 3 for all of them."""
    values = np.asarray(image).astype(int)[image.height // 4 :: image.height // 2, image.width // 4 :: image.width // 2]
    return [3 if pixel.min() > 150 else int(pixel.argmax()) for pixel in values[:2, :2].reshape(-1, 3)]


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_and_way(tmp_path: Path, kind: str, number: int) -> None:
    path = tmp_path / "photo"
    others = {"save_all": True, "append_images": [picture()]} if kind == "MPO" else {}
    path.write_bytes(saved(picture(), kind, exif=exif(number), **others))
    expected = turning.turn(picture(), number)
    assert measure(path) == load(path).size == expected.size
    assert quarters(load(path)) == quarters(expected)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "jpeg"])
def test_a_tiff_is_turned_once(tmp_path: Path, compression: str) -> None:
    picture().save(tmp_path / "a.tif", tiffinfo={ORIENTATION: 6}, compression=compression)
    assert measure(tmp_path / "a.tif") == load(tmp_path / "a.tif").size == (64, 96)
    assert quarters(load(tmp_path / "a.tif")) == [2, 0, 3, 1]


@pytest.mark.parametrize("number", range(1, 9))
def test_frames_are_turned_as_pictures_are(number: int) -> None:
    turned = turning.turn_frame(np.asarray(picture()), number)
    assert np.array_equal(turned, np.asarray(turning.turn(picture(), number)))
    assert turning.swaps(number) == (turned.shape[0] == 96)


@pytest.mark.parametrize(
    ("matrix", "number"),
    [
        ((1, 0, 0, 0, 1), 1),
        ((-1, 0, 0, 0, 1), 2),
        ((-1, 0, 0, 0, -1), 3),
        ((1, 0, 0, 0, -1), 4),
        ((0, 1, 0, 1, 0), 5),
        ((0, 1, 0, -1, 0), 6),
        ((0, -1, 0, -1, 0), 7),
        ((0, -1, 0, 1, 0), 8),
        ((9, 5, 0, -5, 9), 1),
        ((0, 0, 0, 0, 0), 1),
    ],
)
def test_the_matrix_of_a_video(matrix: tuple[int, ...], number: int) -> None:
    assert turning.of_matrix(struct.pack("=9i", *(65536 * value for value in matrix), 0, 0, 0, 1 << 30)) == number


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_xmp_says_it_where_exif_does_not(tmp_path: Path, kind: str) -> None:
    picture().save(tmp_path / "a", kind, xmp=XMP)
    assert quarters(load(tmp_path / "a")) == [2, 0, 3, 1]


@pytest.mark.parametrize(
    ("said", "way", "compression"),
    [(None, 6, "raw"), (None, 6, "tiff_lzw"), (9, 6, "raw"), (1, 1, "tiff_lzw"), (3, 3, "raw")],
)
def test_a_tiff_is_turned_by_xmp_as_others_are(tmp_path: Path, said: int | None, way: int, compression: str) -> None:
    tags: dict[int, Any] = {700: XMP} | ({} if said is None else {ORIENTATION: said})
    picture().save(tmp_path / "a.tif", tiffinfo=tags, compression=compression)
    expected = turning.turn(picture(), way)
    assert measure(tmp_path / "a.tif") == load(tmp_path / "a.tif").size == expected.size
    assert quarters(load(tmp_path / "a.tif")) == quarters(expected)


@pytest.mark.parametrize(
    "xmp",
    [
        b'<a xmlns:t="http://ns.adobe.com/tiff/1.0/" t:Orientation="6"/>',
        b"<a xmlns:t='http://ns.adobe.com/tiff/1.0/'><t:Orientation>6</t:Orientation></a>",
        XMP.decode().encode("utf-16"),
        XMP.decode().encode("utf-16-be"),
    ],
)
def test_xmp_of_other_names_and_codings(tmp_path: Path, xmp: bytes) -> None:
    picture().save(tmp_path / "a", "JPEG", xmp=xmp)
    assert quarters(load(tmp_path / "a")) == [2, 0, 3, 1]


def test_other_words_of_xmp_turn_nothing(tmp_path: Path) -> None:
    picture().save(tmp_path / "a", "JPEG", xmp=b'<a xmlns:t="http://example.com/" t:Orientation="6"/>')
    assert quarters(load(tmp_path / "a")) == [0, 1, 2, 3]


def test_texts_of_a_png_say_it(tmp_path: Path) -> None:
    told = f"\nexif\n   {len(exif(6))}\n{exif(6).hex()}\n"
    for name, added in (
        ("xmp", itxt(b"XML:com.adobe.xmp", XMP)),
        ("raw", ztxt(b"Raw profile type exif", told.encode())),
    ):
        (tmp_path / name).write_bytes(with_chunks(saved(picture(), "PNG"), added))
        assert quarters(load(tmp_path / name)) == [2, 0, 3, 1]
    (tmp_path / "odd").write_bytes(with_chunks(encoded("PNG", 8), ztxt(b"Raw profile type exif", b"\n\n\nhello")))
    assert load(tmp_path / "odd").size == (8, 8)


def table(*entries: bytes, count: int | None = None) -> bytes:
    """EXIF of these entries of twelve bytes, and of another number than that if asked for."""
    return b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", len(entries) if count is None else count) + b"".join(entries)


def entry(tag: int, kind: int, count: int, value: bytes) -> bytes:
    return struct.pack(">HHI", tag, kind, count) + value.ljust(4, b"\0")


TURNED = entry(ORIENTATION, 3, 1, b"\0\6")


@pytest.mark.parametrize(
    ("told", "turned"),
    [
        (table(TURNED), True),
        (table(entry(0x011A, 10, 1, b"\xff\xff\xff\xf0"), TURNED), True),  # a signed ratio where none belongs
        (table(TURNED, count=65535), True),
        (table(entry(0x010F, 2, 2**32 - 1, b""), TURNED), True),  # a text as long as can be
        (table(entry(ORIENTATION, 4, 1, b"\0\0\0\6")), True),
        (table(entry(ORIENTATION, 1, 1, b"\6")), True),
        (b"Exif\0\0" + table(TURNED), True),
        (table(entry(ORIENTATION, 3, 1, b"\0\x09")), False),
        (table(count=3), False),
        (b"Exif\0\0garbage that is no table at all", False),
        (b"Exif\0\0II*\0\xff\xff\xff\xff", False),
        (b"Exif\0\0MM", False),
        (b"", False),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_that_cannot_be_rewritten(tmp_path: Path, kind: str, told: bytes, turned: bool) -> None:
    (tmp_path / "a").write_bytes(saved(picture(), kind, exif=told))
    size = (64, 96) if turned else (96, 64)
    assert measure(tmp_path / "a") == load(tmp_path / "a").size == size


@pytest.mark.parametrize("kind", KINDS)
def test_flipped_bytes_in_exif_stop_nothing(tmp_path: Path, kind: str) -> None:
    """Only bytes of the EXIF are changed: the pixels are all there, and come."""
    draw, content = random.Random(kind), saved(picture().resize((24, 16)), kind, exif=exif(6))
    make = content.rindex(b"Maker")
    # A TIFF's pixels hang on its table, so only what that points to is changed there.
    begin, end = (make, make + 6) if kind == "TIFF" else (content.rindex(b"MM\0*", 0, make), make + 20)
    for _ in range(60):
        damaged = bytearray(content)
        for _ in range(draw.randint(1, 5)):
            damaged[draw.randrange(begin, end)] = draw.randrange(256)
        (tmp_path / "a").write_bytes(damaged)
        assert sorted(load(tmp_path / "a").size) == [16, 24]
        assert measure(tmp_path / "a") == load(tmp_path / "a").size
