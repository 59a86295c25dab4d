"""Models in the page: what there is, and their download from a hub of the same layout as the real one."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from eichi.catalog import find
from eichi.errors import FolderError, ModelError
from eichi.jobs.view import Status
from eichi.models.download import Fetching, Stalled
from eichi.models.locate import lacking, present
from eichi.web.app import make_app
from eichi.web.desk import Desk
from eichi.web.downloads import Download, Downloads, view
from eichi.web.i18n import Words
from eichi.web.visitor import Visitor
from tests.hub import Fault, Hub, serve
from tests.published import STANDARD, repositories, weights

TERMS = ("hunyuan", "llama", "flux")
AGREED = {"agreed": TERMS}


@pytest.fixture
def client(desk: Desk) -> Iterator[TestClient]:
    with TestClient(make_app(desk), "http://localhost", client=("127.0.0.1", 5000)) as client:
        yield client


def test_models_are_listed_with_what_they_need(client: TestClient) -> None:
    told = client.get("/api/v1/models", headers={"eichi-language": "ru"}).json()["models"]
    models = {model["name"]: model for model in told}
    tiny, full = models["tiny"], models["framepack-f1"]
    assert (tiny["present"], tiny["size"], tiny["default"]) == (True, 0, None)  # it goes by the picture
    assert tiny["resolutions"] == [{"value": side, "label": f"{side} пикс."} for side in (64, 128)]
    assert (full["present"], full["default"], full["direction"], full["label"]) == (
        False,
        640,
        "forward",
        "FramePack F1",
    )
    assert 38e9 < full["size"] < 45e9  # what the repositories hold of these parts
    assert [(one["id"], one["asked"]) for one in full["licences"]] == [
        ("hunyuan", True), ("llama", True), ("flux", True), ("clip", False)
    ]  # fmt: skip
    assert "Великобритании" in full["licences"][0]["text"]
    assert full["downloading"] is None
    assert (full["interrupted"], full["removable"], tiny["licences"]) == (False, 0, [])


def test_what_is_found_elsewhere_and_not_used_is_listed(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `eichi models` does; and that the disk has no room for a download."""
    place = tmp_path / "files"
    place.mkdir()
    (place / "FramePack.safetensors").touch()
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=2**31))
    desk.settings = desk.settings.model_copy(update={"comfy": f"{place};{tmp_path / 'gone'}"})
    with TestClient(make_app(desk), "http://localhost", client=("127.0.0.1", 5000)) as client:
        told = client.get("/api/v1/models").json()
    (spare,), (odd,) = told["spare"], told["odd"]
    assert (spare["place"], spare["why"]) == (str(place / "FramePack.safetensors"), "the file is empty")
    assert odd == {"place": str(tmp_path / "gone"), "why": "it does not exist"}
    models = {model["name"]: model for model in told["models"]}
    assert models["tiny"]["short"] == 0
    assert models["framepack"]["short"] == models["framepack"]["size"] - 2**30


def test_a_download_begins_with_what_it_will_bring(desk: Desk, hub: Hub) -> None:
    asked = desk.downloads.order("framepack")
    told = view(Download(asked.entry, asked=asked), Words("en"))
    assert (told.done, told.size) == (0, asked.size)


def test_a_model_is_fetched_and_told_of(client: TestClient, desk: Desk, hub: Hub) -> None:
    answer = client.post("/api/v1/models/framepack/download", json=AGREED)
    assert (answer.status_code, answer.json()["name"]) == (202, "framepack")
    desk.downloads.wait()
    (view,) = desk.downloads.views("ja")
    assert (view.status, view.fraction, view.done, view.said) == ("done", 1.0, view.size, "")
    assert view.label == "FramePack"
    assert present(find("framepack"), desk.settings.model_folders)
    (model,) = [one for one in client.get("/api/v1/models").json()["models"] if one["name"] == "framepack"]
    assert (model["present"], model["size"], model["downloading"]["status"]) == (True, 0, "done")


def test_a_second_question_for_the_same_changes_nothing(desk: Desk, hub: Hub) -> None:
    desk.downloads.start("framepack", TERMS)
    desk.downloads.start("framepack", TERMS)
    desk.downloads.start("framepack-f1", TERMS)
    desk.downloads.wait()
    assert [view.status for view in desk.downloads.views("en")] == ["done", "done"]
    assert len(hub.fetched("diffusion-1.safetensors")) == 2  # one of each model
    assert len(hub.fetched("vae/model.safetensors")) == 1  # what they share is not fetched twice


