"""LoRA files of every kind are read into one form; what is no LoRA is refused in a sentence."""

import json
import os
import pickle
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers.loaders.lora_conversion_utils import _convert_hunyuan_video_lora_to_diffusers
from torch import Tensor

from eichi.catalog import Shapes
from eichi.errors import LoraError
from eichi.models.layers import aliases
from eichi.models.lorafile import lora_print, read_lora
from eichi.models.loramatch import match_lora
from tests import loras, small


@pytest.fixture(scope="module")
def shapes() -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in small.transformer().state_dict().items()}


@pytest.mark.parametrize("name", loras.FORMATS)
def test_every_format_says_the_same(tmp_path: Path, shapes: Shapes, name: str) -> None:
    form, original, _ = loras.FORMATS[name]
    path = loras.build(tmp_path / "style.safetensors", name, shapes)
    match = match_lora(read_lora(path), shapes, "small")
    changed = {weight for change in loras.changes(shapes) for weight in change.weights}
    assert set(match.shares) == changed
    assert len(changed) == 2 * 14 + 2 * 6
    assert match.unmatched == ()
    report = match.report
    assert (report.format, report.model, report.file) == (form, "small", str(path))
    assert report.names == ("hunyuanvideo" if original else "framepack")
    assert report.layers == report.matched == (2 * 10 + 2 * 3 if original else 40)
    assert report.rank == (loras.RANK,)
    assert report.alpha == (loras.ALPHA if form in ("musubi", "diffusers", "peft") else loras.RANK,)
    assert report.base == ("hunyuan_video" if form == "musubi" else None)
    assert (set(report.weights), report.unmatched) == (changed, ())
    assert match.figures == {
        "path": str(path), "format": form, "rank": str(loras.RANK), "alpha": f"{report.alpha[0]:g}"
    }  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_alpha_in_every_type(tmp_path: Path, shapes: Shapes, dtype: torch.dtype) -> None:
    path = loras.musubi(tmp_path / "a.safetensors", loras.split(loras.changes(shapes), shapes), dtype)
    assert {layer.alpha for layer in read_lora(path).layers} == {loras.ALPHA}


def test_full_size_names_are_taken_apart_as_diffusers_does(tmp_path: Path) -> None:
    """Only diffusers' converter knows the published size; it has no alphas, and cuts single blocks at 3072."""
    shapes = loras.PUBLISHED
    kept = ("transformer_blocks.0.", "transformer_blocks.19.", "single_transformer_blocks.39.")
    made = [change for change in loras.changes(shapes, rank=1) if change.weights[0].startswith(kept)]
    tensors = loras.lettered("diffusion_model.", loras.whole(made))
    match = match_lora(read_lora(loras.write(tmp_path / "a.safetensors", tensors)), shapes, "framepack")
    theirs = _convert_hunyuan_video_lora_to_diffusers(dict(tensors))
    assert len(match.shares) == 2 * 14 + 6
    assert len(theirs) == 2 * len(match.shares)
    for weight, share in match.shares.items():
        name = f"transformer.{weight.removesuffix('.weight')}"
        keys = share.layer.keys
        up = tensors[keys["up"]][share.first : share.first + share.rows]
        assert torch.equal(up, theirs[f"{name}.lora_B.weight"])
        assert torch.equal(tensors[keys["down"]], theirs[f"{name}.lora_A.weight"])


def test_layers_around_the_blocks_have_names_too(shapes: Shapes) -> None:
    known = aliases(shapes)
    assert known["time_in_mlp_0"] == ("time_text_embed.timestep_embedder.linear_1.weight",)
    refiner = "context_embedder.token_refiner.refiner_blocks.0"
    attention = tuple(f"{refiner}.attn.to_{part}.weight" for part in "qkv")
    assert known["txt_in_individual_token_refiner_blocks_0_self_attn_qkv"] == attention
    assert known["img_in_proj"] == ("x_embedder.proj.weight",)
    assert {weight for weights in known.values() for weight in weights} <= shapes.keys()


def pair(name: str, shapes: Shapes) -> dict[str, Tensor]:
    """A musubi LoRA of one layer of ours."""
    rows, columns = shapes[f"{name}.weight"]
    flat = f"lora_unet_{name.replace('.', '_')}"
    return {f"{flat}.lora_down.weight": torch.ones(1, columns), f"{flat}.lora_up.weight": torch.ones(rows, 1)}


