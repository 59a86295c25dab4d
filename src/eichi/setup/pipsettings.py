"""What pip is told on this machine, for uv, which does not read it: the company's mirror, a folder of wheels.

Where uv is told such things itself, its word is all that counts.
"""

import configparser
import os
import sys
from collections.abc import Mapping
from pathlib import Path

# Any of these is the user's word to uv about where packages are.
PLACES = (
    "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX",
)  # fmt: skip
SECTIONS = ("global", "install")


def for_uv(environ: Mapping[str, str], told: Mapping[str, str] | None = None) -> dict[str, str]:
    """uv's variables for what pip is told, by its variables and files; of `told` instead of its files, where given."""
    pip = dict(settings(environ) if told is None else told)
    pip |= {name: value for name in KEYS if (value := environ.get(f"PIP_{name.upper().replace('-', '_')}"))}
    variables: dict[str, str] = {}
    if not any(environ.get(name) for name in PLACES):
        if pip.get("index-url"):
            variables["UV_DEFAULT_INDEX"] = pip["index-url"]
        if pip.get("extra-index-url"):
            variables["UV_INDEX"] = " ".join(pip["extra-index-url"].split())
            variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # as pip does: the best of all of them
        if pip.get("find-links"):
            variables["UV_FIND_LINKS"] = ",".join(pip["find-links"].split())
        if pip.get("no-index", "").lower() in ("1", "true", "yes", "on"):
            variables["UV_NO_INDEX"] = "1"
    for name, variable in (("cert", "SSL_CERT_FILE"), ("proxy", "HTTPS_PROXY"), ("trusted-host", "UV_INSECURE_HOST")):
        if pip.get(name):
            variables[variable] = " ".join(pip[name].split())
    return {name: value for name, value in variables.items() if not environ.get(name)}


KEYS = ("index-url", "extra-index-url", "find-links", "no-index", "cert", "proxy", "trusted-host")


def settings(environ: Mapping[str, str]) -> dict[str, str]:
    """What pip's files say, the later winning; a damaged one says nothing."""
    found: dict[str, str] = {}
    for path in places(environ):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue
        for section in SECTIONS:
            if parser.has_section(section):
                told = {name.replace("_", "-").removeprefix("--"): value for name, value in parser.items(section)}
                found |= {name: value for name, value in told.items() if name in KEYS}
    return found


def places(environ: Mapping[str, str]) -> list[Path]:
    """Where pip looks for its files, the weakest first: the machine's, the user's, the one that is named."""
    named = environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return []
    try:
        home = Path.home()
    except RuntimeError:  # a user without one, as in a container
        home = Path(os.devnull)
    if sys.platform == "win32":
        machine = [Path(environ.get("ProgramData", "C:/ProgramData"))]
        user = [home, Path(environ.get("APPDATA", home / "AppData" / "Roaming"))]
        found = [folder / "pip" / "pip.ini" for folder in (*machine, *user)]
    else:
        machine = [Path(folder) for folder in environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":") if folder]
        user = [home / ".config" if not environ.get("XDG_CONFIG_HOME") else Path(environ["XDG_CONFIG_HOME"])]
        files = [Path("/etc/pip.conf"), home / ".pip" / "pip.conf"]
        found = [*(folder / "pip" / "pip.conf" for folder in machine), *files, user[0] / "pip" / "pip.conf"]
    return [*found, *([Path(named)] if named else [])]
