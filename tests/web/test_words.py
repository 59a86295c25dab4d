"""The page's texts and the descriptions of its fields, as a browser gets them."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from eichi.web.app import make_app
from eichi.web.desk import Desk
from eichi.words import languages, table


@pytest.fixture
def client(desk: Desk) -> Iterator[TestClient]:
    with TestClient(make_app(desk), base_url="http://localhost") as client:
        yield client


@pytest.mark.parametrize("language", languages())
def test_texts_of_a_language_are_those_of_the_page(client: TestClient, language: str) -> None:
    texts = client.get(f"/api/v1/words/{language}").json()
    assert texts["place.queue"] == table(language)["place.queue"]
    assert texts.keys() == {id for id in table(language) if not id.startswith("cli.")}


def test_texts_with_a_mark_are_kept(client: TestClient) -> None:
    assert "immutable" in client.get("/api/v1/words/ja?v=abc").headers["cache-control"]
    assert client.get("/api/v1/words/ja").headers["cache-control"] == "no-cache"


def test_there_are_no_texts_of_other_languages(client: TestClient) -> None:
    answer = client.get("/api/v1/words/xx")
    assert (answer.status_code, answer.json()["id"]) == (404, "error.api.address")


@pytest.mark.parametrize(("kind", "key"), [("video", "seconds"), ("frame", "references"), ("settings", "outputs")])
def test_fields_of_a_kind(client: TestClient, kind: str, key: str) -> None:
    found = {field["key"]: field for field in client.get(f"/api/v1/fields/{kind}").json()["fields"]}
    assert found[key]["label"]


def test_there_are_no_fields_of_other_kinds(client: TestClient) -> None:
    assert client.get("/api/v1/fields/x").status_code == 422
