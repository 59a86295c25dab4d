"""One file from the hub: resumed, checked, and every way in which the hub and the network can refuse."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from eichi.errors import EichiError, FolderError, ModelError, RunError
from eichi.models.hub import RemoteFile, checksum, fetch, list_files, part_of
from tests.hub import COMMIT, Fault, Hub, serve, use

BIG = bytes(range(256)) * 400
FILES = {"weights.safetensors": BIG, "folder/config.json": b'{"a": 1}', "README.md": b"words"}
BROKEN = [Fault(cut=0)] * 9


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serve({"owner/name": FILES}) as hub:
        use(hub, monkeypatch)
        yield hub


def remote(name: str = "weights.safetensors") -> RemoteFile:
    return next(file for file in list_files("owner/name") if file.path == name)


def bring(file: RemoteFile, target: Path) -> list[int]:
    return list(fetch(file, target, wait=lambda seconds: None))


def test_files_are_listed_with_sizes_and_checksums(hub: Hub) -> None:
    files = {file.path: file for file in list_files("owner/name")}
    assert {path: file.size for path, file in files.items()} == {path: len(content) for path, content in FILES.items()}
    assert {file.commit for file in files.values()} == {COMMIT}
    assert [len(files[path].sum) for path in FILES] == [64, 40, 40]
    assert [files[path].folder for path in FILES] == ["", "folder", ""]


@pytest.mark.parametrize("name", FILES)
def test_a_file_arrives(hub: Hub, tmp_path: Path, name: str) -> None:
    target = tmp_path / "below" / "file"
    assert bring(remote(name), target)[-1] == len(FILES[name])
    assert target.read_bytes() == FILES[name]
    assert list(target.parent.iterdir()) == [target]


def test_a_dropped_connection_is_taken_up_where_it_dropped(hub: Hub, tmp_path: Path) -> None:
    hub.faults["weights.safetensors"] = [Fault(cut=1000), Fault(cut=500)]
    waits: list[float] = []
    list(fetch(remote(), tmp_path / "file", wait=waits.append))
    assert (tmp_path / "file").read_bytes() == BIG
    assert hub.fetched("weights.safetensors") == ["", "bytes=1000-", "bytes=1500-"]
    assert waits[0] > 0


def test_an_interrupted_download_goes_on(hub: Hub, tmp_path: Path) -> None:
    hub.faults["weights.safetensors"] = [Fault(cut=3000), *BROKEN]
    file = remote()
    with pytest.raises(RunError):
        bring(file, tmp_path / "file")
    assert not (tmp_path / "file").exists()
    assert part_of(file, tmp_path / "file").read_bytes() == BIG[:3000]
    hub.faults.clear()
    hub.asked.clear()
    bring(file, tmp_path / "file")
    assert hub.fetched("weights.safetensors") == ["bytes=3000-"]
    assert (tmp_path / "file").read_bytes() == BIG


def test_a_server_without_ranges_starts_anew(hub: Hub, tmp_path: Path) -> None:
    hub.faults["weights.safetensors"] = [Fault(cut=1000), Fault(ranges=False)]
    bring(remote(), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BIG


@pytest.mark.parametrize("name", ["weights.safetensors", "config.json"])
def test_wrong_bytes_are_thrown_away(hub: Hub, tmp_path: Path, name: str) -> None:
    hub.faults[name] = [Fault(wrong=True)]
    path = next(path for path in FILES if path.endswith(name))
    with pytest.raises(RunError, match="wrong checksum"):
        bring(remote(path), tmp_path / "file")
    assert list(tmp_path.rglob("*.part")) == []
    bring(remote(path), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == FILES[path]


def test_another_version_is_not_put_behind_a_part(hub: Hub, tmp_path: Path) -> None:
    hub.faults["weights.safetensors"] = [Fault(cut=1000), *BROKEN]
    with pytest.raises(RunError):
        bring(remote(), tmp_path / "file")
    hub.faults.clear()
    hub.repositories["owner/name"] = {"weights.safetensors": BIG[::-1]}
    bring(remote(), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BIG[::-1]


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again_when_it_says(hub: Hub, tmp_path: Path, status: int) -> None:
    hub.faults["weights.safetensors"] = [Fault(status, headers={"Retry-After": "7"}), Fault(status)]
    waits: list[float] = []
    list(fetch(remote(), tmp_path / "file", wait=waits.append))
    assert waits[0] == 7.0
    assert (tmp_path / "file").read_bytes() == BIG


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, ModelError, "HF_TOKEN"),
        (403, ModelError, "HF_TOKEN"),
        (404, ModelError, "HF_ENDPOINT"),
        (429, RunError, "Wait a while"),
        (500, RunError, "again later"),
        (503, RunError, "again later"),
        (418, RunError, "again later"),
    ],
)
def test_a_refusal_is_one_sentence(hub: Hub, tmp_path: Path, status: int, kind: type[EichiError], words: str) -> None:
    file = remote()
    hub.faults["weights.safetensors"] = [Fault(status)] * 9
    with pytest.raises(kind, match=words) as caught:
        bring(file, tmp_path / "file")
    assert str(status) in str(caught.value)
    hub.faults = {"owner/name": [Fault(status)] * 9}
    with pytest.raises(kind, match=words):
        list_files("owner/name")


def test_a_server_that_is_not_there(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(RunError, match="HTTPS_PROXY"):
        list_files("owner/name")


def test_offline_asks_nobody(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="offline"):
        list_files("owner/name")
    assert hub.asked == []


def test_a_folder_that_cannot_be_written(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match="cannot be written"):
        bring(remote(), tmp_path / "file" / "below")


def test_a_token_goes_to_the_hub_and_not_where_it_sends_us(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with serve({"owner/name": FILES}) as store:
        hub.redirect = store.address
        bring(remote(), tmp_path / "file")
        assert (tmp_path / "file").read_bytes() == BIG
        assert {headers.get("authorization") for _, headers in hub.asked} == {"Bearer hf_secret"}
        assert [headers.get("authorization") for _, headers in store.asked] == [None]


def test_checksums_of_both_kinds(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"what is up, doc?")
    assert checksum(tmp_path / "file", "0" * 40) == "bd9dbf5aae1a3862dd1526723246b20206e5fc37"  # git's own example
    assert checksum(tmp_path / "file", "0" * 64).startswith("af4e812d")
