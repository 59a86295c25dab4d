"""One low-rank change of a transformer, written as a LoRA file in every way that trainers do it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from eichi.catalog import Shapes, find
from eichi.models.layers import BLOCKS

RANK, ALPHA = 2, 3.0
# Of the published transformers, which no test has the weights of.
PUBLISHED = find("framepack").published["transformer"].shapes


@dataclass(frozen=True)
class Change:
    """What one layer of the original changes: `down` [rank, in], `up` [out, rank], and the weights its rows are of."""

    number: str
    original: str
    weights: tuple[str, ...]
    down: Tensor
    up: Tensor


def changes(shapes: Shapes, rank: int = RANK) -> list[Change]:
    """A random change of every block of a model of these shapes. A trainer's names keep their dots."""
    draw = torch.Generator().manual_seed(3)
    dotted = {"_mod_linear": "_mod.linear", "_fc": ".fc", "modulation_linear": "modulation.linear"}
    made = []
    for theirs, block, table in BLOCKS[:2]:
        for number in sorted({name.split(".")[1] for name in shapes if name.startswith(f"{block}.")}):
            matrices: dict[str, str] = {}
            for alias, parts in table.items():  # ComfyUI's names for the same come after the original's
                if "norm_" not in parts:
                    matrices.setdefault(parts, alias)
            for parts, alias in matrices.items():
                weights = tuple(f"{block}.{number}.{part}.weight" for part in parts.split())
                rows, columns = sum(shapes[name][0] for name in weights), shapes[weights[0]][1]
                for flat, dots in dotted.items():
                    alias = alias.replace(flat, dots)
                down = torch.randn(rank, columns, generator=draw) * 0.1
                up = torch.randn(rows, rank, generator=draw) * 0.1
                made.append(Change(number, f"{theirs}.{number}.{alias}", weights, down, up))
    return made


def split(made: list[Change], shapes: Shapes) -> dict[str, tuple[Tensor, Tensor]]:
    """The same change by our layers: (down, up) by name."""
    pairs = {}
    for change in made:
        ups = change.up.split([shapes[name][0] for name in change.weights])
        for name, up in zip(change.weights, ups, strict=True):
            pairs[name.removesuffix(".weight")] = change.down.clone(), up.clone()
    return pairs


def whole(made: list[Change]) -> dict[str, tuple[Tensor, Tensor]]:
    """The same change by the original's layers."""
    return {change.original: (change.down, change.up) for change in made}


def write(path: Path, tensors: Mapping[str, Tensor], header: dict[str, str] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Tensors of their own: the format holds none that share memory.
    save_file({name: tensor.clone().contiguous() for name, tensor in tensors.items()}, path, metadata=header)
    return path


def musubi(path: Path, pairs: Mapping[str, tuple[Tensor, Tensor]], dtype: torch.dtype = torch.float32) -> Path:
    tensors: dict[str, Tensor] = {}
    for name, (down, up) in pairs.items():
        flat = f"lora_unet_{name.replace('.', '_')}"
        tensors |= {f"{flat}.lora_down.weight": down.to(dtype), f"{flat}.lora_up.weight": up.to(dtype)}
        tensors[f"{flat}.alpha"] = torch.tensor(ALPHA, dtype=dtype)
    return write(path, tensors, {"ss_base_model_version": "hunyuan_video", "ss_network_dim": str(RANK)})


def lettered(prefix: str, pairs: Mapping[str, tuple[Tensor, Tensor]], factor: float = 1.0) -> dict[str, Tensor]:
    """Keys as peft writes them; alpha, where there is no place for it, goes into `up` as `factor`."""
    tensors: dict[str, Tensor] = {}
    for name, (down, up) in pairs.items():
        tensors |= {f"{prefix}{name}.lora_A.weight": down, f"{prefix}{name}.lora_B.weight": up * factor}
    return tensors


def diffusers(path: Path, pairs: Mapping[str, tuple[Tensor, Tensor]]) -> Path:
    settings = {"transformer.lora_alpha": ALPHA, "transformer.r": RANK}
    return write(path, lettered("transformer.", pairs), {"lora_adapter_metadata": json.dumps(settings)})


def peft(path: Path, pairs: Mapping[str, tuple[Tensor, Tensor]]) -> Path:
    path = write(path.parent / path.stem / "adapter_model.safetensors", lettered("base_model.model.", pairs))
    path.with_name("adapter_config.json").write_text(json.dumps({"lora_alpha": ALPHA, "r": RANK}))
    return path


# Name of the format, whether layers have the original's names, and how the file is written.
Writer = Callable[[Path, Mapping[str, tuple[Tensor, Tensor]]], Path]
FORMATS: dict[str, tuple[str, bool, Writer]] = {
    "musubi": ("musubi", False, musubi),
    "musubi, original": ("musubi", True, musubi),
    "diffusion-pipe": (
        "diffusion-pipe",
        True,
        lambda path, pairs: write(path, lettered("diffusion_model.", pairs, ALPHA / RANK)),
    ),
    "diffusion-pipe, ours": (
        "diffusion-pipe",
        False,
        lambda path, pairs: write(path, lettered("diffusion_model.", pairs, ALPHA / RANK)),
    ),
    "diffusers": ("diffusers", False, diffusers),
    "diffusers, original": ("diffusers", True, diffusers),
    "peft": ("peft", False, peft),
    "original": ("plain", True, lambda path, pairs: write(path, lettered("", pairs, ALPHA / RANK))),
}


def build(path: Path, name: str, shapes: Shapes) -> Path:
    """A file of the change in one of the formats."""
    _, original, writer = FORMATS[name]
    made = changes(shapes)
    return writer(path, whole(made) if original else split(made, shapes))
