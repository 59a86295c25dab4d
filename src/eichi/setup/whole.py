"""Whether the libraries of an environment are whole, by the lists of files that came with them. Imports none of them.

A disk, an interrupted removal or a guard against viruses takes files and leaves a library's entry behind, which still
says a version. Looked at is what each package begins with and what is compiled, which takes a fraction of a second;
a file deep inside is not missed. Which libraries there should be the program's own entry says, and theirs in turn;
what is wanted on some systems alone counts only where it is there.
"""

import os
import re
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution

PROGRAM = "framepack-eichi"
WANTED = re.compile(r"^Requires-Dist: *([A-Za-z0-9._-]+)([^;\n]*)(;?.*)$", re.MULTILINE)
COMPILED = re.compile(r"\.(so|pyd|dll|dylib)(\.[0-9.]+)?$")


def gaps(program: str = PROGRAM) -> tuple[str, ...]:
    """The libraries, in the environment that runs this, that the program wants and that are missing or not whole."""
    found: list[str] = []
    seen: set[str] = set()
    left = [(program, True)]
    while left:
        name, always = left.pop()
        entry = None if name in seen else _entry(name)
        if entry is None:
            found += [name] if always and name not in seen else []
            seen |= {name} if always else set()
            continue
        seen.add(name)
        about = entry.read_text("METADATA") or entry.read_text("PKG-INFO")
        if about is None or not _whole(entry):
            found.append(name)
        head = (about or "").partition("\n\n")[0]
        wanted = ((_plain(one[1]), one[3]) for one in WANTED.finditer(head) if "extra" not in one[3])
        left += [(name, not condition) for name, condition in wanted]
    return tuple(sorted(found))


def _plain(name: str) -> str:
    """A library's name as all write it."""
    return re.sub(r"[._-]+", "-", name).lower()


def _entry(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _whole(entry: Distribution) -> bool:
    folder = str(entry.locate_file(""))
    return all(os.path.exists(os.path.join(folder, path)) for path in _telling(entry))


def _telling(entry: Distribution) -> Iterator[str]:
    """Of the files of a library, relative to its folder: those that tell whether it is there."""
    for line in (entry.read_text("RECORD") or "").splitlines():
        path = line.partition(",")[0]
        first, *inner = path.split("/")
        shallow = len(inner) <= 1 and first not in ("..", "__pycache__") and inner[:1] != ["__pycache__"]
        if not path.startswith('"') and (COMPILED.search(path) or (shallow and not first.endswith(".dist-info"))):
            yield path
