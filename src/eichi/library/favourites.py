"""Favourites: complete sets of options with a name.

What is kept is the request as nested values, not the request itself: options come and go with versions, and a
favourite that names one of another version keeps it. Applying takes what is known today and says what is not.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import Field

from eichi.errors import FolderError, InputError
from eichi.events import Adjusted
from eichi.files import aside, read_file
from eichi.library.outside import kind_of, read_request_from
from eichi.library.store import Kept, Name, Shelf, Tell, Values, free_name
from eichi.library.whereabouts import Places, marks_of, relocate
from eichi.options import Request
from eichi.reasons import Unfit
from eichi.settings import CACHE, LORAS, UPLOADS
from eichi.text import json_text
from eichi.video.metadata import without_folders

# What a file of favourites calls itself, and how large it may be: a thousand of them with long prompts.
EXPORT, LIMIT = "eichi-favourites", 32 * 2**20


class Favourite(Kept):
    """A request as it is kept: its kind and its nested values; from another machine, the marks of its files."""

    kind: str
    request: Values
    files: Values = Field(default_factory=dict)


class _Content(Kept):
    favourites: dict[Name, Favourite] = Field(default_factory=dict)


class Favourites:
    """The favourites of a user."""

    def __init__(self, home: Path, tell: Tell) -> None:
        self._tell = tell
        self._shelf = Shelf(home, "favourites", _Content, tell)

    def list(self) -> dict[str, str]:
        """The kind of request of each favourite by its name, in the order they were saved."""
        return {name: favourite.kind for name, favourite in self._shelf.read().favourites.items()}

    def save(self, name: str, request: Request, replace: bool = False) -> None:
        """Keep a request under a name. Raises InputError for a blank name, or a taken one without `replace`."""
        self.keep(name, Favourite(kind=request.kind, request=request.dump()), replace)

    def keep(self, name: str, favourite: Favourite, replace: bool = False) -> None:
        """As `save`, for values that came from elsewhere and may not all be known here."""
        name = _named(name)
        with self._shelf.change() as content:
            if name in content.favourites and not replace:
                raise InputError("error.favourite.exists", name=name)
            content.favourites[name] = favourite

    def get(self, name: str) -> Favourite:
        """A favourite as it is kept. Raises InputError for an unknown name."""
        return _found(self._shelf.read(), name)

    def apply(self, name: str) -> Request:
        """The request of a favourite, as far as its options are known; what is not is told. Raises InputError."""
        return self._read(self.get(name))

    def rename(self, name: str, new: str) -> None:
        """Give a favourite another name, in its place. Raises InputError."""
        new = _named(new)
        with self._shelf.change() as content:
            _found(content, name)
            if new in content.favourites and new != name:
                raise InputError("error.favourite.exists", name=new)
            items = content.favourites.items()
            content.favourites = {new if key == name else key: favourite for key, favourite in items}

    def delete(self, name: str) -> None:
        """Remove a favourite. Raises InputError."""
        with self._shelf.change() as content:
            _found(content, name)
            del content.favourites[name]

    def export(self, path: Path, names: Iterable[str] | None = None) -> None:
        """Write favourites, all of them unless named, to a file for another machine. Raises InputError.

        Their files are named without their folders, which are nobody else's business, and with their marks.
        """
        content = self._shelf.read()
        chosen = content.favourites if names is None else {name: _found(content, name) for name in names}
        values = {name: self._portable(favourite).model_dump(mode="json") for name, favourite in chosen.items()}
        text = json_text({EXPORT: 1, "favourites": values}, indent=1)
        try:
            with aside(path) as draft:
                draft.write_text(text, encoding="utf-8")
        except OSError as error:
            raise FolderError("error.folder.write", folder=path.parent, reason=error) from error

    def take_in(self, path: Path) -> dict[str, str]:
        """Take the favourites of a file, those with a taken name under a free one; new names by the file's.

        Raises InputError for any other file.
        """
        taken: dict[str, str] = {}
        with self._shelf.change() as content:
            for name, favourite in _exported(path).items():
                mine = content.favourites.get(name)
                if mine is None or favourite not in (mine, self._portable(mine)):
                    taken[name] = free_name(name, list(content.favourites))
                    content.favourites[taken[name]] = favourite
        for name, new in taken.items():
            if new != name:
                self._tell(Adjusted("note.library.renamed", {"name": name, "new": new}))
        return taken

    def _read(self, favourite: Favourite) -> Request:
        request, left = read_request_from(kind_of(favourite.kind), favourite.request)
        if favourite.files:
            home = self._shelf.path.parent.parent
            places = Places(folders=(home / UPLOADS, home / LORAS), cache=home / CACHE, strict=True)
            request, lost = relocate(request, favourite.files, places)
            left = (*left, *lost)
        for note in left:
            self._tell(note)
        return request

    def _portable(self, favourite: Favourite) -> Favourite:
        """A favourite as others may see it."""
        values = without_folders(favourite.request)
        try:
            request, _ = read_request_from(kind_of(favourite.kind), favourite.request)
        except InputError:  # a kind of another version
            return Favourite(kind=favourite.kind, request=values)
        return Favourite(kind=favourite.kind, request=values, files=favourite.files or marks_of(request))


def _found(content: _Content, name: str) -> Favourite:
    if name not in content.favourites:
        raise InputError("error.favourite.unknown", name=name, known=", ".join(content.favourites) or "–")
    return content.favourites[name]


def _named(name: str) -> str:
    if not name.strip():
        raise InputError("error.favourite.name")
    return name.strip()


def _exported(path: Path) -> dict[str, Favourite]:
    """The favourites of an exported file. Raises InputError."""
    try:
        values = json.loads(read_file(path, LIMIT))
        if not isinstance(values, dict) or values.get(EXPORT) != 1:
            raise Unfit("reason.export")
        return _Content.model_validate({"favourites": values["favourites"]}).favourites
    except (OSError, ValueError, KeyError, RecursionError) as error:
        raise InputError("error.favourite.file", path=path, reason=error) from error
