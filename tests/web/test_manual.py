"""The documents at `/help/`: made when they are first asked for, then files of one folder and of no other."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from pydantic import BaseModel

from eichi.declare import walk
from eichi.documents import address
from eichi.options import FrameOptions, VideoOptions
from eichi.settings import Settings
from eichi.web.app import make_app
from eichi.web.desk import Desk
from eichi.web.manual import FOLDER, Shelf, State
from eichi.web.pages import GUIDES
from eichi.words import languages, say

HERE = ("127.0.0.1", 5000)


class Build:
    """A process that makes a site, as far as it is; `code` is how it ended."""

    def __init__(self) -> None:
        self.code: int | None = None

    def poll(self) -> int | None:
        return self.code

    def wait(self) -> int | None:
        return self.code

    def kill(self) -> None:
        self.code = -9


@pytest.fixture
def builds(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> list[Build]:
    """The processes that were started; they end when the test says so."""
    started: list[Build] = []

    def start(shelf: Shelf, code: str) -> Build:
        started.append(Build())
        return started[-1]

    monkeypatch.setattr(Shelf, "_start", start)
    desk.manual.__dict__["mark"] = "mark"
    return started


@pytest.fixture
def client(desk: Desk, builds: list[Build]) -> Iterator[TestClient]:
    with TestClient(make_app(desk), "http://localhost", follow_redirects=False, client=HERE) as client:
        yield client


def put(desk: Desk, code: str) -> Path:
    """A language's site."""
    site = desk.settings.home / FOLDER / "mark" / code
    (site / "guide").mkdir(parents=True)
    (site / "index.html").write_text("<p>contents")
    (site / "guide" / "queue.html").write_text("<p>queue")
    (site / "search.js").write_text("1")
    return site


def test_the_door_leads_to_the_visitors_language(client: TestClient) -> None:
    assert client.get("/help/", headers={"accept-language": "ja"}).headers["location"] == "/help/ja/index.html"
    assert client.get("/help/ru").headers["location"] == "/help/ru/index.html"
    assert client.get("/help/xx/index.html").status_code == 404


@pytest.mark.parametrize("code", languages())
def test_a_site_is_made_once_and_then_shown(desk: Desk, client: TestClient, builds: list[Build], code: str) -> None:
    for _ in range(2):
        answer = client.get(f"/help/{code}/guide/queue.html")
        assert answer.status_code == 202 and say("help.making", code) in answer.text
    assert len(builds) == 1
    put(desk, code)
    builds[0].code = 0
    answer = client.get(f"/help/{code}/guide/queue.html")
    assert answer.text == "<p>queue" and answer.headers["cache-control"] == "no-cache"
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    again = client.get(f"/help/{code}/guide/queue.html", headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304
    assert client.get(f"/help/{code}/search.js").headers["content-type"] == "text/javascript; charset=utf-8"


def test_nothing_outside_of_the_site_is_shown(desk: Desk, client: TestClient) -> None:
    (put(desk, "en").parent / "secret.txt").write_text("secret")
    for path in ("../secret.txt", "..%2fsecret.txt", "guide/%2e%2e/%2e%2e/secret.txt", "guide/none.html", "guide"):
        assert client.get(f"/help/en/{path}").status_code == 404, path
    assert client.post("/help/en/index.html").status_code == 405


def test_names_that_no_file_of_a_site_has_are_not_looked_for(desk: Desk, client: TestClient) -> None:
    site = put(desk, "en")
    (site / "loop").symlink_to("loop")
    for path in ("loop", "%5c%5chost%5cshare", "a%00", "a" * 5000, "C:/x"):
        assert client.get(f"/help/en/{path}").status_code == 404, path[:20]


def test_a_site_that_goes_while_it_is_read_is_not_found(
    desk: Desk, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(shelf: Shelf, code: str, again: bool) -> State:
        return State.THERE

    monkeypatch.setattr(Shelf, "ask", ask)
    assert client.get("/help/en/index.html").status_code == 404


def test_a_build_that_fails_is_told_and_tried_again_when_asked(
    desk: Desk, client: TestClient, builds: list[Build]
) -> None:
    client.get("/help/en/index.html")
    builds[0].code = 1
    desk.manual.home.mkdir(parents=True)
    desk.manual.log("en").write_text("no room on <disk>")
    answer = client.get("/help/en/index.html")
    assert answer.status_code == 503 and "no room on &lt;disk&gt;" in answer.text
    assert len(builds) == 1
    assert client.get("/help/en/index.html?again").status_code == 202
    assert len(builds) == 2


def test_a_program_without_the_documents_says_so(
    desk: Desk, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(shelf: Shelf, code: str) -> Path:
        raise FileNotFoundError("no documents")

    monkeypatch.setattr(Shelf, "site", none)
    answer = client.get("/help/en/index.html")
    assert answer.status_code == 503 and "no documents" in answer.text


@pytest.mark.parametrize(("place", "kind"), [("create", VideoOptions), ("frame", FrameOptions), ("settings", Settings)])
def test_every_field_and_place_leads_to_the_documents(client: TestClient, place: str, kind: type[BaseModel]) -> None:
    text = client.get(f"/ja/{place}").text
    drawn = set(re.findall(r'class="field[^>]*? data-key="([^"]+)"', text))
    fields = [field for field in walk(kind) if field.key in drawn]
    assert len(fields) > 10
    anchors = re.findall(r"<a [^>]*aria-label=[^>]*>", text)
    links = [found[1] for one in anchors if (found := re.search(r'href="/help/ja/([^"]+)" target="_blank"', one))]
    assert {address(field.id) for field in fields} <= set(links)
    assert f"guide/{GUIDES[place]}.html" in links


def test_no_build_outlives_the_server(desk: Desk, builds: list[Build]) -> None:
    desk.manual.ask("en")
    desk.manual.close()
    assert builds[0].code is not None
