"""The texts of a file: wherever they stand in it, whatever their coding."""

import io
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from eichi.video.texts import LONGEST, texts_in, user_comment
from tests.pictures import encoded

TEXT = "a cat 猫\nNegative prompt: dog\nSteps: 20, Seed: 5"
PNG = encoded("PNG", 8)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(path: Path, *chunks: bytes, behind: bool = False) -> Path:
    """A PNG with chunks before its pixels or behind them."""
    place = PNG.index(b"IEND") - 4 if behind else PNG.index(b"IDAT") - 4
    path.write_bytes(PNG[:place] + b"".join(chunks) + PNG[place:])
    return path


def exif(comment: bytes | None = None, tags: Mapping[int, str] | None = None) -> bytes:
    made = Image.Exif()
    for tag, value in (tags or {}).items():
        made[tag] = value
    if comment is not None:
        made.get_ifd(0x8769)[0x9286] = comment
    return made.tobytes()


def saved(path: Path, kind: str, data: bytes) -> Path:
    Image.new("RGB", (16, 16)).save(path, kind, exif=data)
    return path


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize(
    "made",
    [
        chunk(b"tEXt", b"Parameters\0" + TEXT.encode()),
        chunk(b"zTXt", b"Parameters\0\0" + zlib.compress(TEXT.encode())),
        chunk(b"iTXt", b"Parameters\0\0\0\0\0" + TEXT.encode()),
        chunk(b"iTXt", b"Parameters\0\1\0en\0x\0" + zlib.compress(TEXT.encode())),
    ],
    ids=["tEXt", "zTXt", "iTXt", "packed iTXt"],
)
def test_chunks_of_a_png(tmp_path: Path, made: bytes, behind: bool) -> None:
    assert texts_in(png(tmp_path / "a.png", made, behind=behind)) == {"parameters": TEXT}


def test_latin_1_of_a_png_and_what_is_too_long(tmp_path: Path) -> None:
    large = chunk(b"zTXt", b"workflow\0\0" + zlib.compress(bytes(LONGEST + 1)))
    made = png(tmp_path / "a.png", large, chunk(b"tEXt", b"parameters\0caf\xe9"), chunk(b"tEXt", b"empty\0"))
    assert texts_in(made) == {"parameters": "café"}


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF", "PNG"])
@pytest.mark.parametrize("order", ["utf-16-be", "utf-16-le"])
def test_user_comments_in_both_orders(tmp_path: Path, kind: str, order: str) -> None:
    data = exif(b"UNICODE\0" + TEXT.encode(order))
    assert texts_in(saved(tmp_path / "a", kind, data)) == {"usercomment": TEXT}


@pytest.mark.parametrize(
    "comment",
    [
        b"UNICODE\0" + TEXT.encode("utf-16"),
        b"UNICODE\0" + TEXT.encode("utf-8"),
        b"ASCII\0\0\0" + TEXT.encode("utf-8"),
        b"JIS\0\0\0\0\0" + TEXT.encode("iso2022_jp"),
        b"JIS\0\0\0\0\0" + TEXT.encode("cp932"),
        bytes(8) + TEXT.encode("utf-8"),
        bytes(8) + TEXT.encode("utf-16-le"),
        TEXT.encode("utf-8"),
    ],
)
def test_codings_of_user_comments(comment: bytes) -> None:
    assert user_comment(comment) == TEXT


@pytest.mark.parametrize(
    "comment", [b"", b"UNICODE\0\xd8", b"UNICODE\0" + b"\xd8\0" * 3, b"JIS\0\0\0\0\0\x80", b"\xff"]
)
def test_a_damaged_user_comment_is_some_text(comment: bytes) -> None:
    assert isinstance(user_comment(comment), str)


def test_a_comment_of_a_jpeg(tmp_path: Path) -> None:
    Image.new("RGB", (16, 16)).save(tmp_path / "a.jpg", comment=TEXT.encode())
    assert texts_in(tmp_path / "a.jpg") == {"comment": TEXT}


def test_texts_where_the_camera_stands(tmp_path: Path) -> None:
    tags = {0x010F: 'workflow:{"nodes": []}', 0x0110: 'prompt:{"1": "x"}', 0x010E: "made: with love"}
    found = texts_in(saved(tmp_path / "a.webp", "WEBP", exif(tags=tags)))
    assert found == {"workflow": '{"nodes": []}', "prompt": '{"1": "x"}', "made": "with love"}


def test_the_user_comment_of_xmp(tmp_path: Path) -> None:
    inner = '<rdf:Alt>\n<rdf:li xml:lang="x-default">{&quot;c&quot;:&quot;a cat&quot;}</rdf:li>\n</rdf:Alt>'
    xmp = f"<x:xmpmeta><exif:UserComment>{inner}</exif:UserComment></x:xmpmeta>"
    made = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp.encode())
    assert texts_in(png(tmp_path / "a.png", made)) == {"usercomment": '{"c":"a cat"}'}
    Image.new("RGB", (16, 16)).save(tmp_path / "a.jpg", xmp=xmp.encode())
    assert texts_in(tmp_path / "a.jpg") == {"usercomment": '{"c":"a cat"}'}


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_tags_of_a_video(tmp_path: Path, name: str) -> None:
    with av.open(str(tmp_path / name), "w", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata.update({"comment": TEXT, "Prompt": "{}"})
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height = 16, 16
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8))))
        container.mux(stream.encode())
    found = texts_in(tmp_path / name)
    assert (found["comment"], found["prompt"]) == (TEXT, "{}")


@pytest.mark.parametrize("data", [b"", b"text", PNG[:40], b"\x89PNG\r\n\x1a\n", b"\0\0\0\x20ftypisom", b"#EXTM3U\n"])
def test_what_cannot_be_read_has_none(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    assert texts_in(tmp_path / "a") == {}
    assert texts_in(tmp_path / "none") == texts_in(tmp_path) == {}


def test_damaged_exif_has_none(tmp_path: Path) -> None:
    whole = io.BytesIO()
    Image.new("RGB", (16, 16)).save(whole, "JPEG", exif=exif(b"UNICODE\0" + TEXT.encode("utf-16-be")))
    data = whole.getvalue()
    place = data.index(b"Exif")
    rng = np.random.default_rng(5)
    for _ in range(200):
        broken = bytearray(data)
        for at in rng.integers(place, place + 60, 3):
            broken[at] = rng.integers(256)
        (tmp_path / "a.jpg").write_bytes(broken)
        assert all(isinstance(text, str) for text in texts_in(tmp_path / "a.jpg").values())
