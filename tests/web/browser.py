"""A real page in a real browser: the server as a user starts it, and the Chromium of this machine."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

PATIENCE = 900_000  # milliseconds; a loaded machine is slow, not broken
# Without these Chromium looks for hosts that tests must not reach.
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PLACES = ("create", "frame", "queue", "history", "latents", "settings")


def chromium() -> str | None:
    """The browser of this machine, None where there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def browsing() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=SWITCHES)
        yield browser
        browser.close()


@contextmanager
def serving(folder: Path, port: int) -> Iterator[str]:
    """`eichi ui` with a home of its own; the address of its page."""
    code = "from eichi.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "ui", "--port", str(port)], cwd=folder, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        assert "http" in process.stderr.readline()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number: int = listener.getsockname()[1]
        return number


def opened(page: Page, address: str, language: str) -> Page:
    """A page whose controls have their values."""
    page.set_default_timeout(PATIENCE)
    page.goto(f"{address}/{language}/")
    page.wait_for_selector("#plan p")
    page.wait_for_selector("[data-live=stage] .stage")
    return page


def go(page: Page, place: str) -> None:
    """Open a place."""
    page.locator("#places > .tab-wrapper [role=tab]").nth(PLACES.index(place)).click()
