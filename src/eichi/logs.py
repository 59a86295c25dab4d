"""What the program did, in files, for whoever asks in the morning why a night's work looks as it does.

Every process that works for long writes a file of its own in the home folder, `logs/page.log` or a worker's
`logs/worker-cpu.log`: a file that turns over has one writer. A full one becomes `….log.1`. All are for their owner
alone. What eichi says is written from the chosen level on, in the machine's language; of libraries only warnings are.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path

from eichi.files import private, tighten
from eichi.settings import Settings

LARGEST, OLD = 2**20, 5  # bytes of a file, and how many full ones are kept
END = 200_000  # bytes of each file that a reader gets
OURS = "eichi"
FULL = ".full"  # how a file ends for a moment that is being put away


@contextmanager
def logging_to(settings: Settings, name: str) -> Iterator[None]:
    """Write `name`.log for as long as this lasts."""
    path = settings.logs / f"{name}.log"
    with suppress(OSError):  # a log is not worth an end
        private(settings.logs)
        path.touch(0o600)
        tighten(path)
    file = _LogFile(path, maxBytes=LARGEST, backupCount=OLD, encoding="utf-8", delay=True, errors="backslashreplace")
    file.rotator = _turn_over
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    root, ours = logging.getLogger(), logging.getLogger(OURS)
    before = ours.level
    ours.setLevel(settings.log_level.upper())
    root.addHandler(file)
    try:
        yield
    finally:
        ours.setLevel(before)
        root.removeHandler(file)
        file.close()


def read_logs(settings: Settings) -> str:
    """The end of every file that says something, the one that was written to last at the bottom."""
    files = sorted(settings.logs.glob("*.log"), key=lambda path: path.stat().st_mtime)
    files = [path for path in files if path.stat().st_size]
    return "\n".join(f"== {path.name}\n{_end(path.read_bytes())}" for path in files)


class _LogFile(RotatingFileHandler):
    """A file of the log; what it does not take, as on a full disk, is lost without a word."""

    def doRollover(self) -> None:
        """On Windows a file that somebody reads, or another process writes, cannot be put away: it grows until it can.

        That is tried before the older ones make room, or each line would push one of them out.
        """
        if self.stream is not None:
            self.stream.close()
            self.stream = None  # opened again by the next line
        with suppress(OSError):
            os.rename(self.baseFilename, f"{self.baseFilename}{FULL}")
            super().doRollover()

    def handleError(self, record: logging.LogRecord) -> None:
        pass


def _turn_over(full: str, place: str) -> None:
    """Put a full file away, and an empty one in its place that nobody else may read."""
    os.rename(f"{full}{FULL}", place)
    Path(full).touch(0o600)


def _end(content: bytes) -> str:
    """The last whole lines."""
    part = content[-END:]
    if len(part) < len(content):
        part = part.partition(b"\n")[2]
    return part.decode("utf-8", "replace")
