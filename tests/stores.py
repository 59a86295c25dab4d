"""A store of today's schema for tests that are not about how it comes to be: made once, then copied.

A new one takes six times as long, and hundreds of tests have one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

from eichi.jobs.store import Store


@contextmanager
def new_store(url: str) -> Iterator[Store]:
    """A store in a file, with nothing in it."""
    file = Path(sa.make_url(url).database or "")
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.write_bytes(_empty())
    with Store(url) as store:
        yield store


@cache
def _empty() -> bytes:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "jobs.db"
        with Store(f"sqlite:///{file}"):
            pass
        return file.read_bytes()
