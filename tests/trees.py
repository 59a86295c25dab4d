"""The files that people have, made small: a checkpoint's parts written as other programs write them.

Every function here goes from our names to theirs, by the structure of the networks; what it does must be undone by the
code under test.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from diffusers import AutoencoderKLHunyuanVideo
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from eichi.catalog import HUNYUAN, NETWORKS, Entry, Published, find
from eichi.models.comfy import SHIPPED
from tests import small

Tensors = dict[str, Tensor]
LLAMA, CLIP = SHIPPED
EIGHT = torch.float8_e4m3fn
NORM = ("norm", "bias")  # what Kijai's files keep in bfloat16, by what the name contains


def parts(root: Path) -> dict[str, Tensors]:
    """The tensors of every network of a checkpoint, by our names."""
    return {part: load_file(next((root / part).glob("*.safetensors"))) for part in NETWORKS}


def known(root: Path, name: str = "framepack") -> Entry:
    """The catalogue's entry of a published model as if a small checkpoint were what was published."""
    entry, like = find(name), find("tiny")
    published = {
        part: Published(
            json.loads((root / part / "config.json").read_text(encoding="utf-8")),
            {key: tuple(tensor.shape) for key, tensor in tensors.items()},
        )
        for part, tensors in parts(root).items()
    }
    spare = {"feature_extractor": root / "feature_extractor"}
    # Its tokenizer knows whole words.
    template = replace(HUNYUAN, head=len(HUNYUAN.text.split("{}")[0].split()) + 1)
    entry = replace(entry, sizes=like.sizes, resolution=like.resolution, anatomy=like.anatomy, template=template)
    return replace(entry, published=published, spare=spare)


def write(path: Path, tensors: Mapping[str, Tensor]) -> Path:
    """A file with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    return path


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> Tensors:
    return {f"{prefix}{name}": tensor for name, tensor in tensors.items()}


def half(tensors: Mapping[str, Tensor], dtype: torch.dtype = torch.bfloat16) -> Tensors:
    return {name: tensor.to(dtype) for name, tensor in tensors.items()}


def mixed(tensors: Mapping[str, Tensor]) -> Tensors:
    """Kijai's: a type for each tensor, eight bits without any scale."""
    kept = {name: any(part in name for part in NORM) for name in tensors}
    return {name: tensor.to(torch.bfloat16 if kept[name] else EIGHT) for name, tensor in tensors.items()}


def scaled(tensors: Mapping[str, Tensor]) -> Tensors:
    """ComfyUI's: every linear layer in eight bits with a scale beside it, and a mark that it is so."""
    made: Tensors = {"scaled_fp8": torch.empty(2, dtype=EIGHT)}
    for name, tensor in tensors.items():
        if tensor.ndim == 2 and "embed" not in name:
            scale = tensor.float().abs().max() / 448
            made[name] = (tensor.float() / scale).to(EIGHT)
            made[name.removesuffix("weight") + "scale_weight"] = scale
        else:
            made[name] = tensor.half()
    return made


def llama(tensors: Mapping[str, Tensor]) -> Tensors:
    """A whole language model, with its vocabulary as a tensor and a tower for pictures."""
    extra = {"lm_head.weight": torch.ones(4, 4), "tokenizer": torch.zeros(9, dtype=torch.uint8)}
    tower = {"vision_tower.vision_model.embeddings.patch_embedding.weight": torch.ones(2, 3, 2, 2)}
    return prefixed("model.", tensors) | extra | tower


def clip(tensors: Mapping[str, Tensor]) -> Tensors:
    extra = {"logit_scale": torch.ones(()), "text_projection.weight": torch.ones(3, 3)}
    return prefixed("text_model.", tensors) | extra


def causal(network: AutoencoderKLHunyuanVideo) -> Tensors:
    """The VAE's tensors by the names of the first latent diffusion models, named by walking through the network."""
    made: Tensors = {}

    def take(theirs: str, layer: nn.Module | None, flat: bool = False) -> None:
        for name, tensor in ({} if layer is None else layer.state_dict()).items():
            matrix = flat and tensor.ndim == 2
            made[f"{theirs}.{name}"] = tensor.reshape(*tensor.shape, 1, 1, 1) if matrix else tensor

    def block(theirs: str, layer: nn.Module) -> None:
        for name, child in layer.named_children():
            take(f"{theirs}.{'nin_shortcut' if name == 'conv_shortcut' else name}", child)

    for half, levels in (("encoder", network.encoder.down_blocks), ("decoder", network.decoder.up_blocks)):
        side, way = getattr(network, half), "down" if half == "encoder" else "up"
        for i, level in enumerate(levels if half == "encoder" else reversed(list(levels))):
            for j, resnet in enumerate(level.resnets):
                block(f"{half}.{way}.{i}.block.{j}", resnet)
            for sampler in (level.downsamplers if half == "encoder" else level.upsamplers) or ():
                take(f"{half}.{way}.{i}.{way}sample", sampler)
        for j, resnet in enumerate(side.mid_block.resnets, start=1):
            block(f"{half}.mid.block_{j}", resnet)
        for attention in side.mid_block.attentions:
            if attention is not None:
                names = ("group_norm", "norm"), ("to_q", "q"), ("to_k", "k"), ("to_v", "v")
                for ours, theirs in names:
                    take(f"{half}.mid.attn_1.{theirs}", getattr(attention, ours), flat=True)
                take(f"{half}.mid.attn_1.proj_out", attention.to_out[0], flat=True)
        take(f"{half}.conv_in", side.conv_in)
        take(f"{half}.norm_out", side.conv_norm_out)
        take(f"{half}.conv_out", side.conv_out)
    take("quant_conv", network.quant_conv)
    take("post_quant_conv", network.post_quant_conv)
    return made


