"""Names of tensors: every row of the tables by its example, prefixes in any order, and names of strangers."""

import pytest

from eichi.models.layers import AROUND, BLOCKS, aliases, flat
from eichi.models.loranames import FAMILIES, KINDS, PARTS, PREFIXES, other_family, other_kind, read_name, split_prefix
from tests import loras


@pytest.mark.parametrize("prefix", PREFIXES, ids=lambda prefix: prefix.start)
def test_every_source_s_example_is_a_layer_of_the_model(prefix: object) -> None:
    rule = next(one for one in PREFIXES if one == prefix)
    name = read_name(rule.example)
    assert name is not None
    layer, form = split_prefix(name.layer)
    assert form == rule.format
    assert flat(layer) in aliases(loras.PUBLISHED)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [*AROUND.items(), *((f"{theirs}_0_{alias}", f"{ours}.0.{parts}") for theirs, ours, table in BLOCKS
                        for alias, parts in table.items())],
)  # fmt: skip
def test_every_layer_s_name_is_flat_and_means_layers_of_the_model(theirs: str, ours: str) -> None:
    assert theirs == flat(theirs)
    assert theirs in aliases(loras.PUBLISHED), f"the model has no layer {ours}"


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.example)
def test_every_part_s_example(part: object) -> None:
    rule = next(one for one in PARTS if one == part)
    name = read_name(rule.example)
    assert name is not None
    assert (name.layer, name.kind) == ("a", rule.kind)
    assert name.part == rule.part or "<" in rule.part


@pytest.mark.parametrize(
    "prefix",
    [
        "base_model.model.transformer.", "base_model.model.model.", "transformer.base_model.model.", "module.unet.",
        "transformer.diffusion_model.", "diffusion_model.model.", "model.diffusion_model.", "_orig_mod.model.",
    ],
)  # fmt: skip
def test_prefixes_stand_before_one_another(prefix: str) -> None:
    for layer in ("double_blocks.0.img_mod.linear", "transformer_blocks.0.attn.to_q"):
        assert split_prefix(prefix + layer)[0] == layer


@pytest.mark.parametrize(
    "prefix",
    [
        "lycoris_transformer_", "lora_unet_transformer_", "lora_unet_diffusion_model_", "lora_unet_", "lycoris_",
        "lora_transformer_diffusion_model_", "pipe.transformer.", "pipe.", "",
    ],
)  # fmt: skip
def test_flat_prefixes_stand_behind_others(prefix: str) -> None:
    for layer in ("double_blocks_0_img_mod_linear", "transformer_blocks_0_attn_to_q", "single_transformer_blocks_0_x"):
        assert split_prefix(prefix + layer)[0] == layer


@pytest.mark.parametrize(
    ("name", "part", "adapter"),
    [
        ("a.b.lora_A.weight", "down", ""),
        ("a.b.lora_B.default.weight", "up", "default"),
        ("a.b.lora_B.default_0.weight", "up", "default_0"),
        ("a.b.lora_A.my_style.weight", "down", "my_style"),
        ("a.b.lora.up.weight", "up", ""),
        ("a.b_lora.down.weight", "down", ""),
        ("a.b.lora_up.2.weight", "up", "2"),
        ("a.b.lora_B.default.bias", "bias", "default"),
        ("a.b.lora_magnitude_vector", "magnitude", ""),
        ("a.b.lora_magnitude_vector.weight", "magnitude", ""),
        ("a.b.lora_magnitude_vector.default", "magnitude", "default"),
        ("a.b.lora_magnitude_vector.default.weight", "magnitude", "default"),
        ("a.b.hada_t2", "t2", ""),
        ("a.b.lokr_w1.default", "w1", "default"),
        ("a.b.b_norm", "diff", ""),
        ("a.b.lora_A.weight.scale", "scale", ""),
        ("a.b.scale_weight", "scale", ""),
    ],
)
def test_parts_with_and_without_an_adapter(name: str, part: str, adapter: str) -> None:
    read = read_name(name)
    assert read is not None
    assert (read.layer, read.part, read.adapter) == ("a.b", part, adapter)


@pytest.mark.parametrize("name", ["a.weight", "lora_A.weight", "", "a.lora_C.weight", "a" * 600 + ".lora_A.weight"])
def test_other_names_are_no_part(name: str) -> None:
    assert read_name(name) is None


def test_other_kinds_and_families_by_their_examples() -> None:
    assert [other_kind([kind.example]) for kind in KINDS] == [kind.name for kind in KINDS]
    assert [other_family([family.example]) for family in FAMILIES] == [family.name for family in FAMILIES]
    example = FAMILIES[0].example
    assert other_family([example, example, "a", "b"]) == FAMILIES[0].name  # half of them
    assert other_family([example, example, "a", "b", "c"]) is None
    ours = [alias for alias in aliases(loras.PUBLISHED)]
    assert (other_kind(f"{layer}.lora_A.weight" for layer in ours), other_family(ours)) == (None, None)


@pytest.mark.parametrize(
    ("double", "single"), [("double_blocks", "single_blocks"), ("transformer_blocks", "single_transformer_blocks")]
)
def test_flux_is_told_by_its_number_of_blocks(double: str, single: str) -> None:
    flux = [f"{double}_{number}_attn_to_q" for number in range(19)]
    flux += [f"{single}_{number}_attn_to_q" for number in range(38)]
    assert other_family(flux) == "Flux"
    assert other_family([*flux, f"{single}_39_attn_to_q"]) is None
    assert other_family(flux[1:]) is None
