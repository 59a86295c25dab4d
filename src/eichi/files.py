"""Files that are complete or not there: written aside, put on the disk, renamed.

A reader never sees half a file, whatever ends the writing: an error, a full disk, a kill, a power cut. Errors of the
system pass through; each caller says them in its own words.
"""

import errno
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISDIR, S_ISGID, S_ISREG, S_ISVTX

WINDOWS = os.name == "nt"
# Windows refuses to replace or remove a file that somebody reads: tries until then, and seconds between them.
TRIES, PAUSE = 100, 0.05
LIMIT = 2**26  # bytes of a file that is read whole, if nothing else is said


@contextmanager
def aside(path: Path, folder: Path | None = None, *, lasting: bool = True, private: bool = False) -> Iterator[Path]:
    """A draft to write, in `folder` or beside `path`, whose place it takes at the end; after an error it is gone.

    The folder must be on the same disk. What need not outlast a power cut, as it is made again, is not `lasting`: it
    costs no wait for the disk, and may be damaged after one. A `private` file is for its owner alone. Raises OSError.

    A pipe or a link in the draft's place goes: one would let the writer wait, the other lead it to another file.
    """
    draft = (folder or path.parent) / f".{path.name}.part"
    with suppress(OSError):
        kind = draft.lstat().st_mode
        if not (S_ISREG(kind) or S_ISDIR(kind)):
            draft.unlink()
    try:
        if private:
            draft.unlink(missing_ok=True)
            draft.touch(0o600)
        yield draft
        if lasting:
            with draft.open("rb+") as file:
                os.fsync(file.fileno())  # a rename can reach the disk before the content does
        settle(draft, path, lasting)
    finally:
        leave(draft)  # whatever went wrong is said, and not that this did too


def settle(draft: Path, path: Path, lasting: bool = True) -> None:
    """Put what is finished, a file or a folder, in its place on the same disk. Raises OSError.

    On Windows this waits a while for those who read what is there now.
    """
    _patiently(lambda: os.replace(draft, path))  # noqa: TID251  # here alone
    if lasting and not WINDOWS:
        _sync(path.parent)


def is_packed(path: Path) -> bool:
    """Whether a file is a ZIP archive, for who could not read it as something else."""
    with suppress(OSError), path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"
    return False


def read_file(path: Path, limit: int = LIMIT) -> bytes:
    """What is in a file. Raises OSError, also for one of more bytes than the limit, and for what is no file: a pipe or
    a device gives bytes without an end, or lets its reader wait for ever.
    """
    only_file(path)
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except ValueError as error:  # a name that no file can have
        raise FileNotFoundError(errno.ENOENT, str(error), str(path)) from error
    if len(content) > limit:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return content


def only_file(path: Path) -> None:
    """Raise OSError for what is there and is no file."""
    if os.path.exists(path) and not os.path.isfile(path):
        number = errno.EISDIR if os.path.isdir(path) else errno.EINVAL
        raise OSError(number, os.strerror(number), str(path))


def size_of(path: Path) -> int:
    """Bytes of a file, none where there is no file: one that is being fetched gets its name between two looks."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def remove(path: Path) -> None:
    """Remove whatever is in a place: a folder with all that is in it, of a link the link alone. Raises OSError.

    On Windows this waits a while for those who read it.
    """
    _patiently(lambda: _remove(path))


def leave(path: Path) -> bool:
    """Remove what is of no more use; whether it is gone.

    On Windows what somebody reads, or has mapped, stays. It lies there until somebody tidies up again.
    """
    with suppress(OSError):
        _remove(path)
        return True
    return False


def private(folder: Path) -> None:
    """Make a folder that only its owner may look into, with those above it that are missing. Raises OSError."""
    for place in (*reversed(folder.parents), folder):
        if not place.is_dir():
            place.mkdir(0o700, exist_ok=True)


def tighten(path: Path) -> bool:
    """Leave a file or folder of ours, that others may look into, to its owner alone; whether it was changed.

    A folder that is shared on purpose, as the sticky or the group's bit says, stays as it is.
    """
    if sys.platform == "win32":
        return False
    with suppress(OSError):
        found = path.stat()
        shared = found.st_mode & (S_ISVTX | S_ISGID)
        if found.st_uid == os.geteuid() and found.st_mode & 0o077 and not shared:
            path.chmod(found.st_mode & 0o700)
            return True
    return False


def trim(folder: Path, pattern: str, limit: int) -> None:
    """Remove the oldest files of a folder while all together they have more bytes than the limit. Raises OSError.

    What cannot be removed, as on Windows what this very process has mapped, goes another time.
    """
    files = sorted(((file.stat(), file) for file in folder.glob(pattern)), key=lambda pair: -pair[0].st_mtime_ns)
    size = 0
    for stat, file in files:
        size += stat.st_size
        if size > limit:
            leave(file)


def digest(path: Path) -> str:
    """What tells a file's content from any other, wherever it lies and whatever it is called. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _patiently(action: Callable[[], object]) -> None:
    """Do what Windows refuses while somebody reads a file, as soon as nobody does. Raises OSError."""
    for left in reversed(range(TRIES if WINDOWS else 1)):
        try:
            action()
            return
        except PermissionError:
            if not left:
                raise
            time.sleep(PAUSE)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Put the names of a folder on the disk, where the file system can."""
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
