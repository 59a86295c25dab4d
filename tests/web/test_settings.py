"""Settings over HTTP: who may see and change what, what is refused, and what is no folder for results."""

import errno
import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from eichi.errors import FolderError
from eichi.settings import Settings
from eichi.web import preferences
from eichi.web.app import make_app
from eichi.web.desk import Desk
from eichi.web.machine import Maker

HERE, AWAY = ("127.0.0.1", 5000), ("192.168.1.7", 5000)


@pytest.fixture
def client(desk: Desk) -> TestClient:
    return TestClient(make_app(desk, hosts=("*",)), "http://localhost", client=HERE)


@pytest.fixture
def away(client: TestClient) -> TestClient:
    return TestClient(client.app, "http://box", client=AWAY)


def test_what_is_set_is_written_and_in_force(client: TestClient, desk: Desk, tmp_path: Path) -> None:
    told = client.get("/api/v1/settings").json()
    assert {field["key"] for field in told["fields"]} == set(told["values"])
    assert told["local"]
    assert told["places"]["home"] == str(desk.settings.home)
    folder = tmp_path / "new" / "results"
    changed = client.put("/api/v1/settings", json={"values": {"outputs": str(folder), "preserve_gb": 8}})
    assert changed.status_code == 200
    assert changed.json()["values"]["preserve_gb"] == 8
    assert (desk.settings.outputs, desk.given.settings.outputs, desk.refs.settings.outputs) == (folder,) * 3
    assert folder.is_dir()
    assert json.loads((desk.settings.home / "settings.json").read_text()) == {
        "outputs": str(folder),
        "preserve_gb": 8,
    }
    assert client.put("/api/v1/settings", json={"values": {"preserve_gb": ""}}).json()["values"]["preserve_gb"] is None


@pytest.mark.parametrize(
    ("values", "id"),
    [
        ({"preserve_gb": 1}, "error.option.range"),
        ({"attention": "x"}, "error.option.choice"),
        ({"device": "tpu"}, "error.option.choice"),
        ({"vae_tile": "x"}, "error.option.value"),
        ({"home": "/tmp"}, "error.option.unknown"),
        ({"store": "sqlite:///x"}, "error.option.unknown"),
        ({"nothing": 1}, "error.option.unknown"),
        ({"outputs": {"a": 1}}, "error.option.value"),
        ({"outputs": "/proc/x"}, "error.settings.system"),
        ({"outputs": "a\0b"}, None),
    ],
)
def test_what_is_wrong_changes_nothing(client: TestClient, desk: Desk, values: object, id: str | None) -> None:
    before = desk.settings
    answer = client.put("/api/v1/settings", json={"values": values})
    assert answer.status_code == 422
    assert id is None or answer.json()["id"] == id
    assert desk.settings == before
    assert not (desk.settings.home / "settings.json").exists()


def test_what_the_environment_sets_is_named(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EICHI_VAE_TILE", "256")
    assert client.get("/api/v1/settings").json()["locked"] == ["vae_tile"]
    answer = client.put("/api/v1/settings?language=ja", json={"values": {"vae_tile": 512}})
    assert answer.json()["id"] == "error.settings.locked"
    assert "vae_tile" not in answer.json()["message"]
    assert client.put("/api/v1/settings", json={"values": {"vae_tile": 256}}).status_code == 200


def test_from_elsewhere_nothing_is_changed_and_no_folder_is_named(away: TestClient, desk: Desk, tmp_path: Path) -> None:
    before = desk.settings
    told = away.get("/api/v1/settings")
    assert not told.json()["local"]
    assert told.json()["places"] == {}
    assert str(desk.settings.home.parent) not in told.text
    for method, address, body in (
        ("PUT", "/api/v1/settings", {"values": {"outputs": "/etc"}}),
        ("PUT", "/api/v1/settings", {"values": {}}),
        ("POST", "/api/v1/import", {"folder": str(tmp_path)}),
        ("POST", "/api/v1/folder", None),
        ("GET", "/api/v1/log", None),
    ):
        answer = away.request(method, address, json=body, headers={"accept-language": "ru"})
        assert (answer.status_code, answer.json()["id"].startswith("error.api.")) == (422, True)
        assert str(tmp_path) not in answer.text
    assert desk.settings == before


def test_a_folder_for_results_is_one_for_results(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = desk.settings.home
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "me"))
    (tmp_path / "link").symlink_to(home)
    store = f"sqlite:///{tmp_path / 'database' / 'jobs.db'}"
    for folder in (
        home,
        home.parent,
        home / "uploads",
        home / "library" / "x",
        tmp_path / "link",
        tmp_path / "link" / ".." / home.name,
        tmp_path / "database",
        tmp_path / "me",
        Path(tmp_path.anchor),
    ):
        with pytest.raises(FolderError) as refused:
            preferences.check_results(Settings(home=home, outputs=folder, store=store))
        assert refused.value.id in ("error.settings.home", "error.settings.system")
    for folder in (home / "outputs", tmp_path / "me" / "videos", tmp_path / "results"):
        preferences.check_results(Settings(home=home, outputs=folder, store=store))


