"""What people give: it is checked before it has a place, one content is one picture, and what fails leaves nothing."""

import errno
import io
import os
import stat
import threading
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from starlette.datastructures import UploadFile

from eichi.errors import DiskError, EichiError, InputError
from eichi.video.latentfile import Latents, save_latents
from eichi.web import results, uploads
from eichi.web.app import make_app
from eichi.web.desk import Desk
from eichi.words import say
from tests.clips import clip, moving
from tests.pictures import saved

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><script>alert(1)</script>"


def content(kind: str, size: tuple[int, int] = (90, 60), mode: str = "RGB", colour: object = "red") -> bytes:
    """A picture of a kind."""
    return saved(Image.new(mode, size, colour), kind)  # type: ignore[arg-type]


def left(desk: Desk) -> list[Path]:
    """All that lies where people's files are put."""
    folders = (desk.uploads, desk.settings.outputs.absolute(), desk.settings.loras[0])
    return sorted(path for folder in folders if folder.is_dir() for path in folder.rglob("*") if path.is_file())


def test_the_same_bytes_are_one_picture(desk: Desk) -> None:
    first = desk.given.picture("one.png", io.BytesIO(content("PNG")))
    again = desk.given.picture("two.png", io.BytesIO(content("PNG")))
    other = desk.given.picture("two.png", io.BytesIO(content("PNG", colour="blue")))
    assert first == again
    assert (first.name, first.width, first.height) == ("one.png", 90, 60)
    assert other.mark != first.mark
    assert len(left(desk)) == 2
    if os.name != "nt":
        assert {stat.S_IMODE(path.stat().st_mode) for path in left(desk)} == {0o600}


def test_many_at_once_are_one_and_the_last_place_is_had_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MOST", 10)
    pictures = [content("PNG", colour=(shade, 0, 0)) for shade in range(12)] * 2
    said: list[object] = []

    def give(one: bytes) -> None:
        try:
            said.append(desk.given.picture("a.png", io.BytesIO(one)).mark)
        except InputError as error:
            said.append(error.id)

    threads = [threading.Thread(target=give, args=(one,)) for one in pictures]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(said) == 24
    assert "error.upload.count" in said
    assert len(left(desk)) == len({mark for mark in said if mark != "error.upload.count"}) <= 10


class Cut(io.BytesIO):
    """A file that ends with an error of the system in the middle."""

    def read(self, size: int | None = -1) -> bytes:
        part = super().read(10)
        if not part:
            raise OSError(errno.ENOSPC, "full")
        return part


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("a.png", io.BytesIO(HTML)),
        ("a.svg", io.BytesIO(SVG)),
        ("a.png", io.BytesIO(SVG)),
        ("a.png", io.BytesIO(b"")),
        ("a.png", Cut(content("PNG"))),
        ("a.mp4", io.BytesIO(HTML)),
        ("a.mp4", Cut(bytes(100))),
        ("a.html", io.BytesIO(HTML)),
        ("a.pt", io.BytesIO(b"\x80\x04.")),
        ("a.safetensors", io.BytesIO(b"\x80\x04.")),
        ("a.safetensors", Cut(bytes(100))),
        (".safetensors", io.BytesIO(b"x")),
        ("", io.BytesIO(b"x")),
    ],
)
def test_what_is_refused_leaves_nothing(desk: Desk, name: str, given: BinaryIO) -> None:
    for take in (desk.given.picture, desk.given.result, desk.given.lora):
        given.seek(0)
        with pytest.raises(EichiError) as refused:
            take(name, given)
        assert str(desk.settings.home) not in str(refused.value)
        assert isinstance(refused.value, InputError | DiskError)
    assert left(desk) == []
    assert not desk.uploads.is_dir() or list(desk.uploads.iterdir()) == []


def test_nothing_is_larger_than_it_may_be(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "LARGEST", 10)
    for take, name in ((desk.given.picture, "a.png"), (desk.given.result, "a.mp4"), (desk.given.lora, "a.safetensors")):
        with pytest.raises(InputError, match="larger"):
            take(name, io.BytesIO(bytes(20)))
    assert left(desk) == []


def test_videos_of_cameras_are_taken(desk: Desk, tmp_path: Path) -> None:
    made = clip(tmp_path / "made.ts")
    for name in ("00001.MTS", "a.m2ts", "b.ts"):
        path = desk.given.result(name, io.BytesIO(made.read_bytes()))
        assert path.suffix == Path(name).suffix.lower()
        assert desk.given.last(path, 64)


def test_pictures_that_move_are_videos_where_a_video_is_given(client: TestClient, desk: Desk, tmp_path: Path) -> None:
    """A picture that moves has a name of its own among videos; in a place for pictures its first one is taken."""
    for kind in ("gif", "webp"):
        made = moving(tmp_path / f"in.{kind}")
        given = client.post("/api/v1/files", files={"file": (f"in.{kind}", made.read_bytes())}).json()
        assert given["kind"] == "video"
        assert client.get(f"/api/v1/refs/{given['id']}").json()["seconds"] == pytest.approx(0.4, abs=0.01)
        first, last = (client.get(f"/api/v1/refs/{given['id']}/picture?at={at}").content for at in ("first", "last"))
        assert [_bright(one) for one in (first, last)] == pytest.approx([20, 200], abs=6)