QUERY = "transformer_blocks.0.attn.to_q"
FLAT = "lora_unet_transformer_blocks_0_attn_to_q"


@pytest.mark.parametrize(
    "extra",
    [
        "lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_down.weight",
        f"{FLAT}.set_weight",
        "lora_unet_final_layer_adaLN_modulation_1.alpha",
    ],
)
def test_what_fits_nothing_is_told(tmp_path: Path, shapes: Shapes, extra: str) -> None:
    tensors = pair(QUERY, shapes) | {extra: torch.ones(2, 2)}
    match = match_lora(read_lora(loras.write(tmp_path / "a.safetensors", tensors)), shapes, "small")
    assert list(match.shares) == [f"{QUERY}.weight"]
    assert match.unmatched == (extra,)


@pytest.mark.parametrize(("part", "shape"), [("dora_scale", (7,)), ("lora_down.weight_scale", ())])
def test_a_layer_of_another_kind_is_left_out_whole(
    tmp_path: Path, shapes: Shapes, part: str, shape: tuple[int, ...]
) -> None:
    """Half a DoRA is not a LoRA, nor is one whose numbers have to be multiplied first."""
    tensors = pair(QUERY, shapes) | pair("transformer_blocks.1.attn.to_q", shapes)
    tensors[f"{FLAT}.{part}"] = torch.ones(shape)
    match = match_lora(read_lora(loras.write(tmp_path / "a.safetensors", tensors)), shapes, "small")
    assert list(match.shares) == ["transformer_blocks.1.attn.to_q.weight"]
    assert match.unmatched == tuple(sorted(f"{FLAT}.{one}" for one in (part, "lora_down.weight", "lora_up.weight")))


def test_settings_of_peft(tmp_path: Path, shapes: Shapes) -> None:
    rows, columns = shapes[f"{QUERY}.weight"]
    pairs = {name: (torch.ones(4, columns), torch.ones(rows, 4)) for name in (QUERY, QUERY.replace("_q", "_k"))}
    settings = {"lora_alpha": 8, "use_rslora": True, "alpha_pattern": {"attn.to_k": 2}}
    header = {"lora_adapter_metadata": json.dumps({f"transformer.{key}": value for key, value in settings.items()})}
    layers = read_lora(loras.write(tmp_path / "a.safetensors", loras.lettered("transformer.", pairs), header)).layers
    factors = {QUERY: 4.0, QUERY.replace("_q", "_k"): 1.0}  # alpha / sqrt(rank)
    assert {layer.name: layer.factor for layer in layers} == factors
    beside = tmp_path / "adapter_config.json"
    beside.write_text(json.dumps({"lora_alpha": 400}))
    unnamed = loras.write(tmp_path / "b.safetensors", loras.lettered("transformer.", pairs))
    assert {layer.factor for layer in read_lora(unnamed).layers} == {1.0}  # another file's settings


@pytest.mark.parametrize(
    ("header", "foreign"),
    [
        ({"ss_base_model_version": "hunyuan_video"}, False),
        ({"modelspec.architecture": "framepack/lora"}, False),
        ({"modelspec.architecture": "my-own/lora"}, True),
        ({"ss_sd_model_name": "mp_rank_00_model_states.pt"}, False),
        ({}, False),
    ],
)
def test_another_family_is_told(tmp_path: Path, shapes: Shapes, header: dict[str, str], foreign: bool) -> None:
    path = loras.write(tmp_path / "a.safetensors", pair(QUERY, shapes), header)
    match = match_lora(read_lora(path), shapes, "small")
    assert match.foreign == foreign
    assert match.file.base == next(iter(header.values()), None)


@pytest.mark.parametrize(
    ("said", "family"),
    [
        ("Flux.1-dev/lora", "Flux"), ("flux-1", "Flux"), ("wan2.1", "Wan"), ("Wan-AI/Wan2.2", "Wan"),
        ("sd_v1", "Stable Diffusion / SDXL"), ("sdxl_base_v1-0", "Stable Diffusion / SDXL"),
        ("stable-diffusion-xl-v1-base/lora", "Stable Diffusion / SDXL"), ("sd3", "Stable Diffusion 3"),
        ("sd3.5-large", "Stable Diffusion 3"), ("qwen-image/lora", "Qwen-Image"), ("ltx-video", "LTX-Video"),
        ("hidream-i1/lora", "HiDream"), ("zimage", "Z-Image"), ("z-image-turbo", "Z-Image"),
    ],
)  # fmt: skip
def test_another_family_is_named_by_what_a_header_says(tmp_path: Path, shapes: Shapes, said: str, family: str) -> None:
    tensors = kind("lora_unet_tower", **{"lora_down.weight": (1, 4), "lora_up.weight": (4, 1)})
    path = loras.write(tmp_path / "a.safetensors", tensors, {"ss_base_model_version": said})
    with pytest.raises(LoraError) as caught:
        match_lora(read_lora(path), shapes, "small")
    assert (caught.value.id, caught.value.values["family"]) == ("error.lora.family", family)


