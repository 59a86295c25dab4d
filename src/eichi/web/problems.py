"""An error as the page shows it, with the item of the form that it is on.

An error that is about an option without saying which is told here by its id. Knows no request over HTTP.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eichi.errors import EichiError, ErrorView

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
LISTS = ("references", "weights.loras")


def told(error: EichiError, language: str, key: str | None = None) -> ErrorView:
    """An error as an answer; `key` is what it is about, where it does not say so itself."""
    about = key or key_of(error)
    return ErrorView(error.id, error.say(language), about, error.plain)


def key_of(error: EichiError) -> str | None:
    """The option that an error is about, with the number of a section; None where it is about none."""
    key = error.values.get("key") or KEYS.get(error.id)
    key = key or next((key for start, key in GROUPS.items() if error.id.startswith(start)), None)
    number = error.values.get("number") if error.id == "error.section.missing" else None
    return None if key is None else f"{key}.{number}" if number is not None else str(key)


@contextmanager
def called(path: Path) -> Iterator[None]:
    """Errors about a file, or what is in it, without the folder that it is read in."""
    try:
        yield
    except EichiError as error:
        folder = f"{path.parent}{os.sep}"
        error.values = {
            key: str(value).replace(folder, "") if isinstance(value, str | Path) else value
            for key, value in error.values.items()
        }
        raise
