"""The names that tensors have in LoRA files, by who wrote them: prefixes, parts of a change, other kinds and families.

Every row has an example, which the tests read. A name is a prefix or several, the name of a layer (`layers`), and what
the tensor is to the layer's change; PEFT puts the name of an adapter in between. Knows no file.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

LONGEST = 500  # signs; no trainer writes a longer name


@dataclass(frozen=True)
class Prefix:
    """How the names of one source begin, what a file of it is called, and a name of it.

    A name that goes on with `unless` begins a layer there.
    """

    start: str
    format: str
    example: str
    unless: str = ""

    @property
    def sign(self) -> str:
        """It as a group of an expression, with something that follows."""
        return f"({re.escape(self.start)}{f'(?!{self.unless})' if self.unless else ''}(?=.))"


PREFIXES = (
    Prefix("lora_unet_", "musubi", "lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight"),
    Prefix("lora_transformer_", "OneTrainer", "lora_transformer_transformer_blocks_0_attn_to_q.lora_down.weight"),
    Prefix("lycoris_", "LyCORIS", "lycoris_transformer_blocks_0_attn_to_q.lokr_w1"),
    Prefix("Hunyuan_video_I2V_lora_", "Tencent", "Hunyuan_video_I2V_lora_double_blocks_0_img_attn_qkv.lora_up.weight"),
    Prefix("Hunyuan_video_lora_", "Tencent", "Hunyuan_video_lora_single_blocks_0_linear1.lora_up.weight"),
    Prefix("diffusion_model.", "diffusion-pipe", "diffusion_model.double_blocks.0.img_mlp.fc1.lora_A.weight"),
    Prefix("base_model.model.", "peft", "base_model.model.transformer_blocks.0.attn.to_q.lora_A.default_0.weight"),
    Prefix("transformer.", "diffusers", "transformer.transformer_blocks.0.attn.to_q.lora_B.weight"),
    Prefix("model.", "ComfyUI", "model.diffusion_model.double_blocks.0.img_mod.lin.lora_down.weight"),
    Prefix("unet.", "diffusers", "unet.transformer_blocks.0.attn.to_q.lora.down.weight"),
    Prefix("module.", "plain", "module.single_blocks.0.modulation.linear.lora_A.weight"),
    Prefix("_orig_mod.", "plain", "_orig_mod.transformer_blocks.0.attn.to_q.lora_A.weight"),
    Prefix("pipe.", "diffusers", "pipe.transformer.transformer_blocks.0.attn.to_q.lora_A.weight"),
    # Flat, and mostly behind another: lora_unet_diffusion_model_, lycoris_transformer_.
    Prefix("diffusion_model_", "plain", "diffusion_model_double_blocks_0_img_attn_qkv.lora_down.weight"),
    Prefix("transformer_", "plain", "transformer_transformer_blocks_0_attn_to_q.lora_down.weight", unless="blocks"),
)
STARTS = re.compile("|".join(prefix.sign for prefix in PREFIXES), re.DOTALL)


@dataclass(frozen=True)
class Part:
    """What a tensor is to a change: the kind of the change, its part in it, how the name ends, and a name."""

    kind: str
    part: str
    ending: str
    example: str


# PEFT's name of the adapter, or the number of a part of a fused layer.
NAMED = r"(?:\.(?P<adapter>(?!weight$|bias$)[^.]+))?"
DOWN = r"(?:\.lora_A|[._]lora[._]down|\.lora_linear_layer\.down)"
UP = r"(?:\.lora_B|[._]lora[._]up|\.lora_linear_layer\.up)"
FACTOR = r"(?:(?:lora|hada|lokr)\w*\.)?"
PARTS = (
    Part("lora", "down", rf"{DOWN}{NAMED}\.weight", "a.lora_down.weight"),
    Part("lora", "up", rf"{UP}{NAMED}\.weight", "a.lora_B.my_style.weight"),
    Part("lora", "mid", r"\.lora_mid\.weight", "a.lora_mid.weight"),
    Part("lora", "bias", rf"{UP}{NAMED}\.bias", "a.lora_B.bias"),
    Part("loha", r"\g<part>", rf"\.hada_(?P<part>w[12]_[ab]|t[12]){NAMED}", "a.hada_w1_a"),
    Part("lokr", r"\g<part>", rf"\.lokr_(?P<part>w[12](?:_[ab])?|t2){NAMED}", "a.lokr_w2_b"),
    Part("diff", "diff", r"\.(?:diff|w_norm)", "a.diff"),
    Part("bias", "diff", r"\.(?:diff_b|b_norm)", "a.diff_b"),
    Part("", "magnitude", rf"\.(?:dora_scale|lora_magnitude_vector{NAMED}(?:\.weight)?)", "a.dora_scale"),
    Part("", "alpha", r"\.(?:lora_)?alpha", "a.alpha"),
    # FP8 and the like with numbers of their own to multiply by: what the others hold is not the change.
    Part("", "scale", rf"\.{FACTOR}(?:weight[_.])?(?:scale\w*|\w+_scale)", "a.lora_down.weight_scale"),
)
ENDINGS = tuple((part, re.compile(rf"(?P<layer>.+?){part.ending}", re.DOTALL)) for part in PARTS)


@dataclass(frozen=True)
class Tensor:
    """A tensor's name taken apart; `layer` with its prefix, `kind` empty for what belongs to a change of any kind."""

    key: str
    layer: str
    kind: str
    part: str
    adapter: str