@pytest.mark.parametrize(
    ("parts", "label"),
    [
        ({"lora_down.weight": (2, 24), "lora_up.weight": (24, 2)}, "LoRA"),
        ({"lora_down.weight": (2, 24), "lora_up.weight": (24, 2), "dora_scale": (24, 1)}, "DoRA, LoRA"),
        ({"hada_w1_a": (24, 2), "hada_w1_b": (2, 24), "hada_w2_a": (24, 2), "hada_w2_b": (2, 24)}, "LoHa"),
        ({"lokr_w1": (4, 4), "lokr_w2": (6, 6)}, "LoKr"),
        ({"lokr_w1": (4, 4), "lokr_w2": (6, 6), "dora_scale": (24, 1)}, "DoRA, LoKr"),
        ({"diff": (24, 24)}, "diff"),
        ({"diff_b": (24,)}, "bias"),
    ],
)
def test_a_kind_is_called_as_people_call_it(
    tmp_path: Path, shapes: Shapes, parts: dict[str, tuple[int, ...]], label: str
) -> None:
    path = loras.write(tmp_path / "a.safetensors", kind(FLAT, **parts))
    assert match_lora(read_lora(path), shapes, "small").report.kinds == (label,)


def good(shapes: Shapes, path: Path) -> bytes:
    return loras.write(path, pair(QUERY, shapes)).read_bytes()


BAD: dict[str, tuple[Callable[[Path, Shapes], object], str]] = {
    "missing": (lambda path, shapes: None, "no LoRA file"),
    "folder": (lambda path, shapes: path.mkdir(), "no LoRA file"),
    "empty": (lambda path, shapes: path.touch(), "cannot be read"),
    "truncated": (lambda path, shapes: path.write_bytes(good(shapes, path)[:-7]), "cannot be read"),
    "header cut": (lambda path, shapes: path.write_bytes(good(shapes, path)[:40]), "cannot be read"),
    "picture": (lambda path, shapes: path.write_bytes(b"\x89PNG\r\n\x1a\n" * 20), "cannot be read"),
    "page": (lambda path, shapes: path.write_text("\n<!DOCTYPE html><html>Log in</html>"), "web page"),
    "pickle": (lambda path, shapes: path.write_bytes(pickle.dumps({"a": 1})), "pickle"),
    "torch.save": (lambda path, shapes: torch.save({"a": torch.ones(1)}, path), "pickle"),
    "old torch.save": (
        lambda path, shapes: torch.save({"a": torch.ones(1)}, path, _use_new_zipfile_serialization=False),
        "pickle",
    ),
    "pointer": (
        lambda path, shapes: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:a\nsize 5\n"),
        "Git LFS pointer",
    ),
    "answer": (lambda path, shapes: path.write_text('{"error":"Unauthorized"}'), "error message"),
    "GGUF": (lambda path, shapes: path.write_bytes(b"GGUF" + bytes(100)), "GGUF file"),
    "checkpoint": (lambda path, shapes: loras.write(path, {"blocks.0.weight": torch.ones(2, 2)}), "blocks.0.weight"),
    "half": (lambda path, shapes: loras.write(path, dict([*pair(QUERY, shapes).items()][:1])), "not a LoRA"),
    "no numbers": (
        lambda path, shapes: loras.write(path, pair(QUERY, shapes) | {f"{FLAT}.alpha": torch.tensor(torch.nan)}),
        "NaN",
    ),
    "ranks differ": (
        lambda path, shapes: loras.write(path, pair(QUERY, shapes) | {f"{FLAT}.lora_up.weight": torch.ones(24, 2)}),
        "cannot be read",
    ),
    "rank 0": (
        lambda path, shapes: loras.write(
            path, {f"{FLAT}.lora_down.weight": torch.ones(0, 24), f"{FLAT}.lora_up.weight": torch.ones(24, 0)}
        ),
        "cannot be read",
    ),
    "another model": (
        lambda path, shapes: loras.write(
            path, {f"lora_unet_blocks_0_self_attn_q.lora_{half}.weight": torch.ones(4, 4) for half in ("down", "up")}
        ),
        "made for Wan and cannot be used with small",
    ),
    "no model's": (
        lambda path, shapes: loras.write(
            path,
            {f"lora_unet_tower_{half}.lora_{half}.weight": torch.ones(4, 4) for half in ("down", "up")}
            | {f"lora_unet_tower.lora_{half}.weight": torch.ones(4, 4) for half in ("down", "up")},
        ),
        "changes nothing in small: its layers are tower. Choose",
    ),
    "columns of a fused layer": (
        lambda path, shapes: loras.write(
            path,
            kind(
                "double_blocks.0.img_attn_qkv",
                **{"lora_down.weight": (1, 24), "lora_up.weight": (72, 1), "dora_scale": (1, 24)},
            ),
        ),
        "double_blocks.0.img_attn_qkv is several layers here",
    ),
    "another size": (
        lambda path, shapes: loras.write(path, pair(QUERY, loras.PUBLISHED)),
        "transformer_blocks_0_attn_to_q is 3072x3072 in the file and 24x24 in the model",
    ),
}


