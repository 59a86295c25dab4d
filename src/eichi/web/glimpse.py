"""One frame of a video as a chain would make it, before the start: made by a process of its own, one at a time.

The page's process has no torch, and a network that runs out of memory is to end nothing but a glimpse. Who asks again
while one is made waits for it. Knows no HTTP.
"""

import os
import subprocess
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

from eichi.errors import RunError
from eichi.finish.plan import Look
from eichi.options import FinishOptions
from eichi.said import last_line, read_said
from eichi.settings import Settings
from eichi.text import shorten

MODULE = "eichi.finish.look"
LINE = 200  # signs of what a process said last
WAITING = 6  # who asks at a time
LONGEST = 300.0  # seconds for one frame of a slow network on a CPU
KILLED = -9  # how a process ends that the system takes the memory from


class Glimpses:
    """Makes frames."""

    def __init__(self) -> None:
        self._one, self._places = threading.Lock(), threading.BoundedSemaphore(WAITING)

    def make(self, options: FinishOptions, second: float, settings: Settings) -> bytes:
        """The frame at a second of the result, as PNG. Raises InputError, RunError, which also where many wait: those
        who do hold threads that answer everybody else.
        """
        if not self._places.acquire(blocking=False):
            raise RunError("error.finish.glimpses")
        try:
            return self._made(options, second, settings)
        finally:
            self._places.release()

    def _made(self, options: FinishOptions, second: float, settings: Settings) -> bytes:
        place = {"EICHI_HOME": str(settings.home), "EICHI_DEVICE": settings.device}
        try:
            with self._one, TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                target = Path(folder) / "frame.png"
                asked = Look(options=options, second=second, file=target)
                made = subprocess.run(
                    [sys.executable, "-m", MODULE],
                    input=asked.model_dump_json(),
                    capture_output=True,
                    encoding="utf-8",
                    errors="replace",
                    env=os.environ | place,
                    timeout=LONGEST,
                )
                _check(made)
                return target.read_bytes()
        except subprocess.TimeoutExpired as error:
            raise RunError("error.finish.glimpse", reason="reason.os.late") from error
        except OSError as error:  # no place for a file, no memory for a process
            raise RunError("error.finish.glimpse", reason=error) from error


def _check(made: subprocess.CompletedProcess[str]) -> None:
    """Raise the error that a process has said, or that it ended without a word."""
    try:
        read_said(last_line(made.stdout), Look)
    except ValueError as error:
        if made.returncode == KILLED:
            raise RunError("error.finish.glimpse", reason="reason.os.memory") from error
        last = shorten(last_line(made.stderr) or "?", LINE)
        raise RunError("error.finish.glimpse", reason="reason.detail", detail=last) from error
