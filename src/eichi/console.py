"""Standard output and error, so that what is said goes out whatever they are.

A pipe or a file gets UTF-8 on every system: on Windows it would have a code page, which three of the four languages do
not fit in. Half characters, as names of files may hold, become the escapes that JSON reads them from. A terminal keeps
its own coding, and a sign that it lacks is a question mark there.

Where nobody takes the output any more, the program ends: without a word for a closed pipe, which `| head` leaves, with
an error of ours for anything else. Standard error is not worth an end: what it does not take is lost.
"""

import errno
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

from eichi.errors import DiskError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

CLOSED = (errno.EPIPE, errno.EINVAL)  # the second is what Windows says
ENDED = 1  # exit code where nobody listens


class _Outlet(io.FileIO):
    """The file behind a stream; with its complaints told from those of other files, or dropped where it is no loss."""

    def __init__(self, number: int, needed: bool) -> None:
        super().__init__(number, "wb", closefd=False)
        self._needed = needed

    def write(self, content: "ReadableBuffer", /) -> int:
        try:
            return super().write(content)
        except OSError as error:
            if not self._needed:
                return memoryview(content).nbytes
            if error.errno in CLOSED:
                raise BrokenPipeError(errno.EPIPE, error.strerror) from error
            raise DiskError("error.output.write", reason=error) from error


@contextmanager
def console() -> Iterator[None]:
    """Standard output and error as they should be, for as long as a program runs.

    Within, DiskError may come from whatever writes to standard output.
    """
    before = sys.stdout, sys.stderr
    out, err = _fitted(sys.stdout, needed=True), _fitted(sys.stderr, needed=False)
    sys.stdout, sys.stderr = out, err
    try:
        yield
        if out is not None:  # there is none where the program was started without
            out.flush()
    except BrokenPipeError:
        sys.exit(ENDED)
    finally:
        sys.stdout, sys.stderr = before
        if out is not before[0]:
            with suppress(OSError, DiskError):  # what it did not take has been said
                out.close()


def _fitted(stream: TextIO, needed: bool) -> TextIO:
    """The stream that a program is to write to in place of the one it was given."""
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    try:
        number = stream.fileno()
    except OSError:  # text that is kept in memory
        return stream
    if stream.isatty():
        stream.reconfigure(errors="replace")
        return stream
    stream.flush()
    lines = stream.line_buffering or stream.write_through
    outlet = io.BufferedWriter(_Outlet(number, needed))
    return io.TextIOWrapper(outlet, encoding="utf-8", errors="backslashreplace", line_buffering=lines)
