"""What a user keeps, one JSON file for each kind of thing, below the home folder.

A file is written aside and renamed, under a lock, so that two tabs and a command cannot undo each other's changes; the
one before stays beside it. Nothing is lost: a file of an earlier version is brought up to date and a damaged one is
read as far as it can be, and in both cases it stays as it was under another name. Keys that are not known here are
kept, because a later version or a person may have written them; a file of a later version is left alone and refused.

Knows nothing of what it keeps.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

from filelock import FileLock
from pydantic import AfterValidator, BaseModel, ConfigDict

from eichi.declare import Plain
from eichi.errors import FolderError, InputError
from eichi.events import Adjusted
from eichi.files import aside, private, read_file
from eichi.library.salvage import salvage
from eichi.reasons import Unfit
from eichi.text import json_text

FOLDER = "library"
VERSION = "version"
# Deeper nesting than the interpreter bears is damage like any other.
DAMAGE = (ValueError, RecursionError)

# Who hears what was done otherwise than asked.
Tell = Callable[[Adjusted], None]
# Brings the values of one version of a file to the next.
Step = Callable[[Plain], Plain]


def _writable(values: Any) -> Any:
    """Values as they are, unless a key among them cannot be written."""
    try:
        json_text(values)
    except UnicodeEncodeError as error:
        raise Unfit("reason.coding") from error
    return values


# What a thing is kept under, and values of any kind: texts that can be written.
Name = Annotated[str, AfterValidator(lambda name: next(iter(_writable({name: None}))))]
Values = Annotated[Plain, AfterValidator(_writable)]


class Kept(BaseModel):
    """Base of what is kept in a file: unknown keys stay where they are."""

    model_config = ConfigDict(extra="allow", validate_assignment=True)
    __pydantic_extra__: dict[str, Annotated[Any, AfterValidator(_writable)]]


Content = TypeVar("Content", bound=Kept)


class Shelf(Generic[Content]):
    """One file: `kind` is what it holds, `steps` lead from each earlier version to the next."""

    def __init__(self, home: Path, name: str, kind: type[Content], tell: Tell, steps: Sequence[Step] = ()) -> None:
        self.path = home / FOLDER / f"{name}.json"
        self.kind = kind
        self.tell = tell
        self.steps = tuple(steps)

    @property
    def version(self) -> int:
        return len(self.steps) + 1

    @property
    def backup(self) -> Path:
        """The file as it was before the last change."""
        return self.path.with_suffix(".before.json")

    def read(self) -> Content:
        """What is kept, empty where there is no file. Raises InputError for a file of a later version."""
        try:
            values, version = self._values(self.path)
            if version == self.version:
                return self.kind.model_validate(values)
        except FileNotFoundError:
            return self.kind()
        except DAMAGE:
            pass
        with self._locked():
            return self._mend()

    @contextmanager
    def change(self) -> Iterator[Content]:
        """What is kept, to be changed in place; it is written when the block ends well. Raises FolderError."""
        with self._locked():
            content = self._mend()
            before = content.model_dump(mode="json")
            yield content
            if content.model_dump(mode="json") != before:
                if self.path.exists():
                    self._copy(self.backup)
                self._write(content)

    def _values(self, path: Path) -> tuple[Plain, int]:
        """The values of a file, in the form of this version, and the version it was written in."""
        try:
            values = json.loads(read_file(path))
        except FileNotFoundError:
            raise
        except OSError as error:
            raise InputError("error.library.read", file=path, reason=error) from error
        version = values.pop(VERSION, None) if isinstance(values, dict) else None
        if not isinstance(version, int) or version < 1:
            raise Unfit("reason.export")
        if version > self.version:
            raise InputError("error.library.newer", file=path, version=version, known=self.version)
        for step in self.steps[version - 1 :]:
            values = step(values)
        return values, version

    def _mend(self) -> Content:
        """What is kept, the file itself put in order where it is of an earlier version or damaged."""
        lost: list[str] = []
        note = "note.library.damaged"
        try:
            values, version = self._values(self.path)
            content, lost = self._salvage(values)
            if not lost and version == self.version:
                return content
            if not lost:
                note = "note.library.upgraded"
        except FileNotFoundError:
            return self.kind()
        except DAMAGE:
            content = self._older()
        copy = free_path(self.path.with_suffix(f".{note.rpartition('.')[2]}.json"))
        self._copy(copy)
        self._write(content)
        self.tell(Adjusted(note, {"file": str(self.path), "kept": str(copy)}))
        for key in lost:
            self.tell(Adjusted("note.library.lost", {"file": str(self.path), "key": key}))
        return content

    def _salvage(self, values: Plain) -> tuple[Content, list[str]]:
        """The content without the entries that cannot be read, and the names of those."""
        content, _, lost = salvage(self.kind.model_validate, values, depth=2)
        return content, [one.key for one in lost]

    def _older(self) -> Content:
        """What was kept before the last change, empty where that cannot be read either."""
        try:
            return self._salvage(self._values(self.backup)[0])[0]
        except (OSError, *DAMAGE):
            return self.kind()

    def _write(self, content: Content) -> None:
        values = {VERSION: self.version, **content.model_dump(mode="json")}
        with aside(self.path, private=True) as draft:
            draft.write_text(json_text(values, indent=1), encoding="utf-8")

    def _copy(self, path: Path) -> None:
        with aside(path, private=True) as draft:
            shutil.copyfile(self.path, draft)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One at a time; the one place where the system's complaints about the folder become ours."""
        try:
            private(self.path.parent)
            with FileLock(self.path.with_suffix(".lock")):
                yield
        except OSError as error:
            raise FolderError("error.folder.write", folder=self.path.parent, reason=error) from error


def free_path(path: Path) -> Path:
    """The path, or one with a number where it is taken."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free


def free_name(wish: str, taken: Iterator[str] | Sequence[str]) -> str:
    """The name, or one with a number where it is taken."""
    names, number, name = set(taken), 1, wish
    while name in names:
        number += 1
        name = f"{wish} ({number})"
    return name
