"""What lies in ComfyUI's folders and in others' is found, with nothing but the names of folders to go by."""

import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from eichi.catalog import CARD, ModelFolders, find, told_direction
from eichi.errors import ModelError
from eichi.models import comfy, found
from eichi.models.download import lacking_parts
from eichi.models.formats import Layout, layouts
from eichi.models.found import best, complaints, look
from eichi.models.locate import lacking, locate, locate_part, present
from eichi.settings import load_settings
from eichi.words import languages, resay
from tests import trees


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trees.checkpoint(tmp_path_factory.mktemp("model"))


@pytest.mark.parametrize("tree", trees.TREES)
def test_all_parts_are_found(root: Path, tmp_path: Path, tree: str) -> None:
    """And nothing is to be fetched."""
    entry, place = trees.known(root), tmp_path / "ComfyUI"
    trees.TREES[tree](root, place)
    models = ModelFolders(tmp_path / "models", (place,))
    places = locate(entry, models)
    assert all(folder.is_relative_to(place) for part, folder in places.items() if part != "feature_extractor")
    assert places["feature_extractor"] == root / "feature_extractor"
    assert lacking(entry, models) == (0, 0)
    assert lacking_parts(entry, models) == ()
    forward = locate_part(trees.known(root, "framepack-f1"), "transformer", models)
    assert (forward is not None) == (tree == "single")
    assert not present(entry, ModelFolders(tmp_path / "models"))


def test_only_the_tokenizers_are_to_be_fetched(root: Path, tmp_path: Path) -> None:
    place = tmp_path / "ComfyUI"
    trees.split(root, place)
    shutil.rmtree(place / "comfy")
    models = ModelFolders(tmp_path / "models", (place,))
    missing = [part for part in find("framepack").parts if locate_part(trees.known(root), part, models) is None]
    assert missing == ["tokenizer", "tokenizer_2"]


def test_the_better_file_is_taken(root: Path, tmp_path: Path) -> None:
    """A published one before others; then whole numbers of bits before eight, by name where nothing else tells."""
    entry, place = trees.known(root), tmp_path / "files"
    tensors = trees.parts(root)["transformer"]
    for name, made in (
        ("a framepack", trees.mixed(tensors)),
        ("c framepack", trees.half(tensors)),
        ("b framepack", trees.half(tensors)),
    ):
        trees.write(place / f"{name}.safetensors", made)
    models = ModelFolders(tmp_path / "models", (place,))
    assert locate_part(entry, "transformer", models) == place / "b framepack.safetensors"
    found.PUBLISHED[size := (place / "a framepack.safetensors").stat().st_size] = "Kijai's"
    try:
        first = next(one for one in look(entry, models))
        assert (first.name, first.precision, first.size) == ("Kijai's", "fp8", size)
        assert locate_part(entry, "transformer", models) == place / "a framepack.safetensors"
    finally:
        del found.PUBLISHED[size]


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("FramePackI2V_HY_fp8_e4m3fn.safetensors", "reverse"),
        ("FramePack_F1_I2V_HY_20250503_fp8_e4m3fn.safetensors", "forward"),
        ("FramePackF1.safetensors", "forward"),
        ("f1/model.safetensors", "forward"),
        ("lllyasviel/FramePack_F1_I2V_HY_20250503", "forward"),
        ("FramePackI2V_HY/diffusion_pytorch_model.safetensors", "reverse"),
        ("models/video.safetensors", None),
        ("models/bf16_0f12.safetensors", None),
    ],
)
def test_which_of_the_models_is_told_by_the_name(name: str, direction: str | None) -> None:
    assert told_direction(Path("/") / name) == direction


def test_a_transformer_without_a_name_is_shown_and_not_used(root: Path, tmp_path: Path) -> None:
    place = tmp_path / "files"
    path = trees.write(place / "video.safetensors", trees.parts(root)["transformer"])
    models = ModelFolders(tmp_path / "models", (place,))
    (seen,) = look(trees.known(root), models)
    assert (seen.part, seen.place, seen.direction, seen.wrong) == ("transformer", path, None, None)
    assert locate_part(trees.known(root), "transformer", models) is None
    with pytest.raises(ModelError) as caught:
        find(str(path))
    assert caught.value.id == "error.model.which"
    (place / CARD).write_text('{"like": "framepack-f1"}', encoding="utf-8")
    assert find(str(path)).direction == "forward"


