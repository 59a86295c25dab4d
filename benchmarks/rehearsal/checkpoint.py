"""The random checkpoint in the layouts that people have, written once and gone on with where it was left.

`published` is what the hub has: the transformer in three files of bfloat16, LLaMA in four of float16, the other parts,
and the embedded model's tokenizers. It lies as the program keeps what it has fetched, and a folder of links with a card
makes a model of it that draws 64x64, which the published models' table does not have. `kijai` is the transformer as one
file, its matrices in eight bits without scales; `comfy` is ComfyUI's tree of single files.
"""

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLHunyuanVideo
from torch import nn

from benchmarks.rehearsal.numbers import Layout, Pool, size_of, write_numbers
from eichi.catalog import CARD, NETWORKS, find
from eichi.files import remove
from eichi.models.fp8 import eligible
from eichi.models.networks import make_network

SPARE = 3 * 2**30  # bytes to be left on the disk
SIDE = 64
RANK = 32
TRANSFORMER = "diffusion_pytorch_model"
SHARDS = {"transformer": 3, "text_encoder": 4}
FULL, SMALL = "framepack", "tiny"


@dataclass(frozen=True)
class Files:
    """What belongs to one layout: weights by their files, and small files with their text."""

    weights: Mapping[Path, Layout]
    texts: Mapping[Path, str]

    @property
    def size(self) -> int:
        """Bytes of all weights."""
        return sum(map(size_of, self.weights.values()))

    @property
    def missing(self) -> int:
        """Bytes that are still to be written."""
        return sum(size_of(layout) for path, layout in self.weights.items() if not _whole(path, layout))


class Checkpoint:
    """The files of the rehearsal below one folder, of full size or small."""

    def __init__(self, folder: Path, full: bool) -> None:
        self.folder, self.full = folder, full
        self.home = folder / "home"
        self.like = FULL if full else SMALL
        self.published = find(self.like).published
        self.networks = {part: make_network(part, self.published[part].config) for part in NETWORKS}
        self.layouts = {"published": self._published, "kijai": self._kijai, "comfy": self._comfy, "lora": self._lora}

    def model(self, layout: str) -> str:
        """What a request calls the model that draws with a layout's transformer."""
        if layout == "embedded":
            return SMALL
        return str(self.folder / "published" if layout == "published" else self.files(layout)[0])

    def files(self, layout: str) -> list[Path]:
        """The weights of a layout, its transformer first."""
        return list(self.layouts[layout]().weights)

    @property
    def lora(self) -> Path:
        return self.folder / "lora" / "every_matrix.safetensors"

    @property
    def picture(self) -> Path:
        return self.folder / "picture.png"

    def write(self, layout: str, tell: Any) -> None:
        """Write what a layout lacks. Raises OSError where there is too little room."""
        files = self.layouts[layout]()
        self.folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.folder).free
        if files.missing and files.missing + SPARE * self.full > free:
            raise OSError(
                f"{self.folder}: {files.missing / 1e9:.1f} GB are to be written, {SPARE / 1e9:.0f} GB to be left, and "
                f"{free / 1e9:.1f} GB are free. --folder names another place."
            )
        pool = Pool(2**25 if self.full else 2**16)
        for path, weights in files.weights.items():
            if write_numbers(path, weights, pool):
                tell(f"{path.relative_to(self.folder)}: {size_of(weights) / 1e9:.2f} GB written")
        for path, text in files.texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self.furnish()

    def drop(self, layout: str) -> None:
        """Remove the weights of a layout."""
        for path in self.layouts[layout]().weights:
            remove(path)

    def _published(self) -> Files:
        weights: dict[Path, Layout] = {}
        texts: dict[Path, str] = {}
        for part, network in self.networks.items():
            name = TRANSFORMER if part in ("transformer", "vae") else "model"
            shapes = _layout(network, "BF16" if part == "transformer" else "F16")
            pieces = _pieces(shapes, SHARDS.get(part, 1) if self.full else min(SHARDS.get(part, 1), 3))
            if len(pieces) == 1:
                weights[self._place(part) / f"{name}.safetensors"] = shapes
                continue
            table: dict[str, str] = {}
            for number, piece in enumerate(pieces, start=1):
                file = f"{name}-{number:05}-of-{len(pieces):05}.safetensors"
                weights[self._place(part) / file] = piece
                table |= dict.fromkeys(piece, file)
            index = {"metadata": {"total_size": sum(map(size_of, pieces))}, "weight_map": table}
            texts[self._place(part) / f"{name}.safetensors.index.json"] = json.dumps(index)
        return Files(weights, texts)

    def _kijai(self) -> Files:
        """Every tensor in eight bits but those that have "norm" or "bias" in their names."""
        shapes = _layout(self.networks["transformer"], "BF16")
        mixed = {
            name: (kind if "norm" in name or "bias" in name else "F8_E4M3", shape)
            for name, (kind, shape) in shapes.items()
        }
        place = self.folder / "kijai"
        return Files({place / "FramePackI2V_HY_fp8_e4m3fn.safetensors": mixed}, {place / CARD: self._card})

    def _comfy(self) -> Files:
        """Single files in ComfyUI's folders, with what its files have that is nobody's here."""
        place, networks = self.folder / "comfy" / "models", self.networks
        rows, width = networks["text_encoder"].get_parameter("embed_tokens.weight").shape
        spare = {"lm_head.weight": ("F16", (rows, width)), "tokenizer": ("U8", (9_000_000 if self.full else 9,))}
        weights: dict[Path, Layout] = {
            place / "diffusion_models" / "FramePackI2V_HY_bf16.safetensors": _layout(networks["transformer"], "BF16"),
            place / "text_encoders" / "llava_llama3_fp16.safetensors": _behind("model.", networks["text_encoder"])
            | spare,
            place / "text_encoders" / "clip_l.safetensors": _behind("text_model.", networks["text_encoder_2"]),
            place / "vae" / "hunyuan_video_vae_bf16.safetensors": _causal(networks["vae"]),
            place / "clip_vision" / "sigclip_vision_patch14_384.safetensors": _behind(
                "vision_model.", networks["image_encoder"]
            ),
        }
        return Files(weights, {place / "diffusion_models" / CARD: self._card})

    def _lora(self) -> Files:
        """A LoRA of every matrix of the blocks."""
        weights: dict[str, tuple[str, tuple[int, ...]]] = {}
        for name, (_, shape) in _layout(self.networks["transformer"], "BF16").items():
            if eligible(name, len(shape)):
                layer = f"transformer.{name.removesuffix('.weight')}"
                weights[f"{layer}.lora_A.weight"] = "BF16", (RANK, shape[1])
                weights[f"{layer}.lora_B.weight"] = "BF16", (shape[0], RANK)
        return Files({self.lora: weights}, {})

    @property
    def _card(self) -> str:
        """What says how the weights behave and what they draw."""
        return json.dumps({"like": self.like, "sizes": {SIDE: [[SIDE, SIDE]]}})

    def _place(self, part: str) -> Path:
        """Where the program would have put a part that it has fetched; of a small one, beside the others."""
        if not self.full:
            return self.home / "models" / "random" / part
        source = find(self.like).parts[part]
        assert source.repository is not None, "the published models are of repositories"
        return self.home / "models" / source.repository / source.folder

    def furnish(self) -> None:
        """What is no weights: configurations, tokenizers, the folder of links, a picture."""
        for part, made in self.published.items():
            self._place(part).mkdir(parents=True, exist_ok=True)
            (self._place(part) / "config.json").write_text(json.dumps(made.config), encoding="utf-8")
        root = find(SMALL).root
        assert root is not None, "the embedded model lies in a folder"
        for part in ("tokenizer", "tokenizer_2", "feature_extractor"):
            shutil.copytree(root / part, self._place(part), dirs_exist_ok=True)
        if self.full:
            _enlarge(self._place("feature_extractor") / "preprocessor_config.json", 384)
        links = self.folder / "published"
        links.mkdir(parents=True, exist_ok=True)
        for part in find(self.like).parts:
            link = links / part
            if not link.is_symlink():
                link.symlink_to(self._place(part).resolve(), target_is_directory=True)
        (links / CARD).write_text(self._card, encoding="utf-8")
        _draw(self.picture)


