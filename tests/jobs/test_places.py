"""One contract for every place for files."""

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from eichi.errors import InputError, StoreError
from eichi.jobs.pieces import Pieces
from eichi.jobs.places import PIECE, FarPlace, Place, StorePlace, open_place
from eichi.jobs.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(f"sqlite:///{tmp_path / 'jobs.db'}") as store:
        yield store


@pytest.fixture(params=["folder", "file", "far", "store"])
def place(request: pytest.FixtureRequest, tmp_path: Path, store: Store) -> Place:
    folder = tmp_path / "shared"
    address = {"folder": str(folder), "file": folder.as_uri(), "far": f"memory://{uuid4().hex}/x", "store": "store"}
    made = open_place(address[request.param], store)
    assert made is not None
    return made


def test_a_file_is_there_as_it_was_put_until_it_is_removed(place: Place, tmp_path: Path) -> None:
    small, large, back = tmp_path / "small", tmp_path / "large", tmp_path / "back"
    small.write_bytes(b"")
    large.write_bytes(bytes(range(256)) * (PIECE // 200))
    assert (place.keys("jobs/"), place.get("jobs/1/a", back), back.exists()) == ([], False, False)
    for key, file in (("jobs/1/a", large), ("jobs/1/b/c.png", small), ("jobs/11/a", small), ("jobs/1/a", large)):
        place.put(key, file)
    assert place.keys("jobs/1/") == ["jobs/1/a", "jobs/1/b/c.png"]
    assert place.get("jobs/1/a", back)
    assert back.read_bytes() == large.read_bytes()
    place.put("jobs/1/a", small)  # in place of the one before
    assert place.get("jobs/1/a", back)
    assert back.read_bytes() == b""
    place.remove("jobs/1/a")
    place.remove("jobs/1/a")
    assert not place.get("jobs/1/a", back)
    assert place.keys("jobs/") == ["jobs/1/b/c.png", "jobs/11/a"]


def test_a_folder_that_cannot_be_written_may_be_another_time(tmp_path: Path, store: Store) -> None:
    (tmp_path / "file").write_bytes(b"")
    place = open_place(str(tmp_path / "file"), store)
    assert place is not None
    with pytest.raises(StoreError, match="does not answer correctly"):
        place.put("a/b", tmp_path / "file")


def test_of_a_file_in_pieces_none_is_another_s(tmp_path: Path, store: Store) -> None:
    file, back = tmp_path / "file", tmp_path / "back"
    file.write_bytes(b"x" * (PIECE + 1))
    place, kept = StorePlace(store), Pieces(store)
    place.put("a", file)
    head, first = kept.get("a|", 0), kept.get("a|", 1)
    with kept.replacing("a|") as put:
        put(0, head or b"")
        put(1, first or b"")
        put(2, b"y")
    with pytest.raises(StoreError):
        place.get("a", back)
    assert not back.exists()


def test_what_nobody_reaches_is_refused(store: Store) -> None:
    with pytest.raises(InputError, match="Shared files"):
        open_place("nowhere://bucket/x", store)
    assert open_place("", store) is None
    assert FarPlace("memory://me:secret@bucket").url == "bucket"


def test_what_is_larger_than_it_can_be_is_not_fetched(place: Place, tmp_path: Path) -> None:
    large, back = tmp_path / "large", tmp_path / "back"
    large.write_bytes(b"x" * (2 * PIECE + 1))
    place.put("a", large)
    assert place.get("a", back, most=3 * PIECE)
    back.unlink()
    with pytest.raises(StoreError, match="too large"):
        place.get("a", back, most=PIECE)
    assert not back.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_links_in_a_folder_lead_nowhere(tmp_path: Path, store: Store) -> None:
    """Who may write to the folder may not have others read, replace or remove files elsewhere."""
    root, secret, back = tmp_path / "shared", tmp_path / "own" / "secret", tmp_path / "back"
    for folder in (root / "results", secret.parent):
        folder.mkdir(parents=True)
    secret.write_text("mine")
    (root / "inputs").symlink_to(secret.parent)
    (root / "results" / "secret").symlink_to(secret)
    place = open_place(str(root), store)
    assert place is not None
    for key in ("inputs/secret", "results/secret"):
        for call in (partial(place.get, key, back), partial(place.put, key, store_file := tmp_path / "other")):
            store_file.write_text("other")
            with pytest.raises(StoreError):
                call()
    with pytest.raises(StoreError):
        place.remove("inputs/secret")
    with pytest.raises(StoreError):
        place.keys("inputs/")
    assert (place.keys("results/"), secret.read_text(), back.exists()) == ([], "mine", False)
