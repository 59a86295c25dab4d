"""Files in pieces in the store: read as they were written, or an error."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from eichi.errors import StoreError
from eichi.jobs.pieces import Pieces
from eichi.jobs.schema import pieces
from eichi.jobs.store import Store


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store(url) as opened:
        yield opened


def write(kept: Pieces, key: str, *bodies: bytes) -> None:
    with kept.replacing(key) as put:
        for number, body in enumerate(bodies):
            put(number, body)


def test_pieces_are_read_as_they_were_written(store: Store) -> None:
    kept = Pieces(store)
    bodies = [bytes(range(256)) * 9, b"", b"\0end"]
    write(kept, "job-1/Größe_%.mp4", b"before", b"", b"", b"longer")
    write(kept, "job-1/Größe_%.mp4", *bodies)
    write(kept, "job-10/a", b"x")
    write(kept, "JOB-1/a", b"x")
    assert [kept.get("job-1/Größe_%.mp4", number) for number in range(4)] == [*bodies, None]
    assert [(one.key, one.number, one.size) for one in kept.find("job-1/")] == [
        ("job-1/Größe_%.mp4", number, size) for number, size in enumerate((2304, 0, 4))
    ]
    assert kept.remove("job-1/") == 3
    assert [one.key for one in kept.find("")] == ["JOB-1/a", "job-10/a"]


def test_a_piece_that_is_not_as_it_was_written_is_told(store: Store) -> None:
    kept = Pieces(store)
    write(kept, "a", b"whole")
    with store.writing() as connection:
        connection.execute(sa.update(pieces).values(body=b"torn"))
    with pytest.raises(StoreError, match="Piece 0 of a in"):
        kept.get("a", 0)


def test_who_dies_while_it_writes_has_changed_nothing(store: Store) -> None:
    kept = Pieces(store)
    write(kept, "a", b"one", b"two")
    with pytest.raises(KeyboardInterrupt), kept.replacing("a") as put:
        put(0, b"three")
        raise KeyboardInterrupt
    assert [kept.get("a", number) for number in range(3)] == [b"one", b"two", None]


def test_what_two_write_at_once_is_tried_again(store: Store) -> None:
    kept = Pieces(store)
    with pytest.raises(StoreError), kept.replacing("a") as put:
        put(0, b"one")
        put(0, b"two")
    write(kept, "a", b"three")
    assert kept.get("a", 0) == b"three"
