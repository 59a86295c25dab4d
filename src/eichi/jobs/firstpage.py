"""The first page of a store's file, which says how all others are read: the form of the file, and where each table is.

It holds nothing of the jobs, and is known where our migrations have made the file: tables lie in it as they lie in an
empty store, or as VACUUM puts them. So a file whose first page is damaged is read with one of ours.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

import sqlalchemy as sa

from eichi.jobs.upgrade import migrate

SIZE = 4096  # bytes of a page, if nothing else is said
SMALLEST, LARGEST = 512, 65536
FORMS = (slice(16, 18), slice(20, 24), slice(52, 60))  # of a header: sizes, kinds of pages, how texts are written
LOGGED = slice(18, 20)  # whether changes lie in a file beside
COUNTED = slice(28, 40)  # how many pages there are, and which are free; SQLite counts where it says nothing
SCHEMA = "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master"

# SQLite puts names out of the file into its sentences, and Python reads those as text.
UNREADABLE = (sqlite3.DatabaseError, UnicodeDecodeError)


@contextmanager
def model(version: str = "head", size: int = SIZE) -> Iterator[sqlite3.Connection]:
    """An empty store of a version, in memory, in pages of a size."""
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA page_size = {size}")
        migrate(connection, version)
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.commit()
        yield driver
    engine.dispose()


def is_ours(damaged: sqlite3.Connection, file: Path) -> bool:
    """Whether a first page can be read and says what one of ours would: then nothing comes of another one."""
    with file.open("rb") as opened:
        head = opened.read(100)
    try:
        schema = set(damaged.execute(SCHEMA))
        ((pages,),) = damaged.execute("PRAGMA page_count")
    except UNREADABLE:
        return False
    return pages == file.stat().st_size // SIZE and any(
        schema == there and all(head[form] == page[form] for form in FORMS) for page, there in _pages(SIZE)
    )


def headed(file: Path, copy: Path) -> Iterator[Path]:
    """A copy of a file with one first page of ours after the other, and with what was not yet written into it."""
    with file.open("rb") as opened:
        said = int.from_bytes(opened.read(18)[16:])
    said = LARGEST if said == 1 else said
    fit = SMALLEST <= said < LARGEST and said & (said - 1) == 0
    for size in dict.fromkeys((SIZE, said if fit or said == LARGEST else SIZE)):
        for page, _ in _pages(size):
            shutil.copyfile(file, copy)
            first = bytearray(page)
            log = Path(f"{file}-wal")
            if log.is_file():
                shutil.copyfile(log, f"{copy}-wal")
                first[LOGGED] = b"\2\2"
            with copy.open("rb+") as opened:
                opened.write(first)
            yield copy


@cache
def _pages(size: int) -> tuple[tuple[bytes, set[tuple[object, ...]]], ...]:
    """First pages, and what they say of tables."""
    pages = []
    with model(size=size) as made, closing(sqlite3.connect(":memory:")) as packed:
        packed.deserialize(made.serialize())
        packed.execute("VACUUM")
        for store in (made, packed):
            page = bytearray(store.serialize()[:size])
            page[COUNTED] = bytes(COUNTED.stop - COUNTED.start)
            pages.append((bytes(page), set(store.execute(SCHEMA))))
    return tuple(pages)