@dataclass(frozen=True)
class Other:
    """Something that is not merged, by a sign in its names; and a name of it."""

    name: str
    sign: re.Pattern[str]
    example: str


# Changes that are no sum with the weight, or of which a file holds not all. PEFT's and LyCORIS' names.
KINDS = (
    Other("OFT/BOFT", re.compile(r"\.(oft_|boft_)"), "lora_unet_a.oft_blocks"),
    Other("GLoRA", re.compile(r"\.([ab][12]|bm[12])(\.weight)?$"), "lora_unet_a.a1.weight"),
    Other("IA3", re.compile(r"\.(ia3_|on_input$)"), "lora_unet_a.on_input"),
    Other("VeRA", re.compile(r"(^|\.)vera_"), "base_model.vera_A"),
    Other("VB-LoRA", re.compile(r"(^|\.)vblora_"), "base_model.vblora_vector_bank"),
    Other("RandLoRA", re.compile(r"(^|\.)randlora_"), "base_model.randlora_A"),
    Other("FourierFT", re.compile(r"\.fourierft_"), "base_model.model.a.fourierft_spectrum"),
    Other("HRA", re.compile(r"\.hra_"), "base_model.model.a.hra_u"),
    Other("SHiRA", re.compile(r"\.shira_"), "base_model.model.a.shira_weight"),
    Other("C3A", re.compile(r"\.c3a_"), "base_model.model.a.c3a_kernel"),
    Other("MiSS/Bone", re.compile(r"\.(miss_|bone_)"), "base_model.model.a.bone_block"),
    Other("RoAd", re.compile(r"\.road_"), "base_model.model.a.road_theta"),
    Other("X-LoRA", re.compile(r"xlora"), "xlora_depth"),
    Other("Textual Inversion", re.compile(r"^(clip_[lg]|t5xxl|llama|emb_params|string_to_param.*|<.*>)$"), "clip_l"),
)
# Layers of other families, flat. Those that have ours by the same names are told by their number (`is_flux`).
FAMILIES = (
    Other(
        "Stable Diffusion / SDXL",
        re.compile(r"^(input_blocks|output_blocks|middle_block|down_blocks|up_blocks|mid_block)_"),
        "input_blocks_4_1_transformer_blocks_0_attn1_to_q",
    ),
    Other("Stable Diffusion 3", re.compile(r"^joint_blocks_"), "joint_blocks_0_x_block_attn_qkv"),
    Other("Wan", re.compile(r"^blocks_\d+_(self_attn|cross_attn|ffn|attn[12])_"), "blocks_0_self_attn_q"),
    Other("LTX-Video", re.compile(r"^transformer_blocks_\d+_attn[12]_"), "transformer_blocks_0_attn1_to_q"),
    Other("Qwen-Image", re.compile(r"^transformer_blocks_\d+_(img|txt)_m"), "transformer_blocks_0_img_mod_1"),
    Other("HiDream", re.compile(r"^(double|single)_stream_(blocks|layers)_"), "single_stream_blocks_0_attn1_to_q"),
    Other("Z-Image", re.compile(r"^layers_\d+_(attention|feed_forward)_"), "layers_0_attention_to_q"),
    Other("Mochi / CogVideoX", re.compile(r"^(patch_embed|pos_embed)_"), "patch_embed_proj"),
)


def read_name(key: str) -> Tensor | None:
    """A tensor's name taken apart; None for one that is no part of a change."""
    if len(key) > LONGEST:
        return None
    for part, ending in ENDINGS:
        found = ending.fullmatch(key)
        if found:
            groups = found.groupdict()
            name = found.expand(part.part) if "<" in part.part else part.part
            return Tensor(key, found["layer"], part.kind, name, groups.get("adapter") or "")
    return None


def split_prefix(layer: str) -> tuple[str, str]:
    """A layer's name without its prefixes, and the format that the first of them tells.

    Programs that convert files put one before another.
    """
    form, place = "", 0
    while found := STARTS.match(layer, place):
        place, form = found.end(), form or PREFIXES[(found.lastindex or 1) - 1].format
    return layer[place:].replace(".processor.", "."), form or "plain"


def other_kind(keys: Iterable[str]) -> str | None:
    """The kind of a file that holds a change which is not merged."""
    every = [key for key in keys if len(key) <= LONGEST]
    return next((kind.name for kind in KINDS if any(kind.sign.search(key) for key in every)), None)


def other_family(layers: Iterable[str]) -> str | None:
    """The family of models that most layers of these flat names are of, where it is another."""
    every = list(layers)
    if is_flux(every):
        return "Flux"
    counts = ((family.name, sum(family.sign.search(layer) is not None for layer in every)) for family in FAMILIES)
    return next((name for name, count in counts if count and 2 * count >= len(every)), None)


def is_flux(layers: Iterable[str]) -> bool:
    """Whether all of Flux's blocks are there and none more: it has 19 and 38 where HunyuanVideo has 20 and 40."""
    found: dict[str, set[int]] = {"double": set(), "single": set()}
    for layer in layers:
        block = re.match(r"(?:(double|single)_blocks|(single_)?transformer_blocks)_(\d{1,4})_", layer)
        if block:
            found[block[1] or ("single" if block[2] else "double")].add(int(block[3]))
    return found == {"double": set(range(19)), "single": set(range(38))}
