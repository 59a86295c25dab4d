"""A request meets the machine: everything that is wrong is found before anything is made."""

from pathlib import Path

import pytest
import torch

from eichi import VideoOptions, make_plan
from eichi.catalog import ModelFolders, find
from eichi.errors import FolderError, InputError, LoraError, ModelError, OptionError, PictureError
from eichi.events import Values
from eichi.models.shapes import transformer_shapes
from eichi.plan.memory import Need
from eichi.prepare import check_folder, check_run, read_tokens, weigh
from tests import loras
from tests.clips import Made


def test_a_plan_from_a_request(picture: Path) -> None:
    plan = make_plan(VideoOptions(image=picture, prompt="p", seconds=2.0))
    assert (plan.entry.name, plan.width, plan.height, plan.frames) == ("tiny", 80, 48, 73)
    assert make_plan(VideoOptions(image=picture, model="x"), find("framepack")).width == 768


def test_every_picture_of_a_request_is_opened(picture: Path, tmp_path: Path) -> None:
    for keys in ({"final": tmp_path / "no.png"}, {"sections": {1: tmp_path / "no.png"}}):
        with pytest.raises(PictureError, match=r"no\.png"):
            make_plan(VideoOptions.parse({"image": picture, "seconds": 2, "keyframes": keys}))


def test_what_is_missing_is_named(picture: Path) -> None:
    with pytest.raises(OptionError, match="--image"):
        make_plan(VideoOptions())
    with pytest.raises(ModelError, match="“nope”"):
        make_plan(VideoOptions(image=picture, model="nope"))


def test_a_model_that_is_not_here_is_refused_before_a_folder_is_made(picture: Path, tmp_path: Path) -> None:
    plan = make_plan(VideoOptions(image=picture, model="framepack"))
    with pytest.raises(ModelError, match="not complete"):
        check_run(plan, tmp_path / "out", ModelFolders(tmp_path / "models"))
    assert list(tmp_path.iterdir()) == [picture]


