"""A grid: one request with an option, or two, or three, varied along axes; and the axes of jobs that were made so.

An axis is `KEY=VALUES`: an option's key, or `replace` for a part of the prompt. Values are `a,b,c` (quoted where they
hold a comma), or for numbers `start-end [n]`, so many even steps. Commas and figures are taken as keyboards of our
languages type them; what may be read in two ways is refused. Jobs of a grid are ordinary jobs of one batch, X
turning fastest. What the axes were is read from the jobs again: from how their requests differ. So nothing of a grid
is kept anywhere, a batch of any other kind can be seen as one, and a job that was deleted leaves its cell empty. Reads
no file.
"""

import csv
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations, product
from math import ceil, prod, sqrt
from typing import Any, TypeAlias

from rich.cells import cell_len

from eichi.declare import OptionField, Plain, shown, walk
from eichi.errors import OptionError
from eichi.options import FrameOptions, Options, VideoOptions, place
from eichi.plan.request import drawn
from eichi.plan.wildcards import LONG
from eichi.reasons import Unfit
from eichi.text import ELLIPSIS, decimal, shorten
from eichi.words import ENGLISH, say

REPLACE = "replace"
AXES = 3
MOST = 1000  # jobs of a grid
FARTHEST = 1e12  # more than any option's number
STEPS = re.compile(r"\s*([-+]?\d+(?:[.,]\d+)?)\s*-\s*([-+]?\d+(?:[.,]\d+)?)\s*(?:\[\s*(\d{1,4})\s*\])?\s*")
DASHES = dict.fromkeys(map(ord, "‐‑‒–—−〜~ー"), "-")  # what keyboards and editors make of it
COMMAS = ",，、"  # those of other scripts where there is no plain one
PARTED = re.compile(r"\d,\d.*\d,\s|\d,\s.*\d,\d")  # some commas stand before a space and some do not
LABEL = 80  # signs of a label
TEXTS, SHORT = {"prompt", "negative"}, 24  # long options, and the columns that are seen of one in a small cell
EAST = 0x2E80  # the first sign of scripts without spaces
WRITTEN = "written."  # what prompts were before wildcards were drawn is no axis

Drawn: TypeAlias = VideoOptions | FrameOptions
Pattern: TypeAlias = tuple[int, ...]  # which of its values an option has in each job, numbered as they come


@dataclass(frozen=True)
class Axis:
    """An option's key, or `replace`, and what it is along the axis, as it was typed."""

    key: str
    values: tuple[str, ...]


def read_axis(text: str, kind: type[Options]) -> Axis:
    """An axis as it is typed. Raises OptionError."""
    key, sign, values = text.partition("=")
    if not sign or not key.strip():
        raise OptionError("error.grid.form", text=text)
    return make_axis(key.strip(), values, kind)


def make_axis(key: str, text: str, kind: type[Options]) -> Axis:
    """An axis of an option of this kind, by its key or its flag. Raises OptionError."""
    fields = {field.key: field for field in walk(kind)}
    flags = {field.flag.removeprefix("--"): field.key for field in fields.values() if field.flag}
    key = flags.get(key.removeprefix("--"), key)
    if not key:
        raise OptionError("error.grid.option")
    if key != REPLACE and key not in fields:
        short = {key: flag for flag, key in flags.items()}
        known = sorted(short.get(name, name) for name, one in fields.items() if not one.repeatable)
        raise OptionError("error.option.unknown", key=key, known=", ".join([REPLACE, *known]))
    field = fields.get(key)
    if field is not None and field.repeatable:
        raise OptionError("error.grid.axis", key=key)
    found = _numbers(text, field) if field is not None and field.number else _texts(text)
    values = tuple(dict.fromkeys(found))  # the same twice would be the same job
    if len(values) < 2:
        raise OptionError("error.grid.few", key=key)
    return Axis(key, values)


def _texts(text: str) -> Iterator[str]:
    """Values as they are written; a comma of another script parts them only where there is no plain one. Raises
    OptionError for what is longer than any value.
    """
    text = re.sub(r"[\r\n]+", ",", text)
    bare = re.sub('"[^"]*"', "", text)
    comma = next((one for one in COMMAS if one in bare), ",")
    try:
        row: list[str] = next(csv.reader([text], delimiter=comma, skipinitialspace=True), [])
    except csv.Error as error:
        raise OptionError("error.grid.form", text=shorten(text, LABEL)) from error
    yield from (one.strip() for one in row if one.strip())


def _numbers(text: str, field: OptionField) -> Iterator[str]:
    """Numbers one by one or in even steps, with a point. Raises OptionError for what may be read in two ways."""
    plain = unicodedata.normalize("NFKC", text).translate(DASHES).replace("、", ",")
    steps = STEPS.fullmatch(plain)
    try:
        if steps is not None:
            ends = float(decimal(steps[1])), float(decimal(steps[2]))
            if max(map(abs, ends)) > FARTHEST:
                raise OptionError("error.option.value", key=field.key, value=shown(text), reason="reason.digits")
            yield from _steps(*ends, steps[3], whole=field.type is int)
        elif ";" in plain:
            yield from (decimal(one).strip() for one in plain.split(";") if one.strip())
        elif field.type is float and PARTED.search(plain):
            raise OptionError("error.grid.comma", key=field.key, text=text)
        else:
            yield from (one.strip() for one in plain.split(",") if one.strip())
    except Unfit as error:
        raise OptionError("error.grid.comma", key=field.key, text=text) from error


