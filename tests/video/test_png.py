"""A PNG is its pixels; what stands beside them is read within bounds, and keeps no picture from being shown."""

import io
import struct
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from eichi.errors import PictureError
from eichi.video import png
from eichi.video.images import load, measure
from tests.pictures import chunk, encoded, with_chunks
from tests.profiles import ADOBE, rgb_profile

PLAIN = encoded("PNG", 24)
LONG = b"x" * 1_500_000  # more than Pillow bears


def ztxt(key: bytes, text: bytes) -> bytes:
    return chunk(b"zTXt", key + b"\0\0" + zlib.compress(text))


def itxt(key: bytes, text: bytes, packed: bool = False) -> bytes:
    return chunk(b"iTXt", key + bytes([0, packed, 0, 0, 0]) + (zlib.compress(text) if packed else text))


def texts(content: bytes) -> dict[str, str]:
    return png.texts(io.BytesIO(content))


def test_texts_before_and_behind_the_pixels() -> None:
    before = chunk(b"tEXt", b"parameters\0caf\xe9") + ztxt(b"workflow", b"{}") + itxt(b"eichi", "猫".encode(), True)
    after = itxt(b"late", "é".encode()) + chunk(b"tEXt", b"parameters\0another")
    assert texts(with_chunks(PLAIN, before, after)) == {
        "parameters": "café",
        "workflow": "{}",
        "eichi": "猫",
        "late": "é",
    }


def test_a_text_that_says_it_is_latin_1_may_be_utf_8() -> None:
    assert texts(with_chunks(PLAIN, chunk(b"tEXt", b"parameters\0" + "猫の動画".encode()))) == {
        "parameters": "猫の動画"
    }


@pytest.mark.parametrize(
    "added",
    [
        ztxt(b"workflow", LONG),
        itxt(b"workflow", LONG, True),
        ztxt(b"bomb", bytes(100_000_000)),
        itxt(b"plain", LONG * 3),
        chunk(b"zTXt", b"broken\0\0hello"),
        chunk(b"iTXt", b"short"),
        chunk(b"iCCP", b"big\0\0" + zlib.compress(rgb_profile(ADOBE, 2.2, padding=1_500_000))),
        chunk(b"iCCP", b"bomb\0\0" + zlib.compress(bytes(100_000_000))),
        chunk(b"iCCP", b"odd\0\7hello"),
        chunk(b"eXIf", b"garbage"),
        chunk(b"eXIf", b"MM\0*\0\0\0\x08\xff\xff")[:-4] + b"0000",  # its checksum is wrong, too
        chunk(b"gAMA", b"")[:-4] + b"0000",
    ],
    ids=range(12),
)
def test_what_is_beside_the_pixels_keeps_none_from_being_seen(tmp_path: Path, added: bytes) -> None:
    small = chunk(b"tEXt", b"small\0text")
    (tmp_path / "a.png").write_bytes(with_chunks(PLAIN, added + small))
    assert load(tmp_path / "a.png").size == (24, 24)
    assert texts((tmp_path / "a.png").read_bytes())["small"] == "text"


def test_a_large_profile_is_followed(tmp_path: Path) -> None:
    for name, padding in (("small", 0), ("large", 1_500_000)):
        Image.new("RGB", (4, 4), (60, 200, 60)).save(
            tmp_path / f"{name}.png", icc_profile=rgb_profile(ADOBE, 2.2, padding=padding)
        )
    assert (
        load(tmp_path / "large.png").getpixel((0, 0)) == load(tmp_path / "small.png").getpixel((0, 0)) != (60, 200, 60)
    )


def test_all_texts_together_have_a_bound() -> None:
    many = b"".join(ztxt(b"text%d" % number, bytes(png.LONGEST - 9)) for number in range(20))
    assert len(texts(with_chunks(PLAIN, many))) == 16


def test_pillow_is_shown_the_pixels_alone() -> None:
    content = with_chunks(PLAIN, itxt(b"a", LONG) + chunk(b"tIME", bytes(7)), itxt(b"b", LONG))
    shown = png.Pixels(io.BytesIO(content))
    assert shown.read() == PLAIN
    assert shown.seek(-12, io.SEEK_END) == len(PLAIN) - 12
    assert shown.read(8) == b"\0\0\0\0IEND"
    assert shown.tell() == len(PLAIN) - 4


@given(st.data())
def test_damage_ends_the_chunks(data: st.DataObject) -> None:
    content = bytearray(with_chunks(encoded("PNG", 4), ztxt(b"a", b"text") + chunk(b"iCCP", b"b\0\0hello")))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(8, len(content) - 1))] = data.draw(st.integers(0, 255))
    file = io.BytesIO(content[: data.draw(st.integers(8, len(content)))])
    assert all(start >= 16 for _, start, _ in png.chunks(file))
    assert isinstance(png.texts(file), dict)
    assert isinstance(png.look(file), dict)
    with suppress(OSError):
        assert len(png.Pixels(file).read()) <= len(content)


def test_a_file_that_ends_among_its_pixels_is_known_by_its_chunks(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PLAIN[:-200])
    with pytest.raises(PictureError, match="damaged or incomplete"):
        measure(tmp_path / "a.png")


def test_many_small_chunks_are_passed(tmp_path: Path) -> None:
    added = struct.pack(">I4s", 0, b"tIME") + bytes(4)
    (tmp_path / "a.png").write_bytes(with_chunks(PLAIN, added * 100_000))
    assert np.asarray(load(tmp_path / "a.png")).shape == (24, 24, 3)


def test_unpacking_ends_however_many_texts_are_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "WORK", 3 * png.LONGEST)
    many = b"".join(ztxt(b"bomb%d" % number, bytes(png.LONGEST + 1)) for number in range(3))
    assert texts(with_chunks(PLAIN, many + ztxt(b"late", b"text"))) == {}
    assert texts(with_chunks(PLAIN, ztxt(b"early", b"text") + many)) == {"early": "text"}


def test_texts_have_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "MOST", 3)
    assert len(texts(with_chunks(PLAIN, b"".join(chunk(b"tEXt", b"%d\0x" % number) for number in range(9))))) == 3


def test_of_several_profiles_the_first_counts() -> None:
    several = b"".join(chunk(b"iCCP", b"p\0\0" + zlib.compress(profile)) for profile in (b"first", b"second"))
    assert png.look(io.BytesIO(with_chunks(PLAIN, several)))["icc_profile"] == b"first"


def test_what_is_looked_for_is_unpacked_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "WORK", 100)
    content = with_chunks(PLAIN, ztxt(b"other", bytes(200)) + ztxt(b"Raw profile type exif", b"text"))
    assert png.look(io.BytesIO(content)) == {"Raw profile type exif": "text"}


@pytest.mark.parametrize("name", [b"tIME", b"PRVT", b"IDAT"])
def test_a_file_of_nothing_but_chunks_is_damaged(tmp_path: Path, name: bytes) -> None:
    (tmp_path / "a.png").write_bytes(with_chunks(PLAIN, b"", chunk(name, b"") * png.CHUNKS))
    with pytest.raises(PictureError, match="damaged or incomplete"):
        measure(tmp_path / "a.png")


def test_empty_chunks_are_not_shown() -> None:
    assert png.Pixels(io.BytesIO(with_chunks(PLAIN, b"", chunk(b"IDAT", b"") * 9))).read() == PLAIN
