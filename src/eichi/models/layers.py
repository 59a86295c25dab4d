"""The names that a layer of the transformer goes by: FramePack's, as in diffusers, and the original HunyuanVideo's.

The original fuses query, key and value, and in single blocks the inner layer too; the rows of a fused layer belong to
several of ours, in the order of the tables. Names are compared flat, with dots as underscores, because the trainers
that write underscores cannot tell them apart. Knows no file and no tensor.

Source: the state dict of Tencent's HunyuanVideo, as diffusers' conversion script takes it apart. diffusers' converter
for LoRAs is not used: it knows neither alphas nor underscores and cuts every fused layer of a single block at 3072.
It is what the tests compare with. `final_layer.adaLN_modulation`, whose halves change places, is left out. ComfyUI has
names of its own for some of the original's layers; they stand beside them.
"""

import re

from eichi.catalog import Shapes

# How the original's names begin.
ORIGINAL = ("double_blocks", "single_blocks", "txt_in")

DOUBLE = {
    "img_mod_linear": "norm1.linear",
    "img_mod_lin": "norm1.linear",
    "img_attn_qkv": "attn.to_q attn.to_k attn.to_v",
    "img_attn_proj": "attn.to_out.0",
    "img_attn_q_norm": "attn.norm_q",
    "img_attn_k_norm": "attn.norm_k",
    "img_attn_norm_query_norm": "attn.norm_q",
    "img_attn_norm_key_norm": "attn.norm_k",
    "img_mlp_fc1": "ff.net.0.proj",
    "img_mlp_fc2": "ff.net.2",
    "img_mlp_0": "ff.net.0.proj",
    "img_mlp_2": "ff.net.2",
    "txt_mod_linear": "norm1_context.linear",
    "txt_mod_lin": "norm1_context.linear",
    "txt_attn_qkv": "attn.add_q_proj attn.add_k_proj attn.add_v_proj",
    "txt_attn_proj": "attn.to_add_out",
    "txt_attn_q_norm": "attn.norm_added_q",
    "txt_attn_k_norm": "attn.norm_added_k",
    "txt_attn_norm_query_norm": "attn.norm_added_q",
    "txt_attn_norm_key_norm": "attn.norm_added_k",
    "txt_mlp_fc1": "ff_context.net.0.proj",
    "txt_mlp_fc2": "ff_context.net.2",
    "txt_mlp_0": "ff_context.net.0.proj",
    "txt_mlp_2": "ff_context.net.2",
}
SINGLE = {
    "linear1": "attn.to_q attn.to_k attn.to_v proj_mlp",
    "linear2": "proj_out",
    "modulation_linear": "norm.linear",
    "modulation_lin": "norm.linear",
    "q_norm": "attn.norm_q",
    "k_norm": "attn.norm_k",
    "norm_query_norm": "attn.norm_q",
    "norm_key_norm": "attn.norm_k",
}
REFINER = {
    "self_attn_qkv": "attn.to_q attn.to_k attn.to_v",
    "self_attn_proj": "attn.to_out.0",
    "mlp_fc1": "ff.net.0.proj",
    "mlp_fc2": "ff.net.2",
    "mlp_0": "ff.net.0.proj",
    "mlp_2": "ff.net.2",
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
# ComfyUI's words for the two layers of an embedder.
EMBEDDERS = {
    "mlp_0": "in_layer",
    "mlp_2": "out_layer",
    "linear_1": "in_layer",
    "linear_2": "out_layer",
}
AROUND |= {
    name.removesuffix(theirs) + comfy: ours
    for name, ours in AROUND.items()
    for theirs, comfy in EMBEDDERS.items()
    if name.endswith(theirs)
}


def aliases(shapes: Shapes) -> dict[str, tuple[str, ...]]:
    """Every name that a layer of a model may have, flat, with the weights that its rows belong to, in their order."""
    layers = [name for name in shapes if name.endswith(".weight")]
    known: dict[str, tuple[str, ...]] = {theirs: (f"{ours}.weight",) for theirs, ours in AROUND.items()}
    for theirs, block, table in BLOCKS:
        for number in sorted({found[1] for name in layers if (found := re.match(rf"{block}\.(\d+)\.", name))}):
            for alias, parts in table.items():
                known[f"{theirs}_{number}_{alias}"] = tuple(f"{block}.{number}.{part}.weight" for part in parts.split())
    known |= {flat(name.removesuffix(".weight")): (name,) for name in layers}
    return {alias: weights for alias, weights in known.items() if all(weight in shapes for weight in weights)}


def flat(name: str) -> str:
    """A name with underscores for dots."""
    return name.replace(".", "_")
