"""A hub for tests: a server on this machine that speaks the part of the hub's protocol that downloads need.

Repositories are tables of path to bytes. Requests and faults are kept in lists that tests read and fill: each fault
is used up by the next request for its path.
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = 1000  # bytes from which a file is kept as the hub keeps weights, with a SHA-256


@dataclass
class Fault:
    """What goes wrong once: a status, a connection cut after `cut` bytes, other bytes, ranges not known or begun
    `shift` bytes early, other headers, another body, or an answer that does not begin before `until` is set.
    """

    status: int = 200
    cut: int | None = None
    wrong: bool = False
    ranges: bool = True
    shift: int = 0
    body: bytes | None = None
    until: threading.Event | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Hub:
    """The server: its address, its repositories, its faults by path, and the requests it got."""

    address: str
    repositories: dict[str, dict[str, bytes]]
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    redirect: str = ""
    cards: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def fetched(self, name: str) -> list[str]:
        """The ranges that were asked for of files whose path ends so; empty text where the whole was."""
        return [headers.get("range", "") for path, headers in self.asked if "/resolve/" in path and path.endswith(name)]


@contextmanager
def serve(repositories: dict[str, dict[str, bytes]]) -> Iterator[Hub]:
    """A running hub on a free port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.hub = hub = Hub(f"http://127.0.0.1:{server.server_address[1]}", repositories)  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def use(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the hub library ask this hub, as HF_ENDPOINT would have, had it been set when the library was imported."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.address)
    template = hub.address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)


class Handler(BaseHTTPRequestHandler):
    """Answers /api/models/REPO[/revision/…], /REPO/resolve/COMMIT/PATH."""

    @property
    def hub(self) -> Hub:
        hub: Hub = self.server.hub  # type: ignore[attr-defined]
        return hub

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append((path, {name.lower(): value for name, value in self.headers.items()}))
        fault = self._fault(path)
        if fault.until is not None:
            fault.until.wait()
        if fault.status != 200 or fault.body is not None:
            self._send(fault.status, fault.body or b"{}", fault.headers)
        elif path.startswith("/api/models/"):
            self._api(path.removeprefix("/api/models/"))
        elif self.hub.redirect:
            self._send(302, b"", {"Location": self.hub.redirect + path})
        else:
            repository, _, rest = path.strip("/").partition("/resolve/")
            content = self.hub.repositories.get(repository, {}).get(rest.partition("/")[2])
            if content is None:
                self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
            else:
                self._file(content, fault)

    def _fault(self, path: str) -> Fault:
        for name, faults in self.hub.faults.items():
            if path.endswith(name) and faults:
                return faults.pop(0)
        return Fault()

    def _api(self, path: str) -> None:
        repository = "/".join(path.split("/")[:2])
        files = self.hub.repositories.get(repository)
        if files is None:
            self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        else:
            siblings = [_entry(name, content) for name, content in files.items()]
            told = {"id": repository, "sha": COMMIT, "siblings": siblings, **self.hub.cards.get(repository, {})}
            self._send(200, json.dumps(told).encode(), {})

    def _file(self, content: bytes, fault: Fault) -> None:
        asked = self.headers.get("Range", "") if fault.ranges else ""
        start = int(asked.removeprefix("bytes=").rstrip("-") or 0)
        body = bytes(len(content)) if fault.wrong else content
        headers = {"ETag": f'"{checksum(content)}"', "X-Repo-Commit": COMMIT}
        start -= fault.shift
        if asked:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._send(206 if asked else 200, body[start:], headers | fault.headers, fault.cut)

    def _send(self, status: int, body: bytes, headers: dict[str, str], cut: int | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:cut])
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the tests read `asked`."""


def checksum(content: bytes) -> str:
    """SHA-256 of a large file, git's SHA-1 of a small one."""
    if len(content) >= LARGE:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _entry(name: str, content: bytes) -> dict[str, Any]:
    """A file as the hub tells of it."""
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    entry: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": blob}
    if len(content) >= LARGE:
        entry["lfs"] = {"sha256": checksum(content), "size": len(content), "pointerSize": 134}
    return entry
