"""The passes of a JPEG, known by its markers alone."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eichi.video import jpeg
from tests.pictures import encoded, exif

PLAIN, PROGRESSIVE = encoded("JPEG", 24), encoded("JPEG", 24, progressive=True)
COMMENT = b"\xff\xfe\x00\x04\xff\xda"


def passes(content: bytes) -> bool:
    return jpeg.in_passes(io.BytesIO(content))


def test_one_scan_or_several() -> None:
    assert not passes(PLAIN)
    assert passes(PROGRESSIVE)
    assert not passes(PLAIN[:2] + COMMENT * 200 + PLAIN[2:])  # scans in what is beside the pixels
    assert passes(encoded("JPEG", 300, progressive=True, quality=95, exif=exif(6), icc_profile=bytes(100_000)))


def test_what_is_beyond_any_program_is_damage() -> None:
    last = PROGRESSIVE[PROGRESSIVE.rindex(jpeg.SCAN) : -2]
    for content in (
        PROGRESSIVE[:-2] + last * 100,
        PLAIN[:2] + COMMENT * jpeg.MARKERS + PLAIN[2:],
        PLAIN[:2] + b"\xff\xd0" * jpeg.MARKERS + PLAIN[2:],
        PLAIN[:2] + b"\xff" * 40_000 + PLAIN[2:],
    ):
        with pytest.raises(OSError, match="the file has"):
            passes(content)


@given(st.data())
def test_damage_ends_the_markers(data: st.DataObject) -> None:
    content = bytearray(PROGRESSIVE)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(2, len(content) - 1))] = data.draw(st.integers(0, 255))
    assert passes(bytes(content[: data.draw(st.integers(2, len(content)))])) in (True, False)
