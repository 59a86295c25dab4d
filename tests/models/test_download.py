"""A whole model from a hub of the same layout as the real one: fetched, resumed, verified, shared, removed."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from eichi.catalog import CARD, Shelves, find
from eichi.errors import FolderError, ModelError, RunError
from eichi.models.download import KINDS, Fetching, download, remove, verify
from eichi.models.locate import LIST, MARKS, locate, present
from tests.hub import Fault, Hub, checksum, serve, use

F1 = "lllyasviel/FramePack_F1_I2V_HY_20250503"
STANDARD = "lllyasviel/FramePackI2V_HY"
SHARED = "hunyuanvideo-community/HunyuanVideo"
VISION = "lllyasviel/flux_redux_bfl"


def weights(seed: int) -> bytes:
    """A small but real safetensors file."""
    data = bytes((seed + i) % 251 for i in range(4000))
    header = json.dumps({"a": {"dtype": "U8", "shape": [4000], "data_offsets": [0, 4000]}}).encode()
    return len(header).to_bytes(8, "little") + header + data


def repositories() -> dict[str, dict[str, bytes]]:
    """The repositories of both published models, with what else lies in them."""
    index = {"weight_map": {"a": "diffusion-1.safetensors", "b": "diffusion-2.safetensors"}}
    tables: dict[str, dict[str, bytes]] = {
        name: {"README.md": b"#", "other/model.safetensors": weights(9)} for name in (F1, STANDARD, SHARED, VISION)
    }
    for name, seed in ((F1, 1), (STANDARD, 2)):
        tables[name] |= {
            "config.json": b"{}",
            "diffusion.safetensors.index.json": json.dumps(index).encode(),
            "diffusion-1.safetensors": weights(seed),
            "diffusion-2.safetensors": weights(seed + 10),
        }
    for seed, (part, source) in enumerate(find("framepack").parts.items(), start=20):
        if part == "transformer":
            continue
        folder = tables[str(source.repository)]
        folder[f"{source.folder}/{MARKS.get(part, 'config.json')}"] = b'{"b": 1}'
        if part in MARKS:
            folder[f"{source.folder}/vocab.txt"] = b"words"
        else:
            folder[f"{source.folder}/model.safetensors"] = weights(seed)
            folder[f"{source.folder}/model.bin"] = b"pickle"
    return tables


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serve(repositories()) as hub:
        use(hub, monkeypatch)
        yield hub


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def bring(name: str, models: Path) -> list[Fetching]:
    return list(download(find(name), Shelves(models), wait=lambda seconds: None))


def files(models: Path) -> set[str]:
    return {path.relative_to(models).as_posix() for path in models.rglob("*") if path.is_file()}


def test_a_model_is_fetched_and_nothing_else(hub: Hub, models: Path) -> None:
    entry = find("framepack")
    events = bring("framepack", models)
    assert present(entry, Shelves(models))
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
    assert not present(find("framepack"), Shelves(models))
    assert [path for path in files(models) if path.endswith("config.json")] == []
    bring("framepack", models)
    assert present(find("framepack"), Shelves(models))


def test_an_interrupted_download_goes_on(hub: Hub, models: Path) -> None:
    hub.faults["diffusion-2.safetensors"] = [Fault(cut=1500), *[Fault(503)] * 9]
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
    assert present(find("framepack"), Shelves(models))


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


def test_verify_knows_the_checksums(hub: Hub, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bring("framepack", models)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    checked = list(verify(find("framepack"), Shelves(models)))
    assert {(file.how, file.good) for file in checked} == {("checksum", True)}
    assert {str(file.file.relative_to(models)) for file in checked} == {f for f in files(models) if LIST not in f}
    damaged = models / STANDARD / "diffusion-1.safetensors"
    damaged.write_bytes(weights(3))
    assert [file.file for file in verify(find("framepack"), Shelves(models)) if not file.good] == [damaged]


@pytest.mark.parametrize("name", ["diffusion-1.safetensors", "config.json"])
def test_a_file_that_was_deleted_is_fetched_again(hub: Hub, models: Path, name: str) -> None:
    bring("framepack", models)
    (models / STANDARD / name).unlink()
    (models / SHARED / "tokenizer" / "vocab.txt").unlink()
    events = bring("framepack", models)
    assert {event.file for event in events} == {f"{STANDARD}/{name}", f"{SHARED}/tokenizer/vocab.txt"}


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
    checked = list(verify(entry, Shelves(models)))
    assert {(file.how, file.good) for file in checked} == {("checksum", True)}
    (locate(entry, Shelves(models))["vae"] / "model.safetensors").resolve().write_bytes(b"x")
    assert {file.part for file in verify(entry, Shelves(models)) if not file.good} == {
        "vae",
        "text_encoder",
        "text_encoder_2",
    }


def test_what_nobody_knows_a_checksum_of_is_whole_or_not(tmp_path: Path, models: Path) -> None:
    checked = list(verify(find("tiny"), Shelves(models)))
    assert {(file.how, file.good) for file in checked} == {("whole", True)}
    mine = tmp_path / "mine"
    shutil.copytree(str(find("tiny").root), mine)
    (mine / CARD).write_text('{"like": "tiny"}')
    cut = mine / "vae" / "diffusion_pytorch_model.safetensors"
    cut.write_bytes(cut.read_bytes()[:-10])
    (mine / "tokenizer" / "tokenizer.json").write_text("{")
    bad = [file.file for file in verify(find(str(mine)), Shelves(models)) if not file.good]
    assert bad == [cut, mine / "tokenizer" / "tokenizer.json"]


def test_removing_leaves_what_another_model_needs(hub: Hub, models: Path) -> None:
    bring("framepack", models)
    bring("framepack-f1", models)
    gone, freed = remove(find("framepack"), Shelves(models))
    assert {path.parent for path in gone} == {models / STANDARD}
    assert freed == sum(
        len(content) for path, content in repositories()[STANDARD].items() if path in {f.name for f in gone}
    )
    assert not (models / STANDARD).exists()
    assert present(find("framepack-f1"), Shelves(models))
    remove(find("framepack-f1"), Shelves(models))
    assert files(models) == set()


def test_removing_leaves_what_was_not_fetched(hub: Hub, models: Path) -> None:
    bring("framepack", models)
    own = models / STANDARD / "mine.safetensors"
    own.write_bytes(b"mine")
    remove(find("framepack"), Shelves(models))
    assert files(models) == {own.relative_to(models).as_posix()}
    for name in ("framepack", "tiny"):
        with pytest.raises(ModelError, match="Nothing was downloaded"):
            remove(find(name), Shelves(models))
    assert present(find("tiny"), Shelves(models))


def test_removing_takes_the_parts_of_an_interrupted_download(hub: Hub, models: Path) -> None:
    hub.faults["diffusion-2.safetensors"] = [Fault(cut=1500), *[Fault(503)] * 9]
    with pytest.raises(RunError):
        bring("framepack", models)
    remove(find("framepack"), Shelves(models))
    assert files(models) == set()


def test_offline_nothing_is_fetched(hub: Hub, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="offline"):
        bring("framepack", models)
    assert (hub.asked, models.exists()) == ([], False)
