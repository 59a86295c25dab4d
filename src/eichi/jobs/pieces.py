"""Files in pieces, kept in the store's own database: for machines that share nothing else.

A key names a file; its pieces are numbered from 0 and written together. Each has its size and its SHA-256, and is read
back against them, so that who reads a file gets what was written or an error. Meant for pictures, the latents of
sections and results of some megabytes, not for weights. Knows no job and no worker.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from eichi.errors import RunError, StoreError
from eichi.jobs.schema import pieces
from eichi.jobs.store import Store

END = chr(0x10FFFF)  # behind everything that goes on


@dataclass(frozen=True)
class Piece:
    """A piece that is kept, without what is in it. `size` in bytes, `time` in seconds since 1970."""

    key: str
    number: int
    size: int
    sha256: str
    time: float


class Pieces:
    """The pieces of files in a store. Raises StoreError where it does not answer."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @contextmanager
    def replacing(self, key: str) -> Iterator[Callable[[int, bytes], None]]:
        """Put pieces of a file in place of all that it had, in one transaction: whoever dies in it has changed nothing.

        Where two put the same file at once, one of them is to try again.
        """

        def put(number: int, body: bytes) -> None:
            piece = Piece(key, number, len(body), hashlib.sha256(body).hexdigest(), time.time())
            connection.execute(sa.insert(pieces).values(vars(piece) | {"body": body}))

        try:
            with self._store.writing() as connection:
                connection.execute(sa.delete(pieces).where(pieces.c.key == key))
                yield put
        except RunError as error:
            if isinstance(error.__cause__, IntegrityError):
                raise StoreError(error.id, **error.values) from error
            raise

    def get(self, key: str, number: int) -> bytes | None:
        """What is in a piece, None where it is not there. Raises StoreError for one that is not as it was written."""
        asked = sa.select(pieces.c.body, pieces.c.sha256).where(pieces.c.key == key, pieces.c.number == number)
        with self._store.reading() as connection:
            row = connection.execute(asked).first()
        if row is None:
            return None
        body = bytes(row.body)
        if hashlib.sha256(body).hexdigest() != row.sha256:
            raise StoreError("error.store.piece", url=self._store.url, key=key, number=number)
        return body

    def find(self, start: str) -> list[Piece]:
        """The pieces whose key begins so, by key and number, without what is in them."""
        asked = sa.select(*(pieces.c[name] for name in Piece.__dataclass_fields__))
        asked = asked.where(_begins(start))
        with self._store.reading() as connection:
            return [Piece(*row) for row in connection.execute(asked.order_by(pieces.c.key, pieces.c.number))]

    def remove(self, start: str) -> int:
        """Forget the pieces whose key begins so; how many."""
        gone = sa.delete(pieces).where(_begins(start))
        with self._store.writing() as connection:
            return connection.execute(gone).rowcount


def _begins(start: str) -> sa.ColumnElement[bool]:
    """Keys that begin so, by their order, which is that of their signs on every database."""
    return (pieces.c.key >= start) & (pieces.c.key < start + END)
