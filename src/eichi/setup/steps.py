"""The set-up of the program's own environment, step by step: it comes to its end, or is begun anew.

`.venv/begun` lies there from the first step on, `.venv/ready`, a copy of the lock, after the last. What is found with
the first mark alone was interrupted: a library may lie there by half, and nothing tells which. So it is made anew, from
uv's cache, which takes seconds; and so is one in which a library has been lost since. A second start finds the second
mark, looks whether all is there and asks nobody. Whoever sets up holds the lock of `alone`.
"""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from eichi.setup.cards import Card, backends, best
from eichi.setup.torches import Tell, Trouble, Way, failed, in_environment, install, look, misfit
from eichi.setup.uv import Uv, cut_off, ended, python_of

ENVIRONMENT, BEGUN, READY, WITH = ".venv", "begun", "ready", "with"
MARK = "pyvenv.cfg"  # what makes a folder an environment: a Python without it installs elsewhere
LOCK, CONSTRAINTS = Path("install") / "lock.txt", "constraints.txt"
EXTRAS = ("sage", "triton")
# SageAttention 2 is on no registry: its builds for Windows are on this page, for Linux it is built by who wants it.
PLACES = {"sage": "https://github.com/woct0rdho/SageAttention/releases/expanded_assets/v2.2.0-windows.post4"}
ROOM, CARD_ROOM = 3 * 2**30, 8 * 2**30  # bytes that the smallest build takes with the cache, and that for a card
# Whether the program is this folder's, and what it wants and is gone.
HERE = """
import eichi, os, sys
os.path.samefile(eichi.__path__[0], sys.argv[1] + "/src/eichi") or sys.exit(1)
from eichi.setup.whole import gaps
print(*gaps())
"""
TRIED = "import torch; print(torch.cuda.is_available())"


@dataclass(frozen=True)
class Place:
    """The program's folder, and what the set-up keeps in it."""

    root: Path

    @property
    def environment(self) -> Path:
        return self.root / ENVIRONMENT

    @property
    def python(self) -> Path:
        return python_of(self.environment)

    @property
    def eichi(self) -> Path:
        """The program's command in the environment."""
        return self.python.with_name("eichi.exe" if os.name == "nt" else "eichi")

    @property
    def lock(self) -> Path:
        return self.root / LOCK

    @property
    def ready(self) -> bool:
        """Whether all of the lock is in the environment and whole, and the program in it is this folder's."""
        if not self.python.exists() or not self.eichi.exists() or (self.environment / BEGUN).exists():
            return False
        if _read(self.environment / READY) != _read(self.lock):
            return False
        return self.gaps == ()

    @property
    def gaps(self) -> tuple[str, ...] | None:
        """Libraries that were set up and are gone; None where the program is not this folder's, or Python fails."""
        command = [str(self.python), "-I", "-c", HERE, str(self.root)]
        try:
            made = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
        except OSError:  # what lies there is no program
            return None
        return tuple(made.stdout.split()) if made.returncode == 0 else None

    @property
    def extras(self) -> tuple[str, ...]:
        """Extras that were asked for at this start or at an earlier one."""
        return tuple(name for name in _read(self.environment / WITH).split() if name in EXTRAS)

    @property
    def torch(self) -> str:
        """The version of torch that the lock is for."""
        lines = _read(self.root / CONSTRAINTS).splitlines()
        return next(line.removeprefix("torch==") for line in lines if line.startswith("torch=="))


def set_up(place: Place, uv: Uv, base: str, extras: tuple[str, ...], tell: Tell) -> None:
    """Make the environment with a Python (`base`) and put everything into it. Raises Trouble."""
    begun = time.monotonic()
    wanted = tuple(name for name in EXTRAS if name in (*place.extras, *extras))
    tell("start.begin", folder=place.root)
    card = best()
    look(card, tell)
    here = _here(place, uv)
    stale = in_environment(place.environment)
    cuda = card is not None and bool(backends(card)) and misfit(stale, card) is not None
    _check_room(place, cuda, here)
    if uv.borrowed:
        tell("start.places", places=", ".join(uv.borrowed))
    _environment(place, uv, base, tell)
    (place.environment / BEGUN).touch()
    (place.environment / READY).unlink(missing_ok=True)
    _libraries(place, uv, tell)
    stale = in_environment(place.environment)

    def weigh(way: Way) -> None:
        if way.build and way.promise.kind == "cuda":  # the plain registry's for Linux is, also without a card
            _check_room(place, True, here)

    anew = stale is not None and misfit(stale, card) is not None
    install(uv, place.python, place.torch, card, tell, anew, weigh)
    _program(place, uv)
    _try(place, card, tell)
    kept = _extras(place, uv, wanted, tell)
    (place.environment / WITH).write_text(" ".join(kept), encoding="utf-8")
    shutil.copyfile(place.lock, place.environment / READY)
    (place.environment / BEGUN).unlink()
    if kept != wanted:
        raise Trouble("start.extras.failed", names=", ".join(name for name in wanted if name not in kept))
    tell("start.ready", seconds=f"{time.monotonic() - begun:.0f}", size=_size(place.environment) / 2**30)