def test_a_file_by_its_name_alone(root: Path, tmp_path: Path) -> None:
    """A user's own file needs no card where its name says what it is; its other parts are looked for as ever."""
    path = trees.write(tmp_path / "FramePack_F1_mine.safetensors", trees.parts(root)["transformer"])
    entry = find(str(path))
    assert (entry.direction, entry.parts["vae"]) == ("forward", find("framepack-f1").parts["vae"])
    assert locate_part(entry, "transformer", ModelFolders(tmp_path)) == path


def test_nearly_a_part_is_shown_with_what_it_lacks(root: Path, tmp_path: Path) -> None:
    place = tmp_path / "files"
    tensors = trees.parts(root)["text_encoder"]
    del tensors["layers.1.mlp.up_proj.weight"]
    trees.write(place / "x.safetensors", tensors)
    trees.write(place / "other.safetensors", {"embed_tokens.weight": torch.ones(3, 3)})  # another program's
    (seen,) = look(trees.known(root), ModelFolders(tmp_path, (place,)))
    assert seen.part == "text_encoder"
    assert seen.wrong == {"reason": "reason.lacks", "lacks": "layers.1.mlp.up_proj.weight"}


def test_what_cannot_be_read_is_passed_over(root: Path, tmp_path: Path) -> None:
    """Damaged files, files that are none, links in a circle or to nothing."""
    place = tmp_path / "ComfyUI"
    trees.split(root, place)
    inside = place / "models" / "vae"
    (inside / "broken.safetensors").write_bytes(b"\xff" * 30)
    (inside / "empty.safetensors").touch()
    (inside / "folder.safetensors").mkdir()
    (inside / "model.safetensors.index.json.txt").write_text("[")
    (inside / "sub").mkdir()
    (inside / "sub" / "x.safetensors.index.json").write_text("[")
    (inside / "tok").mkdir()
    (inside / "tok" / "tokenizer_config.json").write_bytes(b"\xff\xfe\xff")
    (inside / "deep").mkdir()
    (inside / "deep" / "x.safetensors.index.json").write_text("[" * 100_000)
    if hasattr(os, "mkfifo"):
        os.mkfifo(inside / "pipe.safetensors")
        (inside / "waits").mkdir()
        os.mkfifo(inside / "waits" / "pipe")
        (inside / "waits" / "x.safetensors.index.json").write_text('{"weight_map": {"a": "pipe"}}')
    (inside / "circle").symlink_to(place / "models", target_is_directory=True)
    (inside / "self").symlink_to(inside / "self")
    (inside / "nothing.safetensors").symlink_to(inside / "gone.safetensors")
    assert present(trees.known(root), ModelFolders(tmp_path / "models", (place,)))