def test_after_a_break_it_goes_on(desk: Desk, hub: Hub) -> None:
    name = "diffusion-1.safetensors"
    hub.faults[name] = [Fault(cut=1000), Fault(status=404)]
    desk.downloads.start("framepack", TERMS)
    desk.downloads.wait()
    (view,) = desk.downloads.views("en")
    assert view.status == "failed"
    assert "has no" in view.said
    assert lacking(find("framepack"), desk.settings.model_folders)[1] >= 1000
    again = Downloads(desk.settings)  # the server was started anew
    again.start("framepack")
    again.wait()
    assert hub.fetched(name) == ["", "bytes=1000-", "bytes=1000-"]
    assert present(find("framepack"), desk.settings.model_folders)


def test_one_that_is_stopped_keeps_what_came(
    client: TestClient, desk: Desk, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[Any] = []
    hear = Download.hear

    def stop(run: Download, told: Any) -> None:
        """A click between two words on how far it is."""
        hear(run, told)
        if not answers:
            answers.append(client.delete("/api/v1/models/framepack/download"))

    hub.faults["diffusion-1.safetensors"] = [Fault(cut=1000)]
    monkeypatch.setattr(Download, "hear", stop)
    desk.downloads.start("framepack", TERMS)
    desk.downloads.wait()
    assert [answer.json()["downloading"]["status"] for answer in answers] == ["stopped"]
    assert desk.downloads.views("en")[0].status == "stopped"
    left, come = lacking(find("framepack"), desk.settings.model_folders)
    assert (left > 0, come > 0) == (True, True)
    answer = client.delete("/api/v1/models/framepack/download")
    assert (answer.status_code, answer.json()["id"]) == (404, "error.download.unknown")


def test_what_the_disk_has_no_room_for_is_refused(
    client: TestClient, desk: Desk, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=2**30 + 10))
    with pytest.raises(FolderError, match="room"):
        desk.downloads.start("framepack", TERMS)
    answer = client.post("/api/v1/models/framepack/download", json=AGREED)
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
        find("framepack"),
        status=Status.FAILED,
        error=FolderError("error.folder.write", folder=folder, reason="reason.full"),
    )
    said = view(failed, Words("en"))
    assert str(folder) in desk.refs.seen(said, Visitor("en", True)).said
    assert str(folder.parent) not in desk.refs.seen(said, Visitor("en", False)).said


def state(client: TestClient, name: str = "framepack") -> dict[str, Any]:
    """A model as the page sees it."""
    found: dict[str, Any] = next(one for one in client.get("/api/v1/models").json()["models"] if one["name"] == name)
    return found


def test_what_a_download_comes_to_is_said_first(client: TestClient, hub: Hub, desk: Desk) -> None:
    told = client.get("/api/v1/models/framepack/download", headers={"eichi-language": "ja"}).json()
    assert told["left"] == told["size"] == sum(one["size"] for one in told["files"]) > 0
    assert told["after"] == told["free"] - told["left"]
    assert (told["folder"], told["server"]) == (str(desk.settings.models.absolute()), hub.address)
    assert [(one["id"], one["agreed"]) for one in told["licences"] if one["asked"]] == [
        ("hunyuan", False), ("llama", False), ("flux", False)
    ]  # fmt: skip
    assert all(one["url"].startswith("https://") for one in told["licences"])
    assert hub.fetched("") == []


def test_terms_are_asked_for_once(client: TestClient, hub: Hub, desk: Desk) -> None:
    address = "/api/v1/models/framepack/download"
    bodies: tuple[dict[str, list[str]] | None, ...] = (
        None,
        {"agreed": []},
        {"agreed": ["llama", "flux", "clip", "nothing"]},
    )
    for body in bodies:
        answer = client.post(address, json=body)
        assert (answer.status_code, answer.json()["id"]) == (422, "error.download.licence")
        assert "HunyuanVideo" in answer.json()["message"]
    assert hub.fetched("") == []
    assert client.post(address, json={"agreed": ["hunyuan"]}).status_code == 202  # the others were agreed to before
    desk.downloads.wait()
    assert all(one["agreed"] for one in state(client)["licences"] if one["asked"])
    assert client.post("/api/v1/models/framepack-f1/download").status_code == 202
    desk.downloads.wait()
    assert state(client, "framepack-f1")["present"]


