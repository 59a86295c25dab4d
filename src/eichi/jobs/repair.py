"""A damaged store made whole: what can be read of its file goes into a fresh one, and the damaged file stays beside it.

A file that SQLite finds nothing wrong with is damaged, too, where tables of ours are not as they should be.

SQLite reads most rows of a file of which some pages are damaged, if it is asked for them from the front, from the back
and one by one between. Where the first page is damaged, which says how all others are read, it is asked with one of
ours as well, and what gives the most is taken. Rows are copied as they stand, into a store of their own version, which
is then brought up to date like any other; what is wrong within a row is for `schema` to say. What is known to have
been there and cannot be read is told, and so is where nothing says what was there. Knows files of SQLite only: a
server has tools of its own.
"""

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa
from alembic.util import CommandError
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from eichi.errors import FolderError, InputError
from eichi.files import aside, settle
from eichi.jobs.firstpage import UNREADABLE, headed, is_ours, model
from eichi.jobs.upgrade import migrate, open_engine, versions

BESIDE = ("-wal", "-shm")  # what SQLite keeps beside a file
# What knows the rows of a table beside the table itself.
INDEXES = {"jobs": "jobs_order", "events": "sqlite_autoindex_events_1", "pieces": "sqlite_autoindex_pieces_1"}
TABLES = ("jobs", "events", "state", "workers", "pieces")
SPAN = 10_000  # rows that are tried even if no index knows them

Row = tuple[object, ...]


@dataclass(frozen=True)
class Repaired:
    """What came of it. `damage` is what the check of the file found; where that is nothing, nothing was changed.

    `jobs` and `events` count what the store holds then; `lost` are the numbers of jobs that cannot be read any more,
    `lost_events` counts what else jobs had said. What is `unknown` may have held more jobs: neither their table nor
    its index can be read to the end.
    """

    file: Path
    damage: tuple[str, ...] = ()
    backup: Path | None = None
    jobs: int = 0
    events: int = 0
    lost: tuple[int, ...] = ()
    lost_events: int = 0
    unknown: bool = False


def repair(url: str) -> Repaired:
    """Check the store behind a URL, and rebuild it where it is damaged.

    Raises InputError, also where somebody else uses the store, and FolderError.
    """
    file = _file(url)
    try:
        with closing(_open(file)) as damaged, ExitStack() as undo:
            damage = _check(damaged)
            if not damage:
                return Repaired(file, jobs=_count(damaged, "jobs"), events=_count(damaged, "events"))
            backup = _copied(file)
            undo.callback(_remove, backup, "", *BESIDE)
            _alone(damaged, file)
            with aside(file) as draft:
                made = _most(damaged, draft, Repaired(file, damage, backup))
                shutil.copymode(file, draft)
                damaged.close()
                undo.pop_all()
                _remove(file, *BESIDE)  # it was read, and does not belong to the fresh file
            return made
    except CommandError as error:
        raise InputError("error.store.newer", url=url) from error
    except (OSError, SQLAlchemyError, sqlite3.Error) as error:  # of the files beside; the damaged one's are expected
        raise FolderError("error.folder.write", folder=file.parent, reason=error) from error


def _file(url: str) -> Path:
    """The file of a store. Raises InputError where it has none, or it is not there."""
    try:
        found = sa.make_url(url)
    except ArgumentError as error:
        raise InputError("error.store.url", url=url, reason=error) from error
    if found.get_backend_name() != "sqlite" or not found.database or found.database == ":memory:":
        raise InputError("error.store.repair", url=found)
    file = Path(found.database)
    if not file.is_file():
        raise InputError("error.store.none", file=file)
    return file


def _open(file: Path) -> sqlite3.Connection:
    """A file without a wait for others."""
    connection = sqlite3.connect(file, isolation_level=None, timeout=0)
    connection.text_factory = lambda text: text.decode("utf-8", "replace")
    return connection


