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

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from eichi.web.pages import PLACES as PLACES
from tests.machine import chromium

# Milliseconds; a loaded machine is slow, not broken.
PATIENCE = int(os.environ.get("EICHI_TEST_PATIENCE", "240")) * 1000
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
# A breach of the policy is said in the console, also where the browser says nothing.
TELL_POLICY = """document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
});"""

# A file (name, content in base64, kind) falls on a node.
DROP = """(node, [name, content, kind]) => {
  const bytes = Uint8Array.from(atob(content), letter => letter.charCodeAt(0)), transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type: kind }));
  for (const type of ["dragenter", "dragover", "drop"]) {
    node.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: transfer }));
  }
}"""


@contextmanager
def browsing() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=SWITCHES)
        yield browser
        browser.close()


class Server:
    """`eichi ui` as a user starts it, with a home of its own; it can be killed and started again."""

    def __init__(self, home: Path, **variables: str) -> None:
        self.home, self.variables = home, variables
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        code = "from eichi.cli import main; main()"
        self.home.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, "ui", "--port", str(self.port)],
            cwd=self.home,
            env=os.environ | {"EICHI_HOME": str(self.home / "home")} | self.variables,
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
def serving(home: Path, **variables: str) -> Iterator[Server]:
    """A server for as long as it is needed, with variables of its environment."""
    server = Server(home, **variables)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number: int = listener.getsockname()[1]
        return number


def watched(page: Page) -> list[str]:
    """What goes wrong on a page from now on: errors of scripts, of the console, of the policy. Answers of the interface
    that refuse something are none.
    """
    troubles: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        refused = "/api/v1/" in message.location.get("url", "") and "status of 4" in message.text
        if message.type == "error" and not refused:
            troubles.append(message.text)

    page.add_init_script(TELL_POLICY)
    page.on("console", hear)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    return troubles


def opened(page: Page, address: str, language: str, place: str = "create") -> Page:
    """A place whose controls have their values."""
    page.set_default_timeout(PATIENCE)
    page.goto(f"{address}/{language}/{place}")
    page.wait_for_selector("body[data-ready]")
    return page


@contextmanager
def visiting(browser: Browser, address: str, language: str, place: str = "create", **context: Any) -> Iterator[Page]:
    """A place in a browser that nobody has used before, closed afterwards; nothing may go wrong on it."""
    visitor = browser.new_context(**context)
    page = visitor.new_page()
    troubles = watched(page)
    try:
        yield opened(page, address, language, place)
    finally:
        visitor.close()
    assert troubles == [], troubles


def go(page: Page, place: str) -> None:
    """Go to a place by its link."""
    page.locator(f"nav a[data-place={place}]").click()
    page.wait_for_selector(f"main[data-place={place}]")
    page.wait_for_selector("body[data-ready]")


def begin_with(page: Page, values: dict[str, Any], kind: str = "video") -> None:
    """Let the page come up with a draft: flat keys, ids of files."""
    name, text = f"'eichi.draft.{kind}'", json.dumps(json.dumps(values))
    page.add_init_script(f"sessionStorage.getItem({name}) ?? sessionStorage.setItem({name}, {text})")


def give(page: Page, address: str, path: Path) -> str:
    """Give a picture to the server; answers its id."""
    file: Any = {"name": path.name, "mimeType": "image/png", "buffer": path.read_bytes()}
    id: str = page.request.post(f"{address}/api/v1/pictures", multipart={"file": file}).json()["id"]
    return id


def job(page: Page, address: str, image: str, **options: Any) -> int:
    """A job of a picture that was given, a second in one step where nothing else is said; its number."""
    asked = {"image": image, "seconds": 1, "seed": 1, "sampling": {"steps": 1}} | options
    answer = page.request.post(f"{address}/api/v1/jobs", data=asked)
    assert answer.ok, answer.text()
    return int(answer.json()["id"])


def await_done(page: Page, address: str, number: int) -> None:
    """Wait for a job by what it says of itself: the stream ends with it."""
    page.request.get(f"{address}/api/v1/jobs/{number}/events", timeout=PATIENCE)
    status = page.request.get(f"{address}/api/v1/jobs/{number}").json()["status"]
    assert status == "done", status