def test_one_that_was_interrupted_is_offered_to_the_next_server(client: TestClient, hub: Hub, desk: Desk) -> None:
    hub.faults["diffusion-2.safetensors"] = [Fault(404)]
    desk.downloads.start("framepack", TERMS)
    desk.downloads.wait()
    desk.downloads = Downloads(desk.settings)  # the server was started anew
    assert (state(client)["interrupted"], state(client)["downloading"]) == (True, None)
    assert client.post("/api/v1/models/framepack/download").status_code == 202  # it knows what was agreed to
    desk.downloads.wait()
    assert (state(client)["interrupted"], state(client)["present"]) == (False, True)


def test_a_break_is_shown_while_it_lasts() -> None:
    run = Download(find("framepack"), status=Status.RUNNING)
    run.hear(Fetching("a", 1, 2, 5, 10, 5, 20, speed=5.0, left=3.0))
    shown = view(run, Words("en"))
    assert (shown.speed, shown.left, shown.fraction, shown.stalled) == (5.0, 3.0, 0.25, "")
    run.hear(Stalled("a", 8.0, {"reason": "reason.status", "status": 503}))
    shown = view(run, Words("en"))
    assert (shown.speed, shown.left) == (None, None)
    assert "503" in shown.stalled
    assert "8 s" in shown.stalled
    run.hear(Fetching("a", 1, 2, 6, 10, 6, 20, speed=5.0))
    assert view(run, Words("en")).stalled == ""
    run.status = Status.DONE
    assert view(run, Words("en")).speed is None


def test_files_are_checked_and_made_good(client: TestClient, hub: Hub, desk: Desk) -> None:
    assert client.post("/api/v1/models/framepack/check").json()["id"] == "error.model.absent"
    desk.downloads.start("framepack", TERMS)
    desk.downloads.wait()
    assert client.post("/api/v1/models/framepack/mend").json()["id"] == "error.download.whole"
    damaged = desk.settings.models / STANDARD / "diffusion-1.safetensors"
    damaged.write_bytes(b"x")
    assert client.post("/api/v1/models/framepack/check").status_code == 202
    desk.downloads.wait()
    told = state(client)["downloading"]
    assert (told["task"], told["status"], told["bad"]) == ("check", "done", [str(damaged)])
    assert told["good"] > 10
    hub.asked.clear()
    assert client.post("/api/v1/models/framepack/mend").status_code == 202
    desk.downloads.wait()
    assert (hub.fetched(damaged.name), len(hub.fetched(""))) == ([""], 1)
    assert damaged.read_bytes() == repositories()[STANDARD][damaged.name]


def test_a_model_is_removed_by_who_sits_here(client: TestClient, hub: Hub, desk: Desk) -> None:
    desk.downloads.start("framepack", TERMS)
    desk.downloads.wait()
    bytes = state(client)["removable"]
    assert bytes > 0
    elsewhere = client.delete("/api/v1/models/framepack", headers={"x-forwarded-for": "203.0.113.9"})
    assert elsewhere.json()["id"] == "error.api.remove"
    answer = client.delete("/api/v1/models/framepack")
    assert (answer.status_code, answer.json()["bytes"]) == (200, bytes)
    assert (state(client)["present"], state(client)["downloading"]) == (False, None)
    assert client.delete("/api/v1/models/framepack").json()["id"] == "error.model.not_fetched"


def test_the_mirror_of_the_settings_is_asked(desk: Desk, hub: Hub) -> None:
    with serve(repositories()) as mirror:
        desk.adjust(desk.settings.model_copy(update={"mirror": mirror.address}))
        desk.downloads.start("framepack", TERMS)
        desk.downloads.wait()
    assert hub.asked == []
    assert present(find("framepack"), desk.settings.model_folders)


def test_a_file_that_gets_its_name_between_two_looks_is_no_error(
    client: TestClient, hub: Hub, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.downloads.start("framepack", TERMS)
    desk.downloads.wait()
    folder = desk.settings.models / STANDARD
    (folder / "config.json").unlink()
    gone, is_file = folder / "diffusion-1.safetensors", Path.is_file

    def vanish(path: Path) -> bool:
        there = is_file(path)
        if path == gone:
            gone.unlink(missing_ok=True)
        return there

    monkeypatch.setattr(Path, "is_file", vanish)
    assert not state(client)["present"]
    assert not gone.exists()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_mistake_of_ours_keeps_nobody_waiting(desk: Desk, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(run: Download, told: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as wrong:
        wrong.setattr(Download, "hear", broken)
        desk.downloads.start("framepack", TERMS)
        desk.downloads.wait()
    assert [one.status for one in desk.downloads.views("en")] == ["failed"]
    desk.downloads.start("framepack")
    desk.downloads.wait()
    assert [one.status for one in desk.downloads.views("en")] == ["done"]
