"""Writing the shipped weights: one folder per part, as on the Hugging Face hub, float16, swapped in when complete.

    transformer/ transformer_f1/                    one checkpoint per direction
    text_encoder/ tokenizer/                        Llama
    text_encoder_2/ tokenizer_2/                    CLIP
    vae/ image_encoder/ feature_extractor/
    preview.json                                    latents to colours, as a 16 x 3 matrix
    README.md                                       the model card, with the figures that were measured last

Float16 is for storage: the program computes in float32. The VAE would also compute in float16 (`training/half.py`).
Matrices of what was trained last are rounded to seven binary digits, one less than bfloat16 has: the error on the
validation set stays, and what git and pip send of them becomes a fifth less. Weights are saved by the official classes,
so each folder loads with the official `from_pretrained`.
"""

import json
import logging
import shutil
from pathlib import Path

import torch
from torch import nn
from transformers import SiglipImageProcessor

from training import cache, samples, state, world
from training.codec import Codec, autoencoder
from training.decoder import start
from training.half import halve
from training.page import card
from training.text import saved_tokenizers
from training.transformer import eyes, network

log = logging.getLogger(__name__)

LIMIT = 25_000_000  # bytes of package data
DIGITS = 7  # binary, of a weight in a matrix
ROUNDED = ("transformer", "transformer_f1", "text_encoder", "text_encoder_2")


def export(folder: Path, target: Path) -> None:
    """Write whatever the state folder holds by now: forked networks, else the joint one, else an untrained one."""
    aside = target.with_name(target.name + ".new")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    code = cache.codec(folder)
    reverse, forward = network(folder, samples.REVERSE), network(folder, samples.FORWARD)
    vae = autoencoder()
    if (folder / "vae.pt").exists():
        vae.load_state_dict(state.load(folder / "vae.pt")["model"])
    else:
        start(code, vae)
    parts: dict[str, nn.Module] = {
        "transformer": reverse.transformer,
        "transformer_f1": forward.transformer,
        "text_encoder": reverse.llama,
        "text_encoder_2": reverse.clip,
        "vae": halve(vae),
        "image_encoder": eyes(),
    }
    for name in ROUNDED:
        for weight in parts[name].parameters():
            if weight.dim() > 1:
                weight.data = coarse(weight.data)
    for name, part in parts.items():
        part.half().save_pretrained(aside / name)  # type: ignore[operator]
    for name, tokenizer in zip(("tokenizer", "tokenizer_2"), saved_tokenizers(folder), strict=True):
        tokenizer.save_pretrained(aside / name)
    square = {"height": cache.VISION, "width": cache.VISION}
    SiglipImageProcessor(size=square, image_mean=[0.5] * 3, image_std=[0.5] * 3).save_pretrained(
        aside / "feature_extractor"
    )
    (aside / "preview.json").write_text(preview(code), encoding="utf-8")
    (aside / "README.md").write_text(card(), encoding="utf-8")
    size = sum(p.stat().st_size for p in aside.rglob("*") if p.is_file())
    if size > LIMIT:
        raise ValueError(f"the embedded model takes {size} bytes, more than the {LIMIT} a package may carry")
    _swap(aside, target)
    log.info("exported %.1f MB to %s", size / 1e6, target)


def coarse(weight: torch.Tensor) -> torch.Tensor:
    """The nearest numbers of so many binary digits."""
    digits, exponent = torch.frexp(weight)
    return torch.ldexp((digits * 2**DIGITS).round() / 2**DIGITS, exponent)


def preview(code: Codec) -> str:
    """JSON of the matrix that best turns latents into colours: rgb in 0..1 = factors^T z + bias, a pixel per cell."""
    frames = torch.cat([world.render(world.scene("preview", k, (64, 64)), torch.zeros(1)) for k in range(400)])
    latents = code.encode(frames).permute(0, 2, 3, 1).flatten(0, 2)
    colours = nn.functional.avg_pool2d((frames + 1) / 2, 8).permute(0, 2, 3, 1).flatten(0, 2)
    known = torch.cat([latents, torch.ones(len(latents), 1)], 1)
    solved = torch.linalg.lstsq(known, colours).solution
    rounded = [[round(float(v), 5) for v in row] for row in solved]
    source = "least squares over block averages of the training world: rgb = factors^T z + bias, clamp 0..1"
    rows = ",\n  ".join(json.dumps(row) for row in rounded[:-1])
    return f'{{\n "source": "{source}",\n "factors": [\n  {rows}\n ],\n "bias": {rounded[-1]}\n}}\n'


def _swap(aside: Path, target: Path) -> None:
    """Put the new folder in the place of the old one; a reader finds either, except for an instant."""
    old = target.with_name(target.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    target.parent.mkdir(parents=True, exist_ok=True)
    aside.rename(target)
    shutil.rmtree(old, ignore_errors=True)
