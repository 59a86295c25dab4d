"""What can be read of values that a person, another version or another program wrote.

Whatever is wrong among them is taken out, and the rest stays in use: settings, what is kept, requests of another time.
Knows neither what the values are for nor how to say what was lost.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from eichi.declare import Plain

Content = TypeVar("Content")


@dataclass(frozen=True)
class Lost:
    """A value that was taken out, its dotted key, and what was wrong with it or in it."""

    key: str
    value: Any
    wrong: ErrorDetails


def salvage(
    read: Callable[[Plain], Content], values: Mapping[str, Any], depth: int | None = None
) -> tuple[Content, Plain, list[Lost]]:
    """What `read` makes of nested values, the values that it takes, and those that it does not take.

    The innermost value that is wrong goes, or what holds it `depth` levels down.
    """
    rest = deepcopy(dict(values))
    lost: list[Lost] = []
    while True:
        try:
            return read(rest), rest, lost
        except ValidationError as error:
            lost += _take_out(rest, error.errors(include_url=False), depth)


def _take_out(values: Plain, errors: list[ErrorDetails], depth: int | None) -> list[Lost]:
    """Remove all that is wrong at once, each the innermost value that exists on the way to it; what it was."""
    wrong: dict[tuple[Any, ...], ErrorDetails] = {}
    for one in errors:
        path = _keys(values, one["loc"])
        wrong.setdefault((*path, *_unspoken(reduce(getitem, path, values), one))[:depth], one)
    assert () not in wrong, "nothing is asked for that may be missing, and all rules are for one value"
    paths = [path for path in wrong if not any(path[:end] in wrong for end in range(1, len(path)))]
    places = {path: (reduce(getitem, path[:-1], values), path[-1]) for path in paths}
    lost = [Lost(".".join(map(str, path)), holder[key], wrong[path]) for path, (holder, key) in places.items()]
    # From the end of a list on, so that the places before stay where they are.
    for holder, key in sorted(places.values(), key=lambda place: place[1] if isinstance(place[0], list) else 0)[::-1]:
        holder.pop(key)
    return lost


def _keys(values: Plain, path: tuple[int | str, ...]) -> tuple[Any, ...]:
    """The keys and places on the way to what is wrong, as far as they exist."""
    here: Any = values
    keys: list[Any] = []
    for part in path:
        key = _key(here, part)
        if key is None:
            break
        here = here[key]
        keys.append(key)
    return tuple(keys)


def _unspoken(holder: Any, wrong: ErrorDetails) -> tuple[str, ...]:
    """The key of a table that is wrong, where it is one that is no text: no place names it."""
    key = wrong["input"]
    return (key,) if wrong["type"] == "string_unicode" and isinstance(holder, dict) and key in holder else ()


def _key(holder: Any, part: int | str) -> Any:
    """The key of a table or the place in a list that a part of a path means, None where there is none."""
    if isinstance(holder, list):
        return part if isinstance(part, int) and part < len(holder) else None
    if isinstance(holder, dict):
        return part if part in holder else next((key for key in holder if str(key) == str(part)), None)
    return None
