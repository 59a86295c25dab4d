"""What every request passes: names, sites, who sits here; and what every answer carries, whatever it is."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.types import Message

from eichi.web.app import make_app
from eichi.web.desk import Desk
from eichi.web.guard import BODY, HEADERS, QUESTION

HERE, AWAY = ("127.0.0.1", 5000), ("192.168.1.7", 5000)


def client(
    desk: Desk, peer: tuple[str, int], host: str = "localhost", hosts: str = "*", app: FastAPI | None = None
) -> TestClient:
    app = app or make_app(desk, hosts=(hosts,))
    return TestClient(app, f"http://{host}", client=peer, follow_redirects=False, raise_server_exceptions=False)


def protected(headers: object) -> bool:
    return all(headers[name] == value for name, value in HEADERS.items())  # type: ignore[index]


@pytest.mark.parametrize(
    ("method", "address", "status"),
    [
        ("GET", "/", 307),
        ("GET", "/en/create", 200),
        ("GET", "/en/none", 404),
        ("GET", "/static/none/x.js", 404),
        ("GET", "/api/docs", 200),
        ("GET", "/api/openapi.json", 200),
        ("GET", "/api/v1/jobs", 200),
        ("GET", "/api/v1/jobs/99", 404),
        ("GET", "/api/v1/jobs/x", 422),
        ("PATCH", "/api/v1/jobs", 405),
        ("POST", "/api/v1/plan", 422),
        ("GET", "/broken", 500),
    ],
)
def test_every_answer_is_protected(desk: Desk, method: str, address: str, status: int) -> None:
    app = make_app(desk)
    app.add_api_route("/broken", lambda: 1 / 0)
    answer = client(desk, AWAY, app=app).request(method, address)
    assert answer.status_code == status
    assert protected(answer.headers)
    if status == 500:
        assert answer.json()["id"] == "error.api.broken"
        assert "ZeroDivision" not in answer.text


def test_files_and_refusals_are_protected(desk: Desk) -> None:
    asked = client(desk, AWAY, hosts="box", host="box")
    page = asked.get("/en/create").text
    script = next(part.split('"')[0] for part in page.split('src="')[1:] if ".js" in part.split('"')[0])
    for answer, status in (
        (asked.get(script), 200),
        (asked.get("/api/v1/jobs", headers={"host": "evil.example"}), 400),
        (asked.get("/api/v1/jobs", headers={"host": "["}), 400),
        (asked.post("/api/v1/queue/hold", headers={"origin": "http://evil.example"}), 403),
        (asked.post("/api/v1/queue/hold", headers={"origin": "null"}), 403),
        (asked.post("/api/v1/queue/hold", headers={"origin": "http://["}), 403),
        (asked.post("/api/v1/plan", headers={"content-length": str(BODY + 1)}), 413),
    ):
        assert answer.status_code == status
        assert protected(answer.headers)
        if status >= 400:
            assert answer.json()["id"].startswith("error.api.")
    assert asked.post("/api/v1/queue/hold", headers={"origin": "http://box"}).status_code == 200


def test_a_stream_is_not_held_back(desk: Desk) -> None:
    """Each piece goes out as it comes, with the headers, and who leaves ends it."""
    app, sent = make_app(desk), list[Message]()

    async def endless(scope: object, receive: object, send: object) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": b"one", "more_body": True})  # type: ignore[operator]
        assert (await receive())["type"] == "http.disconnect"  # type: ignore[operator]

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        assert sent[-1]["body"] == b"one"
        return {"type": "http.disconnect"}

    app.mount("/endless", endless)
    scope = {"type": "http", "method": "GET", "path": "/endless/", "raw_path": b"/endless/", "query_string": b""}
    scope |= {"headers": [(b"host", b"localhost")], "scheme": "http", "server": ("localhost", 80), "root_path": ""}
    asyncio.run(app(scope, receive, send))
    assert (b"x-content-type-options", b"nosniff") in sent[0]["headers"]


@pytest.mark.parametrize(
    ("peer", "host", "headers", "local"),
    [
        ("127.0.0.1", "localhost", {}, True),
        ("127.0.0.1", "127.0.0.1:8001", {}, True),
        ("::1", "[::1]:8001", {}, True),
        ("::ffff:127.0.0.1", "localhost", {}, True),
        ("127.0.0.1", "box.example", {}, False),
        ("192.168.1.7", "localhost", {}, False),
        ("192.168.1.7", "192.168.1.2", {}, False),
        ("127.0.0.1", "localhost", {"x-forwarded-for": "127.0.0.1"}, False),
        ("127.0.0.1", "localhost", {"x-forwarded-host": "localhost"}, False),
        ("127.0.0.1", "localhost", {"Forwarded": "for=127.0.0.1"}, False),
        ("127.0.0.1", "localhost", {"Via": "1.1 x"}, False),
        ("127.0.0.1", "localhost", {"X-Real-IP": "127.0.0.1"}, False),
    ],
)
def test_who_sits_here(desk: Desk, peer: str, host: str, headers: dict[str, str], local: bool) -> None:
    answer = client(desk, (peer, 5000), host).get("/api/v1/settings", headers=headers)
    assert answer.json()["local"] == local


def test_through_another_program_nobody_sits_here_even_where_only_it_reaches_the_server(desk: Desk) -> None:
    desk.local = True
    asked = client(desk, HERE, hosts="localhost")
    assert asked.get("/api/v1/settings").json()["local"]
    assert not asked.get("/api/v1/settings", headers={"x-forwarded-for": "192.168.1.7"}).json()["local"]


def test_the_documents_of_the_interface_need_no_network(desk: Desk) -> None:
    answer = client(desk, AWAY).get("/api/docs")
    assert "http://" not in answer.text
    assert "https://" not in answer.text
    assert "//" not in answer.text.replace("<!doctype html>", "")
    static = Path(__file__).parents[2] / "src" / "eichi" / "web" / "static"
    assert "://" not in (static / "docs.js").read_text(encoding="utf-8")


def _lists(size: int) -> Iterator[bytes]:
    """JSON of so many bytes, sent without saying how many."""
    yield b'{"options":{"prompt":['
    for _ in range(size // 2**20):
        yield b"[]," * (2**20 // 3)
    yield b"1]}}"


def test_a_question_is_small_and_a_form_has_few_parts(desk: Desk) -> None:
    """JSON takes many times its size to read, and each part of a form is kept in memory until it is whole."""
    asked, said = client(desk, AWAY), {"content-type": "application/json"}
    for answer in (
        asked.post("/api/v1/drafts/video", content=_lists(QUESTION + 2**21), headers=said),
        asked.post("/api/v1/plan", headers=said | {"content-length": str(QUESTION + 1)}),
    ):
        assert answer.status_code == 413
        assert answer.json()["id"] == "error.api.large"
        assert answer.json()["values"]["limit"] == QUESTION // 2**20
    parts = {f"file{number}": ("a.png", b"x") for number in range(2)}
    assert asked.post("/api/v1/pictures", files=parts).status_code == 400
    assert asked.post("/api/v1/read", files={"file": ("a.png", b"x")}, data={str(n): "" for n in range(9)}).is_error
    large = asked.post("/api/v1/files", files={"file": ("a.mp4", bytes(QUESTION + 2**20))})
    assert large.json()["id"] != "error.api.large"


@pytest.mark.parametrize(
    ("site", "mode", "dest", "status"),
    [
        ("cross-site", "no-cors", "image", 403),
        ("same-site", "cors", "empty", 403),
        ("cross-site", "navigate", "iframe", 403),
        ("cross-site", "navigate", "document", 200),
        ("same-origin", "cors", "empty", 200),
        ("none", "navigate", "document", 200),
    ],
)
def test_a_page_of_another_site_gets_nothing(desk: Desk, site: str, mode: str, dest: str, status: int) -> None:
    """It could not read the answer, but learn from it what there is, and keep the streams busy."""
    headers = {"sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": dest}
    assert client(desk, HERE).get("/api/v1/jobs", headers=headers).status_code == status