def test_a_folder_is_made_and_tried(tmp_path: Path) -> None:
    check_folder(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []
    (tmp_path / "file").touch()
    for place in ("file", "file/below"):
        with pytest.raises(FolderError, match="file"):
            check_folder(tmp_path / place)


def test_tokens_are_counted_for_every_text(picture: Path, home: Path) -> None:
    long = " ".join(["star"] * 300)
    plan = make_plan(
        VideoOptions.parse({"image": picture, "prompt": "a star", "negative": long, "sampling": {"cfg": 2}})
    )
    short, other = read_tokens(plan.entry, plan.texts, ModelFolders(home))
    assert (short.llama_limit, short.clip_limit, short.both) == (256, 77, "a star")
    assert (short.llama_only, short.cut) == ("", "")
    assert other.both + other.llama_only + other.cut == other.text == long
    assert other.llama > 256
    assert other.llama_only.strip()
    assert [note.id for note in plan.notes if note.id == "note.prompt.cut"] == ["note.prompt.cut"]
    assert read_tokens(find("framepack"), ["a star"], ModelFolders(home)) == ()


def test_loras_are_judged_before_the_model_is_here(picture: Path, tmp_path: Path) -> None:
    """The published model's names and sizes are known by heart."""
    made = [change for change in loras.changes(loras.PUBLISHED, rank=1) if change.number == "7"]
    tensors = loras.lettered("diffusion_model.", loras.whole(made))
    path = loras.write(tmp_path / "style.safetensors", tensors | {"other": made[0].down})

    def plan(model: str, *files: str) -> list[tuple[str, Values]]:
        values = {"image": picture, "prompt": "p", "model": model, "weights": {"loras": files}}
        notes = make_plan(VideoOptions.parse(values)).notes
        return [(note.id, note.values) for note in notes if note.id.startswith("note.lora")]

    used, silent, left = plan("framepack", f"{path}:-0.5")
    assert used[0] == "note.lora.used"
    assert (used[1]["weights"], used[1]["rank"], used[1]["strength"]) == (20, "1", -0.5)
    assert silent == ("note.lora.alpha", {"path": str(path), "count": 13})
    assert left == ("note.lora.unmatched", {"path": str(path), "count": 1, "keys": "other"})
    assert plan("framepack", f"{path}:0") == [("note.lora.zero", {"path": str(path)})]
    beside = path.parent / "folder" / ".." / path.name
    beside.parent.parent.mkdir()
    with pytest.raises(LoraError, match="added twice"):
        plan("framepack", f"{path}:0.5", f"{beside}:0.25")
    with pytest.raises(LoraError, match="changes nothing in tiny"):
        plan("tiny", str(path))
    with pytest.raises(LoraError, match=r"no LoRA file .*none"):
        plan("framepack", str(path), str(tmp_path / "none.safetensors"))


@pytest.mark.parametrize(("name", "told"), [("a-00002-of-00003", [(2, 3)]), ("a-00001-of-00001", []), ("a-000010", [])])
def test_one_file_of_a_lora_of_several_is_told(
    picture: Path, tmp_path: Path, name: str, told: list[tuple[int, int]]
) -> None:
    path = loras.build(
        tmp_path / f"{name}.safetensors", "diffusers", transformer_shapes(find("tiny"), ModelFolders(tmp_path))
    )
    plan = make_plan(VideoOptions.parse({"image": picture, "prompt": "p", "weights": {"loras": [path]}}))
    found = [note.values for note in plan.notes if note.id == "note.lora.piece"]
    assert [(values["number"], values["count"]) for values in found] == told


def test_what_loras_change_is_weighed_by_their_files(picture: Path, tmp_path: Path) -> None:
    """Every matrix of the blocks and the modulation beside them; one of strength 0 is not looked at."""
    entry = find("tiny")
    path = loras.build(tmp_path / "all.safetensors", "diffusers", transformer_shapes(entry, ModelFolders(tmp_path)))
    weights = {"loras": [path, {"file": tmp_path / "none.safetensors", "strength": 0}]}
    options = VideoOptions.parse({"image": picture, "prompt": "p", "weights": weights})
    rows = entry.anatomy.double, entry.anatomy.single
    need = weigh(Need(64, 64), options, in_eight=True)
    assert need.merged == sum(row.count * row.quantised for row in rows)
    assert 0 < need.besides < sum(row.count * (row.parameters - row.quantised) for row in rows)
    assert (need.lora, need.fp8, need.stored) == (path.stat().st_size, True, True)
    plain = weigh(Need(64, 64), VideoOptions.parse({"image": picture, "prompt": "p"}))
    assert (plain.lora, plain.merged, plain.besides, plain.stored) == (0, 0, 0, False)


def test_a_lora_of_another_family_is_refused_and_one_of_an_unknown_told(picture: Path, tmp_path: Path) -> None:
    """Flux has layers of the same names and sizes."""
    made = [change for change in loras.changes(loras.PUBLISHED, rank=1) if change.number == "7"]
    tensors = loras.lettered("transformer.", loras.whole(made))
    path = loras.write(tmp_path / "flux.safetensors", tensors, {"modelspec.architecture": "flux-1-dev/lora"})
    values = {"image": picture, "prompt": "p", "model": "framepack", "weights": {"loras": [path]}}
    with pytest.raises(LoraError, match="made for Flux and cannot be used with framepack"):
        make_plan(VideoOptions.parse(values))
    loras.write(path, tensors, {"modelspec.architecture": "my-own/lora"})
    (note,) = [note for note in make_plan(VideoOptions.parse(values)).notes if note.id == "note.lora.base"]
    assert note.values == {"path": str(path), "base": "my-own/lora"}


def test_a_layer_of_another_size_is_left_out_and_told(picture: Path, tmp_path: Path) -> None:
    """As Tencent's own LoRAs for pictures, whose input has twice the channels and a mask."""
    shapes = transformer_shapes(find("tiny"), ModelFolders(tmp_path))
    tensors = loras.lettered("transformer.", loras.split(loras.changes(shapes), shapes))
    rows = shapes["x_embedder.proj.weight"][0]
    tensors |= {"transformer.x_embedder.proj.lora_A.weight": torch.ones(2, 132)}
    tensors |= {"transformer.x_embedder.proj.lora_B.weight": torch.ones(rows, 2)}
    path = loras.write(tmp_path / "a.safetensors", tensors, {"lora_alpha": "2"})
    values = {"image": picture, "prompt": "p", "weights": {"loras": [path]}}
    used, odd = [note for note in make_plan(VideoOptions.parse(values)).notes if note.id.startswith("note.lora")]
    assert (used.id, odd.id, odd.values["count"]) == ("note.lora.used", "note.lora.odd", 1)
    assert odd.values["layers"] == f"x_embedder.proj {rows}x132 ≠ {rows}x64"


def test_a_video_that_is_continued_gives_the_size_and_its_stretch_is_said(tmp_path: Path) -> None:
    square, wide = (Made(count=3, size=(width, 32)).write(tmp_path / f"{width}.mp4") for width in (32, 48))
    plan = make_plan(VideoOptions.parse({"source": {"before": square, "after": wide}, "prompt": "p", "seconds": 1.2}))
    assert (plan.width, plan.height, plan.frames) == (64, 64, 36)
    (note,) = (note for note in plan.notes if note.id == "note.source.stretch")
    assert (note.id, note.values["percent"]) == ("note.source.stretch", 50)
    with pytest.raises(InputError, match="other"):
        make_plan(VideoOptions.parse({"source": {"before": tmp_path / "other.mp4"}}))
