"""A model from another folder: whole, in part, damaged; without any network."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from eichi.catalog import ModelFolders, find
from eichi.errors import FolderError, ModelError, RunError
from eichi.models.fetched import Checked, verify
from eichi.models.locate import LIST, present
from eichi.models.taken import take
from tests.hub import Hub, serve, use
from tests.published import SHARED, STANDARD, bring, files, repositories, weights

ENTRY = find("framepack")


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The models folder of another machine; the hub is asked for nothing any more."""
    with serve(repositories()) as hub, monkeypatch.context() as there:
        use(hub, there)
        bring("framepack", tmp_path / "disk")
    asked = Hub("", {})
    yield tmp_path / "disk"
    assert asked.asked == []


def test_a_model_is_copied_and_checked(disk: Path, tmp_path: Path) -> None:
    models = ModelFolders(tmp_path / "models")
    told = list(take(ENTRY, disk, models))
    assert told[-1].done == told[-1].size
    assert files(models.own) == files(disk)
    assert present(ENTRY, models)
    checked = [one for one in verify(ENTRY, models) if isinstance(one, Checked)]
    assert {(one.how, one.good) for one in checked} == {("checksum", True)}
    assert list(take(ENTRY, disk, models)) == []


def test_what_is_missing_there_is_said(disk: Path, tmp_path: Path) -> None:
    shutil.rmtree(disk / SHARED / "vae")
    models, taking = ModelFolders(tmp_path / "models"), None
    taking = take(ENTRY, disk, models)
    with pytest.raises(StopIteration) as end:
        while True:
            next(taking)
    assert end.value.value == ("vae",)
    assert not present(ENTRY, models)
    with pytest.raises(ModelError, match="has nothing"):
        list(take(ENTRY, disk, models))


def test_a_damaged_file_is_not_copied(disk: Path, tmp_path: Path) -> None:
    damaged = disk / STANDARD / "diffusion-1.safetensors"
    damaged.write_bytes(weights(99))
    models = ModelFolders(tmp_path / "models")
    with pytest.raises(RunError, match=r"diffusion-1.safetensors is damaged"):
        list(take(ENTRY, disk, models))
    assert not [name for name in files(models.own) if "diffusion-1" in name]
    assert not present(ENTRY, models)


def test_of_files_without_a_checksum_weights_must_be_whole(disk: Path, tmp_path: Path) -> None:
    for one in disk.rglob(LIST):
        one.unlink()
    models = ModelFolders(tmp_path / "models")
    list(take(ENTRY, disk, models))
    (disk / STANDARD / "diffusion-2.safetensors").write_bytes(weights(3)[:-1])
    checked = [one for one in verify(ENTRY, models) if isinstance(one, Checked)]
    assert {(one.how, one.good) for one in checked} == {("checksum", True)}  # from here on it is known
    with pytest.raises(RunError, match="damaged"):
        list(take(ENTRY, disk, ModelFolders(tmp_path / "other")))


def test_a_disk_without_room_is_found_out_first(disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=2**30))
    with pytest.raises(FolderError, match="too little room"):
        list(take(ENTRY, disk, ModelFolders(tmp_path / "models")))
    assert not (tmp_path / "models").exists()
