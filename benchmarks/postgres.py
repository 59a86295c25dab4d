"""A PostgreSQL server of one's own, on a socket in a folder, for what is measured and tortured with a real one.

It is set up as Debian does, with what is written lasting: the seconds of a commit are in what is measured. Knows
nothing of jobs.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import psycopg

from tests.postgres import USERS, programs

ROOT = 0


class Server:
    """A server that runs; its databases are made as they are asked for."""

    def __init__(self, programs: Path, folder: Path, options: Sequence[str]) -> None:
        self.programs, self.folder = programs, folder
        self.user = _user()
        self.options = " ".join((f"-k {folder} -c listen_addresses=''", *options))
        self._numbers = count()

    def call(self, program: str, *words: str) -> None:
        """Run one of the server's programs on its data. Raises CalledProcessError."""
        command = [str(self.programs / program), "-D", str(self.folder / "data"), *words]
        quiet = subprocess.DEVNULL
        subprocess.run(command, user=self.user, cwd=self.folder, check=True, stdout=quiet, stderr=quiet)

    def start(self) -> None:
        self.call("pg_ctl", "-w", "-o", self.options, "start")

    def stop(self) -> None:
        self.call("pg_ctl", "-w", "-m", "immediate", "stop")

    def crash(self) -> None:
        """End as a power cut would, and begin again from what was written."""
        self.stop()
        self.start()

    def database(self, like: str | None = None) -> str:
        """The URL of a new database, a copy of another where that is named."""
        name = f"jobs{next(self._numbers)}"
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {like or 'template1'}".encode())
        return f"postgresql+psycopg://eichi@/{name}?host={self.folder}"

    def drop(self, name: str) -> None:
        """Remove a database, whoever is there."""
        with self.connect("postgres") as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())

    def connect(self, name: str) -> psycopg.Connection[tuple[object, ...]]:
        """A connection of one's own, every statement a transaction."""
        return psycopg.connect(f"host={self.folder} user=eichi dbname={name}", autocommit=True)


@contextmanager
def postgres(folder: Path, *options: str) -> Iterator[Server]:
    """A server in a folder that is not there yet, which goes with it; `options` are words for the server."""
    found = programs()
    if found is None:
        raise FileNotFoundError("PostgreSQL is not installed")
    folder.mkdir()
    server = Server(found, folder, options)
    if server.user is not None:
        shutil.chown(folder, server.user)
    server.call("initdb", "--auth=trust", "--username=eichi", "--encoding=UTF8", "--no-sync")
    server.start()
    try:
        yield server
    finally:
        with suppress(subprocess.CalledProcessError):
            server.stop()
        shutil.rmtree(folder)


def _user() -> str | None:
    """Who the server runs as; it refuses to run as root."""
    if sys.platform == "win32" or os.geteuid() != ROOT:
        return None
    import pwd

    return next(name for name in USERS if name in {one.pw_name for one in pwd.getpwall()})
