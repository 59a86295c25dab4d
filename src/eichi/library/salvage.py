"""What can be read of values that a person, another version or another program wrote.

Whatever is wrong among them is taken out, and the rest stays in use: settings, what is kept, requests of another time.
Knows neither what the values are for nor how to say what was lost.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
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
            first = error.errors(include_url=False)[0]
            lost.append(Lost(*_take_out(rest, first["loc"][:depth]), first))


def _take_out(values: Plain, path: tuple[int | str, ...]) -> tuple[str, Any]:
    """Remove the innermost value that exists on the way to what is wrong; its dotted key and itself."""
    holder: Any = values
    here: Any = values
    keys: list[Any] = []
    for part in path:
        key = _key(here, part)
        if key is None:
            break
        holder, here = here, here[key]
        keys.append(key)
    assert keys, "nothing is asked for that may be missing, and all rules are for one value"
    return ".".join(map(str, keys)), holder.pop(keys[-1])


def _key(holder: Any, part: int | str) -> Any:
    """The key of a table or the place in a list that a part of a path means, None where there is none."""
    if isinstance(holder, list):
        return part if isinstance(part, int) and part < len(holder) else None
    if isinstance(holder, dict):
        return next((key for key in holder if str(key) == str(part)), None)
    return None
