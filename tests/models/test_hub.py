"""One file from the hub: resumed, checked, and every way in which the hub and the network can refuse."""

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from eichi.errors import EichiError, FolderError, ModelError, RunError
from eichi.models.hub import (
    AGAIN,
    TRIES,
    RemoteFile,
    Server,
    Trouble,
    _Growing,
    begun,
    check_path,
    checksum,
    fetch,
    look,
    part_of,
)
from tests.hub import COMMIT, Fault, Hub, serve, use

BIG = bytes(range(256)) * 400
FILES = {"weights.safetensors": BIG, "folder/config.json": b'{"a": 1}', "README.md": b"words"}
BROKEN = [Fault(cut=0)] * (TRIES + 1)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serve({"owner/name": FILES}) as hub:
        use(hub, monkeypatch)
        yield hub


def remote(name: str = "weights.safetensors") -> RemoteFile:
    return next(file for file in look("owner/name").files if file.path == name)


def bring(file: RemoteFile, target: Path, server: Server | None = None) -> list[int | Trouble]:
    return list(fetch(file, target, wait=lambda seconds: None, server=server))


def test_files_are_listed_with_sizes_and_checksums(hub: Hub) -> None:
    files = {file.path: file for file in look("owner/name").files}
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
    assert all(isinstance(one, int) for one in bring(file, tmp_path / "file"))  # so little is read at once
    assert hub.fetched("weights.safetensors") == ["bytes=3000-"]
    assert (tmp_path / "file").read_bytes() == BIG


