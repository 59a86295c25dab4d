"""The request inside its results: written into every file, read back from any.

A result carries a record: the whole request, the plan's figures, the seed, the versions that made it. In a PNG it is
a text chunk `eichi` beside an A1111-style `parameters` text that other tools read; in an MP4 a tag `eichi`, in
a latent file a string of the header. Such a text of another program is read as a record too, of the kind `foreign`:
its request is not whole.
Records hold no time and no place of the result, so that equal requests make equal files.
"""

import json
import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin
from safetensors import SafetensorError, safe_open

from eichi.errors import InputError
from eichi.files import aside
from eichi.options import place
from eichi.plan.oneframe import FramePlan
from eichi.plan.plan import Plan
from eichi.text import json_text
from eichi.video import png
from eichi.video.foreign import read_parameters
from eichi.video.sources import open_video

# The record of a result: JSON that this program or another, older or newer one has written.
Record = dict[str, Any]

KEY = "eichi"
PARAMETERS = "parameters"
FOREIGN = "foreign"
LIBRARIES = ("framepack-eichi", "torch", "diffusers", "transformers", "av", "numpy")


def versions() -> dict[str, str]:
    """What a result was made with."""
    return {name: version(name) for name in LIBRARIES}


def record(plan: Plan | FramePlan) -> Record:
    """What a result of this plan carries."""
    values = {
        "kind": plan.options.kind,
        "request": plan.options.dump(),
        "model": plan.entry.name,
        "seed": plan.seed,
        "width": plan.width,
        "height": plan.height,
        "versions": versions(),
    }
    if isinstance(plan, FramePlan):
        return values | {"positions": plan.layout.describe()}
    return values | {"frames": plan.frames, "seconds": round(plan.seconds, 3), "sections": len(plan.sections)}


def dump(values: Mapping[str, Any]) -> str:
    """A record as text, the same for equal records."""
    return json_text(values, sort=True)


def tags(values: Mapping[str, Any]) -> dict[str, str]:
    """A record as MP4 tags; `comment` is what players show."""
    request = values["request"]
    return {KEY: dump(values), "comment": request.get("prompt", "")}


def save_png(path: Path, pixels: NDArray[np.uint8], values: Mapping[str, Any]) -> None:
    """Write a picture [height, width, 3] with its record, aside and renamed."""
    info = PngImagePlugin.PngInfo()
    info.add_itxt(KEY, dump(values))
    info.add_itxt(PARAMETERS, parameters(values))
    with aside(path) as draft:
        Image.fromarray(pixels).save(draft, format="PNG", pnginfo=info)


def parameters(values: Mapping[str, Any]) -> str:
    """The text that A1111 and its kin read: prompt, negative prompt, one line of settings."""
    request = values["request"]
    sampling = request["sampling"]
    settings = {
        "Steps": sampling["steps"],
        "Sampler": "UniPC",
        "CFG scale": sampling["cfg"],
        "Distilled CFG Scale": sampling["guidance"],
        "Seed": values["seed"],
        "Size": f"{values['width']}x{values['height']}",
        "Model": values["model"],
    }
    lines = [request["prompt"]]
    if request["negative"]:
        lines.append(f"Negative prompt: {request['negative']}")
    lines.append(", ".join(f"{name}: {value}" for name, value in settings.items()))
    return "\n".join(lines)


def read_record(path: Path) -> Record:
    """The record of a PNG, an MP4 or a latent file that was made here, or of another program's PNG.

    Raises InputError for any other file.
    """
    if not os.path.isfile(path):  # also false for a name that no file can have
        raise InputError("error.file.missing", path=path)
    text = _latents_text(path) if path.suffix == ".safetensors" else _png_text(path, KEY) or _mp4_text(path)
    if text is None:
        foreign = _png_text(path, PARAMETERS)
        if foreign is None:
            raise InputError("error.file.record", path=path)
        return _foreign(foreign)
    try:
        values = json.loads(text)
    except ValueError as error:
        raise InputError("error.file.record", path=path) from error
    if not (isinstance(values, dict) and isinstance(values.get("request"), dict) and "kind" in values):
        raise InputError("error.file.record", path=path)
    return values


def _latents_text(path: Path) -> str | None:
    try:
        with safe_open(path, framework="numpy") as file:
            return (file.metadata() or {}).get(KEY)
    except (SafetensorError, OSError):
        return None


def _foreign(text: str) -> Record:
    """The record that another program's text makes."""
    request: dict[str, Any] = {}
    for key, value in read_parameters(text).items():
        place(request, key, value)
    return {"kind": FOREIGN, "request": request}


def _png_text(path: Path, key: str) -> str | None:
    try:
        with path.open("rb") as file:
            return png.texts(file).get(key) if png.is_png(file) else None
    except OSError:
        return None


def _mp4_text(path: Path) -> str | None:
    try:
        with open_video(path) as container:
            return container.metadata.get(KEY)
    except InputError:
        return None
