"""An error as the page shows it: its sentence names options and values as the page does, and says which item it is on.

The core speaks of keys and flags, which mean nothing to who sees a form. An error that is about an option without
saying which is told here by its id. Knows no request over HTTP.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from eichi.declare import OptionField, walk
from eichi.errors import EichiError, ErrorView
from eichi.options import FrameOptions, VideoOptions
from eichi.settings import Settings
from eichi.words import say, table

# What an error is about that names no option.
KEYS = {
    "error.batch.many": "batch.prompts",
    "error.batch.seeds": "batch.count",
    "error.frame.alone": "profile",
    "error.frame.forward": "model",
    "error.frame.references": "references",
    "error.frame.target": "target",
    "error.frame.vision": "vision",
    "error.image.required": "image",
    "error.kept.few": "kept.sections",
    "error.kept.nothing": "kept.sections",
    "error.loop.final": "keyframes.final",
    "error.model.absent": "model",
    "error.resolution.unknown": "resolution",
    "error.video.sides": "resolution",
}
GROUPS = {"error.kept.": "kept.latents", "error.model.": "model"}  # by the beginning of an id
NAMES = ("model", "profile")
LISTS = ("references", "weights.loras")


def told(error: EichiError, language: str, key: str | None = None) -> ErrorView:
    """An error as an answer; `key` is what it is about, where it does not say so itself."""
    about = key or key_of(error)
    return ErrorView(error.id, say(error.id, language, **spoken(error, language, about)), about, error.plain)


def key_of(error: EichiError) -> str | None:
    """The option that an error is about, with the number of a section; None where it is about none."""
    key = error.values.get("key") or KEYS.get(error.id)
    key = key or next((key for start, key in GROUPS.items() if error.id.startswith(start)), None)
    number = error.values.get("number") if error.id == "error.section.missing" else None
    return None if key is None else f"{key}.{number}" if number is not None else str(key)


def spoken(error: EichiError, language: str, key: str | None) -> dict[str, Any]:
    """What fills the sentence of an error, in the page's own words."""
    values = dict(error.values)
    if "key" in values:
        values["key"] = label(str(values["key"]), language) or values["key"]
    if "flag" in values:
        field = _flags().get(str(values["flag"]))
        values["flag"] = say(field.label, language) if field is not None else values["flag"]
    field = _fields().get(key or "")
    if "choices" in values and field is not None and field.choices:
        values["choices"] = table(language)["list.comma"].join(field.tell(one, language) for one in field.choices)
    return values | {name: _called(name, values[name], language) for name in NAMES if name in values}


def label(key: str, language: str) -> str | None:
    """What an option is called on the page, with the number of an entry; None where nothing is known of it."""
    parts, entry = key.split("."), ""
    while parts:
        field = _fields().get(".".join(parts))
        if field is not None:
            entry = entry if not entry.isdecimal() else str(int(entry) + 1) if field.key in LISTS else entry
            text = say(field.label, language)
            return f"{text} {entry}" if entry.isdecimal() else text
        entry = parts.pop()
    return None


def texts(values: Mapping[str, Any], language: str) -> dict[str, Any]:
    """What fills a note, in the page's own words."""
    return dict(values) | {
        name: _called(name, values[name], language) for name in ("model", "profile") if name in values
    }


def _called(name: str, value: Any, language: str) -> Any:
    """What a model or a profile is called."""
    known = table(language)
    ids = (f"choice.{place}{name}.{text}" for place in ("", "frame.") for text in (value, str(value).replace("-", "_")))
    return next((known[id] for id in ids if id in known), value)


@cache
def _fields() -> dict[str, OptionField]:
    return {field.key: field for kind in (Settings, FrameOptions, VideoOptions) for field in walk(kind)}


@cache
def _flags() -> dict[str, OptionField]:
    return {field.flag: field for field in _fields().values() if field.flag is not None}
