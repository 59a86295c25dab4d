"""What this machine has that some tests need and not every machine has."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob

import pytest

NO_BROWSER = "there is no Chromium on this machine"
# The shell without a window first: a page costs it half of the time. Then where playwright puts its own.
NAMED = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
FETCHED = (
    "~/.cache/ms-playwright/chromium_headless_shell-*/chrome-*/*headless*shell",
    "~/.cache/ms-playwright/chromium-*/chrome-linux*/chrome",
)


def chromium() -> str | None:
    """The browser of this machine, None where there is none."""
    shell, *whole = NAMED
    fetched, fetched_whole = (sorted(glob(os.path.expanduser(pattern)))[-1:] for pattern in FETCHED)
    found = [shutil.which(shell), *fetched, *map(shutil.which, whole), *fetched_whole]
    return next((path for path in found if path), None)


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """The system refuses to let files grow, as a full disk does; Python has its signal ignored."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
