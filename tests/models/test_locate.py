"""The three places of a model: a folder, the models folder, the hub's cache."""

import json
from pathlib import Path

import pytest
from transformers import SiglipImageProcessorPil

from eichi.catalog import CARD, Entry, ModelFolders, PartSource, find
from eichi.errors import ModelError
from eichi.models.locate import CACHES, MARKS, locate, locate_part, present

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def lay(entry: Entry, root: Path, skip: str = "") -> dict[str, Path]:
    """Every part of a model as one mark file, below `root` by repository and folder."""
    folders = {}
    for part, source in entry.parts.items():
        folders[part] = root / (source.repository or "") / source.folder
        if part != skip:
            mark(folders[part], part)
    return folders


def mark(folder: Path, part: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKS.get(part, "config.json")).write_text("{}", encoding="utf-8")
    if part not in MARKS:
        (folder / "model.safetensors").touch()


def cache(hub: Path, source: PartSource, part: str) -> Path:
    """A part as huggingface_hub keeps it: models--owner--name/{refs/main,snapshots/<commit>/…}."""
    assert source.repository is not None
    storage = hub / f"models--{source.repository.replace('/', '--')}"
    (storage / "refs").mkdir(parents=True, exist_ok=True)
    (storage / "refs" / "main").write_text(COMMIT, encoding="utf-8")
    folder = storage / "snapshots" / COMMIT / source.folder
    mark(folder, part)
    return folder


def test_a_folder_of_weights(tmp_path: Path) -> None:
    root = tmp_path / "mine"
    root.mkdir()
    (root / CARD).write_text('{"like": "framepack"}', encoding="utf-8")
    entry = find(str(root))
    assert not present(entry, ModelFolders(tmp_path))
    lay(entry, root)
    assert locate(entry, ModelFolders(tmp_path)) == {part: root / part for part in entry.parts}


@pytest.mark.parametrize("name", ["framepack", "framepack-f1"])
def test_the_models_folder(tmp_path: Path, name: str) -> None:
    entry, models = find(name), tmp_path / "models"
    folders = lay(entry, models)
    assert locate(entry, ModelFolders(models)) == folders
    assert folders["vae"] == models / "hunyuanvideo-community" / "HunyuanVideo" / "vae"


def test_the_cache_of_the_hub_is_used_as_it_is(tmp_path: Path) -> None:
    entry, hub = find("framepack"), tmp_path / "hub" / "hub"
    folders = {part: cache(hub, source, part) for part, source in entry.parts.items()}
    assert locate(entry, ModelFolders(tmp_path / "models")) == folders


def test_the_models_folder_beats_the_cache_part_by_part(tmp_path: Path) -> None:
    entry, hub, models = find("framepack"), tmp_path / "hub" / "hub", tmp_path / "models"
    folders = {part: cache(hub, source, part) for part, source in entry.parts.items()}
    folders["vae"] = models / "hunyuanvideo-community" / "HunyuanVideo" / "vae"
    mark(folders["vae"], "vae")
    assert locate(entry, ModelFolders(models)) == folders


@pytest.mark.parametrize("place", CACHES)
def test_the_old_download_folder_is_used_as_it_is(tmp_path: Path, place: str) -> None:
    entry, models = find("framepack-f1"), tmp_path / "models"
    folders = {part: cache(models / place, source, part) for part, source in entry.parts.items()}
    assert locate(entry, ModelFolders(models)) == folders


def test_half_a_download_is_no_part(tmp_path: Path) -> None:
    entry, models = find("framepack"), tmp_path / "models"
    folder = lay(entry, models)["transformer"]
    index = {"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}
    (folder / "diffusion.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    (folder / "one.safetensors").touch()
    assert locate_part(entry, "transformer", ModelFolders(models)) is None
    (folder / "two.safetensors").touch()
    assert locate_part(entry, "transformer", ModelFolders(models)) == folder
    (lay(entry, models)["vae"] / "model.safetensors").unlink()
    assert locate_part(entry, "vae", ModelFolders(models)) is None


@pytest.mark.parametrize("text", ["[", "[" * 100_000, '{"weight_map": {"a": 5}}'])
def test_a_damaged_index_is_left_to_the_loader(tmp_path: Path, text: str) -> None:
    entry, models = find("framepack"), tmp_path / "models"
    folder = lay(entry, models)["transformer"]
    (folder / "diffusion.safetensors.index.json").write_text(text, encoding="utf-8")
    assert locate_part(entry, "transformer", ModelFolders(models)) == (None if "5" in text else folder)


def test_a_transformer_in_one_file(tmp_path: Path) -> None:
    path, models = tmp_path / "FramePack_bf16.safetensors", tmp_path / "models"
    path.touch()
    (tmp_path / CARD).write_text('{"like": "framepack-f1"}', encoding="utf-8")
    entry = find(str(path))
    folders = lay(find("framepack-f1"), models, skip="transformer")
    assert entry.direction == "forward"
    assert locate(entry, ModelFolders(models)) == folders | {"transformer": path}
    (tmp_path / CARD).write_text('{"like": "tiny"}', encoding="utf-8")
    assert locate(find(str(path)), ModelFolders(models))["vae"] == locate(find("tiny"), ModelFolders(models))["vae"]


@pytest.mark.parametrize("part", ["transformer", "vae", "tokenizer_2"])
def test_a_missing_part_is_named_with_its_place_and_what_to_do(tmp_path: Path, part: str) -> None:
    entry, models = find("framepack"), tmp_path / "models"
    folder = lay(entry, models, skip=part)[part]
    folder.mkdir(parents=True, exist_ok=True)  # an empty folder is no part
    assert not present(entry, ModelFolders(models))
    with pytest.raises(ModelError) as caught:
        locate(entry, ModelFolders(models))
    wanted = ("framepack", f"“{part}”", str(entry.parts[part].repository), str(models), "tiny")
    assert all(word in str(caught.value) for word in wanted), str(caught.value)


def test_the_constants_of_the_picture_processor_are_in_the_package(tmp_path: Path) -> None:
    """They are used only where the published ones are not."""
    entry, models = find("framepack"), tmp_path / "models"
    folders = lay(entry, models, skip="feature_extractor")
    spare = locate(entry, ModelFolders(models))["feature_extractor"]
    processor = SiglipImageProcessorPil.from_pretrained(spare)
    assert (processor.size["height"], processor.size["width"], processor.resample) == (384, 384, 3)
    assert (*processor.image_mean, *processor.image_std) == (0.5,) * 6
    mark(folders["feature_extractor"], "feature_extractor")
    assert locate(entry, ModelFolders(models))["feature_extractor"] == folders["feature_extractor"]


def test_nothing_is_made_by_looking(tmp_path: Path) -> None:
    assert not present(find("framepack-f1"), ModelFolders(tmp_path / "models"))
    assert list(tmp_path.iterdir()) == []
