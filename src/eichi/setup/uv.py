"""uv, the program that installs: where it is, what it is told, what it answers."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from eichi.setup.pipsettings import PLACES, for_uv

OWN = ".uv"  # in the program's folder, where a start script puts it on a machine without
FILES = ("uv", "uv.exe", "bin/uv", "bin/uv.exe")  # in there, by who put it there
# Of the user's, what would make uv install elsewhere than it is told here.
ASIDE = ("UV_SYSTEM_PYTHON", "UV_PYTHON", "UV_PROJECT", "UV_PROJECT_ENVIRONMENT", "VIRTUAL_ENV", "PYTHONPATH")
ALONE = "UV_NO_INDEX"
CRASHED = 0xC0000000  # from here on a code is Windows' own, of a program that it has ended
SECRET = re.compile(r"//[^/@\s]*@")  # a name and a password in an address


@dataclass(frozen=True)
class Uv:
    """uv, and the variables that it runs with."""

    program: str
    environ: Mapping[str, str] = field(default_factory=dict)
    borrowed: tuple[str, ...] = ()  # places of packages that pip is told of, and uv is not

    def run(self, *arguments: str, quiet: bool = False) -> int:
        """Run it, its words and its progress being the user's to see; the code it ended with, 0 where all is done."""
        command = [*self._command(arguments), *(("--quiet",) if quiet else ())]
        return subprocess.run(command, env=dict(self.environ)).returncode

    def ask(self, *arguments: str) -> tuple[bool, str]:
        """Run it for what it says; whether it came to its end, and that."""
        made = subprocess.run(
            [*self._command(arguments), "--no-progress"],
            env=dict(self.environ),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
        return made.returncode == 0, made.stdout + made.stderr or ended(made.returncode)

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        """As it is run: folders of wheels alone are a flag of uv's, which has no variable."""
        alone = arguments[:2] == ("pip", "install") and self.environ.get(ALONE)
        return [self.program, *arguments, *(("--no-index",) if alone else ())]


def ended(code: int) -> str:
    """What a program ended with, for who is to know why: the signal, Windows' own code, else the exit code."""
    if cut_off(code):
        known = {-one.value: one.name for one in signal.Signals}
        return known.get(code, f"0x{code:X}" if code > 0 else f"signal {-code}")
    return f"exit code {code}"


def cut_off(code: int) -> bool:
    """Whether a program was ended by the system, and had no time for a word."""
    return code < 0 or code >= CRASHED


def find(root: Path, environ: Mapping[str, str]) -> Uv | None:
    """uv as it is here: the one that this was started by, the program's own, the user's."""
    own = [root / OWN / name for name in FILES]
    here = next((str(path) for path in own if path.is_file()), None)
    program = environ.get("UV") or here or shutil.which("uv", path=environ.get("PATH"))
    if program is None:
        return None
    kept = {name: value for name, value in environ.items() if name not in ASIDE}
    pip = for_uv(environ)
    borrowed = tuple(SECRET.sub("//", pip[name]) for name in PLACES if name in pip)
    return Uv(program, kept | pip, borrowed)


def wheels(environ: Mapping[str, str], name: str) -> bool:
    """Whether one of the folders that are named as places of packages has a wheel of a library."""
    places = environ.get("UV_FIND_LINKS", "").split(",")
    folders = [Path(place.strip().removeprefix("file://")) for place in places if place.strip()]
    return any(next(folder.glob(f"{name}-*.whl"), None) for folder in folders if folder.is_dir())


def python_of(environment: Path) -> Path:
    """The Python in a virtual environment, by system."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
