"""The parts of a checkpoint in memory, each loaded when it is first asked for and given back when it is done with.

One code path for the embedded model, a local folder and the hub's cache: all have the Hugging Face layout. On a CPU
everything computes in float32, whatever the files hold; on a GPU the transformer runs in bfloat16 and the rest in
float16, as the weights were made for. Not run on a GPU yet.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers import AutoencoderKLHunyuanVideo, HunyuanVideoFramepackTransformer3DModel
from safetensors import SafetensorError
from torch import nn
from transformers import AutoTokenizer, CLIPTextModel, LlamaModel, SiglipImageProcessorPil, SiglipVisionModel

from eichi.catalog import Entry
from eichi.errors import DeviceError, ModelError
from eichi.models.fp8 import check_product
from eichi.models.locate import locate
from eichi.models.weights import Weights
from eichi.options import WeightsOptions

log = logging.getLogger(__name__)

Loader = Callable[[Path, torch.dtype], Any]


class Components:
    """The parts of one model on one device, loaded on first use.

    `transformer` in its own precision; `vae`, `text_encoder`, `text_encoder_2`, `image_encoder` in `dtype`.
    """

    def __init__(self, entry: Entry, models: Path, device: str = "auto", cache: Path | None = None) -> None:
        """Finds all parts, loads none; `cache` is a folder for what can be kept between jobs.

        Raises ModelError where a part is missing, DeviceError for a device that is not here.
        """
        self.entry = entry
        self.cache = cache
        self.device = pick_device(device)
        gpu = self.device.type != "cpu"
        self.dtype = torch.float16 if gpu else torch.float32
        self.transformer_dtype = torch.bfloat16 if gpu else torch.float32
        self.folders = locate(entry, models)
        self._loaded: dict[str, Any] = {}
        self._wanted = WeightsOptions()
        self._made: Weights | None = None  # once they are as wanted

    def want(self, weights: WeightsOptions) -> None:
        """What the transformer is to be made of from now on; it is made so when it is next asked for.

        Raises DeviceError for what the device cannot do.
        """
        if weights.fp8 != "off" and weights.fp8_math:
            check_product(self.device)
        self._wanted, self._made = weights, None

    @property
    def transformer(self) -> HunyuanVideoFramepackTransformer3DModel:
        """Merged and rounded as was last wanted; only what differs from before is read. Raises LoraError."""
        return self.weights.transformer

    @property
    def weights(self) -> Weights:
        """The transformer with the account of what it is made of."""
        weights: Weights = self._part("transformer", self.transformer_dtype)
        if self._made is not weights:
            with _boundary(self.entry.name, "transformer"):
                weights.change(self._wanted)
            self._made = weights
        return weights

    @property
    def vae(self) -> AutoencoderKLHunyuanVideo:
        model: AutoencoderKLHunyuanVideo = self._part("vae", self.dtype)
        return model

    @property
    def text_encoder(self) -> LlamaModel:
        model: LlamaModel = self._part("text_encoder", self.dtype)
        return model

    @property
    def text_encoder_2(self) -> CLIPTextModel:
        model: CLIPTextModel = self._part("text_encoder_2", self.dtype)
        return model

    @property
    def image_encoder(self) -> SiglipVisionModel:
        model: SiglipVisionModel = self._part("image_encoder", self.dtype)
        return model

    @property
    def tokenizer(self) -> Any:
        return self._part("tokenizer", self.dtype)

    @property
    def tokenizer_2(self) -> Any:
        return self._part("tokenizer_2", self.dtype)

    @property
    def feature_extractor(self) -> SiglipImageProcessorPil:
        model: SiglipImageProcessorPil = self._part("feature_extractor", self.dtype)
        return model

    @property
    def fingerprint(self) -> dict[str, str]:
        """What tells these weights from others: every part's files by name, size and date.

        Hashing forty gigabytes would take longer than most videos.
        """
        return {part: _fingerprint(folder) for part, folder in sorted(self.folders.items())}

    def release(self, *names: str) -> None:
        """Give the memory of parts back; they are loaded again if they are asked for again."""
        for name in names:
            self._loaded.pop(name, None)
        self._made = self._loaded.get("transformer") and self._made
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _part(self, name: str, dtype: torch.dtype) -> Any:
        if name not in self._loaded:
            log.debug("loading %s from %s", name, self.folders[name])
            with _boundary(self.entry.name, name):
                if name == "transformer":
                    part = Weights(self.entry.name, self.folders[name], dtype, self.device)
                else:
                    part = _LOADERS[name](self.folders[name], dtype)
                if isinstance(part, nn.Module):
                    part = part.requires_grad_(False).eval().to(self.device)
            self._loaded[name] = part
        return self._loaded[name]


def _fingerprint(folder: Path) -> str:
    files = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in sorted(folder.iterdir()) if f.is_file()]
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()[:16]


def pick_device(name: str) -> torch.device:
    """The device to run on; "auto" takes the first GPU where there is one. Raises DeviceError."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch's own words for a bad name and for a missing backend
        raise DeviceError("error.device.absent", device=name) from error
    return device


def _vae(folder: Path, dtype: torch.dtype) -> AutoencoderKLHunyuanVideo:
    vae: AutoencoderKLHunyuanVideo = AutoencoderKLHunyuanVideo.from_pretrained(folder, torch_dtype=dtype)
    # The temporal grid is walked by pipeline.decode, over the whole clip; tiles themselves are decoded at once.
    vae.use_framewise_decoding = False
    # Tiles of 256 pixels bound the memory of large pictures; smaller pictures are not affected.
    vae.enable_tiling()
    return vae


_LOADERS: dict[str, Loader] = {
    "vae": _vae,
    "text_encoder": lambda folder, dtype: LlamaModel.from_pretrained(folder, dtype=dtype),
    "text_encoder_2": lambda folder, dtype: CLIPTextModel.from_pretrained(folder, dtype=dtype),
    "image_encoder": lambda folder, dtype: SiglipVisionModel.from_pretrained(folder, dtype=dtype),
    "tokenizer": lambda folder, _: AutoTokenizer.from_pretrained(folder),
    "tokenizer_2": lambda folder, _: AutoTokenizer.from_pretrained(folder),
    "feature_extractor": lambda folder, _: SiglipImageProcessorPil.from_pretrained(folder),
}


@contextmanager
def _boundary(model: str, part: str) -> Iterator[None]:
    """The one place where the libraries' complaints about weights become ours; their chatter is kept down."""
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise DeviceError("error.device.memory", part=part) from error
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise ModelError("error.model.damaged", model=model, part=part, reason=error) from error