def _check(damaged: sqlite3.Connection) -> tuple[str, ...]:
    """What SQLite finds wrong with its file, and where that is nothing, what is wrong with our tables in it."""
    try:
        found = [str(text) for (text,) in damaged.execute("PRAGMA integrity_check")]
    except UNREADABLE as error:
        return (str(error),)
    return tuple(_unlike(damaged)) if found == ["ok"] else tuple(found)


def _unlike(damaged: sqlite3.Connection) -> Iterator[str]:
    """What tells a file from a store of its version. One of another program, or of a newer version, is none of ours."""
    known, version, there = versions(), _stored(damaged), _columns(damaged)
    if not any(there[table] for table in TABLES) or (version and version not in known):
        return
    if not version:
        yield "no version"
    with model(_version(damaged)) as empty:
        yield from (f"columns of {table}" for table, columns in _columns(empty).items() if there[table] != columns)
    if not _keys(damaged, "SELECT held FROM state"):
        yield "no row in state"


def _columns(connection: sqlite3.Connection) -> dict[str, list[str]]:
    """The columns of our tables, none of one that is not there."""
    return {table: [str(name) for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")] for table in TABLES}


def _count(whole: sqlite3.Connection, table: str) -> int:
    try:
        (count,) = whole.execute(f"SELECT count(*) FROM {table}").fetchone()
    except UNREADABLE:  # the file of another program
        return 0
    return int(count)


def _copied(file: Path) -> Path:
    """A copy beside a file, with what was not yet written into it."""
    copy, number = file.with_stem(f"{file.stem}.damaged"), 1
    while copy.exists():
        number += 1
        copy = file.with_stem(f"{file.stem}.damaged_{number}")
    for ending in ("", *BESIDE):
        if Path(f"{file}{ending}").is_file():
            shutil.copy2(f"{file}{ending}", f"{copy}{ending}")
    return copy


def _remove(file: Path, *endings: str) -> None:
    for ending in endings:
        Path(f"{file}{ending}").unlink(missing_ok=True)


def _alone(damaged: sqlite3.Connection, file: Path) -> None:
    """Raise InputError where somebody else has the file open: what they write from now on would be lost."""
    try:
        damaged.execute("PRAGMA journal_mode = DELETE")
    except UNREADABLE as error:  # many a damage keeps everybody from writing
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            raise InputError("error.store.busy", file=file) from error


def _most(damaged: sqlite3.Connection, draft: Path, told: Repaired) -> Repaired:
    """A fresh store with the most that can be read, with a first page of ours if need be. Raises CommandError."""
    with TemporaryDirectory(dir=draft.parent, prefix=draft.stem) as name:
        folder = Path(name)
        made: list[tuple[Repaired, bool, Path]] = []
        if not is_ours(damaged, told.file):
            for number, copy in enumerate(headed(told.file, folder / "copy.db")):
                with closing(_open(copy)) as read:
                    made.append(_rebuild(read, folder / f"{number}.db", told))
                _remove(copy, "", *BESIDE)
        made.append(_rebuild(damaged, folder / "own.db", told))
        most, _, fresh = max(made, key=lambda one: (one[0].jobs, one[0].events, one[1]))  # where it is the same, ours
        settle(fresh, draft)
    return most


def _rebuild(damaged: sqlite3.Connection, draft: Path, told: Repaired) -> tuple[Repaired, bool, Path]:
    """A fresh store with what can be read of a damaged one, and whether that says if the queue is held.

    Raises CommandError for one of a newer program.
    """
    damaged.execute("PRAGMA writable_schema = ON")  # nothing is written; what was cut off is read only so
    url = sa.URL.create("sqlite", database=str(draft))
    engine = sa.create_engine(url)
    with engine.connect() as connection, connection.begin():
        migrate(connection, _version(damaged))
    engine.dispose()
    with closing(_open(draft)) as fresh:
        fresh.execute("PRAGMA synchronous = OFF")  # what is taken is put on the disk as a whole
        fresh.execute("BEGIN")
        jobs = {job for job, _ in _copy(damaged, fresh, "jobs")}
        events = _copy(damaged, fresh, "events", lambda row: row[0] in jobs)
        _copy(damaged, fresh, "pieces")  # workers join again
        # What the indexes know of, and what jobs have said, tells what is missing.
        keys = _keys(damaged, f"SELECT job, number FROM events INDEXED BY {INDEXES['events']}") | events
        known = {job for job, *_ in _keys(damaged, f"SELECT id FROM jobs INDEXED BY {INDEXES['jobs']}") | keys}
        lost = tuple(sorted(job for job in known - jobs if isinstance(job, int)))
        state = _keys(damaged, "SELECT held FROM state WHERE id = 1")
        for held in state:
            fresh.execute("UPDATE state SET held = ?", held)
        fresh.execute("UPDATE jobs SET said = (SELECT coalesce(max(number), 0) FROM events WHERE job = jobs.id)")
        fresh.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'jobs'", (max(lost, default=0),))
        fresh.execute("COMMIT")
    open_engine(url.render_as_string()).dispose()
    unknown = not any(
        _ends(damaged, f"SELECT id FROM jobs {how}") for how in ("NOT INDEXED", f"INDEXED BY {INDEXES['jobs']}")
    )
    lost_events = len(keys - events)
    told = replace(told, jobs=len(jobs), events=len(events), lost=lost, lost_events=lost_events, unknown=unknown)
    return told, bool(state), draft


def _version(damaged: sqlite3.Connection) -> str:
    """The version of a store's schema; where it does not say, the oldest one with such tables, or today's.

    What a later version would read otherwise is read as it is: migrations leave alone what is brought up to date.
    """
    if version := _stored(damaged):
        return version
    try:
        there = _columns(damaged)
    except UNREADABLE:
        return "head"
    for version in versions():
        with model(version) as empty:
            if _columns(empty) == there:
                return version
    return "head"


def _stored(damaged: sqlite3.Connection) -> str:
    """The version that a store says; nothing where it says none."""
    found = [str(version) for (version,) in _keys(damaged, "SELECT version_num FROM alembic_version") if version]
    return found[0] if found else ""


def _copy(
    damaged: sqlite3.Connection, fresh: sqlite3.Connection, table: str, wanted: Callable[[Row], bool] = lambda row: True
) -> set[Row]:
    """Copy what can be read of a table; the first two columns of the rows that were copied."""
    there = _keys(damaged, f"SELECT name FROM pragma_table_info('{table}')")
    columns = [name for name in _columns(fresh)[table] if (name,) in there or not there]
    insert = f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    return {
        row[:2] for row in _rows(damaged, table, columns) if wanted(row) and fresh.execute(insert, row).rowcount == 1
    }


def _rows(damaged: sqlite3.Connection, table: str, columns: Sequence[str]) -> Iterator[Row]:
    """The rows of a table that can be read: from the front, where that breaks off from the back, then one by one."""
    asked = f"SELECT rowid, {', '.join(columns)} FROM {table}"
    seen: set[int] = set()
    if not _ends(damaged, f"{asked} LIMIT 0"):  # there is no such table, and not one row of it
        return
    for direction in ("ASC", "DESC"):
        try:
            for number, *row in damaged.execute(f"{asked} ORDER BY rowid {direction}"):
                seen.add(number)
                yield tuple(row)
            return
        except UNREADABLE:
            continue
    listed = {
        int(str(number)) for (number,) in _keys(damaged, f"SELECT rowid FROM {table} INDEXED BY {INDEXES[table]}")
    }
    for number in sorted((listed | set(range(SPAN))) - seen):
        with suppress(*UNREADABLE):
            yield from (tuple(row) for _, *row in damaged.execute(f"{asked} WHERE rowid = ?", (number,)))


def _keys(damaged: sqlite3.Connection, asked: str) -> set[Row]:
    """What can be read of an answer."""
    found: set[Row] = set()
    with suppress(*UNREADABLE):
        found.update(damaged.execute(asked))
    return found


def _ends(damaged: sqlite3.Connection, asked: str) -> bool:
    """Whether an answer can be read to its end."""
    try:
        for _ in damaged.execute(asked):
            pass
    except UNREADABLE:
        return False
    return True
