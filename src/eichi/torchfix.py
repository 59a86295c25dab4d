"""`eichi doctor --fix`: the torch for the card in place of one that does not use it, in the environment that runs this.

torch is not imported here: on Windows what is in use cannot be replaced. uv does it where there is one, which asks
torch's own server for the driver's build; else the environment's pip, asked for the builds that run, one after another.
Where either fails on its way, the start scripts find the mark of what was begun and make the environment again.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from eichi.errors import DeviceError, InputError, RunError
from eichi.settings import Settings
from eichi.setup.alone import alone
from eichi.setup.builds import Build, build_in, own_packages
from eichi.setup.cards import Card, backends, best
from eichi.setup.steps import BEGUN, READY, TRIED
from eichi.setup.torches import Tell, Trouble, choose, misfit, put, unfit, ways
from eichi.setup.uv import ended, find
from eichi.setup.whole import gaps

SERVER = "https://download.pytorch.org/whl"


@dataclass(frozen=True)
class Fixed:
    """What became of torch: what it was and is, "2.13.0+cuda13.0"; whether it was changed."""

    changed: bool
    before: str | None
    after: str | None


def fix(settings: Settings, tell: Tell) -> Fixed:
    """Put the right torch in, where another would be better. Raises InputError, RunError."""
    gone = [name for name in gaps() if name != "torch"]
    if gone:  # what mends torch mends nothing else
        raise RunError("error.gaps", names=", ".join(gone))
    card, build = best(), build_in(own_packages())
    before = None if build is None else str(build)
    wrong = misfit(build, card)
    if card is not None and not backends(card):
        id, values = unfit(card)
        raise DeviceError(id, **values)
    if wrong is None:
        tell("fix.nothing.card" if card is not None else "fix.nothing", build=before)
        return Fixed(False, before, before)
    if settings.offline:
        raise InputError("error.fix.offline")
    if not _own():
        raise InputError("error.fix.python", folder=sys.prefix)
    tell(f"fix.{wrong}", build=before)
    _replace(version(build), card, tell)
    after = build_in(own_packages())
    if after is None or misfit(after, card) is not None:
        raise DeviceError("error.fix.still", build=after)
    _try(after)
    tell("fix.done", build=str(after))
    return Fixed(True, before, str(after))


def version(build: Build | None) -> str:
    """The version of torch to put in: that of the one that is there; where there is none, the program's."""
    if build is not None:
        return build.version
    pins = program() / "constraints.txt"
    lines = pins.read_text(encoding="utf-8").splitlines() if pins.is_file() else []
    found = next((line.removeprefix("torch==") for line in lines if line.startswith("torch==")), None)
    if found is None:
        raise DeviceError("error.fix.absent")
    return found


def program() -> Path:
    """The program's folder, where it runs from one."""
    return Path(__file__).resolve().parents[2]


@contextmanager
def _marked(tell: Tell) -> Iterator[None]:
    """What lets an environment of the start scripts count as set up only when it came to its end, and none set it up
    meanwhile.
    """
    begun = Path(sys.prefix) / BEGUN
    if not (Path(sys.prefix) / READY).is_file():
        yield
        return
    with alone(Path(sys.prefix), lambda: tell("start.other")):
        begun.touch()
        yield
        begun.unlink()


def _own() -> bool:
    """Whether this Python has an environment of its own, and is not the system's or everybody's."""
    return sys.prefix != sys.base_prefix or (Path(sys.prefix) / "conda-meta").is_dir()


def _replace(wanted: str, card: Card | None, tell: Tell) -> None:
    """By uv, else by pip."""
    python, uv = Path(sys.executable), find(program(), os.environ)
    try:
        if uv is None:
            _by_pip(wanted, card, tell)
            return
        flags = ("--python", str(python), "--reinstall-package", "torch", f"torch=={wanted}")
        way = choose(uv, flags, ways(uv.environ, card), tell)
        if misfit(way.promise, card) is not None:
            raise DeviceError("error.fix.registry", build=way.build)
        tell("fix.command", command=" ".join((uv.program, "pip", "install", *flags, *way.arguments)))
        with _marked(tell):
            put(uv, flags, way, tell)
    except Trouble as trouble:
        raise DeviceError(trouble.id, **trouble.values) from trouble


def _by_pip(wanted: str, card: Card | None, tell: Tell) -> None:
    """The first of the builds that run which torch's own server has."""
    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
    if subprocess.run([*pip, "--help"], capture_output=True).returncode != 0:
        raise DeviceError("error.fix.tool")
    for backend in backends(card) if card is not None else ("cpu",):
        command = [*pip, "--extra-index-url", f"{SERVER}/{backend}", f"torch=={wanted}+{backend}"]
        tried = subprocess.run([*command, "--dry-run", "--quiet"], capture_output=True)
        if tried.returncode != 0:
            continue
        tell("fix.command", command=" ".join(command))
        with _marked(tell):
            if subprocess.run(command, stdout=sys.stderr).returncode != 0:
                raise DeviceError("error.fix.failed")
        return
    raise DeviceError("error.fix.server", server=SERVER)


def _try(build: Build) -> None:
    """Let the new torch be imported, in a process of its own. Raises DeviceError."""
    made = subprocess.run([sys.executable, "-c", TRIED], capture_output=True, encoding="utf-8", errors="replace")
    if made.returncode != 0:
        said = made.stderr.strip().splitlines() or [ended(made.returncode)]
        raise DeviceError("start.torch.broken", reason=said[-1])
    if build.kind == "cuda" and made.stdout.strip() != "True":
        raise DeviceError("error.fix.silent", build=str(build))
