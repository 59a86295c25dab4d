"""Files that are complete or not there: written aside, put on the disk, renamed.

A reader never sees half a file, whatever ends the writing: an error, a full disk, a kill, a power cut. Errors of the
system pass through; each caller says them in its own words.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def aside(path: Path, folder: Path | None = None) -> Iterator[Path]:
    """A draft to write, in `folder` or beside `path`, whose place it takes at the end; after an error it is gone.

    The folder must be on the same disk. Raises OSError.
    """
    draft = (folder or path.parent) / f".{path.name}.part"
    try:
        yield draft
        with draft.open("rb+") as file:
            os.fsync(file.fileno())  # a rename can reach the disk before the content does
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def trim(folder: Path, pattern: str, limit: int) -> None:
    """Remove the oldest files of a folder while all together they have more bytes than the limit. Raises OSError."""
    files = sorted(((file.stat(), file) for file in folder.glob(pattern)), key=lambda pair: -pair[0].st_mtime_ns)
    size = 0
    for stat, file in files:
        size += stat.st_size
        if size > limit:
            file.unlink(missing_ok=True)


def encodable(value: object) -> bool:
    """Whether a path can be kept and shown as text: on some systems the names of files are any bytes."""
    try:
        str(value).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