def _whole(path: Path, layout: Layout) -> bool:
    return path.is_file() and path.stat().st_size == size_of(layout)


def _layout(network: nn.Module, kind: str) -> dict[str, tuple[str, tuple[int, ...]]]:
    """All weights of a network in one type."""
    return {name: (kind, tuple(tensor.shape)) for name, tensor in network.state_dict().items()}


def _behind(prefix: str, network: nn.Module) -> dict[str, tuple[str, tuple[int, ...]]]:
    """All weights of a network in float16, behind the name of what it is a part of."""
    return {f"{prefix}{name}": told for name, told in _layout(network, "F16").items()}


def _causal(network: nn.Module) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The VAE's weights in bfloat16 by ComfyUI's names, as the tests have worked them out."""
    from tests.trees import causal

    assert isinstance(network, AutoencoderKLHunyuanVideo)
    return {name: ("BF16", tuple(tensor.shape)) for name, tensor in causal(network).items()}


def _pieces(layout: Layout, count: int) -> list[dict[str, tuple[str, tuple[int, ...]]]]:
    """A layout in so many files of about the same size."""
    whole, done = sum(size_of({name: told}) for name, told in layout.items()), 0
    pieces: list[dict[str, tuple[str, tuple[int, ...]]]] = [{} for _ in range(count)]
    for name, told in layout.items():
        pieces[min(done * count // whole, count - 1)][name] = told
        done += size_of({name: told})
    return pieces


def _enlarge(path: Path, side: int) -> None:
    """Let a processor of pictures make them of another side."""
    told = json.loads(path.read_text(encoding="utf-8")) | {"size": {"height": side, "width": side}}
    path.write_text(json.dumps(told), encoding="utf-8")


def _draw(path: Path) -> None:
    from PIL import Image

    torch.manual_seed(0)
    Image.fromarray(torch.randint(0, 256, (SIDE, SIDE, 3), dtype=torch.uint8).numpy()).save(path)


def tell(text: str) -> None:
    """A word for who waits, beside the table."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
