"""The names that a layer of the transformer goes by: FramePack's, as in diffusers, and the original HunyuanVideo's.

The original fuses query, key and value, and in single blocks the inner layer too; the rows of a fused layer belong to
several of ours, in the order of the tables. Names are compared flat, with dots as underscores, because the trainers
that write underscores cannot tell them apart. Knows no file and no tensor.

Source: the state dict of Tencent's HunyuanVideo, as diffusers' conversion script takes it apart. diffusers' converter
for LoRAs is not used: it knows neither alphas nor underscores and cuts every fused layer of a single block at 3072.
It is what the tests compare with. `final_layer.adaLN_modulation`, whose halves change places, is left out.
"""

import re

from eichi.models.shapes import Shapes

# How the original's names begin.
ORIGINAL = ("double_blocks", "single_blocks", "txt_in")

DOUBLE = {
    "img_mod_linear": "norm1.linear",
    "img_attn_qkv": "attn.to_q attn.to_k attn.to_v",
    "img_attn_proj": "attn.to_out.0",
    "img_mlp_fc1": "ff.net.0.proj",
    "img_mlp_fc2": "ff.net.2",
    "txt_mod_linear": "norm1_context.linear",
    "txt_attn_qkv": "attn.add_q_proj attn.add_k_proj attn.add_v_proj",
    "txt_attn_proj": "attn.to_add_out",
    "txt_mlp_fc1": "ff_context.net.0.proj",
    "txt_mlp_fc2": "ff_context.net.2",
}
SINGLE = {
    "linear1": "attn.to_q attn.to_k attn.to_v proj_mlp",
    "linear2": "proj_out",
    "modulation_linear": "norm.linear",
}
REFINER = {
    "self_attn_qkv": "attn.to_q attn.to_k attn.to_v",
    "self_attn_proj": "attn.to_out.0",
    "mlp_fc1": "ff.net.0.proj",
    "mlp_fc2": "ff.net.2",
    "adaLN_modulation_1": "norm_out.linear",
}
BLOCKS = (
    ("double_blocks", "transformer_blocks", DOUBLE),
    ("single_blocks", "single_transformer_blocks", SINGLE),
    ("txt_in_individual_token_refiner_blocks", "context_embedder.token_refiner.refiner_blocks", REFINER),
)
AROUND = {
    "img_in_proj": "x_embedder.proj",
    "txt_in_input_embedder": "context_embedder.proj_in",
    "txt_in_t_embedder_mlp_0": "context_embedder.time_text_embed.timestep_embedder.linear_1",
    "txt_in_t_embedder_mlp_2": "context_embedder.time_text_embed.timestep_embedder.linear_2",
    "txt_in_c_embedder_linear_1": "context_embedder.time_text_embed.text_embedder.linear_1",
    "txt_in_c_embedder_linear_2": "context_embedder.time_text_embed.text_embedder.linear_2",
    "time_in_mlp_0": "time_text_embed.timestep_embedder.linear_1",
    "time_in_mlp_2": "time_text_embed.timestep_embedder.linear_2",
    "vector_in_in_layer": "time_text_embed.text_embedder.linear_1",
    "vector_in_out_layer": "time_text_embed.text_embedder.linear_2",
    "guidance_in_mlp_0": "time_text_embed.guidance_embedder.linear_1",
    "guidance_in_mlp_2": "time_text_embed.guidance_embedder.linear_2",
    "final_layer_linear": "proj_out",
}


def aliases(shapes: Shapes) -> dict[str, tuple[str, ...]]:
    """Every name that a layer of a model may have, flat, with the weights that its rows belong to, in their order."""
    matrices = [name for name, shape in shapes.items() if name.endswith(".weight") and len(shape) >= 2]
    known: dict[str, tuple[str, ...]] = {theirs: (f"{ours}.weight",) for theirs, ours in AROUND.items()}
    for theirs, block, table in BLOCKS:
        for number in sorted({found[1] for name in matrices if (found := re.match(rf"{block}\.(\d+)\.", name))}):
            for alias, parts in table.items():
                known[f"{theirs}_{number}_{alias}"] = tuple(f"{block}.{number}.{part}.weight" for part in parts.split())
    known |= {flat(name.removesuffix(".weight")): (name,) for name in matrices}
    return {alias: weights for alias, weights in known.items() if all(weight in shapes for weight in weights)}


def flat(name: str) -> str:
    """A name with underscores for dots."""
    return name.replace(".", "_")
