"""LoRA files as they come from trainers, read into one form and matched with a model, without torch.

A LoRA adds `strength · alpha / rank · up @ down` to a weight. Four ways of writing that down are in use:

    musubi          lora_unet_transformer_blocks_0_attn_to_q.lora_down.weight / .lora_up.weight / .alpha
    diffusion-pipe  diffusion_model.double_blocks.0.img_attn_qkv.lora_A.weight / .lora_B.weight
    diffusers       transformer.transformer_blocks.0.attn.to_q.lora_A.weight, alpha in the header
    peft            base_model.model.transformer_blocks.0.attn.to_q.lora_A.weight, alpha in adapter_config.json

Each comes with FramePack's names for the layers or with the original HunyuanVideo's (`layers`). Only headers and
alphas are read here: what a file is and what it fits is known before any time is spent. Nothing is unpickled.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite, prod, sqrt
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from eichi.errors import LoraError
from eichi.models.layers import ORIGINAL, aliases, flat
from eichi.models.shapes import Shapes
from eichi.text import shorten

FORMATS = {
    "lora_unet_": "musubi",
    "diffusion_model.": "diffusion-pipe",
    "transformer.": "diffusers",
    "base_model.model.": "peft",
}
PART = re.compile(r"(.+?)\.(?:lora_A|lora[._]down|(lora_B|lora[._]up))(?:\.default)?\.weight")
# With these beside it, a pair of matrices does not mean what it means in a LoRA: DoRA and a third matrix.
OTHERWISE = re.compile(r"(.+?)\.(?:dora_scale|lora_magnitude_vector.*|lora_mid.*)")


@dataclass(frozen=True)
class Layer:
    """One pair of matrices: keys of `down` [rank, inputs …] and `up` [outputs, rank …] in the file."""

    down: str
    up: str
    rank: int
    alpha: float
    inputs: int
    outputs: int


@dataclass(frozen=True)
class LoraFile:
    """What a file holds: layers by the name it gives them, its prefix removed; `rest` are keys of anything else."""

    path: Path
    format: str
    layers: dict[str, Layer]
    rest: tuple[str, ...]
    base: str | None
    architecture: str | None

    @property
    def original(self) -> bool:
        """Whether layers have the names of the original HunyuanVideo."""
        return any(name.startswith(ORIGINAL) for name in self.layers)


@dataclass(frozen=True)
class Share:
    """What one layer adds to one weight: rows [first, first + rows) of its `up`."""

    layer: Layer
    first: int
    rows: int


@dataclass(frozen=True)
class Match:
    """A file and a model: `shares` by name of the model's weights, `unmatched` keys of the file."""

    file: LoraFile
    model: str
    shares: dict[str, Share]
    unmatched: tuple[str, ...]

    @property
    def foreign(self) -> bool:
        """Whether the file says that it was made for a model of another family. Sizes alone cannot tell Flux's."""
        stated = (self.file.architecture or "").lower()
        return bool(stated) and not any(name in stated for name in ("hunyuan", "framepack"))

    @property
    def report(self) -> "LoraReport":
        """What is to be told of it."""
        used = {share.layer for share in self.shares.values()}
        return LoraReport(
            file=str(self.file.path),
            format=self.file.format,
            names="hunyuanvideo" if self.file.original else "framepack",
            base=self.file.base,
            model=self.model,
            layers=len(self.file.layers),
            matched=len(used),
            weights=tuple(sorted(self.shares)),
            unmatched=self.unmatched,
            rank=tuple(sorted({layer.rank for layer in used})),
            alpha=tuple(sorted({layer.alpha for layer in used})),
        )

    @property
    def figures(self) -> dict[str, str]:
        """The file's part in a sentence."""
        report = self.report
        ranks, alphas = (", ".join(f"{number:g}" for number in row) for row in (report.rank, report.alpha))
        return {"path": report.file, "format": report.format, "rank": ranks, "alpha": alphas}


@dataclass(frozen=True)
class LoraReport:
    """A file and a model that it fits. `weights` are the names of what it changes, `unmatched` keys that it does not.

    `names` are the layers' names, `base` the model that the file names, `rank` and `alpha` those of its layers.
    """

    file: str
    format: str
    names: str
    base: str | None
    model: str
    layers: int
    matched: int
    weights: tuple[str, ...]
    unmatched: tuple[str, ...]
    rank: tuple[int, ...]
    alpha: tuple[float, ...]


def read_lora(path: Path) -> LoraFile:
    """What a LoRA file holds, from its header. Raises LoraError for a file that is none."""
    _check_kind(path)
    try:
        with safe_open(path, framework="numpy") as file:
            shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
            alphas = {key: _number(path, file, key) for key, shape in shapes.items() if _is_alpha(key, shape)}
            header = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise LoraError("error.lora.damaged", path=path, reason=error) from error
    except ValueError as error:
        raise LoraError("error.lora.numbers", path=path, layer=error) from error
    pairs, rest = _pairs(shapes, alphas)
    declared = _declared(path, header)
    layers = {}
    for name, (down, up) in pairs.items():
        rank = shapes[down][0]
        if not rank or prod(shapes[up][1:]) != rank:
            raise LoraError("error.lora.damaged", path=path, reason=f"{up} {shapes[up]}, {down} {shapes[down]}")
        module, _ = _split(name)
        if module in layers:  # once with one prefix, once with another
            rest |= {down, up}
            continue
        alpha = alphas.get(f"{name}.alpha", _declared_alpha(declared, module, rank))
        layers[module] = Layer(down, up, rank, alpha, prod(shapes[down][1:]), shapes[up][0])
    if not layers:
        raise LoraError("error.lora.nothing", path=path, keys=_few(shapes))
    form = _split(next(iter(pairs)))[1]
    return LoraFile(path, form, layers, tuple(sorted(rest)), *_base(header))


