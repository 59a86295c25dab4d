"""Half-sent requests are closed, on real sockets; who sends on is answered."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from eichi.web import connections
from eichi.web.connections import Punctual

HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
LATEST = 30.0  # seconds after which a test fails that waits for something


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the body, and with nothing to who has none."""
    body = (await receive()).get("body", b"")
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def serving() -> Iterator[tuple[str, int]]:
    config = uvicorn.Config(echo, http=Punctual, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD", 0.05)
    monkeypatch.setattr(connections, "BODY", 0.05)


@pytest.mark.parametrize("half", [b"", b"GET", HEAD, HEAD + b"\r\n", HEAD + b"\r\nab", HEAD + b"\r\nabcGET /"])
def test_two_hundred_halves_are_closed(short: None, half: bytes) -> None:
    with serving() as address, ExitStack() as stack:
        open = [stack.enter_context(socket.create_connection(address, LATEST)) for _ in range(200)]
        for one in open:
            one.sendall(half)
        for one in open:
            with suppress(ConnectionResetError):  # closed too, before all was read
                while one.recv(1000):  # nothing more comes where it is closed, else this waits
                    pass


def test_who_is_slow_but_sends_on_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time for a head is of all of it, and of a body of each piece: neither is over before it is."""
    monkeypatch.setattr(connections, "HEAD", LATEST)
    monkeypatch.setattr(connections, "BODY", LATEST)
    with serving() as address, socket.create_connection(address, LATEST) as one:
        for _ in range(2):
            for part in (HEAD[:10], HEAD[10:], b"\r\n", b"abc"):
                one.sendall(part)
            got = b""
            while not got.endswith(b"abc"):
                got += one.recv(1000)
            assert got.startswith(b"HTTP/1.1 200")
