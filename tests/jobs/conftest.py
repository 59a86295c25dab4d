"""Databases for the store: a file, and a PostgreSQL server of our own where one is installed."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

from eichi.jobs.queue import Queue
from eichi.jobs.schema import Draft
from eichi.jobs.store import Store
from eichi.jobs.view import Figures
from eichi.settings import load_settings

Database = Callable[[], str]


@pytest.fixture(scope="session")
def server() -> Iterator[Database]:
    """Makes databases on a PostgreSQL server that listens on a socket in a folder and lives as long as the tests."""
    found = shutil.which("initdb") or next(iter(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb"))), None)
    if found is None or sys.platform == "win32":
        pytest.skip("PostgreSQL is not installed on this machine")
    programs, user = Path(found).resolve().parent, "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="eichi-pg-"))
    if user is not None:  # the server refuses to run as root
        shutil.chown(folder, user)

    def call(program: str, *words: str) -> None:
        command = [str(programs / program), "-D", str(folder / "data"), *words]
        subprocess.run(command, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    call("initdb", "--auth=trust", "--username=eichi", "--no-sync")
    call("pg_ctl", "-w", "-o", f"-k {folder} -c listen_addresses='' -c fsync=off", "start")
    numbers = count()

    def make() -> str:
        name = f"jobs{next(numbers)}"
        with psycopg.connect(f"host={folder} user=eichi dbname=postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"postgresql+psycopg://eichi@/{name}?host={folder}"

    yield make
    call("pg_ctl", "-w", "-m", "immediate", "stop")
    shutil.rmtree(folder)


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
    with Store(settings.store) as store:
        yield Queue(store, settings.model_folders)


@pytest.fixture
def drafts() -> Callable[[int], list[Draft]]:
    """Jobs that are only ever kept."""
    plan = Figures(model="tiny", width=80, height=48, sections=2, kept=0, frames=37, seconds=1.2)
    return lambda number: [Draft("video", {"prompt": str(i)}, plan, "key", "out") for i in range(number)]
