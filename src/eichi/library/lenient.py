"""Values from another time or another program as a request: what is known is taken, the rest is said.

A favourite of an earlier version, a picture of another program, the settings of eichi 1.9: their keys and bounds are
not ours. Nothing of theirs is dropped silently, and nothing of theirs keeps the rest from being used.
"""

from collections.abc import Mapping
from copy import deepcopy
from textwrap import shorten
from typing import Any, TypeVar

from pydantic import ValidationError

from eichi.errors import InputError
from eichi.events import Adjusted
from eichi.options import FrameOptions, Request, VideoOptions

Asked = TypeVar("Asked", bound=Request)


def kind_of(name: object) -> type[Request]:
    """The kind of request of that name. Raises InputError."""
    for kind in (VideoOptions, FrameOptions):
        if kind.kind == name:
            return kind
    raise InputError("error.request.kind", kind=name, known=f"{VideoOptions.kind}, {FrameOptions.kind}")


def read(kind: type[Asked], values: Mapping[str, Any]) -> tuple[Asked, tuple[Adjusted, ...]]:
    """A request from nested plain values, and a word on each value that could not be used."""
    known, left = sift(kind, values)
    return kind.parse(known), left


def sift(kind: type[Request], values: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Adjusted, ...]]:
    """The values that a request of this kind can use, and a word on each of the others."""
    rest = deepcopy(dict(values))
    left: list[Adjusted] = []
    while True:
        try:
            kind.model_validate(rest)
            return rest, tuple(left)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            key, value = _take_out(rest, first["loc"])
            shown = shorten(str(value), 60)
            if first["type"] == "extra_forbidden":
                left.append(Adjusted("note.option.unknown", {"key": key, "value": shown}))
            else:
                left.append(Adjusted("note.option.unfit", {"key": key, "value": shown, "reason": first["msg"]}))


def over(values: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values with others laid over them; tables are merged, everything else is replaced."""
    merged = dict(values)
    for key, value in above.items():
        below = merged.get(key)
        merged[key] = over(below, value) if isinstance(below, dict) and isinstance(value, Mapping) else value
    return merged


def _take_out(values: dict[str, Any], path: tuple[int | str, ...]) -> tuple[str, Any]:
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
    assert keys, "an option group has rules for its fields alone"
    return ".".join(map(str, keys)), holder.pop(keys[-1])


def _key(holder: Any, part: int | str) -> Any:
    """The key of a table or the place in a list that a part of a path means, None where there is none."""
    if isinstance(holder, list):
        return part if isinstance(part, int) and part < len(holder) else None
    if isinstance(holder, dict):
        return next((key for key in holder if str(key) == str(part)), None)
    return None