def _steps(low: float, high: float, asked: str | None, whole: bool) -> Iterator[str]:
    """Even steps, by one where nothing is asked; those of an option with `whole` numbers, between such, are rounded."""
    whole = whole and low.is_integer() and high.is_integer()
    count = int(asked) if asked else int(abs(high - low)) + 1
    if count > MOST:
        raise OptionError("error.grid.many", limit=MOST)
    found = [low + (high - low) * number / max(count - 1, 1) for number in range(count)]
    yield from (f"{round(one)}" if whole else f"{round(one, 4):g}" for one in found)


def check_axis(options: Drawn, axis: Axis, before: Sequence[Axis] = ()) -> None:
    """Refuse an axis whose option is on one `before`, and words that the prompt has not. Raises OptionError."""
    if axis.key == REPLACE:
        if axis.values[0] not in options.prompt:
            raise OptionError("error.grid.replace", text=axis.values[0])
    elif any(one.key == axis.key for one in before):
        raise OptionError("error.grid.twice", key=axis.key)


def check_values(options: Drawn, axis: Axis) -> None:
    """Refuse a value that the option of an axis cannot have. Raises OptionError."""
    for value in axis.values:
        values = options.dump()
        _put(values, axis, value)
        type(options).parse(values)


def _put(values: Plain, axis: Axis, value: str) -> None:
    """Put a value of an axis into the plain values of a request. Raises OptionError."""
    if axis.key == REPLACE:
        text, words = values["prompt"], axis.values[0]
        if len(text) + text.count(words) * (len(value) - len(words)) > LONG:  # before it is made
            raise OptionError("error.option.value", key="prompt", value=shown(text), reason="reason.long", limit=LONG)
        values["prompt"] = text.replace(words, value)
    else:
        place(values, axis.key, value)


def crossed(options: Drawn, axes: Sequence[Axis]) -> list[Drawn]:
    """All requests of a grid, X turning fastest, with one seed where that is no axis. Raises OptionError."""
    if len(axes) > AXES:
        raise OptionError("error.grid.axes", limit=AXES)
    if prod(len(axis.values) for axis in axes) > MOST:
        raise OptionError("error.grid.many", limit=MOST)
    for at, axis in enumerate(axes):
        check_axis(options, axis, axes[:at])
    seeded = any(axis.key == "seed" for axis in axes)
    base = type(options).parse(options.dump() | ({} if seeded else {"seed": drawn(options.seed)}))
    found: list[Drawn] = []
    for cell in product(*(axis.values for axis in reversed(axes))):
        values = base.dump()
        for axis, value in zip(axes, reversed(cell), strict=True):
            _put(values, axis, value)
        found.append(type(options).parse(values))
    return found


@dataclass(frozen=True)
class Shape:
    """How jobs lie in a grid: what is said along X, Y and Z, and the number of the job in each cell, X turning fastest,
    None in an empty one. Where only X has something to say, its `columns` are fewer than that and every cell has its
    own label.
    """

    cells: tuple[int | None, ...]
    x: tuple[str, ...]
    y: tuple[str, ...] = ("",)
    z: tuple[str, ...] = ("",)

    @property
    def single(self) -> bool:
        return len(self.y) == len(self.z) == 1

    @property
    def columns(self) -> int:
        return ceil(sqrt(len(self.x))) if self.single and len(self.x) > 5 else len(self.x)


def shape_of(requests: Sequence[Options], language: str = ENGLISH) -> Shape:
    """The axes along which requests differ, in the words of a language; a list where they are in no grid."""
    flats = [dict(_flat(one.dump())) for one in requests]
    keys = [key for key in dict.fromkeys(key for flat in flats for key in flat) if not key.startswith(WRITTEN)]
    told = {key: [flat.get(key) for flat in flats] for key in keys}
    for key in TEXTS & told.keys():
        for flat, text in zip(flats, _apart([one or "" for one in told[key]]), strict=True):
            flat[key] = text  # for the labels alone
    groups: dict[Pattern, list[str]] = {}
    for key in keys:  # what changes together is one axis
        if max(pattern := _pattern(told[key])):
            groups.setdefault(pattern, []).append(key)
    fields = {field.key: field for field in walk(type(requests[0]))}
    axes = _axes([*groups])
    if not axes:
        telling = [groups[one] for one in sorted(groups, key=_changes, reverse=True)]
        listed = [*(group[0] for group in telling), *(key for group in telling for key in group[1:])]
        labels = [_label(listed, fields, flat, language) for flat in flats]
        return Shape(tuple(range(len(flats))), _distinct(labels))
    sides = [
        _distinct([_label(groups[axis], fields, flats[axis.index(value)], language) for value in order])
        for axis, order in axes.items()
    ]
    return Shape(_cells(axes), *sides)


