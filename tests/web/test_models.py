"""Models in the page: what there is, and their download from a hub of the same layout as the real one."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient

from eichi.catalog import find
from eichi.errors import FolderError, ModelError
from eichi.jobs.view import Status
from eichi.models.download import Fetching
from eichi.models.locate import lacking, present
from eichi.web.app import make_app
from eichi.web.desk import Desk
from eichi.web.downloads import Download, Downloads, view
from eichi.web.i18n import Words
from eichi.web.visitor import Visitor
from tests.hub import Fault, Hub, serve, use
from tests.models.test_download import repositories, weights


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serve(repositories()) as hub:
        use(hub, monkeypatch)
        yield hub


@pytest.fixture
def client(desk: Desk) -> Iterator[TestClient]:
    with TestClient(make_app(desk), base_url="http://localhost") as client:
        yield client


def test_models_are_listed_with_what_they_need(client: TestClient) -> None:
    told = client.get("/api/v1/models", headers={"eichi-language": "ru"}).json()["models"]
    models = {model["name"]: model for model in told}
    tiny, full = models["tiny"], models["framepack-f1"]
    assert (tiny["present"], tiny["size"], tiny["resolutions"]) == (True, 0, [{"value": 64, "label": "64 пикс."}])
    assert (full["present"], full["default"], full["direction"], full["label"]) == (
        False,
        640,
        "forward",
        "FramePack F1",
    )
    assert 38e9 < full["size"] < 45e9  # what the repositories hold of these parts
    assert "Tencent" in full["licence"]
    assert full["room"] > 0
    assert full["downloading"] is None


def test_a_model_is_fetched_and_told_of(client: TestClient, desk: Desk, hub: Hub) -> None:
    answer = client.post("/api/v1/models/framepack/download")
    assert (answer.status_code, answer.json()["name"]) == (202, "framepack")
    desk.downloads.wait()
    (view,) = desk.downloads.views("ja")
    assert (view.status, view.fraction, view.done, view.said) == ("done", 1.0, view.size, "")
    assert view.label == "FramePack"
    assert present(find("framepack"), desk.settings.shelves)
    (model,) = [one for one in client.get("/api/v1/models").json()["models"] if one["name"] == "framepack"]
    assert (model["present"], model["size"], model["downloading"]["status"]) == (True, 0, "done")


def test_a_second_question_for_the_same_changes_nothing(desk: Desk, hub: Hub) -> None:
    desk.downloads.start("framepack")
    desk.downloads.start("framepack")
    desk.downloads.start("framepack-f1")
    desk.downloads.wait()
    assert [view.status for view in desk.downloads.views("en")] == ["done", "done"]
    assert len(hub.fetched("diffusion-1.safetensors")) == 2  # one of each model
    assert len(hub.fetched("vae/model.safetensors")) == 1  # what they share is not fetched twice


def test_after_a_break_it_goes_on(desk: Desk, hub: Hub) -> None:
    name = "diffusion-1.safetensors"
    hub.faults[name] = [Fault(cut=1000), Fault(status=404)]
    desk.downloads.start("framepack")
    desk.downloads.wait()
    (view,) = desk.downloads.views("en")
    assert view.status == "failed"
    assert "has no" in view.said
    assert lacking(find("framepack"), desk.settings.shelves)[1] >= 1000
    again = Downloads(desk.settings)  # the server was started anew
    again.start("framepack")
    again.wait()
    assert hub.fetched(name) == ["", "bytes=1000-", "bytes=1000-"]
    assert present(find("framepack"), desk.settings.shelves)


def test_one_that_is_stopped_keeps_what_came(client: TestClient, desk: Desk, hub: Hub) -> None:
    answers = []

    def stop() -> float:
        """A click between two words on how far it is."""
        answers.append(client.delete("/api/v1/models/framepack/download"))
        return 0.0

    hub.faults["diffusion-1.safetensors"] = [Fault(cut=1000)]
    desk.downloads = Downloads(desk.settings, clock=stop)
    desk.downloads.start("framepack")
    desk.downloads.wait()
    assert [answer.json()["downloading"]["status"] for answer in answers] == ["stopped"]
    assert desk.downloads.views("en")[0].status == "stopped"
    left, come = lacking(find("framepack"), desk.settings.shelves)
    assert (left > 0, come > 0) == (True, True)
    answer = client.delete("/api/v1/models/framepack/download")
    assert (answer.status_code, answer.json()["id"]) == (404, "error.download.unknown")


def test_speed_is_that_of_the_latest_seconds() -> None:
    run = Download(find("framepack"), Status.RUNNING)
    assert run.speed is None
    for second, done in enumerate((0, 10, 20, 30, 40, 50, 60, 160)):
        run.hear(Fetching("file", 1, 1, done, 1000), float(second))
    assert run.speed == (160 - 20) / 5
    shown = view(run, Words("en"))
    assert (shown.speed, shown.left, shown.fraction) == (28.0, 30.0, 0.16)
    run.status = Status.DONE
    assert view(run, Words("en")).speed is None  # nothing moves any more


def test_what_the_disk_has_no_room_for_is_refused(
    client: TestClient, desk: Desk, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=2**30 + 10))
    with pytest.raises(FolderError, match="room"):
        desk.downloads.start("framepack")
    answer = client.post("/api/v1/models/framepack/download")
    assert (answer.status_code, answer.json()["id"]) == (422, "error.folder.room")
    assert desk.downloads.views("en") == []


def test_offline_nothing_is_asked(desk: Desk, hub: Hub) -> None:
    downloads = Downloads(desk.settings.model_copy(update={"offline": True}))
    with pytest.raises(ModelError, match="offline"):
        downloads.start("framepack")
    assert hub.asked == []


def test_no_folder_of_this_machine_is_named(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(weights(1))
    for name in ("nothing", f"..%2F..{tmp_path}"):
        answer = client.post(f"/api/v1/models/{name}/download")
        assert answer.status_code in (404, 422)


def test_who_is_elsewhere_reads_no_folder_in_what_went_wrong(desk: Desk) -> None:
    folder = desk.settings.models.absolute() / "framepack"
    failed = Download(
        find("framepack"), Status.FAILED, error=FolderError("error.folder.write", folder=folder, reason="reason.full")
    )
    said = view(failed, Words("en"))
    assert str(folder) in desk.refs.seen(said, Visitor("en", True)).said
    assert str(folder.parent) not in desk.refs.seen(said, Visitor("en", False)).said
