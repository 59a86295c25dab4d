"""Files are complete or not there, on the disk when it is said so, and nobody else's where they are private."""

import os
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from eichi import files
from eichi.files import aside, private, read_file, remove, settle, size_of, tighten

POSIX = pytest.mark.skipif(os.name == "nt", reason="permissions and folders are other things on Windows")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_of_what_is_not_there_there_are_no_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"four")
    assert (size_of(tmp_path / "file"), size_of(tmp_path / "none")) == (4, 0)


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"before")
    with pytest.raises(ZeroDivisionError), aside(path) as draft:
        draft.write_bytes(b"half")
        raise ZeroDivisionError
    assert [(file, file.read_bytes()) for file in tmp_path.iterdir()] == [(path, b"before")]


@POSIX
def test_what_is_private_is_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "newer"
    private(folder)
    private(folder)
    assert (mode(folder), mode(folder.parent)) == (0o700, 0o700)
    path = folder / "a"
    (folder / ".a.part").touch(0o644)  # of a process that was killed
    for _ in range(2):
        with aside(path, private=True) as draft:
            draft.write_bytes(b"")
        assert mode(path) == 0o600
    with pytest.raises(FileExistsError):
        private(path)


@POSIX
def test_what_was_left_open_is_tightened(tmp_path: Path) -> None:
    """But for what is shared on purpose."""
    modes = {}
    for name, before in {"open": 0o755, "group": 0o2775, "everybody": 0o1777, "own": 0o500, "file": 0o644}.items():
        path = tmp_path / name
        path.touch() if name == "file" else path.mkdir()
        path.chmod(before)
        changed = tighten(path)
        modes[name] = (changed, mode(path))
    assert modes == {
        "open": (True, 0o700),
        "group": (False, 0o2775),
        "everybody": (False, 0o1777),
        "own": (False, 0o500),
        "file": (True, 0o600),
    }
    assert not tighten(tmp_path / "nothing")


@POSIX
def test_content_reaches_the_disk_before_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, synced = tmp_path / "a", []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append((os.fstat(number).st_ino, path.exists())))
    for lasting in (True, False):
        path.unlink(missing_ok=True)
        with aside(path, lasting=lasting) as draft:
            draft.write_bytes(b"x")
        assert path.read_bytes() == b"x"
    assert synced == [(synced[0][0], False), (tmp_path.stat().st_ino, True)]


def test_only_a_file_is_read(tmp_path: Path) -> None:
    """A pipe would let its reader wait for ever, a device gives bytes without an end."""
    if sys.platform == "win32":
        pytest.skip("there are no pipes in folders")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_bytes(b"1234")
    assert read_file(tmp_path / "file", 4) == b"1234"
    with pytest.raises(OSError, match="too large"):
        read_file(tmp_path / "file", 3)
    for path in ("pipe", "loop", "nothing", "x" * 300, "a\0b", ".", "/dev/zero"):
        with pytest.raises(OSError, match=r"[a-z]"):
            read_file(tmp_path / path)


def test_what_is_in_the_place_of_a_draft(tmp_path: Path) -> None:
    """A writer does not wait for a pipe's reader, and writes into no other file."""
    if sys.platform == "win32":
        pytest.skip("there are no pipes in folders")
    other = tmp_path / "other"
    other.write_bytes(b"kept")
    os.mkfifo(tmp_path / ".pipe.part")
    (tmp_path / ".link.part").symlink_to(other)
    for name in ("pipe", "link"):
        with aside(tmp_path / name) as draft:
            draft.write_bytes(b"x")
        assert (tmp_path / name).read_bytes() == b"x"
    assert other.read_bytes() == b"kept"


def test_whatever_is_in_a_place_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").write_bytes(b"x")
    if sys.platform != "win32":
        (tmp_path / "link").symlink_to(folder)
    remove(tmp_path / "link")
    assert (folder / "a").is_file()
    remove(folder)
    assert list(tmp_path.iterdir()) == []


def refusing(times: int) -> Callable[[Path, Path], None]:
    """A rename that Windows refuses so often."""
    left, rename = iter(range(times)), os.rename

    def replace(draft: Path, path: Path) -> None:
        if next(left, None) is not None:
            raise PermissionError(13, "Access is denied")
        rename(draft, path)

    return replace


@pytest.mark.parametrize(("windows", "refused", "pauses"), [(True, 3, 3), (True, 0, 0), (False, 0, 0)])
def test_a_file_that_is_read_meanwhile_is_replaced_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, windows: bool, refused: int, pauses: int
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(files, "WINDOWS", windows)
    monkeypatch.setattr(os, "replace", refusing(refused))
    monkeypatch.setattr(time, "sleep", waited.append)
    with aside(tmp_path / "a") as draft:
        draft.write_bytes(b"x")
    assert (tmp_path / "a").read_bytes() == b"x"
    assert len(waited) == pauses


@pytest.mark.parametrize(("windows", "pauses"), [(True, files.TRIES - 1), (False, 0)])
def test_in_the_end_it_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, windows: bool, pauses: int) -> None:
    waited: list[float] = []
    monkeypatch.setattr(files, "WINDOWS", windows)
    monkeypatch.setattr(os, "replace", refusing(10**6))
    monkeypatch.setattr(time, "sleep", waited.append)
    with pytest.raises(PermissionError):
        settle(tmp_path / "a", tmp_path / "b")
    assert len(waited) == pauses
