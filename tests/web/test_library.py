"""What a user keeps, over HTTP: whatever is replaced or removed can be put back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from eichi.library.advice import ADVICE
from eichi.library.favourites import Favourite, Favourites
from eichi.options import FrameOptions, VideoOptions
from eichi.web.api.advice import middle
from eichi.web.app import make_app
from eichi.web.desk import Desk
from eichi.words import languages, table


@pytest.fixture
def client(desk: Desk) -> Iterator[TestClient]:
    desk.local = True
    with TestClient(make_app(desk), base_url="http://localhost/api/v1/") as client:
        yield client


@pytest.fixture
def kept(desk: Desk) -> Favourites:
    return Favourites(desk.settings.home, lambda note: None)


@pytest.fixture
def id(desk: Desk, picture: Path) -> str:
    with picture.open("rb") as file:
        return f"upload:{desk.given.picture(picture.name, file).mark}"


def test_prompts_are_kept_replaced_and_put_back(client: TestClient) -> None:
    told = client.get("prompts", headers={"eichi-language": "ja"}).json()
    assert (told["startup"], {one["built_in"] for one in told["presets"]}) == ("", {True})
    assert told["presets"][0]["label"] == table("ja")["preset.basic"]
    assert client.put("prompts/a%2Fb", json={"text": "one"}).json()["before"] is None
    told = client.put("prompts/a%2Fb", json={"text": "two"}).json()
    assert told["before"] == "one"
    assert told["presets"][-1] == {"name": "a/b", "label": "a/b", "text": "two", "built_in": False}
    told = client.delete("prompts/a%2Fb").json()
    assert (told["before"], len(told["presets"])) == ("two", 6)
    assert client.delete("prompts/a%2Fb").json()["id"] == "error.preset.unknown"
    assert client.put("prompts/preset.basic", json={"text": "x"}).json()["id"] == "error.preset.built_in"


def test_the_start_up_prompt_is_the_one_without_a_name(client: TestClient) -> None:
    assert client.put("prompts", json={"text": "calm"}).json()["before"] is None
    told = client.put("prompts", json={"text": "wild"}).json()
    assert (told["startup"], told["before"]) == ("wild", "calm")
    told = client.delete("prompts").json()
    assert (told["startup"], told["before"]) == ("", "wild")


def test_a_favourite_is_saved_with_paths_and_read_with_ids(client: TestClient, kept: Favourites, id: str) -> None:
    told = client.put("favourites/evening", json={"image": id, "seconds": 2}).json()
    assert told is None
    assert client.get("favourites").json()["favourites"] == [{"name": "evening", "kind": "video"}]
    request = kept.apply("evening")
    assert request.image is not None
    assert request.image.is_file()
    told = client.get("favourites/evening").json()
    assert (told["options"]["image"], told["options"]["seconds"], told["notes"]) == (id, 2, [])
    request.image.unlink()
    told = client.get("favourites/evening").json()
    assert (told["options"]["image"], len(told["notes"])) == (None, 1)


def test_a_favourite_that_is_replaced_or_removed_can_be_put_back(client: TestClient, id: str) -> None:
    client.put("favourites/evening", json={"image": id, "seconds": 2})
    before = client.put("favourites/evening", json={"seconds": 3}).json()
    assert (before["image"], before["seconds"]) == (id, 2)
    assert client.put("favourites/evening", json=before).json()["seconds"] == 3
    assert client.get("favourites/evening").json()["options"] == before
    assert client.delete("favourites/evening").json() == before
    assert client.get("favourites").json()["favourites"] == []
    for answer in (client.delete("favourites/evening"), client.get("favourites/evening")):
        assert answer.json()["id"] == "error.favourite.unknown"


def test_what_is_wrong_is_kept_by_nobody(client: TestClient, kept: Favourites) -> None:
    answer = client.put("favourites/x", json={"seconds": 500})
    assert (answer.status_code, answer.json()["key"]) == (422, "seconds")
    answer = client.put("favourites/x", json={"image": "upload:" + "0" * 32})
    assert (answer.status_code, answer.json()["key"]) == (422, "image")
    assert kept.list() == {}


def test_favourites_by_kind_and_renamed(client: TestClient, kept: Favourites) -> None:
    kept.save("one", VideoOptions())
    client.put("favourites/two", params={"kind": "frame"}, json={"prompt": "x"})
    assert isinstance(kept.apply("two"), FrameOptions)
    told = client.get("favourites", params={"kind": "frame"}).json()
    assert [one["name"] for one in told["favourites"]] == ["two"]
    told = client.post("favourites/one/rename", json={"to": "first"}).json()
    assert [one["name"] for one in told["favourites"]] == ["first", "two"]
    assert client.post("favourites/first/rename", json={"to": "two"}).json()["id"] == "error.favourite.exists"


def test_one_of_another_version_is_listed_and_can_go(client: TestClient, kept: Favourites) -> None:
    kept.keep("later", Favourite(kind="song", request={"image": "/home/me/a.png"}))
    assert client.get("favourites").json()["favourites"] == [{"name": "later", "kind": "song"}]
    assert client.delete("favourites/later").json() == {"image": "a.png"}


def test_favourites_leave_and_come(client: TestClient, kept: Favourites) -> None:
    kept.save("one", VideoOptions(seconds=2))
    kept.save("two", VideoOptions(seconds=3))
    answer = client.get("favourites.json", params={"name": "two"})
    assert "attachment" in answer.headers["content-disposition"]
    kept.save("two", VideoOptions(seconds=4), replace=True)
    told = client.post("favourites", files={"file": ("f.json", answer.content)}).json()
    assert told["names"] == ["two (2)"]
    assert [one["name"] for one in told["favourites"]] == ["one", "two", "two (2)"]
    assert len(told["notes"]) == 1
    answer = client.post("favourites", files={"file": ("f.json", b"{}")})
    assert (answer.status_code, answer.json()["id"]) == (422, "error.favourite.file")


@pytest.mark.parametrize("language", languages())
def test_all_advice_is_told_in_the_visitors_language(client: TestClient, language: str) -> None:
    sections = client.get("advice/all", headers={"eichi-language": language}).json()["sections"]
    assert [one["title"] for one in sections] == [table(language)[one.id] for one in ADVICE]
    kinds = [block["kind"] for one in sections for block in one["blocks"]]
    assert set(kinds) == {"paragraph", "points", "example", "table"}
    place = client.get("advice/motion", headers={"eichi-language": language}).json()["sections"]
    assert [one["title"] for one in place] == [table(language)[f"advice.{name}"] for name in ("time", "motion")]
    assert client.get("advice/nowhere").status_code == 404


def test_values_that_are_offered_are_taken(client: TestClient) -> None:
    sections = client.get("advice/motion").json()["sections"]
    tables = [block for one in sections for block in one["blocks"] if block["kind"] == "table"]
    offered = [value for one in tables for row in one["rows"] for value in row["values"] if value["value"] is not None]
    assert len(offered) > 10
    for one in offered:
        group, name = one["key"].split(".")
        VideoOptions.parse({group: {name: one["value"]}})
    assert (middle((1.5, 2.0), 0.1), middle((0.5, 0.5), 0.05), middle(None, 1)) == (1.8, 0.5, None)
