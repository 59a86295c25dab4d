"""ZIP archives from users, opened with care.

Nothing here trusts an archive: it may be no archive, hold a million files, unpack to more than there is room for, or
have names and links that lead out of the folder. Each is refused in one sentence before a byte is written, a million
files before their names are read, and what is unpacked gets its name from us. Knows nothing of what is inside.
"""

import io
import re
import shutil
import stat
import struct
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from eichi.errors import InputError
from eichi.files import digest
from eichi.reading import decode

# A hundred sections with a picture each are far below these; what is far above is no section archive.
MOST = 1000
LARGEST = 128 * 2**20
TOGETHER = 512 * 2**20
# How many times its size a file may unpack to. Pictures are packed already; one of a single colour shrinks to a tenth.
TIMES = 500
SMALL = 2**20  # bytes of a file that may unpack to them from nothing
# Bytes that are read at once, the list of files above all.
AT_ONCE = 2**20

DAMAGE = (BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, RuntimeError, NotImplementedError)
KNOWN = (ZIP_STORED, ZIP_DEFLATED)
ENCRYPTED, UTF8 = 0x1, 0x800

# The end of an archive, which says how many files it holds, and the longer one that it has for more than 65535 of them.
END, END_SIZE, COMMENT = b"PK\5\6", 22, 2**16
LOCATOR, LOCATOR_SIZE, LONG_END = b"PK\6\7", 20, b"PK\6\6"


@dataclass(frozen=True)
class Bundle:
    """An open archive whose names and sizes are fine. `files` are its members by their names."""

    path: Path
    archive: ZipFile
    files: dict[PurePosixPath, ZipInfo]

    @property
    def digest(self) -> str:
        """What names the whole archive by its content."""
        with _translated(self.path):
            return digest(self.path)[:16]

    def text(self, name: PurePosixPath, limit: int) -> tuple[str, str | None]:
        """A member as text of at most `limit` bytes, and its coding where that was guessed. Raises InputError."""
        info = self.files[name]
        if info.file_size > limit:
            raise InputError("error.archive.size", path=self.path, name=name, limit=_shown(limit))
        with _translated(self.path):
            data = self.archive.read(info)
        try:
            return decode(data)
        except UnicodeDecodeError as error:
            raise InputError("error.archive.coding", path=self.path, name=name) from error

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
    with ExitStack() as stack:
        with _translated(path):
            file = stack.enter_context(_Sparing(path.open("rb", buffering=0)))
            count = _count(file)
            if count > MOST:
                raise InputError("error.archive.count", path=path, count=count, limit=MOST)
            archive = stack.enter_context(ZipFile(file))
        yield Bundle(path, archive, _checked(path, archive.infolist()))


class _Sparing(io.BufferedReader):
    """A file of which no more is read at once than a list of files may take, whatever the archive says of its own."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > AT_ONCE:
            raise BadZipFile("the list of files is too long")
        return super().read(size)


def _count(file: BinaryIO) -> int:
    """How many files the end of an archive says that there are; what is no archive is for zipfile to say."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - COMMENT - END_SIZE - LOCATOR_SIZE))
    tail = file.read()
    at = tail.rfind(END)
    if at < 0 or len(tail) < at + END_SIZE:
        return 0
    locator = tail[max(0, at - LOCATOR_SIZE) : at]
    if locator.startswith(LOCATOR) and len(locator) == LOCATOR_SIZE:
        with suppress(OverflowError, OSError):
            file.seek(int.from_bytes(locator[8:16], "little"))
            long = file.read(40)
            if long.startswith(LONG_END) and len(long) == 40:
                return int.from_bytes(long[32:40], "little")
    return int.from_bytes(tail[at + 10 : at + 12], "little")


def _checked(path: Path, members: list[ZipInfo]) -> dict[PurePosixPath, ZipInfo]:
    """The files of an archive by name. The sizes it declares are what can be read of it: zipfile stops there."""
    if len(members) > MOST:
        raise InputError("error.archive.count", path=path, count=len(members), limit=MOST)
    files: dict[PurePosixPath, ZipInfo] = {}
    for info in members:
        name = _name(path, _spelt(info))
        if info.flag_bits & ENCRYPTED:
            raise InputError("error.archive.encrypted", path=path)
        if info.compress_type not in KNOWN:
            raise InputError("error.archive.packing", path=path, name=name)
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise InputError("error.archive.link", path=path, name=name)
        if info.file_size > LARGEST:
            raise InputError("error.archive.size", path=path, name=name, limit=_shown(LARGEST))
        if info.file_size > max(SMALL, TIMES * info.compress_size):
            raise InputError("error.archive.times", path=path, name=name, limit=TIMES)
        if name in files:
            raise InputError("error.archive.twice", path=path, name=name)
        if not info.is_dir():
            files[name] = info
    if sum(info.file_size for info in files.values()) > TOGETHER:
        raise InputError("error.archive.total", path=path, limit=_shown(TOGETHER))
    return files


def _spelt(info: ZipInfo) -> str:
    """A member's name. Where an archive does not say that it is UTF-8, zipfile takes a coding that few systems have.

    In CP932, which Windows writes in Japan, the second byte of a character can be that of a backslash.
    """
    if info.flag_bits & UTF8 or info.orig_filename.isascii():
        return info.orig_filename
    with suppress(UnicodeError):
        return decode(info.orig_filename.encode("cp437"))[0]
    return info.orig_filename


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
    except DAMAGE as error:
        raise InputError("error.archive.damaged", path=path, reason=error) from error


def _shown(size: int) -> str:
    return f"{size // 2**20} MiB" if size >= 2**20 else f"{size // 2**10} KiB"
