"""Names of files that every system takes: short enough, without signs that mean something, no device of Windows."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from eichi.errors import InputError
from eichi.reasons import Unfit

WINDOWS = os.name == "nt"
# Bytes; systems take 255, Windows 259 with all folders before it; what is being written has a longer name beside it.
LONGEST = 120
SIGNS = re.compile('[\x00-\x1f\x7f<>:"|?*\ud800-\udfff]')
AWAY = re.compile(r"[\\/]{2}")
DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\.|$)", re.IGNORECASE)


def fit_name(name: str) -> str:
    """The last part of a name that a browser of any system gave, as near to it as a file can be called everywhere.

    Nothing where there is no more to it than dots.
    """
    base = SIGNS.sub("_", name.replace("\\", "/").rpartition("/")[2]).rstrip(". ")
    if DEVICES.match(base):
        base = f"_{base}"
    stem, suffix = Path(base).stem, Path(base).suffix
    while stem and len(f"{stem}{suffix}".encode()) > LONGEST:
        stem = stem[:-1]
    return f"{stem}{suffix}"[:LONGEST].rstrip(". ")


def leads_away(path: str, folders: Iterable[Path] = ()) -> bool:
    """Whether a path that somebody else wrote names another computer, `\\\\server\\share\\…`, outside of these folders.

    Only to ask Windows whether it is there signs in at that computer, in the name of who sits here. Elsewhere such a
    name is a file's like any other.
    """
    return WINDOWS and AWAY.match(path) is not None and not any(Path(path).is_relative_to(folder) for folder in folders)


def check_name(path: Path) -> None:
    """Raise InputError for a name that a file to be written cannot have on this system."""
    try:
        if WINDOWS and DEVICES.match(path.name):
            raise Unfit("reason.os.name")
        os.lstat(path.with_name(f".{path.name}.part"))
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise InputError("error.file.name", name=path.name, reason=error) from error