def kind(name: str, **shapes: tuple[int, ...]) -> dict[str, Tensor]:
    return {f"{name}.{part}": torch.ones(shape) for part, shape in shapes.items()}


OTHER: dict[str, tuple[dict[str, Tensor], str]] = {
    "OFT": (kind(FLAT, oft_blocks=(4, 6, 6)), "is a OFT/BOFT file"),
    "BOFT": (kind(FLAT, oft_diag=(2, 4, 6, 6)), "is a OFT/BOFT file"),
    "GLoRA": (kind(f"{FLAT}.a1", weight=(4, 24)) | kind(f"{FLAT}.b2", weight=(24, 4)), "is a GLoRA file"),
    "IA3": (kind(FLAT, weight=(24,), on_input=()), "is a IA3 file"),
    "VeRA": (kind("base_model", vera_A=(4, 24)), "is a VeRA file"),
    "embedding": ({"clip_l": torch.ones(8, 16)}, "is a Textual Inversion file"),
    "SDXL": (kind("lora_unet_input_blocks_4_1_attn1_to_q", **{"lora_down.weight": (1, 4), "lora_up.weight": (4, 1)}),
             "made for Stable Diffusion / SDXL"),
    "Wan": (kind("diffusion_model.blocks.0.self_attn.q", **{"lora_A.weight": (1, 4), "lora_B.weight": (4, 1)}),
            "made for Wan"),
    "whole numbers": ({key: value.to(torch.int8) for key, value in kind(
        FLAT, **{"lora_down.weight": (1, 24), "lora_up.weight": (24, 1)}).items()}, "of the type I8"),
    "alpha that is a truth": (kind(FLAT, **{"lora_down.weight": (1, 24), "lora_up.weight": (24, 1)})
                              | {f"{FLAT}.alpha": torch.tensor(True)}, "of the type BOOL"),
    "alpha of a layer by rows": (kind(FLAT, **{"lora_down.weight": (2, 24), "lora_up.weight": (24, 2)})
                                 | {f"{FLAT}.alpha": torch.tensor([1.0, 2.0])}, "alpha that is no number"),
}  # fmt: skip


@pytest.mark.parametrize("length", [0x280, 0x480])
def test_a_header_whose_length_begins_as_a_pickle(tmp_path: Path, shapes: Shapes, length: int) -> None:
    path = tmp_path / "a.safetensors"
    content = loras.write(path, pair(QUERY, shapes)).read_bytes()
    before = int.from_bytes(content[:8], "little")
    text = content[8 : 8 + before].rstrip().ljust(length)
    path.write_bytes(length.to_bytes(8, "little") + text + content[8 + before :])
    assert len(read_lora(path).layers) == 1


@pytest.mark.parametrize("name", OTHER)
def test_what_is_not_merged_is_called_by_its_name(tmp_path: Path, shapes: Shapes, name: str) -> None:
    tensors, words = OTHER[name]
    with pytest.raises(LoraError, match=words):
        match_lora(read_lora(loras.write(tmp_path / "a.safetensors", tensors)), shapes, "small")