@pytest.mark.skipif(sys.platform == "win32", reason="these folders are of other systems")
@pytest.mark.parametrize("folder", ["/", "/etc", "/etc/x", "/usr/share", "/root", "/home", "/dev/shm", "/sys"])
def test_the_systems_own_folders_are_refused(home: Path, folder: str) -> None:
    with pytest.raises(FolderError):
        preferences.check_results(Settings(home=home, outputs=Path(folder)))


@pytest.mark.skipif(os.name == "nt", reason="the command is a shell script here")
def test_the_device_is_what_there_is(
    client: TestClient, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offered() -> list[str]:
        desk.probe._names = None
        fields = client.get("/api/v1/settings").json()["fields"]
        (device,) = (field for field in fields if field["key"] == "device")
        assert device["control"] == "choice"
        return [choice["value"] for choice in device["choices"]]

    monkeypatch.setenv("PATH", str(tmp_path))
    assert offered() == ["auto", "cpu"]
    command = tmp_path / "nvidia-smi"
    command.write_text("#!/bin/sh\nprintf 'NVIDIA A\\nNVIDIA B\\n'\n")
    command.chmod(0o755)
    assert offered() == ["auto", "cpu", "cuda", "cuda:0", "cuda:1"]
    assert client.put("/api/v1/settings", json={"values": {"device": "cuda:1"}}).status_code == 200
    assert client.put("/api/v1/settings", json={"values": {"device": "cuda:2"}}).status_code == 422
    desk.adjust(desk.settings.model_copy(update={"device": "mps"}))  # by the command line
    assert offered()[-1] == "mps"
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("eichi.web.preferences.other_maker", lambda: Maker("xpu", "xpu"))
    assert offered() == ["auto", "cpu", "xpu", "mps"]


def test_a_token_is_written_for_its_owner_alone_and_never_comes_back(client: TestClient, desk: Desk) -> None:
    path = desk.settings.home / "settings.json"
    assert client.get("/api/v1/settings").json()["values"]["token"] is None
    answer = client.put("/api/v1/settings", json={"values": {"token": "hf_secret"}})
    told = client.get("/api/v1/settings")
    assert (answer.status_code, "hf_secret" in answer.text + told.text) == (200, False)
    assert json.loads(path.read_text())["token"] == "hf_secret"
    assert os.name == "nt" or path.stat().st_mode & 0o077 == 0
    shown = told.json()["values"]["token"]
    assert shown  # that there is one can be seen
    client.put("/api/v1/settings", json={"values": {"token": shown, "vae_tile": 512}})
    assert json.loads(path.read_text()) == {"token": "hf_secret", "vae_tile": 512}
    wrong = client.put("/api/v1/settings", json={"values": {"token": "hf_sécret"}})
    assert (wrong.status_code, wrong.json()["key"], "cret" in wrong.text) == (422, "token", False)
    client.put("/api/v1/settings", json={"values": {"token": ""}})
    assert desk.settings.token is None


def test_where_models_come_from_is_set_by_who_sits_here(client: TestClient, away: TestClient, desk: Desk) -> None:
    for values in ({"mirror": "https://evil.example"}, {"token": "hf_other"}):
        assert away.put("/api/v1/settings", json={"values": values}).json()["id"] == "error.api.settings"
    assert (desk.settings.mirror, desk.settings.token) == ("", None)
    answer = client.put("/api/v1/settings", json={"values": {"mirror": "http://models.example"}})
    assert (answer.status_code, answer.json()["key"]) == (422, "mirror")
    client.put("/api/v1/settings", json={"values": {"mirror": "https://models.example/"}})
    assert (desk.settings.mirror, desk.downloads.settings.mirror) == ("https://models.example",) * 2


def test_all_that_is_wrong_is_told_each_with_its_field(client: TestClient, away: TestClient, desk: Desk) -> None:
    given = {"preserve_gb": 1, "device": "tpu", "outputs": "/proc/x", "mirror": "ftp://x", "quota": 3, "nothing": 1}
    told = client.post("/api/v1/settings/check", json={"values": given}).json()["problems"]
    assert [one["key"] for one in told] == ["preserve_gb", "device", "outputs", "mirror", "nothing"]
    given = {"quota": 3, "outputs": "/proc/x", "attention": "x"}
    told = client.post("/api/v1/settings/check?language=ja", json={"values": given}).json()["problems"]
    assert {one["key"] for one in told} == {"outputs", "attention"}
    assert "/proc/x" in told[0]["message"] and not told[0]["message"].isascii()
    assert client.post("/api/v1/settings/check", json={"values": {"quota": 3}}).json()["problems"] == []
    assert desk.settings.quota == 0
    assert away.post("/api/v1/settings/check", json={"values": given}).json()["id"] == "error.api.settings"


def test_a_folder_that_is_not_there_is_said_at_its_field(client: TestClient, away: TestClient, tmp_path: Path) -> None:
    """It is saved all the same: a disk may be plugged in later."""
    (tmp_path / "file").touch()
    values = {"comfy": f"{tmp_path / 'gone'};{tmp_path / ('x' * 300)}", "lora_folders": f"{tmp_path / 'file'}"}
    answer = client.put("/api/v1/settings", json={"values": values})
    told = {one["key"]: one["message"] for one in answer.json()["remarks"]}
    assert answer.status_code == 200 and answer.json()["values"]["comfy"] == values["comfy"]
    assert f"{tmp_path / 'gone'}: it does not exist" in told["comfy"]
    assert "too long" in told["comfy"] and f"{tmp_path / 'file'}: " in told["lora_folders"]
    for address in ("models", "loras"):
        assert client.get(f"/api/v1/{address}").status_code == 200
    assert away.get("/api/v1/settings").json()["remarks"] == []
    assert client.put("/api/v1/settings", json={"values": {"comfy": "", "lora_folders": ""}}).json()["remarks"] == []


@pytest.mark.parametrize(
    "values",
    [
        {"comfy": "a\0b"},
        {"lora_folders": "a\0b"},
        {"place": "a\0b"},
        {"comfy": "\ud800"},
        {"lora_cache_gb": "inf"},
        {"quota": 10**40},
        {"vae_tile": 32 * 10**30},
    ],
)
def test_what_nothing_could_work_with_is_refused(client: TestClient, desk: Desk, values: dict[str, object]) -> None:
    body = json.dumps({"values": values})
    answer = client.put("/api/v1/settings", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["key"]) == (422, next(iter(values)))


def test_many_change_settings_at_once(client: TestClient, desk: Desk) -> None:
    """Nobody's change is lost, neither in the file nor in the program."""
    given: list[dict[str, object]] = [{"quota": 7}, {"vae_tile": 512}, {"preserve_gb": 9}, {"compile": True}] * 4

    def change(values: dict[str, object]) -> int:
        return client.put("/api/v1/settings", json={"values": values}).status_code

    with ThreadPoolExecutor(len(given)) as pool:
        assert set(pool.map(change, given)) == {200}
    wanted = {key: value for values in given for key, value in values.items()}
    assert json.loads((desk.settings.home / "settings.json").read_text()) == wanted
    assert desk.settings.model_dump(include=set(wanted)) == wanted


def test_a_disk_that_takes_no_settings_is_said(client: TestClient, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eichi.settings.aside", raising(OSError(errno.ENOSPC, "full")))
    answer = client.put("/api/v1/settings", json={"values": {"quota": 3}})
    assert (answer.status_code, answer.json()["id"]) == (422, "error.folder.write")
    assert desk.settings.quota == 0


def raising(error: Exception) -> Callable[..., object]:
    def fail(*given: object, **named: object) -> object:
        raise error

    return fail
