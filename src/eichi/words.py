"""Words for people: every text a user sees, by dotted id, in every language that has a file in `locales/`.

A label never reaches the core and never comes back from a page as a value; programs speak in ids. Adding a
language is adding one JSON file. Knows nothing of what the texts are about.

A placeholder is filled as Python fills it, figures with the decimal sign of the language and no more of it than they
need; and in more ways: `{reason:said}` is the id of a text, or several, `{status:status.said}` the end of one; it
becomes that text, filled with the same values, so that what is kept and sent stays an id. `{key:option}` is the key
of an option and becomes its label, with the number of an entry; `{choices:choices}` are values of that option and
become what they are called; unless the key is `Bare`. What is no such id or key stays as it is.
`{free:bytes}` is so many bytes as people say them, in MB or GB. `{count:1=section|sections}` is what goes with one
value, and with any other. Languages with more plurals than one write so that none is needed.

`{@do.start}` is another text of the language, word for word: a text that names a button or a field says what stands on
it. The page and the command line are two texts where a sentence says what to press or to type: the page's has the id
that everybody sends, the command line's the same with `cli.` before it (`typed`).
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from string import Formatter

ENGLISH = "en"
SAID = "said"  # the form of a placeholder that is the id of a text, behind what the id begins with
OPTION, CHOICES = "option", "choices"  # the forms of a placeholder that is an option's key, and of one that is values
LABEL, CHOICE = "label.", "choice."
KINDS = ("", "frame.", "setting.")  # what stands between it and the key of an option, by what has the option
TYPED = "cli."  # before the ids of what only a command line says
BYTES = "bytes"  # the form of a placeholder that is a size
UNITS = ("bytes", "kilobytes", "megabytes", "gigabytes")
OTHER = re.compile(r"\{@([a-z0-9_.]+)\}")
LONG = 1e15  # from here on Python writes a number with an exponent


class Bare(str):
    """The key of an option for who types it: where a page says the label, it is said as it stands, or as `typed`."""

    typed: str

    def __new__(cls, key: str, typed: str | None = None) -> "Bare":
        made = super().__new__(cls, key)
        made.typed = key if typed is None else typed
        return made


@cache
def languages() -> tuple[str, ...]:
    """Codes of all languages that have a file, English first."""
    found = sorted(entry.name.removesuffix(".json") for entry in _folder().iterdir() if entry.name.endswith(".json"))
    return (ENGLISH, *(code for code in found if code != ENGLISH))


@cache
def table(language: str) -> dict[str, str]:
    """All texts of one language by id. Raises FileNotFoundError for a language without a file."""
    words = written(language)
    return {id: OTHER.sub(lambda found: words[found[1]], text) for id, text in words.items()}


def written(language: str) -> dict[str, str]:
    """All texts of one language as they stand in its file."""
    text = (_folder() / f"{language}.json").read_text(encoding="utf-8")
    words: dict[str, str] = json.loads(text)
    return words


def typed(id: str) -> str:
    """The id of what a terminal says for a text: its own, where it has one."""
    return f"{TYPED}{id}" if f"{TYPED}{id}" in table(ENGLISH) else id


def label_of(key: str, language: str = ENGLISH) -> str | None:
    """The id of the label of an option by its key, the number of an entry left out; None for what is no option."""
    parts = key.split(".")
    for end in range(len(parts), 0, -1):
        for kind in KINDS:
            id = f"{LABEL}{kind}{'.'.join(parts[:end])}"
            if id in table(language):
                return id
    return None


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
        if form == OPTION:
            return value.typed if isinstance(value, Bare) else self._option(str(value))
        if form == CHOICES:
            key = self._values.get("key", "")
            label = (None if isinstance(key, Bare) else label_of(str(key), self._language)) or ""
            begin = f"{CHOICE}{label.removeprefix(LABEL)}."
            return self._text["list.comma"].join(self._text.get(begin + one, one) for one in str(value).split(", "))
        if form.endswith(SAID):
            ids = [form.removesuffix(SAID) + name.replace("-", "_") for name in str(value).split(", ")]
            if not any(id in self._text for id in ids):  # of another version, or nobody's
                return str(value)
            named = zip(ids, str(value).split(", "), strict=True)
            return self._text["list.comma"].join(self._said(id) if id in self._text else name for id, name in named)
        if form == BYTES and isinstance(value, int | float):
            return self._size(value)
        if "|" in form:
            case, _, texts = form.partition("=")
            then, otherwise = texts.split("|")
            return then if str(value) == case else otherwise
        if not isinstance(value, float):
            return format(value, form)
        whole = not form and value.is_integer() and abs(value) < LONG
        return format(int(value) if whole else value, form).replace(".", self._text["number.point"])

    def _option(self, key: str) -> str:
        """An option by its label; an entry of a table by its number, one of a list by its place."""
        label = label_of(key, self._language)
        if label is None:
            return say("named.option", self._language, label=key)
        number = next((int(part) for part in key.split(".") if part.isdecimal()), None)
        if number is None:
            return say("named.option", self._language, label=self._text[label])
        id = "named.section" if ".keyframes." in label else "named.entry"
        return say(id, self._language, label=self._text[label], number=number, place=number + 1)

    def _size(self, size: float) -> str:
        """Bytes in the unit that leaves few digits."""
        at = 0
        while size >= 999.5 and at < len(UNITS) - 1:
            size, at = size / 1000, at + 1
        text = f"{size:.1f}".removesuffix(".0") if at and size < 9.95 else f"{size:.0f}"
        return f"{text.replace('.', self._text['number.point'])} {self._text[f'unit.{UNITS[at]}']}"

    def _said(self, id: str) -> str:
        return say(id, self._language, **self._values)


def _folder() -> Traversable:
    return files("eichi") / "locales"
