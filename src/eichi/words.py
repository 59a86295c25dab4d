"""Words for people: every text a user sees, by dotted id, in every language that has a file in `locales/`.

A label never reaches the core and never comes back from a page as a value; programs speak in ids. Adding a
language is adding one JSON file. Knows nothing of what the texts are about.

A placeholder is filled as Python fills it, figures with the decimal sign of the language and no more of it than they
need; and in two more ways: `{reason:said}` is the id of a text, or several, `{status:status.said}` the end of one; it
becomes that text, filled with the same values, so that what is kept and sent stays an id. `{count:1=section|sections}`
is what goes with one value, and with any other. Languages with more plurals than one write so that none is needed.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from string import Formatter

ENGLISH = "en"
SAID = "said"  # the form of a placeholder that is the id of a text, behind what the id begins with
LONG = 1e15  # from here on Python writes a number with an exponent


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
    return _Filler(language, values).vformat(table(language)[id], (), values)


def resay(id: str, language: str, values: Mapping[str, object]) -> str:
    """The text of an id that was kept, maybe by another version of this program; where it has no such text, the id."""
    try:
        return say(id, language, **values)
    except (KeyError, ValueError, IndexError, TypeError, AttributeError):  # what a format says of values it cannot take
        told = ", ".join(f"{name}: {value}" for name, value in values.items())
        return f"{id} ({told})" if told else id


def language_of(code: str) -> str | None:
    """The language with a file that a code of any writing means: `zh-tw`, `zh_Hant`, `ru_RU.UTF-8`; None for others.

    Where there is none for the country, it is that of the language.
    """
    wanted = code.strip().partition(".")[0].replace("_", "-").lower()
    for known in languages():
        if wanted == known.lower():
            return known
    return next((known for known in languages() if wanted.split("-")[0] == known.lower().split("-")[0]), None)


class _Filler(Formatter):
    """Fills the placeholders of one text."""

    def __init__(self, language: str, values: Mapping[str, object]) -> None:
        self._language, self._values, self._text = language, values, table(language)

    def format_field(self, value: object, form: str) -> str:
        if form.endswith(SAID):
            ids = [form.removesuffix(SAID) + name for name in str(value).split(", ")]
            known = all(id in self._text for id in ids)  # what is none is of another version, or nobody's
            return self._text["list.comma"].join(map(self._said, ids)) if known else str(value)
        if "|" in form:
            case, _, texts = form.partition("=")
            then, otherwise = texts.split("|")
            return then if str(value) == case else otherwise
        if not isinstance(value, float):
            return format(value, form)
        whole = not form and value.is_integer() and abs(value) < LONG
        return format(int(value) if whole else value, form).replace(".", self._text["number.point"])

    def _said(self, id: str) -> str:
        return say(id, self._language, **self._values)


def _folder() -> Traversable:
    return files("eichi") / "locales"
