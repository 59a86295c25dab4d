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


def test_pieces_are_read_as_they_were_written(store: Store) -> None:
    kept = Pieces(store)
    bodies = [bytes(range(256)) * 9, b"", b"\0end"]
    for number, body in enumerate(bodies):
        kept.put("job-1/Größe_%.mp4", number, body)
    kept.put("job-1/Größe_%.mp4", 2, b"again")
    kept.put("job-10/a", 0, b"x")
    kept.put("JOB-1/a", 0, b"x")
    assert [kept.get("job-1/Größe_%.mp4", number) for number in range(4)] == [*bodies[:2], b"again", None]
    assert [(one.key, one.number, one.size) for one in kept.find("job-1/")] == [
        ("job-1/Größe_%.mp4", number, size) for number, size in enumerate((2304, 0, 5))
    ]
    assert kept.remove("job-1/") == 3
    assert [one.key for one in kept.find("")] == ["JOB-1/a", "job-10/a"]


def test_a_piece_that_is_not_as_it_was_written_is_told(store: Store) -> None:
    kept = Pieces(store)
    kept.put("a", 0, b"whole")
    with store.writing() as connection:
        connection.execute(sa.update(pieces).values(body=b"torn"))
    with pytest.raises(StoreError, match="Piece 0 of a in"):
        kept.get("a", 0)
