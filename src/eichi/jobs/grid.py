"""A grid: one request with an option, or two, or three, varied along axes; and the axes of jobs that were made so.

An axis is `KEY=VALUES`: an option's key, or `replace` for a part of the prompt. Values are `a,b,c` (quoted where they
hold a comma, one line after the other counts, too), or for numbers `start-end [n]`, so many even steps. Jobs of a grid are ordinary jobs of one batch, X
turning fastest. What the axes were is read from the jobs again: from how their requests differ. So nothing of a grid
is kept anywhere, and a batch of any other kind can be seen as one. Reads no file.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil, prod, sqrt
from typing import Any, TypeAlias

from eichi.declare import OptionField, Plain, walk
from eichi.errors import OptionError
from eichi.options import FrameOptions, Options, VideoOptions, place
from eichi.plan.request import drawn
from eichi.text import WIDE, decimal, shorten
from eichi.words import ENGLISH, say

REPLACE = "replace"
AXES = 3
MOST = 1000  # jobs of a grid
STEPS = re.compile(r"\s*([-+]?\d+(?:[.,]\d+)?)\s*-\s*([-+]?\d+(?:[.,]\d+)?)\s*(?:\[\s*(\d{1,4})\s*\])?\s*")
LABEL = 80  # signs of a label
WIDER = WIDE | {ord(sign): plain for sign, plain in zip("、［］～〜–—", ",[]----", strict=True)}  # around numbers
WRITTEN = "written."  # what prompts were before wildcards were drawn is no axis

Drawn: TypeAlias = VideoOptions | FrameOptions


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
    if key != REPLACE and key not in fields:
        known = sorted(name for name, field in fields.items() if not field.repeatable)
        raise OptionError("error.option.unknown", key=key, known=", ".join(known))
    if key in fields and fields[key].repeatable:
        raise OptionError("error.grid.axis", key=key)
    values = tuple(dict.fromkeys(_values(text, fields.get(key))))
    if len(values) < 2:
        raise OptionError("error.grid.few", key=key)
    return Axis(key, values)


def _values(text: str, field: OptionField | None) -> Iterator[str]:
    """What an axis is along its length. Numbers may be typed in wide signs."""
    number = field is not None and field.number
    text = text.translate(WIDER) if number else text
    steps = STEPS.fullmatch(text) if number else None
    if steps is None:
        try:
            rows: list[list[str]] = [*csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)]
        except csv.Error as error:
            raise OptionError("error.grid.form", text=shorten(text, LABEL)) from error
        yield from (one.strip() for row in rows for one in row if one.strip())
        return
    low, high = (float(decimal(steps[at])) for at in (1, 2))
    whole = low.is_integer() and high.is_integer()
    count = int(steps[3]) if steps[3] else int(abs(high - low)) + 1
    if count > MOST:
        raise OptionError("error.grid.many", limit=MOST)
    found = [low + (high - low) * number / max(count - 1, 1) for number in range(count)]
    yield from (f"{round(one)}" if whole else f"{round(one, 4):g}" for one in found)


def crossed(options: Drawn, axes: Sequence[Axis]) -> list[Drawn]:
    """All requests of a grid, X turning fastest, with one seed where that is no axis. Raises OptionError."""
    if len(axes) > AXES or prod(len(axis.values) for axis in axes) > MOST:
        raise OptionError("error.grid.many", limit=MOST)
    keys = [axis.key for axis in axes]
    for key in keys:
        if keys.count(key) > 1 and key != REPLACE:
            raise OptionError("error.grid.twice", key=key)
    for axis in axes:
        if axis.key == REPLACE and axis.values[0] not in options.prompt:
            raise OptionError("error.grid.replace", text=axis.values[0])
    base = options.dump() | ({} if "seed" in keys else {"seed": drawn(options.seed)})
    found: list[Drawn] = []
    for cell in product(*(axis.values for axis in reversed(axes))):
        values = type(options).parse(base).dump()
        for axis, value in zip(axes, reversed(cell), strict=True):
            if axis.key == REPLACE:
                values["prompt"] = values["prompt"].replace(axis.values[0], value)
            else:
                place(values, axis.key, value)
        found.append(type(options).parse(values))
    return found


@dataclass(frozen=True)
class Shape:
    """How jobs lie in a grid: what is said along X, Y and Z, one job a cell, X turning fastest. Where only X has
    something to say, its `columns` are fewer than that and every cell has its own label.
    """

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
    """The axes along which requests differ, in the words of a language."""
    flats = [dict(_flat(one.dump())) for one in requests]
    keys = [key for key in flats[0] if not key.startswith(WRITTEN)]
    told = {key: [flat.get(key) for flat in flats] for key in keys}
    differing = [key for key in keys if any(one != told[key][0] for one in told[key])]
    groups: dict[tuple[int, ...], list[str]] = {}
    for key in differing:  # what changes together is one axis
        known = [*dict.fromkeys(map(repr, told[key]))]
        groups.setdefault(tuple(known.index(repr(one)) for one in told[key]), []).append(key)
    axes = sorted(groups, key=lambda pattern: next(at for at, one in enumerate(pattern) if one != pattern[0]))
    sizes, stride = [max(pattern) + 1 for pattern in axes], 1
    regular = prod(sizes) == len(requests) and len(axes) <= AXES
    for pattern, size in zip(axes, sizes, strict=True):
        regular = regular and all(one == at // stride % size for at, one in enumerate(pattern))
        stride *= size
    fields = {field.key: field for field in walk(type(requests[0]))}
    if not regular or not axes:
        labels = [_label(differing, fields, flat, language) for flat in flats]
        return Shape(tuple(labels))
    sides = []
    for pattern in axes:
        cells = [pattern.index(number) for number in range(max(pattern) + 1)]
        sides.append(tuple(_label(groups[pattern], fields, flats[cell], language) for cell in cells))
    return Shape(*sides)


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
