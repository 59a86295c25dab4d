"""Words for people: every text a user sees, by dotted id, in every language that has a file in `locales/`.

A label never reaches the core and never comes back from a page as a value; programs speak in ids. Adding a
language is adding one JSON file. Knows nothing of what the texts are about.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

ENGLISH = "en"


@cache
def languages() -> tuple[str, ...]:
    """Codes of all languages that have a file, English first."""
    found = sorted(entry.name.removesuffix(".json") for entry in _folder().iterdir() if entry.name.endswith(".json"))
    return (ENGLISH, *(code for code in found if code != ENGLISH))


@cache
def table(language: str) -> dict[str, str]:
    """All texts of one language by id. Raises FileNotFoundError for a language without a file."""
    text = (_folder() / f"{language}.json").read_text(encoding="utf-8")
    words: dict[str, str] = json.loads(text)
    return words


def say(id: str, language: str = ENGLISH, **values: object) -> str:
    """The text of `id` with its {placeholders} filled. Raises KeyError for an unknown id."""
    return table(language)[id].format(**values)


def resay(id: str, language: str, values: Mapping[str, object]) -> str:
    """The text of an id that was kept, maybe by another version of this program; where it has no such text, the id."""
    try:
        return say(id, language, **values)
    except (KeyError, ValueError, IndexError, TypeError, AttributeError):  # what a format says of values it cannot take
        told = ", ".join(f"{name}: {value}" for name, value in values.items())
        return f"{id} ({told})" if told else id


def _folder() -> Traversable:
    return files("eichi") / "locales"
