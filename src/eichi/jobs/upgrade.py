"""Opening a store: the database is reached, its schema brought up to date, its complaints put into our words.

Migrations are append-only and run in one transaction, so that a store is either old or new; processes that open it
at the same time wait for the first. Knows nothing of what is in the tables.
"""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.exc import ArgumentError, InterfaceError, NoSuchModuleError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from eichi.errors import InputError, RunError, StoreError
from eichi.files import private, tighten
from eichi.jobs.schema import jobs

WAIT = 30_000  # milliseconds that a writer waits for another one
MIGRATING = 811_014_350  # any number, the same for all who bring a PostgreSQL store up to date


def open_engine(url: str) -> sa.Engine:
    """The database behind a URL, its schema that of today. Raises InputError, StoreError."""
    try:
        engine = sa.create_engine(url)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise InputError("error.store.url", url=url, reason=error) from error
    if engine.dialect.name == "sqlite":
        _tune(engine)
    elif engine.dialect.name == "postgresql":
        _ease(engine)
    try:
        if engine.dialect.name == "sqlite":
            _make(engine.url.database or "")
        with engine.connect().execution_options(writing=True) as connection, connection.begin():
            if engine.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATING)))
            if _unversioned(connection):
                raise StoreError("error.store.damaged", url=engine.url, reason="reason.missing")
            migrate(connection)
    except StoreError:
        engine.dispose()
        raise
    except CommandError as error:  # Alembic's word for a version that it does not know
        engine.dispose()
        raise InputError("error.store.newer", url=engine.url) from error
    except (SQLAlchemyError, OSError, UnicodeDecodeError) as error:
        engine.dispose()
        if _damaged(error):
            raise StoreError("error.store.damaged", url=engine.url, reason=error) from error
        raise InputError("error.store.open", url=engine.url, reason=error) from error
    return engine


def migrate(connection: sa.Connection, version: str = "head") -> None:
    """Bring the schema to a version, within the connection's transaction."""
    with _migrations() as config:
        config.attributes["connection"] = connection
        command.upgrade(config, version)


def versions() -> list[str]:
    """The versions that a schema has had, the oldest first."""
    with _migrations() as config:
        return [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()][::-1]


@contextmanager
def reaching(url: sa.URL) -> Iterator[None]:
    """The one place where the database's complaints while jobs are kept become ours.

    A StoreError is about the database, which may answer another time; another RunError about what was asked of it.
    """
    try:
        yield
    except (SQLAlchemyError, UnicodeDecodeError) as error:
        away = isinstance(error, OperationalError | InterfaceError | PoolTimeout)
        kind = StoreError if away or _damaged(error) else RunError
        id = "error.store.damaged" if _damaged(error) else "error.store.use"
        raise kind(id, url=url, reason=error) from error


@contextmanager
def _migrations() -> Iterator[Config]:
    """Where Alembic finds our migrations."""
    with as_file(files("eichi.jobs") / "migrations") as folder:
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        yield config


def _unversioned(connection: sa.Connection) -> bool:
    """Whether there are jobs and nothing says in which form."""
    known = MigrationContext.configure(connection).get_current_heads()
    return not any(known) and sa.inspect(connection).has_table(jobs.name)


def _make(database: str) -> None:
    """A database file for its owner alone, an empty one where there is none; what SQLite puts beside it becomes so."""
    if database in ("", ":memory:") or database.startswith("file:"):
        return
    path = Path(database)
    private(path.parent)
    if not path.exists():
        path.touch(0o600)
    if not path.is_file():  # SQLite would wait for a pipe
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    for ending in ("", "-wal", "-shm"):
        tighten(Path(f"{path}{ending}"))


def _tune(engine: sa.Engine) -> None:
    """Many readers beside one writer, transactions that are ours alone, references that hold."""

    @sa.event.listens_for(engine, "connect")
    def connected(connection: Any, record: object) -> None:
        connection.isolation_level = None  # the driver would begin transactions too late to be alone in them
        connection.text_factory = lambda text: text.decode("utf-8", "replace")  # a damaged text hides no other
        connection.execute(f"PRAGMA busy_timeout = {WAIT}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")

    @sa.event.listens_for(engine, "begin")
    def begun(connection: sa.Connection) -> None:
        options = connection.get_execution_options()
        writing, lasting = options.get("writing", False), options.get("lasting", False)
        if writing:
            connection.exec_driver_sql(f"PRAGMA synchronous = {'FULL' if lasting else 'NORMAL'}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _ease(engine: sa.Engine) -> None:
    """What is written anew within seconds is not waited for until it is on the server's disk: that is most of it."""

    @sa.event.listens_for(engine, "begin")
    def begun(connection: sa.Connection) -> None:
        if connection.get_execution_options().get("passing", False):
            connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")


def _damaged(error: Exception) -> bool:
    """Whether a database file is not as SQLite and we write it.

    A name in it that is no text spoils SQLite's own sentence. What it calls an error of a statement, all of which are
    ours, is a table or a column that is not there.
    """
    if isinstance(error, UnicodeDecodeError):
        return True
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", 0)
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)  # the rest says where