def checkpoint(folder: Path) -> Path:
    """A small checkpoint whose tokenizers say whose they are."""
    small.build(folder)
    for part, mark in (("tokenizer", "<|begin_of_text|>"), ("tokenizer_2", "<|startoftext|>")):
        path = folder / part / "tokenizer_config.json"
        path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"told": mark}), encoding="utf-8")
    return folder


def tokenizers(root: Path, place: Path) -> None:
    """Those that ComfyUI ships."""
    shutil.copytree(root / "tokenizer", place / LLAMA)
    shutil.copytree(root / "tokenizer_2", place / CLIP)


def split(root: Path, place: Path) -> None:
    """ComfyUI's own folders, as its guide says, with Kijai's transformer."""
    tensors, models = parts(root), place / "models"
    write(models / "diffusion_models" / "FramePackI2V_HY_fp8_e4m3fn.safetensors", mixed(tensors["transformer"]))
    write(
        models / "text_encoders" / "llava_llama3_fp8_scaled.safetensors",
        llama(scaled(tensors["text_encoder"])),
    )
    write(models / "clip" / "clip_l.safetensors", clip(tensors["text_encoder_2"]))
    write(models / "clip_vision" / "sigclip.safetensors", prefixed("vision_model.", tensors["image_encoder"]))
    write(models / "vae" / "hunyuan_video_vae_bf16.safetensors", half(tensors["vae"]))
    tokenizers(root, place)


def single(root: Path, place: Path) -> None:
    """One bf16 file for each part, in folders below the folders, and F1 beside the standard one."""
    tensors, models = parts(root), place / "models"
    for name in ("FramePackI2V_HY_bf16", "FramePack_F1_I2V_HY_20250503"):
        write(models / "unet" / "video" / f"{name}.safetensors", half(tensors["transformer"]))
    write(
        models / "text_encoders" / "a" / "llava_llama3_fp16.safetensors",
        llama(half(tensors["text_encoder"], torch.float16)),
    )
    write(models / "text_encoders" / "clip_l.safetensors", clip(tensors["text_encoder_2"]))
    write(models / "clip_vision" / "b.safetensors", prefixed("vision_model.", tensors["image_encoder"]))
    write(models / "vae" / "vae.safetensors", prefixed("vae.", tensors["vae"]))
    tokenizers(root, place)


def folders(root: Path, place: Path) -> None:
    """Whole folders: those of Kijai's nodes, transformer and language model in several files."""
    tensors, models = parts(root), place / "models"
    for folder, part in (
        ("diffusers/lllyasviel/FramePackI2V_HY", "transformer"),
        ("LLM/llava-llama-3-8b", "text_encoder"),
    ):
        names = list(tensors[part])
        halves = {"model-1.safetensors": names[::2], "model-2.safetensors": names[1::2]}
        for file, keys in halves.items():
            write(models / folder / file, {key: tensors[part][key] for key in keys})
        table = {key: file for file, keys in halves.items() for key in keys}
        (models / folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": table}))
        shutil.copy(root / part / "config.json", models / folder)
    shutil.copytree(root / "tokenizer", models / "LLM" / "llava-llama-3-8b", dirs_exist_ok=True)
    shutil.copytree(root / "tokenizer_2", models / "clip" / "clip-vit-large-patch14")
    write(models / "clip" / "clip-vit-large-patch14" / "model.safetensors", clip(tensors["text_encoder_2"]))
    write(models / "clip_vision" / "b.safetensors", prefixed("vision_model.", tensors["image_encoder"]))
    write(models / "vae" / "vae.safetensors", tensors["vae"])


def flat(root: Path, place: Path) -> None:
    """All in a folder of the user's, under names that say nothing but which model it is."""
    for i, (part, made) in enumerate(parts(root).items()):
        write(place / f"{i}{' framepack' * (part == 'transformer')}.safetensors", made)
    for part in ("tokenizer", "tokenizer_2"):
        shutil.copytree(root / part, place / part)


TREES: dict[str, Callable[[Path, Path], None]] = {"split": split, "single": single, "folders": folders, "flat": flat}