@pytest.mark.parametrize(
    ("kind", "name"), [("video", "a.wav"), ("video", "a.safetensors"), ("sound", "a.mp4"), ("latents", "a.txt")]
)
def test_a_place_says_what_it_takes_and_nothing_else(client: TestClient, desk: Desk, kind: str, name: str) -> None:
    answer = client.post(f"/api/v1/files?kind={kind}", files={"file": (name, b"x")}).json()
    known = ", ".join(uploads.ENDINGS[kind])
    assert answer["message"] == say("error.upload.kind", name=name, known=known)
    assert left(desk) == []


def _bright(picture: bytes) -> float:
    return float(np.asarray(Image.open(io.BytesIO(picture)).convert("L")).mean())


def test_latents_get_a_name_that_is_free(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_latents(path, Latents(np.zeros((1, 16, 10, 6, 10), dtype=np.float32), 0), {"request": {}})
    taken = [desk.given.result("../../a:b.SAFETENSORS", io.BytesIO(path.read_bytes())) for _ in range(2)]
    assert [one.name for one in taken] == ["a_b.safetensors", "a_b_2.safetensors"]
    assert {one.parent for one in taken} == {desk.settings.outputs.absolute()}


@pytest.fixture
def client(desk: Desk) -> TestClient:
    return TestClient(make_app(desk), base_url="http://localhost")


@pytest.mark.parametrize(
    ("kind", "mode", "colour", "type"),
    [
        ("PNG", "RGB", "red", "image/png"),
        ("PNG", "I;16", 40000, "image/png"),
        ("JPEG", "CMYK", (0, 0, 0, 0), "image/jpeg"),
        ("TIFF", "RGB", "red", None),
        ("HEIC", "RGB", "red", None),
        ("WEBP", "RGBA", (255, 0, 0, 0), "image/webp"),
    ],
)
def test_every_picture_can_be_shown(
    client: TestClient, desk: Desk, kind: str, mode: str, colour: object, type: str | None
) -> None:
    given = content(kind, (600, 300), mode, colour)
    answer = client.post("/api/v1/pictures", files={"file": ("<b>猫.html", given, "text/html")})
    assert answer.status_code == 201
    assert (answer.json()["width"], answer.json()["height"]) == (600, 300)
    mark = answer.json()["id"].removeprefix("upload:")
    for size, expected in ((256, (256, 128)), (1024, (600, 300))):
        shown = client.get(f"/api/v1/pictures/{mark}?size={size}")
        assert shown.headers["content-type"] == "image/webp"
        assert Image.open(io.BytesIO(shown.content)).size == expected
    assert len(list((desk.settings.cache / uploads.SHOWN).iterdir())) == 2
    original = client.get(f"/api/v1/pictures/{mark}")
    assert original.content == given
    assert original.headers["content-type"] == (type or "application/octet-stream")
    assert original.headers["content-disposition"].startswith("inline" if type else "attachment")
    assert original.headers["x-content-type-options"] == "nosniff"
    assert client.get(f"/api/v1/pictures/{mark}?size=9999").status_code == 422
    view = client.get(f"/api/v1/refs/upload:{mark}").json()
    assert (view["kind"], view["width"], view["url"]) == ("picture", 600, f"/api/v1/pictures/{mark}")


def test_what_is_shown_has_bounded_room(client: TestClient, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "ROOM", 0)
    mark = desk.given.picture("a.png", io.BytesIO(content("PNG"))).mark
    path = desk.given.find(mark)
    assert path is not None
    assert desk.given.small(path, 256)
    assert list((desk.settings.cache / uploads.SHOWN).iterdir()) == []


def test_what_nobody_needs_makes_room(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Masks that were painted since yesterday keep no picture out; what a favourite names stays."""
    monkeypatch.setattr(uploads, "MOST", 3)
    kept, old, new = (desk.given.picture("a.png", io.BytesIO(png(number))) for number in range(3))
    day = uploads.CROWDED + 60
    for one in (kept, old):
        path = desk.uploads / one.mark
        os.utime(path, (path.stat().st_mtime - day,) * 2)
    monkeypatch.setattr(desk.given, "texts", lambda: [f"prompt {kept.mark}"])
    assert desk.given.picture("b.png", io.BytesIO(png(3)))
    assert desk.given.find(old.mark) is None
    assert desk.given.find(kept.mark) and desk.given.find(new.mark)
    with pytest.raises(InputError, match="3"):
        desk.given.picture("c.png", io.BytesIO(png(4)))


def png(number: int) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (8, 8), (number, 0, 0)).save(content, "PNG")
    return content.getvalue()


def test_a_result_that_is_deleted_while_it_is_looked_at_is_none(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "files_in", lambda folder: iter([tmp_path / "gone.mp4"]))
    assert desk.files.list(tmp_path) == []


def test_a_full_disk_is_said_where_a_file_is_sent(
    client: TestClient, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lies on the disk before anybody looks at it."""

    def full(*about: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(UploadFile, "write", full)
    answer = client.post("/api/v1/pictures", files={"file": ("a.png", content("PNG"))})
    assert answer.json()["id"] == "error.upload.write"
    assert "space" in answer.json()["message"]
