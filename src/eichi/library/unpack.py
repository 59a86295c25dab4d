"""ZIP archives from users, opened with care.

Nothing here trusts an archive: it may be no archive, hold a million files, unpack to more than there is room for, or
have names and links that lead out of the folder. Each is refused in one sentence before a byte is written, and what is
unpacked gets its name from us. Knows nothing of what is inside.
"""

import hashlib
import lzma
import re
import shutil
import stat
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile, ZipInfo

from eichi.errors import InputError

# A hundred sections with a picture each are far below these; what is far above is no section archive.
MOST = 1000
LARGEST = 128 * 2**20
TOGETHER = 512 * 2**20

DAMAGE = (BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, ValueError)
# Encrypted, or compressed in a way that is not known here.
REFUSED = (RuntimeError, NotImplementedError)


@dataclass(frozen=True)
class Bundle:
    """An open archive whose names and sizes are fine. `files` are its members by their names."""

    path: Path
    archive: ZipFile
    files: dict[PurePosixPath, ZipInfo]

    @property
    def digest(self) -> str:
        """What names the whole archive by its content."""
        with _translated(self.path), self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]

    def text(self, name: PurePosixPath, limit: int) -> str:
        """A member as UTF-8 text of at most `limit` bytes. Raises InputError."""
        info = self.files[name]
        if info.file_size > limit:
            raise InputError("error.archive.size", path=self.path, name=name, limit=_shown(limit))
        with _translated(self.path):
            return self.archive.read(info).decode("utf-8-sig")

    def copy(self, name: PurePosixPath, target: Path) -> None:
        """Unpack a member to a path of ours, for its owner alone. Raises InputError."""
        target.touch(0o600)
        with _translated(self.path), self.archive.open(self.files[name]) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file)


@contextmanager
def opened(path: Path) -> Iterator[Bundle]:
    """An archive whose members are all harmless. Raises InputError."""
    if not path.is_file():
        raise InputError("error.file.missing", path=path)
    with _translated(path):
        archive = ZipFile(path)
    with archive:
        yield Bundle(path, archive, _checked(path, archive.infolist()))


def _checked(path: Path, members: list[ZipInfo]) -> dict[PurePosixPath, ZipInfo]:
    """The files of an archive by name. The sizes it declares are what can be read of it: zipfile stops there."""
    if len(members) > MOST:
        raise InputError("error.archive.count", path=path, count=len(members), limit=MOST)
    files: dict[PurePosixPath, ZipInfo] = {}
    for info in members:
        name = _name(path, info.orig_filename)
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise InputError("error.archive.link", path=path, name=name)
        if info.file_size > LARGEST:
            raise InputError("error.archive.size", path=path, name=name, limit=_shown(LARGEST))
        if name in files:
            raise InputError("error.archive.twice", path=path, name=name)
        if not info.is_dir():
            files[name] = info
    if sum(info.file_size for info in files.values()) > TOGETHER:
        raise InputError("error.archive.total", path=path, limit=_shown(TOGETHER))
    return files


def _name(path: Path, text: str) -> PurePosixPath:
    """A member's name. Raises InputError for one that leads elsewhere on any system."""
    name = text.replace("\\", "/")
    leads_out = name.startswith("/") or re.match("[A-Za-z]:", name) or ".." in name.split("/")
    if leads_out or not name.strip("/. ") or any(ord(sign) < 32 for sign in name):
        raise InputError("error.archive.name", path=path, name=repr(text))
    return PurePosixPath(name)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """The one place where the complaints about an archive become ours."""
    try:
        yield
    except InputError:
        raise
    except (*DAMAGE, *REFUSED) as error:
        raise InputError("error.archive.damaged", path=path, reason=error) from error


def _shown(size: int) -> str:
    return f"{size // 2**20} MiB"
