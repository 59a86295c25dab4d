"""Where the files of a request are: marked by their content in a result, and found again from there.

A result names its pictures, LoRA and latent files without their folders, so that it can be given away. What tells a
file from another of its name is its mark: bytes and a print of the content. A file is looked for where its path says,
beside the result, where this machine saw it last, and below the folders that are named; of several the one with the
mark is meant. This machine remembers where marked files lay in its cache, which is its owner's alone. Whatever is not
found, or found with another content, is said.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from eichi.catalog import known
from eichi.declare import Plain
from eichi.errors import LoraError
from eichi.events import Adjusted
from eichi.files import aside, digest, private, trim
from eichi.models.lorafile import lora_print
from eichi.names import leads_away
from eichi.options import Options, Request, files_of, put
from eichi.video.metadata import Marks, last_part, model_name

SEEN = "seen"  # the folder of the cache with a file for each mark
LIMIT = 2**20  # bytes of paths that are remembered: about ten thousand
ENTRIES = 20_000  # files that are looked at below a folder

Asked = TypeVar("Asked", bound=Request)


@dataclass(frozen=True)
class Places:
    """Where files are looked for: `beside` a result, below `folders`, where a cache (`seen`) remembers them.

    A `strict` search follows no path out of the folders, and takes nothing for its name alone.
    """

    beside: Path | None = None
    folders: tuple[Path, ...] = ()
    cache: Path | None = None
    strict: bool = False


def marks_of(options: Options) -> dict[str, Plain]:
    """The marks of the files that a request names, by their dotted keys; none of a file that cannot be read."""
    found = {key: _mark(key, path) for key, path in files_of(options).items()}
    return {key: mark for key, mark in found.items() if mark is not None}


def remember(options: Options, marks: Marks, cache: Path | None) -> None:
    """Keep where the files of a request lie on this machine, and a model of the user's own."""
    if cache is None:
        return
    folder = cache / SEEN
    lying = {_print(marks[key]): path for key, path in files_of(options).items() if key in marks}
    model = getattr(options, "model", None)
    if model is not None and model not in known():
        lying[_called(model)] = Path(model)
    with suppress(OSError):  # a job is not lost for it
        private(folder)
        for name, path in lying.items():
            with aside(folder / name, lasting=False, private=True) as draft:
                draft.write_bytes(os.fsencode(path.expanduser().absolute()))
        trim(folder, "*", LIMIT)


def model_place(model: str, cache: Path | None) -> str:
    """A model as this machine has it: one of the user's own, named without its folder, where it was last used."""
    if model in known() or Path(model).exists():
        return model
    place = _seen(_called(model), cache)
    return model if place is None or not place.exists() else str(place)


def relocate(
    options: Asked, marks: Mapping[str, Any], places: Places, settled: Callable[[str], bool] = lambda key: False
) -> tuple[Asked, tuple[Adjusted, ...]]:
    """A request from a record with its files where they are here, and a word, once for each name, on those that are not
    there or not the same.

    `settled` tells the dotted keys that need no search.
    """
    values, notes = options.dump(), dict[str, Adjusted]()
    for key, path in files_of(options).items():
        if settled(key):
            continue
        mark = marks.get(key)
        found, same = _search(key, str(path), mark if isinstance(mark, Mapping) else None, places)
        shown: dict[str, Any] = {"key": key, "name": last_part(str(path))}
        if found is None:
            notes.setdefault(shown["name"], Adjusted("note.file.lost", shown))
            put(values, key, last_part(str(path)) if places.strict else str(path))
            continue
        if not same:
            id = "note.file.other" if mark else "note.file.found"
            notes.setdefault(shown["name"], Adjusted(id, shown | {"path": str(found)}))
        put(values, key, str(found))
    if not settled("model"):
        values["model"] = model_place(options.model, places.cache)
    return type(options).parse(values), tuple(notes.values())


def _search(key: str, recorded: str, mark: Mapping[str, Any] | None, places: Places) -> tuple[Path | None, bool]:
    """Where a file is, and whether it is the one that is meant; None where there is none of its name or mark."""
    other: Path | None = None
    for place, trusted in _candidates(recorded, mark, places):
        if not os.path.isfile(place):  # also false for a name that no file can have
            continue
        if mark is not None and _same(key, place, mark):
            return place, True
        if mark is None and trusted:
            return place, True
        if other is None and place.name == last_part(recorded):
            other = place
    return (None, False) if places.strict else (other, False)


def _candidates(recorded: str, mark: Mapping[str, Any] | None, places: Places) -> Iterator[tuple[Path, bool]]:
    """Paths to look at, the likeliest first, and whether a record that has no marks means exactly this one."""
    name = last_part(recorded)
    if not leads_away(recorded, places.folders) and (not places.strict or _inside(Path(recorded), places.folders)):
        yield Path(recorded), True
    if places.beside is not None:
        yield places.beside / name, False
    remembered = None if mark is None else _seen(_print(mark), places.cache)
    if remembered is not None:
        yield remembered, False
    for folder in places.folders:
        for entry in _below(folder):
            if entry.name == name or (mark is not None and _size(entry) == mark.get("bytes")):
                yield Path(entry.path), False


def _inside(path: Path, folders: Iterable[Path]) -> bool:
    try:
        place = path.resolve()
    except (OSError, ValueError):  # a name that no file can have
        return False
    return any(place.is_relative_to(folder.resolve()) for folder in folders)


def _below(folder: Path) -> Iterator["os.DirEntry[str]"]:
    """The files below a folder, those that lie higher first; without hidden folders and links to folders."""
    left, waiting = ENTRIES, [str(folder)]
    while waiting and left > 0:
        try:
            entries = sorted(os.scandir(waiting.pop(0)), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            left -= 1
            if entry.is_dir(follow_symlinks=False):
                waiting += [] if entry.name.startswith(".") else [entry.path]
            else:
                yield entry


def _size(entry: "os.DirEntry[str]") -> int | None:
    try:
        return entry.stat().st_size
    except OSError:
        return None


def _mark(key: str, path: Path) -> Plain | None:
    """The mark of a file, None where it cannot be read. LoRA files, which are large, have a print of their own."""
    try:
        place = path.expanduser()
        size = place.stat().st_size
        content = lora_print(place) if key.startswith("weights.loras.") else digest(place)
    except (OSError, RuntimeError, ValueError, LoraError):
        return None
    return {"bytes": size, "print": content}


def _same(key: str, path: Path, mark: Mapping[str, Any]) -> bool:
    """Whether a file has a mark. Its size is asked first, which costs nothing."""
    try:
        return path.stat().st_size == mark.get("bytes") and _mark(key, path) == mark
    except OSError:
        return False


def _print(mark: Mapping[str, Any]) -> str:
    """The name that a mark's whereabouts are kept under, whatever stands in it."""
    return hashlib.sha256(str(mark.get("print")).encode("utf-8", "replace")).hexdigest()


def _called(model: str) -> str:
    """The name that a model's whereabouts are kept under."""
    return hashlib.sha256(f"model {model_name(model)}".encode("utf-8", "replace")).hexdigest()


def _seen(name: str, cache: Path | None) -> Path | None:
    """The path that is remembered under a name."""
    if cache is None:
        return None
    try:
        return Path(os.fsdecode((cache / SEEN / name).read_bytes()))
    except OSError:
        return None


def covers(keys: Iterable[str]) -> Callable[[str], bool]:
    """Tells whether one of these dotted keys is meant by another, or holds it."""
    held = tuple(keys)
    return lambda key: any(key == one or key.startswith(f"{one}.") for one in held)
