"""What this machine has that some tests need and not every machine has."""

import os
import shutil
from glob import glob

NO_BROWSER = "there is no Chromium on this machine"
# Where playwright puts its own.
FETCHED = os.path.expanduser("~/.cache/ms-playwright/chromium-*/chrome-linux*/chrome")


def chromium() -> str | None:
    """The browser of this machine, None where there is none."""
    named = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in named if (path := shutil.which(name))), None) or next(iter(glob(FETCHED)), None)
