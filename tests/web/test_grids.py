"""Grids over HTTP: axes as they are written, who may name files, what a batch looks like."""

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from eichi.events import Finished, dump
from eichi.jobs.view import Status
from eichi.web.app import make_app
from eichi.web.desk import Desk
from eichi.words import say
from tests.clips import Made


@pytest.fixture
def client(desk: Desk) -> TestClient:
    return TestClient(make_app(desk), base_url="http://127.0.0.1", client=("127.0.0.1", 5000))


def asked(axes: list[dict[str, str]]) -> dict[str, object]:
    options = {"start": "black", "prompt": "a cat", "seconds": 1, "seed": 1}
    return {"options": options, "batch": {"axes": axes}}


def test_a_grid_is_started_counted_and_seen(
    desk: Desk, client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    axes = [{"key": "sampling.steps", "values": "2, 4"}, {"key": "replace", "values": "cat,dog"}]
    drafted = client.post("/api/v1/drafts/video", json=asked(axes)).json()
    assert drafted["jobs"] == 4, drafted
    answer = client.post("/api/v1/jobs/batch", json=asked(axes))
    assert answer.status_code == 201, answer.text
    jobs = [desk.store.job(id) for id in answer.json()["jobs"]]
    assert [(job.options.sampling.steps, job.options.prompt) for job in jobs] == [  # type: ignore[union-attr]
        (2, "a cat"),
        (4, "a cat"),
        (2, "a dog"),
        (4, "a dog"),
    ]
    batch = jobs[0].batch
    assert client.get(f"/api/v1/batches/{batch}/grid.png").status_code == 422  # nothing is done
    clip = Made(count=4).write(tmp_path / "clip.mp4")
    done = Finished(str(clip), "p.png", 1, 4, 0.1, 1)
    desk.store.change(jobs[0].id, [Status.WAITING], status=Status.DONE, result=dump(done))
    for ending, kind in (("png", "image/png"), ("mp4", "video/mp4")):
        shown = client.get(f"/api/v1/batches/{batch}/grid.{ending}?language=ja")
        assert shown.status_code == 200 and shown.headers["content-type"] == kind and len(shown.content) > 500
    assert client.get("/api/v1/batches/0000/grid.png").status_code == 422
    monkeypatch.setattr("eichi.jobs.gridsheet.PLAYED", 0)  # a picture has room for more than a video
    assert client.get(f"/api/v1/batches/{batch}/grid.mp4?language=ru").json()["id"] == "error.grid.played"
    assert client.get(f"/api/v1/batches/{batch}/grid.png?language=ru").status_code == 200


def test_what_a_grid_lacks_is_said_beside_it(
    desk: Desk, client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eichi.video.letters._paths", lambda: ())  # a system without fonts
    jobs = client.post("/api/v1/jobs/batch", json=asked([{"key": "sampling.steps", "values": "2, 4"}])).json()["jobs"]
    address = f"/api/v1/batches/{desk.store.job(jobs[0]).batch}/grid?language=ja"
    assert client.get(address).json()["id"] == "error.grid.nothing"
    seen = []
    for number, job in enumerate(jobs):
        clip = Made(count=4).write(tmp_path / f"{number}.mp4")
        done = Finished(str(clip), "p.png", 1, 4, 0.1, 1)
        desk.store.change(job, [Status.WAITING], status=Status.DONE, result=dump(done))
        for told in (client.get(address).json(), client.get(address).json()):  # also where it was made before
            assert (told["jobs"], told["done"], told["played"]) == (2, number + 1, True)
            assert (told["note_ids"], told["notes"]) == (["note.grid.letters"], [say("note.grid.letters", "ja")])
        seen.append(told["mark"])
    assert len(set(seen)) == 2


def test_what_is_wrong_with_an_axis_is_said(client: TestClient) -> None:
    for axis, id in (
        ({"key": "sampling.steps", "values": "4"}, "error.grid.few"),
        ({"key": "nothing", "values": "1,2"}, "error.option.unknown"),
        ({"key": "replace", "values": "horse,dog"}, "error.grid.replace"),
    ):
        answer = client.post("/api/v1/jobs/batch", json=asked([axis]))
        assert answer.status_code == 422 and answer.json()["id"] == id, answer.text


@pytest.mark.parametrize(
    ("axes", "prompts", "said"),
    [
        ([("sampling.steps", "2,4"), ("sampling.steps", "")], "", [("error.grid.few", "batch.axes.1.values")]),
        ([("", "2,4")], "", [("error.grid.option", "batch.axes.0.key")]),
        ([("sampling.steps", "4, 900")], "", [("error.option.range", "batch.axes.0.values")]),
        ([("seed", "1,2"), ("seed", "3,4")], "", [("error.grid.twice", "batch.axes.1.key")]),
        ([("replace", "horse,dog")], "", [("error.grid.replace", "batch.axes.0.values")]),
        ([("replace", "horse,dog")], "a horse\na horse runs", []),
        ([("replace", "horse,dog")], "a horse\na cow", [("error.grid.replace", "batch.axes.0.values")]),
    ],
)
def test_a_draft_says_what_is_wrong_with_an_axis_where_it_stands(
    client: TestClient, axes: list[tuple[str, str]], prompts: str, said: list[tuple[str, str]]
) -> None:
    given: Any = asked([{"key": key, "values": values} for key, values in axes])
    given["batch"]["prompts"] = prompts
    problems = client.post("/api/v1/drafts/video", json=given).json()["problems"]
    assert [(one["id"], one["key"]) for one in problems] == said


@pytest.mark.parametrize("key", ["image", "model", "finish.upscale", "keyframes.final"])
def test_who_sits_elsewhere_names_no_files(desk: Desk, key: str) -> None:
    away = TestClient(make_app(desk), base_url="http://127.0.0.1", client=("192.0.2.1", 5000))
    answer = away.post("/api/v1/jobs/batch", json=asked([{"key": key, "values": "/etc/passwd,/etc/hosts"}]))
    assert answer.status_code == 422, answer.text
    assert not desk.store.jobs()


def test_who_sits_elsewhere_names_models_that_there_are(desk: Desk) -> None:
    away = TestClient(make_app(desk), base_url="http://127.0.0.1", client=("192.0.2.1", 5000))
    answer = away.post("/api/v1/drafts/video", json=asked([{"key": "model", "values": "tiny,tiny-f1"}]))
    assert (answer.json()["problems"], answer.json()["jobs"]) == ([], 2)