def damaged(root: Path, place: Path) -> dict[str, str]:
    """Files that are parts by their names and cannot be used, and why."""
    tensors = trees.parts(root)["transformer"]
    whole = trees.write(place / "cut FramePack.safetensors", tensors)
    os.truncate(whole, whole.stat().st_size - 1)
    (place / "FramePack empty.safetensors").touch()
    (place / "clip_l.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    (place / "llava_llama3_fp16.safetensors").write_bytes(b"\n<!DOCTYPE html><html>Log in</html>")
    (place / "FramePackI2V_HY-Q4.gguf").write_bytes(b"GGUF\3\0\0\0")
    (place / "hunyuan_video_vae.pt").write_bytes(b"PK\3\4 and so on")
    (place / "noise.safetensors").write_bytes(b"\xff" * 30)
    trees.write(place / "framepack.sft", tensors)
    trees.write(place / "sigclip other.safetensors", {"a": torch.ones(1)})
    trees.write(place / "int8 framepack.safetensors", {name: one.to(torch.int8) for name, one in tensors.items()})
    names = list(tensors)
    trees.write(place / "two" / "FramePack-1.safetensors", {key: tensors[key] for key in names[::2]})
    table = {key: f"FramePack-{1 + i % 2}.safetensors" for i, key in enumerate(names)}
    (place / "two" / "x.safetensors.index.json").write_text(json.dumps({"weight_map": table}), encoding="utf-8")
    (place / "wan.gguf").write_bytes(b"GGUF")  # another program's
    return {
        "cut FramePack.safetensors": "transformer reason.cut",
        "FramePack empty.safetensors": "transformer reason.no_bytes",
        "clip_l.safetensors": "text_encoder_2 reason.pointer",
        "llava_llama3_fp16.safetensors": "text_encoder reason.page",
        "FramePackI2V_HY-Q4.gguf": "transformer reason.gguf",
        "hunyuan_video_vae.pt": "vae reason.pickle",
        "noise.safetensors": "unknown reason.no_header",
        "framepack.sft": "transformer reason.ending",
        "sigclip other.safetensors": "image_encoder reason.no_part",
        "int8 framepack.safetensors": "transformer reason.types",
        "two": "unknown reason.within",
    }


def test_what_cannot_be_used_is_found_with_the_reason(root: Path, tmp_path: Path) -> None:
    """Told in every language, and nothing of it is taken for a part."""
    place = tmp_path / "files"
    reasons = damaged(root, place)
    entry, models = trees.known(root), ModelFolders(tmp_path / "models", (place,))
    seen = look(entry, models)
    told = {one.place.name: f"{one.part} {(one.wrong or {}).get('reason')}" for one in seen}
    assert told == reasons
    assert best(seen, "transformer", "reverse") is None
    for language in languages():
        assert all("{" not in resay("models.why", language, one.wrong) for one in seen if one.wrong is not None)
    (within,) = (one.wrong for one in seen if one.place.name == "two" and one.wrong)
    assert resay("models.why", "en", within) == "FramePack-2.safetensors: it does not exist"


def test_folders_are_walked_within_bounds(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "files"
    path = trees.write(place / "a" / "b" / "x.safetensors", trees.parts(root)["vae"])
    entry, models = trees.known(root), ModelFolders(tmp_path, (place,))
    assert locate_part(entry, "vae", models) == path
    for bound, most in (("DEPTH", 1), ("MOST_FOLDERS", 2), ("MOST_FILES", 0)):
        with monkeypatch.context() as patch:
            patch.setattr(found, bound, most)
            assert locate_part(entry, "vae", models) is None
            told = [reason["reason"] for _, reason in complaints(entry, models)]
            assert told == ["reason.nothing"] + ["reason.bounds"] * (bound != "DEPTH")


def test_a_header_is_read_once(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "files"
    trees.flat(root, place)
    entry, models = trees.known(root), ModelFolders(tmp_path, (place,))
    read: list[Path] = []

    def watched(place: Path) -> dict[str, Layout]:
        read.append(place)
        return layouts(place)

    monkeypatch.setattr(found, "layouts", watched)
    assert [one.part for one in look(entry, models)] == [one.part for one in look(entry, models)]
    assert len(read) == len(set(read)) == 5
    os.utime(read[0], ns=(1, 1))
    look(entry, models)
    assert len(read) == 6


def test_the_list_of_further_folders(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative to its own folder, to a base, whole, several in one text; as ComfyUI reads it."""
    place, elsewhere = tmp_path / "ComfyUI", tmp_path / "elsewhere"
    trees.split(root, elsewhere)
    place.mkdir()
    monkeypatch.setenv("WHERE", str(elsewhere))
    text = f"""
# a comment
one:
    base_path: ../elsewhere/
    is_default: true
    diffusion_models: models/diffusion_models/
    text_encoders: |
        models/text_encoders/
        models/clip/
two:
    clip_vision: {elsewhere / "models" / "clip_vision"}
    vae: $WHERE/models/vae
"""
    (place / "extra_model_paths.yaml").write_text(text, encoding="utf-8")
    assert present(trees.known(root), ModelFolders(tmp_path / "models", (place,)))
    given = place / "extra_models_config.yaml"
    (place / "extra_model_paths.yaml").rename(given)
    assert present(trees.known(root), ModelFolders(tmp_path / "models", (given,)))  # the list alone
    given.write_text(f"a: {{base_path: {elsewhere}/models, all_model_folders: true}}", encoding="utf-8")
    assert locate_part(trees.known(root), "vae", ModelFolders(tmp_path / "models", (given,))) is not None


def test_a_folder_that_gives_nothing_is_said(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is not there, has nothing, is a list of none or a damaged one; what is good is not."""
    entry, good = trees.known(root), tmp_path / "good"
    trees.flat(root, good)
    empty, gone = tmp_path / "empty", tmp_path / "gone"
    empty.mkdir()
    bad, nowhere = tmp_path / "bad.yaml", tmp_path / "nowhere.yaml"
    bad.write_text("a: [", encoding="utf-8")
    nowhere.write_text("a: {base_path: /nowhere, vae: models/vae}", encoding="utf-8")
    (good / "extra_model_paths.yaml").write_text("- a", encoding="utf-8")
    monkeypatch.setenv("EICHI_COMFY", ";".join(map(str, (gone, good, empty, bad, nowhere))))
    settings = load_settings()
    told = {place: str(reason["reason"]) for place, reason in complaints(entry, settings.model_folders)}
    assert told == {
        gone: "reason.os.missing",
        good / "extra_model_paths.yaml": "reason.table",
        empty: "reason.nothing",
        bad: "reason.yaml_at",
        nowhere: "reason.nowhere",
    }
    assert complaints(entry, ModelFolders(tmp_path / "models")) == []


@pytest.mark.parametrize("name", ["a\0b", "x" * 300, "x/" * 3000])
def test_a_name_that_no_folder_can_have_is_said(tmp_path: Path, name: str) -> None:
    models = ModelFolders(tmp_path / "models", (Path(name),), usual=False)
    (said,) = complaints(find("framepack"), models)
    assert (said[0], said[1]["reason"] in ("reason.os.name", "reason.os.long")) == (Path(name), True)
    assert look(find("framepack"), models) == []


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_names_that_are_no_text_are_left_out_and_said(tmp_path: Path) -> None:
    """Nobody could be told of them: an answer is text."""
    for name in (b"framepack\xff.safetensors", b"fold\xff"):
        os.mkdir(os.fsencode(tmp_path) + b"/" + name)
    told = complaints(find("framepack"), ModelFolders(tmp_path / "models", (tmp_path,), usual=False))
    assert (tmp_path, {"reason": "reason.names"}) in told
    assert look(find("framepack"), ModelFolders(tmp_path / "models", (tmp_path,), usual=False)) == []


def test_a_file_may_be_named_itself(root: Path, tmp_path: Path) -> None:
    path = trees.write(tmp_path / "a" / "x.safetensors", trees.parts(root)["vae"])
    models = ModelFolders(tmp_path / "models", (path,))
    assert locate_part(trees.known(root), "vae", models) == path
    assert complaints(trees.known(root), models) == []


@pytest.mark.parametrize(
    "text",
    ["[", "a: &x {}\nb: *x", "- a", "a: 1", "a: {vae: [1, {}]}", "a: {vae: ~}", "a: {vae: \0}", "x" * 70_000, ""],
)
def test_a_list_that_is_none_is_as_if_it_were_not_there(tmp_path: Path, text: str) -> None:
    (tmp_path / "models" / "vae").mkdir(parents=True)
    (tmp_path / "extra_model_paths.yaml").write_text(text, encoding="utf-8")
    assert list(comfy.folders(tmp_path)) == [tmp_path / "models" / "vae"]


def test_the_usual_places(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where they are asked for; a folder that is named comes first."""
    monkeypatch.setattr(comfy, "bases", lambda: (tmp_path, tmp_path / "Documents"))
    usual = ModelFolders(tmp_path / "models", usual=True)
    assert not present(trees.known(root), usual)
    comfy._usual.cache_clear()
    trees.split(root, tmp_path / "Documents" / "ComfyUI_windows_portable" / "ComfyUI")
    assert present(trees.known(root), usual)
    assert not present(trees.known(root), replace(usual, usual=False))
    trees.single(root, tmp_path / "mine")
    named = replace(usual, comfy=(tmp_path / "mine",))
    assert comfy.comfy_places(named)[0] == tmp_path / "mine"
    comfy._usual.cache_clear()


def test_framepack_s_own_cache_beside_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comfy, "bases", lambda: (tmp_path,))
    cache = tmp_path / "FramePack" / "webui" / "hf_download" / "hub"
    cache.mkdir(parents=True)
    comfy._usual.cache_clear()
    assert comfy.hub_caches(ModelFolders(tmp_path, usual=True)) == (cache,)
    assert comfy.hub_caches(ModelFolders(tmp_path)) == ()
    comfy._usual.cache_clear()


def test_the_places_that_are_looked_through_are_near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert {Path.cwd(), Path.cwd().parent} <= set(comfy.bases())
