"""The names that files have for the layers of HunyuanVideo's VAE, as the names that diffusers' class has for them.

Tencent's own names are diffusers' already. ComfyUI's are those of the first latent diffusion models: in both halves
blocks are counted from the picture, where diffusers counts the decoder's from the latents; the middle has no list, and
attention is a convolution over one place. Knows no file and no tensor.

Source: the names in the state dicts of both; `tests/models/test_vaenames.py` walks a network and names it by structure.
"""

import re
from collections.abc import Iterable

UP = re.compile(r"decoder\.up\.(\d+)\.")
# What stands for what, in this order.
WORDS = (
    (r"^encoder\.down\.(\d+)\.", r"encoder.down_blocks.\1."),
    (r"\.block\.(\d+)\.", r".resnets.\1."),
    (r"\.downsample\.", ".downsamplers.0."),
    (r"\.upsample\.", ".upsamplers.0."),
    (r"\.mid\.block_1\.", ".mid_block.resnets.0."),
    (r"\.mid\.block_2\.", ".mid_block.resnets.1."),
    (r"\.mid\.attn_1\.norm\.", ".mid_block.attentions.0.group_norm."),
    (r"\.mid\.attn_1\.([qkv])\.(conv\.)?", r".mid_block.attentions.0.to_\1."),
    (r"\.mid\.attn_1\.proj_out\.(conv\.)?", ".mid_block.attentions.0.to_out.0."),
    (r"\.nin_shortcut\.", ".conv_shortcut."),
    (r"^((?:en|de)coder)\.norm_out\.", r"\1.conv_norm_out."),
    (r"^((?:post_)?quant_conv)\.conv\.", r"\1."),
)
PATTERNS = tuple((re.compile(theirs), ours) for theirs, ours in WORDS)


def our_names(names: Iterable[str]) -> dict[str, str]:
    """Diffusers' name by the one in a file, for all names of a VAE's file."""
    names = list(names)
    levels = [int(found[1]) for name in names if (found := UP.match(name))]
    return {name: _ours(name, max(levels, default=0)) for name in names}


def _ours(name: str, last: int) -> str:
    """One name; `last` is the number of the decoder's block that is nearest to the latents."""
    found = UP.match(name)
    if found:
        name = f"decoder.up_blocks.{last - int(found[1])}.{name[found.end() :]}"
    for theirs, ours in PATTERNS:
        name = theirs.sub(ours, name)
    return name
