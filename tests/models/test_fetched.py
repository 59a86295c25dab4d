"""What was fetched: verified by its checksums, made good, removed without what another model needs."""

import json
import shutil
from pathlib import Path

import pytest

from eichi.catalog import CARD, ModelFolders, find
from eichi.errors import ModelError, RunError
from eichi.models.download import download, order
from eichi.models.fetched import Checked, Checking, alone, discard, pinned, remove, verify
from eichi.models.hub import TRIES
from eichi.models.locate import LIST, MARKS, locate, present
from tests.hub import Fault, Hub, checksum
from tests.published import SHARED, STANDARD, bring, files, repositories, weights


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def check(name: str, models: Path) -> list[Checked]:
    return [one for one in verify(find(name), ModelFolders(models)) if isinstance(one, Checked)]


def test_verify_knows_the_checksums(hub: Hub, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bring("framepack", models)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    checked = check("framepack", models)
    assert {(file.how, file.good) for file in checked} == {("checksum", True)}
    assert {str(file.file.relative_to(models)) for file in checked} == {f for f in files(models) if LIST not in f}
    damaged = models / STANDARD / "diffusion-1.safetensors"
    damaged.write_bytes(weights(3))
    assert [file.file for file in check("framepack", models) if not file.good] == [damaged]


def test_verify_reads_the_cache_of_the_hub(tmp_path: Path, models: Path) -> None:
    entry = find("framepack")
    commit = "0123456789abcdef0123456789abcdef01234567"
    for part, source in entry.parts.items():
        storage = tmp_path / "hub" / "hub" / f"models--{str(source.repository).replace('/', '--')}"
        folder = storage / "snapshots" / commit / source.folder
        folder.mkdir(parents=True, exist_ok=True)
        (storage / "refs").mkdir(exist_ok=True)
        (storage / "refs" / "main").write_text(commit)
        (storage / "blobs").mkdir(exist_ok=True)
        names = [MARKS.get(part, "config.json")] + ([] if part in MARKS else ["model.safetensors"])
        for name in names:
            content = weights(4) if name.endswith(".safetensors") else b"{}"
            blob = storage / "blobs" / checksum(content)
            blob.write_bytes(content)
            (folder / name).symlink_to(blob)
    checked = check("framepack", models)
    assert {(file.how, file.good) for file in checked} == {("checksum", True)}
    (locate(entry, ModelFolders(models))["vae"] / "model.safetensors").resolve().write_bytes(b"x")
    assert {file.part for file in check("framepack", models) if not file.good} == {
        "vae",
        "text_encoder",
        "text_encoder_2",
    }


def test_what_nobody_knows_a_checksum_of_is_whole_or_not(tmp_path: Path, models: Path) -> None:
    checked = check("tiny", models)
    assert {(file.how, file.good) for file in checked} == {("whole", True)}
    mine = tmp_path / "mine"
    shutil.copytree(str(find("tiny").root), mine)
    (mine / CARD).write_text('{"like": "tiny"}')
    cut = mine / "vae" / "diffusion_pytorch_model.safetensors"
    cut.write_bytes(cut.read_bytes()[:-10])
    (mine / "tokenizer" / "tokenizer.json").write_text("{")
    bad = [file.file for file in check(str(mine), models) if not file.good]
    assert bad == [cut, mine / "tokenizer" / "tokenizer.json"]


def test_removing_leaves_what_another_model_needs(hub: Hub, models: Path) -> None:
    bring("framepack", models)
    bring("framepack-f1", models)
    gone, freed = remove(find("framepack"), ModelFolders(models))
    assert {path.parent for path in gone} == {models / STANDARD}
    assert freed == sum(
        len(content) for path, content in repositories()[STANDARD].items() if path in {f.name for f in gone}
    )
    assert not (models / STANDARD).exists()
    assert present(find("framepack-f1"), ModelFolders(models))
    remove(find("framepack-f1"), ModelFolders(models))
    assert files(models) == set()


def test_removing_leaves_what_was_not_fetched(hub: Hub, models: Path) -> None:
    bring("framepack", models)
    own = models / STANDARD / "mine.safetensors"
    own.write_bytes(b"mine")
    remove(find("framepack"), ModelFolders(models))
    assert files(models) == {own.relative_to(models).as_posix()}
    for name in ("framepack", "tiny"):
        with pytest.raises(ModelError, match="Nothing was downloaded"):
            remove(find(name), ModelFolders(models))
    assert present(find("tiny"), ModelFolders(models))


def test_removing_takes_the_parts_of_an_interrupted_download(hub: Hub, models: Path) -> None:
    hub.faults["diffusion-2.safetensors"] = [Fault(cut=1500), *[Fault(503)] * TRIES]
    with pytest.raises(RunError):
        bring("framepack", models)
    remove(find("framepack"), ModelFolders(models))
    assert files(models) == set()


def test_a_check_says_how_far_it_is(hub: Hub, models: Path) -> None:
    bring("framepack", models)
    told = [one for one in verify(find("framepack"), ModelFolders(models)) if isinstance(one, Checking)]
    assert [one.done for one in told] == sorted(one.done for one in told)
    assert (
        told[-1].done
        == told[-1].size
        == sum((models / name).stat().st_size for name in files(models) if LIST not in name)
    )
    assert {one.files for one in told} == {told[-1].index}


def test_a_damaged_file_alone_is_fetched_again(hub: Hub, models: Path) -> None:
    bring("framepack", models)
    damaged = models / STANDARD / "diffusion-1.safetensors"
    damaged.write_bytes(weights(3))
    bad = [one for one in check("framepack", models) if not one.good]
    assert discard(find("framepack"), ModelFolders(models), bad) == set()
    assert {one.file for one in bring("framepack", models)} == {f"{STANDARD}/{damaged.name}"}
    assert all(one.good for one in check("framepack", models))


def test_a_damaged_file_of_another_program_stays_and_its_part_is_fetched(
    hub: Hub, models: Path, tmp_path: Path
) -> None:
    bring("framepack", models)
    entry, place = find("framepack"), tmp_path / "hub" / "hub" / f"models--{SHARED.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("0" * 40)
    for file in (models / SHARED / "vae").iterdir():
        blob = place / "blobs" / checksum(file.read_bytes())
        blob.parent.mkdir(exist_ok=True)
        blob.write_bytes(file.read_bytes())
        link = place / "snapshots" / ("0" * 40) / "vae" / file.name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)
    shutil.rmtree(models / SHARED / "vae")
    list_ = models / SHARED / LIST
    list_.write_text(
        json.dumps({path: sum for path, sum in json.loads(list_.read_text()).items() if "vae/" not in path})
    )
    assert order(entry, ModelFolders(models)).files == ()
    damaged = locate(entry, ModelFolders(models))["vae"] / "model.safetensors"
    damaged.resolve().write_bytes(b"x")
    bad = [one for one in check("framepack", models) if not one.good]
    again = discard(entry, ModelFolders(models), bad)
    assert (again, damaged.exists()) == ({"vae"}, True)
    list(download(entry, ModelFolders(models), again=again))
    assert locate(entry, ModelFolders(models))["vae"] == models / SHARED / "vae"
    assert all(one.good for one in check("framepack", models))


