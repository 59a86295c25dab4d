"""What `eichi ui` says before it serves: where the page is, the password, and why it cannot begin."""

from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from eichi.errors import FolderError
from eichi.terminal import FAILED, WRONG_INPUT
from eichi.web import app, listening
from eichi.web.api.health import OPEN
from tests.program import Run


def test_a_page_for_others_is_shown_by_an_address_that_a_browser_takes(
    eichi: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0.0.0.0 is where a server listens; on Windows no browser goes there."""
    monkeypatch.setattr(
        app, "serve", lambda settings, listener, server, port, inbrowser, language, ready, access: ready()
    )
    monkeypatch.setattr(listening, "listen", lambda server, port: ExitStack())
    first = eichi("ui", "--server", "0.0.0.0", "--port", 8002)
    assert first.code == 0
    assert "http://127.0.0.1:8002/" in first.err
    assert "Password" in first.err
    assert "Password" not in eichi("ui", "--server", "::").err  # it is kept, and shown only once
    assert "http://box.example:8001/" in eichi("ui", "--server", "box.example").err


def test_a_new_token_stands_alone_on_standard_output(eichi: Run) -> None:
    """So `> file` holds what a program is to send; whose it is stands beside it on the screen."""
    made = eichi("ui", "--new-token", "studio")
    assert made.code == 0
    (token,) = made.out.splitlines()
    assert token == token.strip()
    assert "studio" in made.err
    assert token not in made.err


def test_a_home_that_cannot_be_written_is_said(eichi: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a container whose folder belongs to somebody else."""

    def refused(folder: Path) -> None:
        raise FolderError("error.folder.write", folder=folder, reason=PermissionError(13, "Permission denied"))

    monkeypatch.setattr("eichi.prepare.check_folder", refused)
    refusal = eichi("ui", "--server", "0.0.0.0")
    assert refusal.code in (FAILED, WRONG_INPUT)
    assert refusal.err.startswith("Error: Nothing can be written to ")


class Answering(BaseHTTPRequestHandler):
    """A page that says of its health what stands here."""

    said, code = b'{"healthy": true}', 200

    def do_GET(self) -> None:
        self.send_response(self.code if self.path == OPEN else 404)
        self.end_headers()
        self.wfile.write(self.said)

    def log_message(self, *given: object) -> None:
        pass


@pytest.fixture
def there() -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), type("Here", (Answering,), {})) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("well", [True, False])
def test_a_page_that_is_there_already_is_opened(
    eichi: Run, there: HTTPServer, monkeypatch: pytest.MonkeyPatch, well: bool
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    if not well:
        there.RequestHandlerClass.code, there.RequestHandlerClass.said = 503, b'{"healthy": false}'  # type: ignore[attr-defined]
    port = there.server_port
    answer = eichi("ui", "--port", port, "--inbrowser")
    assert (answer.code, opened) == (0, [f"http://127.0.0.1:{port}/"])
    assert answer.err == f"The page is open already: http://127.0.0.1:{port}/\n"
    assert eichi("ui", "--port", port).code == 0 and len(opened) == 1


@pytest.mark.parametrize("said", [b"<html>", b"[]", b'{"status": "ok"}', b'{"healthy": "yes"}'])
def test_another_program_at_the_address_is_not_opened(
    eichi: Run, there: HTTPServer, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr("webbrowser.open", lambda address: pytest.fail("it is opened"))
    there.RequestHandlerClass.said = said  # type: ignore[attr-defined]
    answer = eichi("ui", "--port", there.server_port, "--inbrowser")
    assert answer.code == WRONG_INPUT and "cannot listen" in answer.err
