"""Hostile ZIP files are refused in one sentence, before anything is written, and at no cost."""

import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eichi.errors import InputError
from eichi.library import unpack
from eichi.library.archive import read_archive
from tests.library.test_archive import PNG, pack, refused

HOSTILE = [
    "../../evil.png",
    "sections/../../000.png",
    "..\\000.png",
    "/etc/000.png",
    "\\000.png",
    "C:\\000.png",
    "c:000.png",
    "//server/000.png",
    "..",
    "a\n000.png",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_that_lead_out(tmp_path: Path, name: str) -> None:
    refused(pack(tmp_path / "a.zip", {}, {name: PNG}), "leads out")


@given(st.lists(st.sampled_from(["..", ".", "a", "", "000.png", "C:", "\\", "/", "end.png"]), min_size=1, max_size=5))
def test_whatever_the_name_nothing_is_written_elsewhere(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("a")
    path = pack(folder / "a.zip", {}, {"/".join(parts) or "x": PNG})
    try:
        read_archive(path, folder / "in" / "out")
    except InputError:
        assert list((folder / "in").rglob("*.png")) == []
    allowed = {folder / "a.zip", folder / "in", folder / "in" / "out"}
    written = {file for file in folder.rglob("*") if (folder / "in" / "out") not in file.parents}
    assert written <= allowed


@pytest.mark.parametrize("mode", [0o120777, 0o020666, 0o010644, 0o140755])
def test_links_and_devices(tmp_path: Path, mode: int) -> None:
    info = zipfile.ZipInfo("sections/000.png")
    info.external_attr = mode << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("sections.yaml", "{}")
        archive.writestr(info, "/etc/passwd")
    refused(tmp_path / "a.zip", "link or a device")


def test_too_many_files(tmp_path: Path) -> None:
    members = {f"{number}.txt": b"" for number in range(unpack.MOST)}
    refused(pack(tmp_path / "a.zip", {}, members), r"1001 files and 1000 are allowed")


def test_a_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zeros = bytes(2**20)
    path = pack(tmp_path / "a.zip", {}, {"000.png": zeros, "001.png": zeros})
    monkeypatch.setattr(unpack, "LARGEST", 2**20 - 1)
    refused(path, r"000.png .* is larger than")
    monkeypatch.setattr(unpack, "LARGEST", 2**20)
    monkeypatch.setattr(unpack, "TOGETHER", 2**21 - 1)
    refused(path, "unpacks to more than")


def test_a_member_that_is_larger_than_it_says(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {}, {"000.png": PNG + bytes(5000)})
    data = path.read_bytes()
    size = (len(PNG) + 5000).to_bytes(4, "little")
    path.write_bytes(data.replace(size, (10).to_bytes(4, "little")))
    refused(path, "cannot be read as a ZIP archive")


@pytest.mark.parametrize("data", [b"", b"hello", b"PK\x03\x04", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_archive(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(data)
    refused(tmp_path / "a.zip", r"cannot be read as a ZIP archive|contains 0 files")


def test_a_cut_archive(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {}, {"000.png": PNG})
    path.write_bytes(path.read_bytes()[:-30])
    refused(path, "cannot be read as a ZIP archive")
    with pytest.raises(InputError, match="no file"):
        read_archive(tmp_path / "none.zip", tmp_path / "out")


def test_an_encrypted_archive(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {})
    data = bytearray(path.read_bytes())
    for sign, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(sign) + place] |= 1
    path.write_bytes(data)
    refused(path, "locked with a password")


@pytest.mark.parametrize("how", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_packing_that_few_write(tmp_path: Path, how: int) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", how) as archive:
        archive.writestr("sections.yaml", "{}")
    refused(tmp_path / "a.zip", "sections.yaml in the archive .* is compressed in a way")


def test_what_unpacks_to_many_times_its_size(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("sections.yaml", "{}")
        archive.writestr("000.png", bytes(4 * 2**20))
    refused(tmp_path / "a.zip", "000.png .* more than 500 times")


def ended(count: int, entries: int, long: bool) -> bytes:
    """An archive of nothing but its list of files, whose end says how many there are."""
    listed = entries * (b"PK\1\2" + bytes(24) + b"\1\0" + bytes(16) + b"x")
    short = min(count, 0xFFFF)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, short, short, len(listed), 0, 0)
    if not long:
        return listed + end
    more = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(listed), 0)
    return listed + more + struct.pack("<4sIQI", b"PK\6\7", 0, len(listed), 1) + end


@pytest.mark.parametrize(
    ("count", "long", "sentence"),
    [
        (300_000, True, "300000 files and 1000"),
        (65_535, False, "65535 files"),
        (1, False, "cannot be read"),
        (1, True, "cannot be read"),
    ],
)
def test_many_files_are_refused_before_their_names_are_read(
    tmp_path: Path, count: int, long: bool, sentence: str
) -> None:
    (tmp_path / "a.zip").write_bytes(ended(count, 300_000, long))
    tracemalloc.start()
    try:
        refused(tmp_path / "a.zip", sentence)
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()