def _environment(place: Place, uv: Uv, base: str, tell: Tell) -> None:
    """A virtual environment: the one that is there, where it is whole and of the Python that is wanted."""
    if place.environment.exists():
        why = _unfit(place, base)
        if why is None:
            return
        tell(why, names=", ".join(place.gaps or ()))
    _run(uv, "venv", "--clear", "--python", base, str(place.environment), quiet=True)


def _unfit(place: Place, base: str) -> str | None:
    """Why an environment that is there cannot be gone on with, as the id of a sentence."""
    if (place.environment / BEGUN).exists() or not place.python.exists() or not (place.environment / MARK).exists():
        return "start.anew"
    if _version(str(place.python)) != _version(base):
        return "start.python"
    return "start.gaps" if place.gaps else None


def _version(python: str) -> str:
    """The version of a Python without its last part; empty for one that does not run."""
    asked = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        return subprocess.run([python, "-I", "-c", asked], capture_output=True, encoding="ascii").stdout.strip()
    except OSError:
        return ""


def _libraries(place: Place, uv: Uv, tell: Tell) -> None:
    """Everything but torch, each file by its hash."""
    count = sum("==" in line for line in _read(place.lock).splitlines())
    tell("start.libraries", count=count)
    flags = ("--no-deps", "--require-hashes", "--no-build", "--requirements", str(place.lock))
    _run(uv, "pip", "install", "--python", str(place.python), *flags)


def _program(place: Place, uv: Uv) -> None:
    """The program itself, by what the lock brought for that."""
    flags = ("--no-deps", "--no-build-isolation", "--editable", str(place.root))
    _run(uv, "pip", "install", "--python", str(place.python), *flags, quiet=True)


def _run(uv: Uv, *arguments: str, quiet: bool = False) -> None:
    """Run uv to its end. Raises Trouble."""
    code = uv.run(*arguments, quiet=quiet)
    if code:
        raise failed(code)


def _extras(place: Place, uv: Uv, wanted: tuple[str, ...], tell: Tell) -> tuple[str, ...]:
    """What was asked for by name; those that could be installed. The program runs without the others."""
    kept: list[str] = []
    for name in wanted:
        tell("start.extras", names=name)
        flags = ("--python", str(place.python), "--constraints", str(place.root / CONSTRAINTS), "--no-build-isolation")
        where = ("--find-links", PLACES[name]) if name in PLACES and sys.platform == "win32" else ()
        code = uv.run("pip", "install", *flags, *where, f"{place.root}[{name}]")
        if code == 0:
            kept.append(name)
        elif cut_off(code):
            tell("start.killed", cause=ended(code))
    return tuple(kept)


def _try(place: Place, card: Card | None, tell: Tell) -> None:
    """Let torch be imported once: what it lacks of the system is said now, and not when the first video fails."""
    made = subprocess.run([str(place.python), "-c", TRIED], capture_output=True, encoding="utf-8", errors="replace")
    if made.returncode != 0:
        lines = made.stderr.strip().splitlines()
        last = lines[-1] if lines else ended(made.returncode)
        raise Trouble("start.torch.windows" if os.name == "nt" and "DLL" in last else "start.torch.broken", reason=last)
    build = in_environment(place.environment)
    wrong = misfit(build, card)
    if wrong is not None:
        tell(f"start.torch.{wrong}", build=build)
    elif card is not None and build is not None and build.kind == "cuda" and made.stdout.strip() != "True":
        tell("start.torch.silent", build=build)


def _here(place: Place, uv: Uv) -> int:
    """Bytes that an earlier set-up has left, here and in uv's cache on the same disk; they need not come again."""
    if not (place.environment / BEGUN).exists():
        return 0
    good, said = uv.ask("cache", "dir")
    cache = Path(said.strip().splitlines()[-1]) if good and said.strip() else place.environment
    sizes: dict[int, int] = {}  # by the file, which may lie in both under one number
    for folder in {place.environment, cache}:
        if folder.is_dir() and folder.stat().st_dev == place.root.stat().st_dev:
            for here, _, names in os.walk(folder):
                for state in (os.lstat(os.path.join(here, name)) for name in names):
                    sizes[state.st_ino] = state.st_size
    return sum(sizes.values())


def _check_room(place: Place, cuda: bool, here: int) -> None:
    """Refuse a disk that what is still to come has no room on, with its figure. Raises Trouble."""
    needed, free = max(0, (CARD_ROOM if cuda else ROOM) - here), shutil.disk_usage(place.root).free
    if free < needed:
        values = {"folder": place.root, "free": free / 2**30, "needed": needed / 2**30}
        raise Trouble("start.room.card" if cuda else "start.room", **values, **room())


def _size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(os.lstat(os.path.join(here, name)).st_size for here, _, names in os.walk(folder) for name in names)


def room() -> dict[str, str]:
    """What a set-up takes of the disk while it runs, in GiB, for the sentence that says it."""
    return {"least": f"{ROOM / 2**30:.0f}", "card": f"{CARD_ROOM / 2**30:.0f}"}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
