"""Databases for the store: a file, and a PostgreSQL server of our own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eichi.jobs.queue import Queue
from eichi.jobs.schema import Draft
from eichi.jobs.view import Figures
from eichi.settings import load_settings
from tests.postgres import Database, postgres, programs
from tests.stores import new_store


@pytest.fixture(scope="session")
def server() -> Iterator[Database]:
    """Makes databases on a PostgreSQL server that lives as long as the tests."""
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed on this machine")
    with postgres(found) as make:
        yield make


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that nobody has opened."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'jobs.db'}"
    make: Database = request.getfixturevalue("server")
    return make()


@pytest.fixture
def queue(home: Path) -> Iterator[Queue]:
    """A queue in the home folder."""
    settings = load_settings()
    with new_store(settings.store) as store:
        yield Queue(store, settings.model_folders)


@pytest.fixture
def drafts() -> Callable[[int], list[Draft]]:
    """Jobs that are only ever kept."""
    plan = Figures(model="tiny", width=80, height=48, sections=2, kept=0, frames=37, seconds=1.2)
    return lambda number: [Draft("video", {"prompt": str(i)}, plan, "key", "out") for i in range(number)]
