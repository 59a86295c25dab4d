"""A store of any age becomes one of today, and keeps what is in it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from eichi.errors import InputError
from eichi.jobs.schema import Status, metadata
from eichi.jobs.store import Store
from eichi.jobs.upgrade import MIGRATING, migrate, open_engine

FIRST = """INSERT INTO jobs (kind, request, plan, pace_key, folder, status, priority, position, created, attempts, said)
VALUES ('video', '{"prompt": "old"}', '{}', 'key', 'out', 'waiting', 0, 1, 0.5, 0, 1)"""


def test_the_first_schema_is_brought_up_to_date(url: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        migrate(connection, "0001")
        connection.execute(sa.text(FIRST))
    engine.dispose()
    with Store(url) as store:
        (job,) = store.jobs()
        assert (job.request, job.status, job.created) == ({"prompt": "old"}, Status.WAITING, 0.5)
        assert not store.held


def test_the_tables_are_those_of_the_newest_migration(url: str) -> None:
    engine = open_engine(url)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    engine.dispose()
    assert differences == []


def test_opening_again_changes_nothing(url: str) -> None:
    for _ in range(2):
        open_engine(url).dispose()


def test_a_store_of_a_newer_program_is_refused(url: str) -> None:
    engine = open_engine(url)
    with engine.connect().execution_options(writing=True) as connection, connection.begin():
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(InputError, match="newer version"):
        Store(url)


@pytest.mark.parametrize("url", ["nonsense", "nosuch://here/jobs", "mysql+nosuch://here/jobs"])
def test_a_url_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="cannot be kept in"):
        Store(url)


def test_a_store_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no database, but long enough for a header" * 9)
    for name in ("file", "file/jobs.db"):
        with pytest.raises(InputError, match="cannot be opened"):
            Store(f"sqlite:///{tmp_path / name}")


def test_who_opens_a_server_waits_for_who_brings_it_up_to_date(server: Callable[[], str]) -> None:
    url = server()
    with Store(url):
        pass
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATING)))
        with pytest.raises(InputError, match="lock timeout"):
            Store(f"{url}&options=-c lock_timeout=1")
    engine.dispose()
