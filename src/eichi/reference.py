"""The reference page of options and settings, as Markdown: `python -m eichi.reference FILE`.

All of it is read from the declarations and their words, so it cannot say what the program does not do. English only.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from eichi.declare import GROUPS, Optioned, OptionField, walk
from eichi.options import FillOptions, FrameOptions, VideoOptions
from eichi.settings import Settings, variable
from eichi.words import say, typed

HEAD = """# Options

Made by `make docs` from the declarations in `src/eichi/options.py` and `settings.py`; do not edit.

Every option has a key. The command line takes everyday ones as flags and all of them as `--set KEY=VALUE`; the HTTP
interface and Python take the keys as they are, a dot being a table within a table. *For* says which kind of model has a
use for an option: for the other one it is refused. *Counts unless* says what makes it useless. *Costs* says what a
change of it changes: the time of a section, or the memory that is needed.
"""
COLUMNS = ("name", "key", "flag", "values", "default", "for", "counts unless", "costs", "what it does")
SET_UP = """
## Settings of the machine

A setting is an environment variable, or a key of `settings.json` in the home folder, the variable winning. Those with a
group are in the page under Settings, and can be changed there by who sits at the machine.
"""
SETTINGS = ("name", "key", "variable", "values", "default", "costs", "what it does")
MODELS = {"reverse": "standard", "forward": "F1"}


def reference(*kinds: type[Optioned]) -> str:
    """The page: the options of these kinds of requests, and the settings."""
    parts = [HEAD]
    for kind in kinds:
        parts.append(f"\n## {_title(kind)}\n")
        parts += _groups(walk(kind), COLUMNS, _row)
    return "".join([*parts, SET_UP, *_groups(walk(Settings), SETTINGS, _setting)])


def _title(kind: type[Optioned]) -> str:
    """What a kind of request is for, as its class says it."""
    return (kind.__doc__ or kind.__name__).partition("\n")[0].rstrip(".")


def _groups(fields: Iterable[OptionField], columns: tuple[str, ...], row: Any) -> Iterator[str]:
    """Tables, one for each group, after what has none."""
    every = list(fields)
    for group in (None, *GROUPS):
        inside = [field for field in every if field.group == group]
        if inside:
            yield "" if group is None else f"\n### {say(f'group.{group}')}\n"
            yield _table([columns, ("---",) * len(columns), *map(row, inside)])


def _table(rows: Iterable[Iterable[str]]) -> str:
    lines = ("| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows)
    return "\n" + "\n".join(lines) + "\n"


def _row(field: OptionField) -> Iterator[str]:
    yield say(field.label)
    yield f"`{field.key}`"
    yield "" if field.flag is None else f"`{field.flag}`"
    yield _values(field)
    yield _default(field)
    yield "" if field.only is None else MODELS[field.only]
    shown = field.shown
    yield "" if shown is None else " and ".join(f"`{key}` is {_code(shown.unless)}" for key in shown.keys)
    yield ", ".join(field.costs)
    yield say(typed(field.id))


def _setting(field: OptionField) -> Iterator[str]:
    yield say(field.label)
    yield f"`{field.key}`"
    yield f"`{variable(field.key)}`"
    yield _values(field)
    yield _default(field)
    yield ", ".join(field.costs)
    yield say(typed(field.id))


def _values(field: OptionField) -> str:
    """What may be given."""
    low, high = field.bounds
    if field.type is bool:
        return "on, off"
    if field.choices:
        return ", ".join(map(_code, field.choices))
    if low is not None:
        ends = f"from {_plain(low)}" if high is None else f"{_plain(low)} to {_plain(high)}"
        return ends if field.unit is None else f"{ends} {say(f'unit.{field.unit}')}"
    if field.repeatable:
        return f"`{field.form}`, several"
    return "text" if field.secret else {str: "text", Path: field.kind or ""}.get(field.type, "number")


def _plain(number: float) -> str:
    """A number without a fraction that says nothing."""
    return str(int(number)) if number == int(number) else str(number)


def _default(field: OptionField) -> str:
    value = None if field.info.is_required() else field.info.default
    return "" if value is None or value in ("", (), {}) else _code(value)


def _code(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "left open", True: "on", False: "off"}[value]
    return f"`{_plain(value)}`" if isinstance(value, float) else f"`{value}`"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(VideoOptions, FrameOptions, FillOptions), encoding="utf-8")
