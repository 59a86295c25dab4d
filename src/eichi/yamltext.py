"""YAML that others have written: tables, lists and texts.

Scalars stay as they are written, so that a prompt `no` or `007` is what it looks like. What makes a short YAML large
or something else than it looks, aliases and tags, has no place in such a text and is refused. It is built from the
parser's events, which are no more than the text is long. Knows nothing of what the keys mean.
"""

from collections.abc import Iterator
from typing import Any

import yaml

from eichi.reasons import Unfit
from eichi.text import shorten

LIMIT = 64 * 2**10  # bytes of a text
# The parser that is written in C, where the library was built with it.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Tables and lists in each other: a section archive has four.
DEPTH = 16
SHOWN = 60  # signs of a key
OPEN = {"", "~", "null", "Null", "NULL"}
TEXT = {None, "!", "tag:yaml.org,2002:str"}
TABLE = {None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}


def parse_yaml(text: str, alias: Exception) -> Any:
    """The only document of a YAML text; None where there is none. Raises YAMLError, ValueError; `alias` for one."""
    events = _checked(text, alias)
    values = None
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            if values is not None:
                raise Unfit("reason.form")
            values = _value(next(events), events, 0)
    return values


def _checked(text: str, alias: Exception) -> Iterator[yaml.Event]:
    """The events of a YAML text without aliases."""
    for event in yaml.parse(text, Loader=LOADER):
        if getattr(event, "anchor", None) is not None:
            raise alias
        yield event


def _value(first: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Any:
    """The value that begins with an event; what is not text, or would lie too deep, is refused by ValueError."""
    if isinstance(first, yaml.ScalarEvent):
        if first.tag not in TEXT:
            raise Unfit("reason.form")
        return None if first.implicit[0] and first.value in OPEN else first.value
    tag = getattr(first, "tag", None)
    if depth == DEPTH or tag not in TABLE:
        raise Unfit("reason.depth" if depth == DEPTH else "reason.form")
    found = []
    for event in events:
        if isinstance(event, yaml.CollectionEndEvent):
            break
        found.append(_value(event, events, depth + 1))
    if isinstance(first, yaml.SequenceStartEvent):
        return found
    return _table(found[::2], found[1::2])


def _table(keys: list[Any], values: list[Any]) -> dict[str, object]:
    """A table; a key that is there twice says two things, and readers of YAML differ in which of them they take."""
    table: dict[str, object] = {}
    for key, value in zip(keys, values, strict=True):
        if not isinstance(key, str | None):
            raise Unfit("reason.form")
        if (key or "") in table:
            raise Unfit("reason.twice", key=shorten(key or "", SHOWN))
        table[key or ""] = value
    return table