def test_a_file_most_of_whose_layers_have_other_sizes_is_another_model_s(tmp_path: Path, shapes: Shapes) -> None:
    tensors = pair(QUERY, shapes) | kind(
        FLAT.replace("_q", "_k"), **{"lora_down.weight": (1, 99), "lora_up.weight": (24, 1)}
    )
    with pytest.raises(LoraError, match="24x99 in the file and 24x24 in the model"):
        match_lora(read_lora(loras.write(tmp_path / "a.safetensors", tensors)), shapes, "small")


def test_one_adapter_of_several_is_meant(tmp_path: Path, shapes: Shapes) -> None:
    one, other = (
        {key.replace(".weight", f".{adapter}.weight"): value for key, value in pair(layer, shapes).items()}
        for layer, adapter in ((QUERY, "b"), (QUERY, "a"))
    )
    more = {key.replace(".weight", ".b.weight"): one for key, one in pair(QUERY.replace("_q", "_k"), shapes).items()}
    match = match_lora(read_lora(loras.write(tmp_path / "a.safetensors", one | other | more)), shapes, "small")
    assert len(match.shares) == 2
    assert match.unmatched == tuple(sorted(other))


def test_an_alpha_without_an_adapter_s_name_is_every_adapter_s(tmp_path: Path, shapes: Shapes) -> None:
    tensors = {key.replace(".weight", ".a.weight"): value for key, value in pair(QUERY, shapes).items()}
    path = loras.write(tmp_path / "a.safetensors", tensors | {f"{FLAT}.alpha": torch.tensor(7.0)})
    match = match_lora(read_lora(path), shapes, "small")
    assert ([layer.alpha for layer in match.file.layers], match.unmatched) == ([7.0], ())


def test_damaged_files_are_read_or_refused(tmp_path: Path, shapes: Shapes) -> None:
    """Names, shapes, types and settings changed at random: whatever is wrong is said in our own words."""
    draw, path, read = random.Random(4), tmp_path / "a.safetensors", 0
    tensors = pair(QUERY, shapes) | kind(
        "lycoris_double_blocks_0_img_mlp_fc1", lokr_w1=(4, 4), lokr_w2=(24, 6), alpha=()
    )
    header = {"lora_config": json.dumps({"lora_alpha": 2, "alpha_pattern": {"to_q": 4}, "use_rslora": False})}
    whole = loras.write(path, tensors, header).read_bytes()
    length = int.from_bytes(whole[:8], "little")
    for _ in range(600):
        text = bytearray(whole[8 : 8 + length])
        for _ in range(draw.randrange(1, 4)):
            text[draw.randrange(length)] = draw.choice(b'"0159[]{}.:,_abdlw\\-')
        path.write_bytes(whole[:8] + text + whole[8 + length :])
        try:
            match = match_lora(read_lora(path), shapes, "small")
            read += bool(match.report.weights)
        except LoraError as error:
            assert "\n" not in str(error)
    assert 10 < read < 600


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_sentence(tmp_path: Path, shapes: Shapes, name: str) -> None:
    make, words = BAD[name]
    path = tmp_path / "style.safetensors"
    make(path, shapes)
    with pytest.raises(LoraError) as caught:
        match_lora(read_lora(path), shapes, "small")
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_is_told_by_its_content(tmp_path: Path, shapes: Shapes) -> None:
    """Two of one name, size and date in two folders are two; one that was moved or touched is the same."""
    path = loras.write(tmp_path / "a.safetensors", pair(QUERY, shapes))
    before = lora_print(path)
    assert lora_print(path) == before
    other = loras.write(tmp_path / "b" / path.name, {key: -value for key, value in pair(QUERY, shapes).items()})
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    assert (other.stat().st_size, lora_print(other) == before) == (path.stat().st_size, False)
    same = loras.write(tmp_path / "c" / "d.safetensors", pair(QUERY, shapes))
    assert lora_print(same) == before
    os.utime(path, ns=(0, 0))
    assert lora_print(path) == before
    loras.write(path, pair(QUERY, shapes) | {"more": torch.ones(1)})
    assert lora_print(path) != before
    path.unlink()
    with pytest.raises(LoraError, match="no LoRA file"):
        lora_print(path)