def _pattern(values: Sequence[Any]) -> Pattern:
    known: dict[str, int] = {}
    return tuple(known.setdefault(repr(one), len(known)) for one in values)


def _changes(pattern: Pattern) -> int:
    """How many jobs differ from the one before."""
    return sum(one != other for one, other in pairwise(pattern))


def _axes(patterns: Sequence[Pattern]) -> dict[Pattern, list[int]]:
    """What lies along X, Y and Z, each with its values in their order; nothing where jobs are in no grid.

    Jobs may be missing, as long as more than half of the cells are full: where one option tells every job from every
    other, as in a list, any second one would leave half of them empty.
    """
    jobs = [*zip(*patterns, strict=True)]
    if not 0 < len(patterns) <= AXES or prod(max(one) + 1 for one in patterns) >= 2 * len(jobs):
        return {}
    if len(set(jobs)) < len(jobs):  # two in one cell
        return {}
    first = sorted(patterns, key=lambda one: next(at for at, value in enumerate(one) if value))
    for axes in permutations(first):  # X turns fastest, so it changes first, if the job that would do so is there
        found = {axis: _order(axis, axes[at + 1 :]) for at, axis in enumerate(axes)}
        if all(found.values()):
            return found
    return {}


def _order(axis: Pattern, slower: Sequence[Pattern]) -> list[int]:
    """The values of an axis in an order in which they come wherever nothing slower changes; empty where none is."""
    before: dict[int, set[int]] = {value: set() for value in axis}
    for at, (last, value) in enumerate(pairwise(axis)):
        if value != last and all(one[at] == one[at + 1] for one in slower):
            before[value].add(last)
    order: dict[int, None] = {}
    while before:
        free = next((value for value, needed in before.items() if needed <= order.keys()), None)
        if free is None:
            return []
        order[free] = None
        del before[free]
    return [*order]


def _cells(axes: dict[Pattern, list[int]]) -> tuple[int | None, ...]:
    """The number of the job in each cell of a grid, X turning fastest."""
    known = {job: number for number, job in enumerate(zip(*axes, strict=True))}
    return tuple(known.get(tuple(reversed(cell))) for cell in product(*reversed(axes.values())))


def _distinct(labels: Sequence[str]) -> tuple[str, ...]:
    """Labels as they are, numbered where two would be the same."""
    if len(set(labels)) == len(labels):
        return tuple(labels)
    return tuple(f"{number}. {label}".strip() for number, label in enumerate(labels, 1))


def _apart(texts: Sequence[str]) -> Sequence[str]:
    """Texts without what they begin and end with alike, so that they differ where they are seen: first what all of
    them share, then what those do that still begin in the same way.
    """
    rest = _bare(texts)
    alike: dict[str, list[str]] = {}
    for text in dict.fromkeys(rest):
        alike.setdefault(shorten(text, SHORT), []).append(text)
    bare = {text: one for group in alike.values() for text, one in zip(group, _bare(group), strict=True)}
    return [bare[text] for text in rest] if len(set(bare.values())) == len(bare) else rest


def _bare(texts: Sequence[str]) -> Sequence[str]:
    """Texts without the words that all of them begin and end with, where one would be cut before they differ."""
    if max(map(cell_len, texts)) <= SHORT or len(set(texts)) == 1:
        return texts
    start = _shared(texts)
    while start and not _parts(texts[0][start - 1]):
        start -= 1
    rest = [text[start:] for text in texts]
    end = _shared([text[::-1] for text in rest])
    while end and not _parts(rest[0][-end]):
        end -= 1
    begin, stop = ELLIPSIS if start else "", ELLIPSIS if end else ""
    return [f"{begin}{text[: len(text) - end].strip()}{stop}" for text in rest]


def _shared(texts: Sequence[str]) -> int:
    """How many signs all texts begin with."""
    signs = zip(*texts, strict=False)  # as far as the shortest goes
    return next((at for at, one in enumerate(signs) if len(set(one)) > 1), min(map(len, texts)))


def _parts(sign: str) -> bool:
    """Whether a text may be cut at a sign: what is no letter, or a sign of a script that writes no spaces."""
    return not sign.isalnum() or ord(sign) >= EAST


def _label(keys: Sequence[str], fields: dict[str, OptionField], values: Plain, language: str) -> str:
    """What is said of a cell's options: a prompt without its name."""
    parts: list[str] = []
    for key in keys:
        field, value = fields.get(key), values.get(key)
        if field is None:
            continue
        text = field.tell(value, language)
        parts.append(text if key == "prompt" else f"{say(field.label, language)}: {text}")
    return shorten(", ".join(parts), LABEL)


def _flat(values: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and value and all(isinstance(name, str) and not name.isdecimal() for name in value):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