def test_a_file_of_ones_own_is_not_fetched_again(tmp_path: Path, models: Path) -> None:
    bad = Checked("vae", tmp_path / "mine.safetensors", "whole", good=False)
    with pytest.raises(ModelError, match="left alone"):
        discard(find("tiny"), ModelFolders(models), [bad])


def test_nothing_is_removed_while_something_is_fetched(hub: Hub, models: Path) -> None:
    bring("framepack", models)
    with alone(ModelFolders(models)), pytest.raises(ModelError, match="right now"):
        remove(find("framepack"), ModelFolders(models))
    assert present(find("framepack"), ModelFolders(models))


def test_what_has_come_of_two_files_of_like_names_is_removed(hub: Hub, models: Path) -> None:
    hub.repositories[STANDARD] |= {"a.json": b"{}", "a.json.index.json": b"{}"}
    hub.faults["diffusion-1.safetensors"] = [Fault(404)]
    with pytest.raises(ModelError):
        bring("framepack", models)
    part = models / STANDARD / f".a.json.index.json.{'0' * 12}.part"
    part.write_bytes(b"{")
    remove(find("framepack"), ModelFolders(models))
    assert files(models) == set()


def test_removing_ends_what_was_begun(hub: Hub, models: Path) -> None:
    hub.faults["diffusion-2.safetensors"] = [Fault(404)]
    with pytest.raises(ModelError):
        bring("framepack", models)
    remove(find("framepack"), ModelFolders(models))
    assert pinned(find("framepack"), ModelFolders(models)) is None