def test_reading_what_is_here_takes_its_time_and_is_said(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eichi.models.hub.CHUNK", 1000)
    monkeypatch.setattr("eichi.models.hub.READ", 10_000)
    file = remote()
    part_of(file, tmp_path / "file").write_bytes(BIG[:50_000])
    told = [one for one in bring(file, tmp_path / "file") if isinstance(one, Trouble)]
    assert told == [Trouble(file.name, 0.0, {"reason": "reason.reread"})] * 5
    assert (tmp_path / "file").read_bytes() == BIG


def test_what_came_of_another_file_is_left(hub: Hub, tmp_path: Path) -> None:
    file = remote()
    other = part_of(file, tmp_path / "file.index.json")
    other.write_bytes(b"more")
    bring(file, tmp_path / "file")
    assert begun(tmp_path / "file.index.json") == [other]
    assert begun(tmp_path / "file") == []


def test_a_server_without_ranges_starts_anew(hub: Hub, tmp_path: Path) -> None:
    hub.faults["weights.safetensors"] = [Fault(cut=1000), Fault(ranges=False)]
    bring(remote(), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BIG


@pytest.mark.parametrize("name", ["weights.safetensors", "config.json"])
def test_wrong_bytes_are_thrown_away(hub: Hub, tmp_path: Path, name: str) -> None:
    hub.faults[name] = [Fault(wrong=True)] * (AGAIN + 1)
    path = next(path for path in FILES if path.endswith(name))
    with pytest.raises(RunError, match="wrong checksum"):
        bring(remote(path), tmp_path / "file")
    assert list(tmp_path.rglob("*.part")) == []
    bring(remote(path), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == FILES[path]


def test_a_damaged_file_is_fetched_again_by_itself(hub: Hub, tmp_path: Path) -> None:
    hub.faults["weights.safetensors"] = [Fault(wrong=True)]
    told = bring(remote(), tmp_path / "file")
    (trouble,) = [one for one in told if isinstance(one, Trouble)]
    assert (trouble.file, trouble.reason) == ("owner/name/weights.safetensors", {"reason": "reason.checksum.again"})
    assert (tmp_path / "file").read_bytes() == BIG


def test_another_version_is_not_put_behind_a_part(hub: Hub, tmp_path: Path) -> None:
    hub.faults["weights.safetensors"] = [Fault(cut=1000), *BROKEN]
    with pytest.raises(RunError):
        bring(remote(), tmp_path / "file")
    hub.faults.clear()
    hub.repositories["owner/name"] = {"weights.safetensors": BIG[::-1]}
    bring(remote(), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BIG[::-1]
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]  # nothing of the older one is left


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again_when_it_says(hub: Hub, tmp_path: Path, status: int) -> None:
    hub.faults["weights.safetensors"] = [Fault(status, headers={"Retry-After": "7"}), Fault(status)]
    waits: list[float] = []
    told = list(fetch(remote(), tmp_path / "file", wait=waits.append))
    assert waits[0] == 7.0
    trouble = next(one for one in told if isinstance(one, Trouble))
    assert (trouble.seconds, trouble.reason) == (7.0, {"reason": "reason.status", "status": status})
    assert (tmp_path / "file").read_bytes() == BIG


@pytest.mark.parametrize(
    ("said", "seconds"), [("0", 0.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("soon", 1.0), ("100000", 300.0)]
)
def test_when_to_come_again_is_said_in_many_ways(hub: Hub, tmp_path: Path, said: str, seconds: float) -> None:
    hub.faults["weights.safetensors"] = [Fault(503, headers={"Retry-After": said})]
    waits: list[float] = []
    list(fetch(remote(), tmp_path / "file", wait=waits.append))
    assert waits == [seconds]


def test_a_long_break_is_sat_out(hub: Hub, tmp_path: Path) -> None:
    hub.faults["weights.safetensors"] = [Fault(cut=1000), *[Fault(503)] * (TRIES - 1)]
    waits: list[float] = []
    list(fetch(remote(), tmp_path / "file", wait=waits.append))
    assert sum(waits) > 240  # a router that starts anew takes minutes
    assert (tmp_path / "file").read_bytes() == BIG


LOGIN = b"<!doctype html><title>Log in</title>"


@pytest.mark.parametrize(
    "fault",
    [
        Fault(body=LOGIN, headers={"Content-Type": "text/html; charset=utf-8"}),
        Fault(body=LOGIN),  # of another length
        Fault(headers={"Content-Range": "bytes 1000-1999/2000"}),
    ],
)
def test_what_cannot_be_the_file_touches_nothing(hub: Hub, tmp_path: Path, fault: Fault) -> None:
    file = remote()
    part = part_of(file, tmp_path / "file")
    part.write_bytes(BIG[:1000])
    hub.faults["weights.safetensors"] = [fault]
    with pytest.raises(RunError, match="login page"):
        bring(file, tmp_path / "file")
    assert part.read_bytes() == BIG[:1000]
    bring(file, tmp_path / "file")
    assert hub.fetched("weights.safetensors")[-1] == "bytes=1000-"


@pytest.mark.parametrize(
    "body",
    [
        LOGIN,
        b"[]",
        b"{}",
        b'{"sha": "../..", "siblings": []}',
        b'{"siblings": 3, "sha": null}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_what_is_no_repository_is_refused(hub: Hub, body: bytes) -> None:
    hub.faults["owner/name"] = [Fault(body=body)]
    with pytest.raises(RunError, match="login page"):
        look("owner/name")


@pytest.mark.parametrize(
    "told",
    [
        {"rfilename": "a.json", "size": -1, "blobId": "0" * 40},
        {"rfilename": "a.json", "size": 1},
        {"rfilename": 5, "size": 1, "blobId": "0" * 40},
        {"rfilename": "\ud800.json", "size": 1, "blobId": "0" * 40},
        {"rfilename": "a.json", "size": 1, "blobId": "../../../../x" + "0" * 27},
        {"rfilename": "a.json", "size": 1, "blobId": "0" * 40, "lfs": {"sha256": "x", "size": 1, "pointerSize": 1}},
    ],
)
def test_a_file_without_a_size_or_a_sum_is_refused(hub: Hub, told: dict[str, object]) -> None:
    hub.cards["owner/name"] = {"siblings": [told]}
    with pytest.raises(RunError, match="login page"):
        look("owner/name")


@pytest.mark.parametrize(
    "path",
    ["../x.json", "/etc/x.json", "vae/../../x.json", "vae\\..\\x.json", "C:x.json", "a//x.json", "nul.json",
     "vae/con.json", ".eichi-files.json", "vae/.x.json", "x.json ", "x\n.json"],
)  # fmt: skip
def test_a_name_that_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(ModelError, match="cannot be trusted"):
        check_path(RemoteFile("owner/name", COMMIT, path, 1, "0" * 40))


def test_names_as_repositories_have_them(hub: Hub) -> None:
    for path in (
        "config.json",
        "text_encoder/model-00001-of-00004.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
    ):
        check_path(RemoteFile("owner/name", COMMIT, path, 1, "0" * 40))


COUNTS = {"Content-Range": f"bytes {'9' * 5000}-5/{'9' * 5000}"}


@pytest.mark.parametrize(
    "fault", [Fault(shift=10), Fault(416), Fault(headers={"Content-Range": "words"}), Fault(headers=COUNTS)]
)
def test_a_server_that_counts_otherwise_starts_anew(hub: Hub, tmp_path: Path, fault: Fault) -> None:
    hub.faults["weights.safetensors"] = [Fault(cut=1000), fault]
    bring(remote(), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BIG
    assert hub.fetched("weights.safetensors") == ["", "bytes=1000-", ""]


def test_of_more_than_the_file_nothing_is_kept(hub: Hub, tmp_path: Path) -> None:
    file = remote()
    part_of(file, tmp_path / "file").write_bytes(BIG + b"more")
    bring(file, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BIG


def test_a_full_disk_keeps_what_came(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, add = remote(), _Growing.add

    def full(growing: _Growing, chunk: bytes) -> None:
        if growing.done:
            raise OSError(errno.ENOSPC, "No space left on device")
        add(growing, chunk[:1000])

    monkeypatch.setattr(_Growing, "add", full)
    with pytest.raises(FolderError, match="full"):
        bring(file, tmp_path / "file")
    monkeypatch.undo()
    use(hub, monkeypatch)
    bring(file, tmp_path / "file")
    assert hub.fetched("weights.safetensors") == ["", "bytes=1000-"]


def test_the_licence_that_a_card_names(hub: Hub) -> None:
    assert look("owner/name").licence == ""
    card = {"license": "other", "license_name": "tencent-hunyuan-community", "license_link": "LICENSE"}
    hub.cards["owner/name"] = {"cardData": card, "gated": "auto"}
    found = look("owner/name")
    assert (found.licence, found.link, found.gated) == ("tencent-hunyuan-community", "", True)  # no link without https
    hub.cards["owner/name"] = {"cardData": {"license": "mit", "license_link": "https://example.org/licence"}}
    assert look("owner/name").link == "https://example.org/licence"
    hub.cards["owner/name"] = {"cardData": {"license": "mit", "license_link": "javascript://example.org/%0aalert(1)"}}
    assert look("owner/name").link == ""


def test_a_repository_that_asks_for_consent(hub: Hub) -> None:
    hub.faults["owner/name"] = [Fault(403, headers={"X-Error-Code": "GatedRepo"})]
    with pytest.raises(ModelError, match="accept its licence") as caught:
        look("owner/name")
    assert f"{hub.address}/owner/name" in str(caught.value)


def test_a_commit_is_asked_for(hub: Hub) -> None:
    look("owner/name", commit=COMMIT)
    assert hub.asked[-1][0] == f"/api/models/owner/name/revision/{COMMIT}"


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
    hub.faults["weights.safetensors"] = [Fault(status)] * (TRIES + 1)
    with pytest.raises(kind, match=words) as caught:
        bring(file, tmp_path / "file")
    assert str(status) in str(caught.value)
    hub.faults = {"owner/name": [Fault(status)] * (TRIES + 1)}
    with pytest.raises(kind, match=words):
        look("owner/name")


def test_a_server_that_is_not_there(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(RunError, match="HTTPS_PROXY"):
        look("owner/name")


def test_offline_asks_nobody(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="offline"):
        look("owner/name")
    assert hub.asked == []


def test_a_folder_that_cannot_be_written(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match="cannot be written"):
        bring(remote(), tmp_path / "file" / "below")


def tokens(hub: Hub) -> set[str | None]:
    return {headers.get("authorization") for _, headers in hub.asked}


def test_a_token_goes_to_the_hub_and_not_where_it_sends_us(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with serve({"owner/name": FILES}) as store:
        hub.redirect = store.address
        bring(remote(), tmp_path / "file")
        assert (tmp_path / "file").read_bytes() == BIG
        assert tokens(hub) == {"Bearer hf_secret"}
        assert tokens(store) == {None}


def test_a_mirror_gets_the_token_that_is_set_for_it(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with serve({"owner/name": FILES}) as mirror:
        for n, (server, sent) in enumerate(
            [
                (Server(mirror.address), None),  # that of the library is for its own server
                (Server(mirror.address, SecretStr("mine")), "Bearer mine"),
            ]
        ):
            mirror.asked.clear()
            (file,) = [one for one in look("owner/name", server).files if one.path == "weights.safetensors"]
            bring(file, tmp_path / str(n), server)
            assert tokens(mirror) == {sent}
    assert hub.asked == []


def test_no_token_travels_in_the_open() -> None:
    secret = SecretStr("mine")
    assert Server("http://models.example", secret).credential is False
    assert Server("https://models.example", secret).credential == "mine"
    assert Server("http://127.0.0.1:8000", secret).credential == "mine"
    assert Server("https://models.example").credential is False
    assert Server().credential is None
    assert "mine" not in repr(Server("", secret))


def test_checksums_of_both_kinds(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"what is up, doc?")
    assert checksum(tmp_path / "file", "0" * 40) == "bd9dbf5aae1a3862dd1526723246b20206e5fc37"  # git's own example
    assert checksum(tmp_path / "file", "0" * 64).startswith("af4e812d")
