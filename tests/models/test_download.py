"""A whole model from a hub of the same layout as the real one: ordered, fetched, resumed, shared."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from eichi.catalog import ModelFolders, find
from eichi.errors import FolderError, ModelError, RunError
from eichi.models import download as module
from eichi.models.download import Fetching, Rate, Stalled, download, order
from eichi.models.fetched import KINDS, alone, pinned
from eichi.models.hub import TRIES, Server
from eichi.models.locate import LIST, present
from eichi.reasons import Reason
from tests.hub import COMMIT, Fault, Hub, serve
from tests.published import F1, SHARED, STANDARD, VISION, bring, files, repositories, weights


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def test_a_model_is_fetched_and_nothing_else(hub: Hub, models: Path) -> None:
    entry = find("framepack")
    events = bring("framepack", models)
    assert present(entry, ModelFolders(models))
    # What is nothing but constants is in the package.
    parts = {(source.repository, source.folder) for part, source in entry.parts.items() if part not in entry.spare}
    wanted = {
        f"{repository}/{path}": content
        for repository, table in hub.repositories.items()
        for path, content in table.items()
        if (repository, path.rpartition("/")[0]) in parts and path.endswith(KINDS)
    }
    lists = {f"{repository}/{LIST}" for repository in (STANDARD, SHARED, VISION)}
    assert files(models) == wanted.keys() | lists
    assert all((models / name).read_bytes() == content for name, content in wanted.items())
    assert events[-1].done == events[-1].size == sum(map(len, wanted.values()))
    assert [event.done for event in events] == sorted(event.done for event in events)
    assert {event.files for event in events} == {len(wanted)}
    hub.asked.clear()
    assert bring("framepack", models) == []
    assert hub.asked == []


def test_the_mark_of_a_part_comes_last(hub: Hub, models: Path) -> None:
    hub.faults["diffusion-2.safetensors"] = [Fault(404)]
    with pytest.raises(ModelError):
        bring("framepack", models)
    assert not present(find("framepack"), ModelFolders(models))
    assert [path for path in files(models) if path.endswith("config.json")] == []
    bring("framepack", models)
    assert present(find("framepack"), ModelFolders(models))


def test_an_interrupted_download_goes_on(hub: Hub, models: Path) -> None:
    hub.faults["diffusion-2.safetensors"] = [Fault(cut=1500), *[Fault(503)] * TRIES]
    with pytest.raises(RunError):
        bring("framepack", models)
    before = [path for path, _ in hub.asked if "/resolve/" in path]
    hub.faults.clear()
    hub.asked.clear()
    bring("framepack", models)
    assert hub.fetched("diffusion-2.safetensors") == ["bytes=1500-"]
    assert hub.fetched("diffusion-1.safetensors") == []
    again = {path for path, _ in hub.asked if "/resolve/" in path}
    assert again & set(before) == {path for path in before if path.endswith("diffusion-2.safetensors")}
    assert present(find("framepack"), ModelFolders(models))


def test_the_second_model_fetches_only_its_own(hub: Hub, models: Path) -> None:
    bring("framepack", models)
    events = bring("framepack-f1", models)
    assert {event.file.rpartition("/")[0] for event in events} == {F1}


def test_a_full_disk_is_found_out_first(hub: Hub, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=2**30 + 100))
    with pytest.raises(FolderError, match="too little room"):
        bring("framepack", models)
    assert hub.fetched("") == []
    assert not models.exists()


def test_a_repository_without_the_folder(hub: Hub, models: Path) -> None:
    hub.repositories[VISION] = {"README.md": b"#"}
    with pytest.raises(ModelError, match=VISION):
        bring("framepack", models)


@pytest.mark.parametrize("name", ["diffusion-1.safetensors", "config.json"])
def test_a_file_that_was_deleted_is_fetched_again(hub: Hub, models: Path, name: str) -> None:
    bring("framepack", models)
    (models / STANDARD / name).unlink()
    (models / SHARED / "tokenizer" / "vocab.txt").unlink()
    events = bring("framepack", models)
    assert {event.file for event in events} == {f"{STANDARD}/{name}", f"{SHARED}/tokenizer/vocab.txt"}


def test_offline_nothing_is_fetched(hub: Hub, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="offline"):
        bring("framepack", models)
    assert (hub.asked, models.exists()) == ([], False)


def test_an_order_says_what_it_comes_to(hub: Hub, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = {"license": "other", "license_name": "tencent-hunyuan-community", "license_link": "https://example.org/l"}
    hub.cards[SHARED] = {"cardData": card}
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=2**31))
    asked = order(find("framepack"), ModelFolders(models))
    assert asked.size == asked.left == sum(wanted.file.size for wanted in asked.files) > 0
    assert (asked.after, asked.fits) == (2**31 - asked.size, True)
    assert {wanted.part for wanted in asked.files} == set(find("framepack").parts) - {"feature_extractor"}
    assert all(wanted.target.is_relative_to(models) for wanted in asked.files)
    assert [one.id for one in asked.licences if one.asked] == ["hunyuan", "llama", "flux"]
    told = {one.name: (one.licence, one.link) for one in asked.repositories}
    assert told[SHARED] == ("tencent-hunyuan-community", "https://example.org/l")
    assert hub.fetched("") == []
    bring("framepack", models)
    again = order(find("framepack"), ModelFolders(models))
    assert (again.files, again.licences, again.fits) == ((), (), True)
    assert set(again.found) == set(find("framepack").parts)
    only = order(find("framepack-f1"), ModelFolders(models))
    assert (only.parts, [one.id for one in only.licences]) == (("transformer",), ["hunyuan"])


def test_a_download_ends_with_the_versions_it_began_with(hub: Hub, models: Path) -> None:
    hub.faults["diffusion-2.safetensors"] = [Fault(404)]
    with pytest.raises(ModelError):
        bring("framepack", models)
    begun = pinned(find("framepack"), ModelFolders(models))
    assert begun is not None
    assert begun.commits == dict.fromkeys((STANDARD, SHARED, VISION), COMMIT)
    hub.asked.clear()
    bring("framepack", models)
    assert f"/api/models/{STANDARD}/revision/{COMMIT}" in {path for path, _ in hub.asked}
    assert pinned(find("framepack"), ModelFolders(models)) is None


def test_a_version_that_is_gone_is_replaced_as_a_whole(hub: Hub, models: Path) -> None:
    hub.faults["diffusion-2.safetensors"] = [Fault(404)]
    with pytest.raises(ModelError):
        bring("framepack", models)
    first = models / STANDARD / "diffusion-1.safetensors"
    assert first.read_bytes() == weights(2)
    hub.repositories[STANDARD]["diffusion-1.safetensors"] = weights(70)
    hub.faults[f"{STANDARD}/revision/{COMMIT}"] = [Fault(404, headers={"X-Error-Code": "RevisionNotFound"})]
    bring("framepack", models)
    assert first.read_bytes() == weights(70)


def test_what_somebody_put_there_is_left(hub: Hub, models: Path) -> None:
    own = models / STANDARD / "diffusion-1.safetensors"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"mine")
    bring("framepack", models)
    assert own.read_bytes() == b"mine"


@pytest.mark.parametrize("path", ["a\\..\\x.json", "con.json", "x:y.json"])
def test_a_hostile_name_stops_it_before_anything_comes(hub: Hub, models: Path, path: str) -> None:
    hub.repositories[STANDARD] |= {path: b"{}"}
    with pytest.raises(ModelError, match="cannot be trusted"):
        bring("framepack", models)
    assert (hub.fetched(""), models.exists()) == ([], False)


def test_names_that_lead_out_of_the_folder_are_not_wanted(hub: Hub, models: Path) -> None:
    hub.repositories[SHARED] |= {"vae/../../out.json": b"{}", "/out.json": b"{}", "vae/.out.json": b"{}"}
    hub.repositories[STANDARD] |= {LIST: b"{}"}
    bring("framepack", models)
    assert not {path for path in files(models) if path.endswith("out.json")}
    assert json.loads((models / STANDARD / LIST).read_text()).keys() > {"config.json"}


def test_two_at_once_wait_for_each_other(hub: Hub, models: Path) -> None:
    with alone(ModelFolders(models)):
        waiting = download(find("framepack"), ModelFolders(models), wait=lambda seconds: None)
        assert next(waiting) == Stalled("", module.TURN, {"reason": "reason.elsewhere"})
        assert next(waiting).kind == "stalled"
        assert hub.fetched("") == []
    assert next(waiting).kind == "fetching"
    with pytest.raises(ModelError, match="right now"), alone(ModelFolders(models)):
        pass
    waiting.close()
    with alone(ModelFolders(models)):
        pass


def test_what_another_has_brought_meanwhile_is_not_fetched_again(hub: Hub, models: Path) -> None:
    late = order(find("framepack"), ModelFolders(models))
    bring("framepack", models)
    hub.asked.clear()
    assert list(module.bring(late)) == []
    assert hub.asked == []


def test_a_break_is_told(hub: Hub, models: Path) -> None:
    hub.faults["diffusion-1.safetensors"] = [Fault(503, headers={"Retry-After": "9"})]
    told = list(download(find("framepack"), ModelFolders(models), wait=lambda seconds: None))
    reason: Reason = {"reason": "reason.status", "status": 503}
    assert [one for one in told if isinstance(one, Stalled)] == [
        Stalled(f"{STANDARD}/diffusion-1.safetensors", 9.0, reason)
    ]


def test_the_rate_is_that_of_the_latest_seconds() -> None:
    seconds = iter(range(100))
    rate = Rate(lambda: float(next(seconds)))
    rate.hear(0)
    assert rate.speed is None
    for done in (10, 20, 30, 40, 50, 60, 160):
        rate.hear(done)
    assert rate.speed == (160 - 20) / 5
    for _ in range(7):
        rate.hear(160)
    assert rate.speed is None  # nothing comes


def test_what_was_here_already_is_no_rate(hub: Hub, models: Path) -> None:
    hub.faults["diffusion-2.safetensors"] = [Fault(cut=3000), Fault(404)]
    with pytest.raises(ModelError):
        bring("framepack", models)
    seconds = iter(range(1000))
    asked = order(find("framepack"), ModelFolders(models))
    assert asked.here > 6000
    told = [one for one in module.bring(asked, clock=lambda: float(next(seconds))) if isinstance(one, Fetching)]
    assert told[-1].done == told[-1].size
    assert max(one.speed or 0 for one in told) < 5000


def test_a_mirror_is_asked_in_place_of_the_hub(hub: Hub, models: Path) -> None:
    with serve(repositories()) as mirror:
        list(download(find("framepack"), ModelFolders(models), server=Server(mirror.address)))
        assert present(find("framepack"), ModelFolders(models))
        assert (hub.asked, len(mirror.fetched("diffusion-1.safetensors"))) == ([], 1)


def test_a_folder_that_cannot_be_written_is_said(hub: Hub, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bring("framepack", models)
    (models / STANDARD / "config.json").write_bytes(b"of another version")

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")

    (models / STANDARD / "diffusion-1.safetensors").unlink()
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(FolderError):
        bring("framepack", models)
