"""A real page in a real browser: the server as a user starts it, and the Chromium of this machine."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tests.machine import chromium

# Milliseconds; a loaded machine is slow, not broken.
PATIENCE = int(os.environ.get("EICHI_TEST_PATIENCE", "900")) * 1000
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
PLACES = ("create", "frame", "queue", "history", "loras", "latents", "models", "settings")
# What the policy has stopped is told to the console of the page, and to whoever asks for it.
LISTEN = "addEventListener('securitypolicyviolation', event => console.error('policy', event.violatedDirective));"


@contextmanager
def browsing() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=SWITCHES)
        yield browser
        browser.close()


class Server:
    """`eichi ui` as a user starts it, with a home of its own; it can be killed and started again."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        code = "from eichi.cli import main; main()"
        self.home.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, "ui", "--port", str(self.port)],
            cwd=self.home,
            env=os.environ | {"EICHI_HOME": str(self.home / "home")},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr is not None
        assert self.address in self._process.stderr.readline()

    def kill(self) -> None:
        """End it as a crash would."""
        assert self._process is not None
        self._process.kill()
        self._process.communicate()

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.communicate()


@contextmanager
def serving(home: Path) -> Iterator[Server]:
    """A server for as long as it is needed."""
    server = Server(home)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number: int = listener.getsockname()[1]
        return number


class Watch:
    """What a page complained of: errors of its scripts, what the policy stopped, answers that are none of ours."""

    def __init__(self, page: Page) -> None:
        self.said: list[str] = []
        page.add_init_script(LISTEN)
        page.on("console", lambda message: self.said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.said.append(str(error)))

    @property
    def faults(self) -> list[str]:
        """Without the refusals that a test asks for and the tries to reach a server that was ended."""
        expected = ("the server responded with a status of 4", "ERR_CONNECTION", "ERR_INCOMPLETE", "ERR_NETWORK")
        return [text for text in self.said if not any(one in text for one in expected)]


def opened(page: Page, address: str, language: str, place: str = "create") -> Page:
    """A place of the page that is ready to be used."""
    page.set_default_timeout(PATIENCE)
    page.goto(f"{address}/{language}/{place}")
    page.wait_for_selector("body[data-ready]")
    return page


def go(page: Page, place: str) -> None:
    """Open a place by its link."""
    page.click(f"nav a[data-place={place}]")
    page.wait_for_selector(f"body[data-ready] main[data-place={place}]")


def begin_with(page: Page, values: dict[str, Any], kind: str = "video") -> None:
    """Let the page come up with a draft: flat keys, ids of files."""
    text = json.dumps(json.dumps(values))
    page.add_init_script(
        f"sessionStorage.getItem('eichi.draft.{kind}') ?? sessionStorage.setItem('eichi.draft.{kind}', {text})"
    )


def give(page: Page, address: str, path: Path) -> str:
    """Give a picture to the server; answers its id."""
    answer = page.request.post(
        f"{address}/api/v1/pictures",
        multipart={"file": {"name": path.name, "mimeType": "image/png", "buffer": path.read_bytes()}},
    )
    id: str = answer.json()["id"]
    return id
