"""The request inside its results: written into every file, read back from any.

A result carries a record: the whole request, the plan's figures, the seed, the versions that made it. In a PNG it is
a text chunk `eichi` beside an A1111-style `parameters` text that other tools read; in an MP4 a tag `eichi`, in
a latent file a string of the header; in the comment of a GIF and the description of a WebP it stands behind `eichi:`.
What another program has written into a picture or a video is read as a record too, of the kind `foreign`: its request
is not whole.
Records hold no time and no place, of the result or of what it was made from, so that equal requests make equal files
and nobody learns from a result how its maker's folders are called: a file is named without its folder, and its marks
(`files`, by the dotted key of the option) tell it from others of that name. How it is found by them is the business of
`library.whereabouts`.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin
from safetensors import SafetensorError, safe_open

from eichi.catalog import known
from eichi.declare import Plain
from eichi.errors import InputError
from eichi.files import aside, is_packed
from eichi.options import Options, files_of, place, put
from eichi.plan.oneframe import FramePlan
from eichi.plan.plan import Plan
from eichi.reading import MOST, parse_json
from eichi.text import json_text
from eichi.video.foreign import read_texts
from eichi.video.texts import DESCRIPTION, LONGEST, OURS, texts_in

# The record of a result: JSON that this program or another, older or newer one has written.
Record = dict[str, Any]

# What tells the files of a request from others of their names, by the dotted keys of the options.
Marks = Mapping[str, Mapping[str, Any]]

KEY = OURS
PARAMETERS = "parameters"
FOREIGN = "foreign"
GENERATIONS = 8  # of results made from results; a record lies two levels deeper with each
TEXTS = ("prompt", "negative", "prompts", "print")  # where a stroke parts no folders
LIBRARIES = ("framepack-eichi", "torch", "diffusers", "transformers", "av", "numpy")


def versions() -> dict[str, str]:
    """What a result was made with."""
    return {name: version(name) for name in LIBRARIES}


def last_part(path: str) -> str:
    """The name of a file or a folder without what it lies in, whatever system its path is of."""
    return re.split(r"[\\/]", path.rstrip("\\/"))[-1]


def model_name(model: str) -> str:
    """A model as others may see it: one of the user's own without its folder."""
    return model if model in known() else last_part(model)


def portable(options: Options) -> Plain:
    """A request as others may see it: files and a model of the user's own by their names alone."""
    values = options.dump()
    for key, path in files_of(options).items():
        put(values, key, path.name)
    if "model" in values:
        values["model"] = model_name(values["model"])
    return values


def without_folders(values: Any, key: str = "") -> Any:
    """The record of a result that was made when records still named folders, without them."""
    if isinstance(values, dict):
        return {name: without_folders(value, key if key in TEXTS else name) for name, value in values.items()}
    if isinstance(values, list):
        return [without_folders(value, key) for value in values]
    return last_part(values) if isinstance(values, str) and key not in TEXTS else values


def ancestry(sources: Sequence[Record | None]) -> list[Record | None]:
    """The records of what a result is made from, each with those of what that was made from, in so far as they can be
    read again with it: what lies too far back is left out between the last steps and what all began with.
    """
    whole = [source and without_folders(source) for source in sources]
    for generations in range(GENERATIONS, -1, -1):
        found = [source and _recent(source, generations) for source in whole]
        if _fits(found):
            return found
    return [source if _fits(source, len(found)) else None for source in found]


def _recent(values: Record, generations: int) -> Record:
    """A record that tells of so many generations before it, and of the first."""
    if "sources" not in values:
        return values

    def told(source: Record) -> Record:
        return _recent(source, generations - 1) if generations else _first(source)

    return values | {"sources": [source and told(source) for source in values["sources"]]}


def _first(values: Record) -> Record:
    """The record of what a result's first source, and that one's, and so on, began with."""
    while sources := [source for source in values.get("sources", []) if source]:
        values = sources[0]
    return values


def _fits(values: Any, share: int = 1) -> bool:
    """Whether values take less than half of a readable record's room, or of so many equal shares of that."""
    text = json_text([[values]])
    try:
        parse_json(text, MOST // 2 // share)
    except ValueError:
        return False
    return len(text.encode()) <= LONGEST // 2 // share


def record(plan: Plan | FramePlan, marks: Marks | None = None) -> Record:
    """What a result of this plan carries; `marks` are those of the files that it is made from."""
    values = {
        "kind": plan.options.kind,
        "request": portable(plan.options),
        "files": dict(marks or {}),
        "model": model_name(plan.entry.name),
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


def comment(values: Mapping[str, Any]) -> str:
    """A record as one text in ASCII, for files that have no names for texts."""
    return f"{KEY}:{json.dumps(json.loads(dump(values)))}"


def exif(values: Mapping[str, Any]) -> bytes:
    """A record as EXIF: the description of a picture."""
    made = Image.Exif()
    made[DESCRIPTION] = comment(values)
    return made.tobytes().removeprefix(b"Exif\0\0")


def save_png(path: Path, pixels: NDArray[np.uint8], values: Mapping[str, Any]) -> None:
    """Write a picture [height, width, 3] with its record, aside and renamed."""
    with aside(path) as draft:
        Image.fromarray(pixels).save(draft, format="PNG", pnginfo=png_texts(values))


def png_texts(values: Mapping[str, Any]) -> PngImagePlugin.PngInfo:
    """The texts of a picture with this record; what other programs read where it says how it was drawn."""
    info = PngImagePlugin.PngInfo()
    info.add_itxt(KEY, dump(values))
    if "sampling" in values["request"]:
        info.add_itxt(PARAMETERS, parameters(values))
    return info


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
    """The record of a picture, a video or a latent file that was made here, or of what another program made.

    Raises InputError for any other file, and for one whose record is damaged.
    """
    if not os.path.isfile(path):  # also false for a name that no file can have
        raise InputError("error.file.missing", path=path)
    texts = _header(path) if path.suffix == ".safetensors" else texts_in(path)
    if KEY in texts:
        try:
            values = parse_json(texts[KEY])
        except ValueError as error:
            raise InputError("error.file.record", path=path) from error
        if not _is_record(values):
            raise InputError("error.file.record", path=path)
        return dict(values)
    request: Plain = {}
    for key, value in read_texts(texts).items():
        place(request, key, value)
    if not request:
        raise InputError("error.file.packed" if is_packed(path) else "error.file.record", path=path)
    return {"kind": FOREIGN, "request": request}


def _is_record(values: object, source: bool = False) -> bool:
    """Whether values have what every record has, and nothing in its place that is no such thing.

    Of another program is only what a result was made from, never a record itself.
    """
    if not isinstance(values, dict):
        return False
    sources = values.get("sources", [])
    return (
        isinstance(values.get("kind"), str)
        and (source or values["kind"] != FOREIGN)
        and isinstance(values.get("request"), dict)
        and isinstance(values.get("model"), str | None)
        and isinstance(values.get("versions", {}), dict)
        and isinstance(sources, list)
        and all(one is None or _is_record(one, source=True) for one in sources)
    )


def _header(path: Path) -> Mapping[str, str]:
    """The texts of a latent file; those of other programs are no requests."""
    try:
        with safe_open(path, framework="numpy") as file:
            texts = file.metadata() or {}
    except (SafetensorError, OSError):
        return {}
    return {KEY: texts[KEY]} if KEY in texts else {}
