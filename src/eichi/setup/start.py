"""What both start scripts hand over to, once there is a Python.

    check    whether all is set up, for the scripts; 0 when it is
    prepare  set up what is missing, by the uv that has brought this Python
    open     the page, with the environment's own Python

What stands after the verb is for `eichi ui`, but for `--with NAME,…`, which sets up an extra. Each step is said in the
language of who sits there. Exit codes as everywhere: 0 done, 1 failed, 2 wrong input, 130 stopped.
"""

import errno
import locale
import os
import subprocess
import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

from eichi.setup.alone import alone
from eichi.setup.steps import EXTRAS, Place, set_up
from eichi.setup.torches import Trouble
from eichi.setup.uv import find
from eichi.words import ENGLISH, language_of, say

FAILED, WRONG_INPUT, STOPPED = 1, 2, 130
WITH = "--with"
# Said by the scripts, before there is a Python.
SCRIPTS = ("start.uv", "start.uv.failed", "start.uv.folder", "start.uv.room", "start.uv.tools")
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)  # a folder that is not to be written to


def main(root: Path, arguments: list[str]) -> int:
    """One of the verbs; the exit code."""
    verb, *given = arguments
    extras, kept = _extras(given)
    place = Place(root)
    match verb:
        case "check":
            return 0 if _all_there(place, extras) else FAILED
        case "prepare":
            return _prepare(place, extras, language_for(given, os.environ))
        case _:
            return _page(place, kept)


def _all_there(place: Place, extras: list[str]) -> bool:
    return place.ready and not set(extras) - set(place.extras)


def _prepare(place: Place, extras: list[str], language: str) -> int:
    """Set up; what stands in the way is said."""

    def tell(id: str, **values: object) -> None:
        sys.stderr.write(say(id, language, **values) + "\n")
        sys.stderr.flush()

    unknown = [name for name in extras if name not in EXTRAS]
    if unknown:
        tell("start.extras.unknown", name=unknown[0], names=", ".join(EXTRAS))
        return WRONG_INPUT
    uv = find(place.root, os.environ)
    try:
        if uv is None:
            raise Trouble(SCRIPTS[1])
        with alone(place.environment, lambda: tell("start.other")):
            if not _all_there(place, extras):  # else the one that was waited for has done it
                set_up(place, uv, _base(), tuple(extras), tell)
    except Trouble as trouble:
        tell(trouble.id, **trouble.values)
        return FAILED
    except OSError as error:
        if error.errno in REFUSED:
            tell("start.uv.folder")
        tell("start.disk", reason=error)
        return FAILED
    except KeyboardInterrupt:
        tell("start.stopped")
        return STOPPED
    return 0


def language_for(arguments: list[str], environ: Mapping[str, str]) -> str:
    """The language that is asked for, else the program's, else the system's."""
    asked = [after for before, after in pairwise(arguments) if before == "--lang"]
    asked += [one.partition("=")[2] for one in arguments if one.startswith("--lang=")]
    named = [environ.get(name, "") for name in ("EICHI_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")]
    for code in (*asked, *named, _of_windows()):
        if code and code not in ("C", "POSIX", "C.UTF-8"):
            return language_of(code) or ENGLISH
    return ENGLISH


def _of_windows() -> str:
    """The language of Windows' own texts."""
    if sys.platform != "win32":
        return ""
    import ctypes

    return locale.windows_locale.get(ctypes.windll.kernel32.GetUserDefaultUILanguage(), "")


def _extras(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The extras that are asked for, and the arguments without them."""
    extras: list[str] = []
    kept: list[str] = []
    left = iter(arguments)
    for one in left:
        if one == WITH:
            extras += next(left, "").split(",")
        elif one.startswith(f"{WITH}="):
            extras += one.partition("=")[2].split(",")
        else:
            kept.append(one)
    return extras, kept


def _base() -> str:
    """The Python that this runs on, not the environment that uv has put around it."""
    if os.name == "nt":  # what lies in an environment there starts another program, and is no link to it
        return str(Path(sys.base_prefix) / "python.exe")
    return os.path.realpath(sys.executable)


def _page(place: Place, arguments: list[str]) -> int:
    """The page, in place of this process where the system can do that."""
    command = [str(place.eichi), "ui", "--inbrowser", *arguments]
    if os.name == "nt":
        try:
            return subprocess.run(command).returncode
        except KeyboardInterrupt:
            return STOPPED
    os.execv(command[0], command)
