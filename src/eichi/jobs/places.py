"""Places for files: where machines that share a store leave what others of them need.

Files lie under keys, which are names with slashes; one is there completely or not at all, and whoever reads one gets
what was written or nothing. Three kinds: a folder that all machines have; storage that fsspec reaches, S3 and what
speaks like it first of all (extra `s3`); the store's own database, in pieces, for machines that share nothing else.

Knows no job. Keys never leave the place: they are ours, and no user's text is in them.
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from eichi.errors import InputError, StoreError
from eichi.files import aside, leave, settle
from eichi.jobs.pieces import Pieces
from eichi.jobs.store import Store
from eichi.settings import DATABASE

PIECE = 2**20  # bytes of a piece in a database
HEAD, END = 0, "|"  # the piece that says what a file is made of; what ends its key, so that none is another's beginning


class Place(Protocol):
    """Where files lie by keys. What does not answer raises StoreError: it may another time."""

    def put(self, key: str, file: Path) -> None:
        """Keep a file, in place of the one before it."""
        ...

    def get(self, key: str, file: Path, most: int | None = None) -> bool:
        """Fetch a file; whether it was there. The folder must be. One of more bytes than `most` raises StoreError."""
        ...

    def keys(self, start: str) -> list[str]:
        """The keys that begin so, a slash being the end of `start`."""
        ...

    def remove(self, key: str) -> None:
        """Forget a file, also one that is not there."""
        ...


def open_place(address: str, store: Store) -> Place | None:
    """The place of an address: none, DATABASE, a folder, or a URL. Raises InputError for one that nobody reaches."""
    if not address:
        return None
    if address == DATABASE:
        return StorePlace(store)
    scheme, _, rest = address.partition("://")
    if not rest or scheme == "file":
        return FolderPlace(Path(os.path.expanduser(rest or address)))
    return FarPlace(address)


class FolderPlace:
    """A folder that all machines have, each by its own path."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    def put(self, key: str, file: Path) -> None:
        path = self._at(key)
        draft = path.with_name(f".{path.name}.{uuid4().hex}")  # of its own: two may bring the same file at once
        with reaching(str(self.root)):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copyfile(file, draft)
                settle(draft, path)
            finally:
                leave(draft)

    def get(self, key: str, file: Path, most: int | None = None) -> bool:
        path = self._at(key)
        with reaching(str(self.root)):
            if not path.is_file():
                return False
            _bounded(path.stat().st_size, most)
            with aside(file, lasting=False) as draft:
                shutil.copyfile(path, draft)
        return True

    def keys(self, start: str) -> list[str]:
        with reaching(str(self.root)):
            found = [path for path in self._at(start).rglob("*") if path.is_file() and not path.is_symlink()]
            return sorted(path.relative_to(self.root).as_posix() for path in found if not path.name.startswith("."))

    def remove(self, key: str) -> None:
        path = self._at(key)
        with reaching(str(self.root)):
            path.unlink(missing_ok=True)
            for folder in self._within(path.parent):
                with suppress(OSError):  # not empty
                    folder.rmdir()

    def _at(self, key: str) -> Path:
        """Where a file lies. Raises StoreError where a link leads out of the folder: ours makes none."""
        path = self.root / key
        with reaching(str(self.root)):
            if link := next((one for one in self._within(path) if one.is_symlink()), None):
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(link))
        return path

    def _within(self, path: Path) -> Iterator[Path]:
        """A path and the folders that it lies in, up to this one."""
        return takewhile(lambda folder: folder != self.root, (path, *path.parents))


class FarPlace:
    """Storage that fsspec reaches by a URL; S3 needs the extra `s3`. Raises InputError for one that is not known."""

    def __init__(self, url: str) -> None:
        import fsspec

        self.url = url.rpartition("@")[2] if "@" in url else url  # without a password
        with reaching(self.url):
            try:
                self._files, root = fsspec.core.url_to_fs(url)
            except (ValueError, ImportError) as error:
                raise InputError("error.place.url", place=self.url, reason=error) from error
        self._root = str(root).rstrip("/")

    def put(self, key: str, file: Path) -> None:
        with reaching(self.url):
            self._files.put_file(str(file), self._at(key))

    def get(self, key: str, file: Path, most: int | None = None) -> bool:
        draft = file.with_name(f".{file.name}.{uuid4().hex}")
        with reaching(self.url):
            try:
                if most is not None:
                    _bounded(self._files.size(self._at(key)) or 0, most)
                self._files.get_file(self._at(key), str(draft))
                settle(draft, file, lasting=False)
            except FileNotFoundError:
                return False
            finally:
                leave(draft)
        return True

    def keys(self, start: str) -> list[str]:
        with reaching(self.url):
            self._files.invalidate_cache()  # others have been here
            found: list[str] = self._files.find(self._at(start))
        return sorted(path[path.index(self._root) + len(self._root) :].lstrip("/") for path in found)

    def remove(self, key: str) -> None:
        with reaching(self.url), suppress(FileNotFoundError):
            self._files.rm_file(self._at(key))

    def _at(self, key: str) -> str:
        return f"{self._root}/{key}"


class StorePlace:
    """The store's own database. The first piece says what a file is made of."""

    def __init__(self, store: Store) -> None:
        self._pieces = Pieces(store)

    def put(self, key: str, file: Path) -> None:
        total, sizes = hashlib.sha256(), 0
        with (
            reaching(str(file)),
            file.open("rb") as opened,
            self._pieces.replacing(f"{key}{END}") as put,
        ):
            while body := opened.read(PIECE):
                sizes += 1
                total.update(body)
                put(HEAD + sizes, body)
            put(HEAD, json.dumps({"pieces": sizes, "sha256": total.hexdigest()}).encode())

    def get(self, key: str, file: Path, most: int | None = None) -> bool:
        head = self._pieces.get(f"{key}{END}", HEAD)
        if head is None:
            return False
        told, total = json.loads(head), hashlib.sha256()
        with reaching(str(file)), aside(file, lasting=False) as draft:
            _bounded((told["pieces"] - 1) * PIECE, most)
            with draft.open("wb") as opened:
                for number in range(1, told["pieces"] + 1):
                    body = self._pieces.get(f"{key}{END}", HEAD + number) or b""
                    total.update(body)
                    opened.write(body)
            if total.hexdigest() != told["sha256"]:  # somebody brings another one at this moment, or takes it away
                raise StoreError("error.place.use", place=key, reason="reason.checksum")
        return True

    def keys(self, start: str) -> list[str]:
        return [piece.key.removesuffix(END) for piece in self._pieces.find(start) if piece.number == HEAD]

    def remove(self, key: str) -> None:
        self._pieces.remove(f"{key}{END}")


def _bounded(size: int, most: int | None) -> None:
    """Raises OSError for a file that is larger than it can be."""
    if most is not None and size > most:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))


@contextmanager
def reaching(place: str) -> Iterator[None]:
    """The one place where the complaints of a folder, a network and its libraries become ours. Raises StoreError."""
    try:
        yield
    except _complaints() as error:
        raise StoreError("error.place.use", place=place, reason=error) from error


@cache
def _complaints() -> tuple[type[Exception], ...]:
    """Errors of the system, and what S3's libraries complain with beside them, where they are installed."""
    found: list[type[Exception]] = [OSError, EOFError]
    with suppress(ImportError):
        from botocore.exceptions import BotoCoreError, ClientError

        found += [BotoCoreError, ClientError]
    with suppress(ImportError):
        from aiohttp import ClientError as WebError

        found.append(WebError)
    return tuple(found)