def match_lora(file: LoraFile, shapes: Shapes, model: str) -> Match:
    """Which weights of a model a file changes. Raises LoraError for a file that fits none or has other sizes."""
    known = aliases(shapes)
    shares: dict[str, Share] = {}
    unmatched = list(file.rest)
    for name, layer in file.layers.items():
        weights = known.get(flat(name), ())
        if not weights or shares.keys() & weights:
            unmatched += [layer.down, layer.up]
            continue
        ours = sum(shapes[weight][0] for weight in weights), prod(shapes[weights[0]][1:])
        if (layer.outputs, layer.inputs) != ours:
            theirs = f"{layer.outputs}x{layer.inputs}"
            values = {"path": file.path, "layer": name, "theirs": theirs, "ours": f"{ours[0]}x{ours[1]}"}
            raise LoraError("error.lora.shape", model=model, **values)
        first = 0
        for weight in weights:
            shares[weight] = Share(layer, first, shapes[weight][0])
            first += shapes[weight][0]
    if not shares:
        raise LoraError("error.lora.other", path=file.path, model=model, keys=_few(file.layers), base=file.base or "?")
    return Match(file, model, shares, tuple(sorted(unmatched)))


def lora_print(path: Path) -> str:
    """What tells a file from another of the same name: its size and date. Raises LoraError."""
    try:
        stat = path.stat()
    except OSError as error:
        raise LoraError("error.lora.missing", path=path) from error
    return hashlib.sha256(f"{path.name} {stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()[:16]


def _check_kind(path: Path) -> None:
    """Say what a file is that is often taken for a LoRA. Raises LoraError."""
    if not os.path.isfile(path):  # also false for a name that no file can have
        raise LoraError("error.lora.missing", path=path)
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except OSError as error:
        raise LoraError("error.lora.damaged", path=path, reason=error) from error
    # A zip archive or a bare pickle, the two forms of torch.save.
    if start.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x04")):
        raise LoraError("error.lora.pickle", path=path)
    if start.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise LoraError("error.lora.page", path=path)


def _pairs(shapes: Shapes, alphas: dict[str, float]) -> tuple[dict[str, tuple[str, str]], set[str]]:
    """Keys of (down, up) by layer, with the file's prefix, and the keys of everything that is no such pair."""
    halves: dict[str, dict[bool, str]] = {}
    otherwise = {found[1] for key in shapes if (found := OTHERWISE.fullmatch(key))}
    for key in shapes:
        found = PART.fullmatch(key)
        if found and len(shapes[key]) >= 2 and found[1] not in otherwise:
            halves.setdefault(found[1], {})[found[2] is not None] = key
    pairs = {name: (keys[False], keys[True]) for name, keys in halves.items() if len(keys) == 2}
    used = {key for pair in pairs.values() for key in pair} | {f"{name}.alpha" for name in pairs} & alphas.keys()
    return pairs, shapes.keys() - used


def _split(name: str) -> tuple[str, str]:
    """A layer's name without its prefix, and the format that the prefix tells."""
    for prefix, form in FORMATS.items():
        if name.startswith(prefix):
            return name.removeprefix(prefix), form
    return name, "plain"


def _is_alpha(key: str, shape: tuple[int, ...]) -> bool:
    return key.endswith(".alpha") and prod(shape) == 1


def _number(path: Path, file: Any, key: str) -> float:
    """The only value of a tensor. Raises ValueError naming a tensor whose value is no number."""
    if file.get_slice(key).get_dtype() == "BF16":  # numpy has no such type
        value = float(_bfloat16(path, key))
    else:
        value = float(file.get_tensor(key).reshape(()))
    if not isfinite(value):
        raise ValueError(key)
    return value


def _bfloat16(path: Path, key: str) -> np.float32:
    """A bfloat16 is the upper half of a float32."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        begin, _ = json.loads(file.read(length))[key]["data_offsets"]
        file.seek(8 + length + begin)
        return np.frombuffer(b"\0\0" + file.read(2), dtype="<f4")[0]  # type: ignore[no-any-return]


def _declared(path: Path, header: dict[str, str]) -> dict[str, Any]:
    """A LoRA's settings, which diffusers writes into the header and peft beside the file; none where there are none."""
    text = header.get("lora_adapter_metadata")
    try:
        if text is None and path.name == "adapter_model.safetensors":
            text = (path.parent / "adapter_config.json").read_text(encoding="utf-8")
        values: dict[str, Any] = json.loads(text or "{}")
        return {key.removeprefix("transformer."): value for key, value in values.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _declared_alpha(declared: dict[str, Any], module: str, rank: int) -> float:
    """A layer's alpha by its settings; its rank, which means a factor of 1, where they say nothing."""
    own = declared.get("alpha_pattern") or {}
    found = [value for key, value in own.items() if module == key or module.endswith(f".{key}")]
    alpha = found[0] if found else declared.get("lora_alpha")
    if not isinstance(alpha, int | float):
        return float(rank)
    return alpha * sqrt(rank) if declared.get("use_rslora") else float(alpha)


def _base(header: dict[str, str]) -> tuple[str | None, str | None]:
    """The model that a LoRA was made for, as its trainer says, and its family where that is said."""

    def first(*keys: str) -> str | None:
        return next((header[key].strip() for key in keys if header.get(key, "").strip()), None)

    family = first("modelspec.architecture", "ss_base_model_version")
    return family or first("base_model", "ss_sd_model_name"), family


def _few(keys: Iterable[str]) -> str:
    """The first keys, for a sentence."""
    return shorten(", ".join(sorted(keys)), 160)
