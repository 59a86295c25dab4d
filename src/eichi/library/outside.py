"""Values from another time or another program as a request: what is known is taken, the rest is said.

A favourite of an earlier version, a picture of another program, the settings of eichi 1.9: their keys and bounds are
not ours. Nothing of theirs is dropped silently, and nothing of theirs keeps the rest from being used.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from eichi.declare import Plain, shown
from eichi.errors import InputError
from eichi.events import Adjusted
from eichi.library.salvage import Lost, salvage
from eichi.options import FrameOptions, Request, VideoOptions
from eichi.reasons import Reason, unfit

Asked = TypeVar("Asked", bound=Request)


def kind_of(name: object) -> type[Request]:
    """The kind of request of that name. Raises InputError."""
    for kind in (VideoOptions, FrameOptions):
        if kind.kind == name:
            return kind
    raise InputError("error.request.kind", kind=name, known=f"{VideoOptions.kind}, {FrameOptions.kind}")


def read_request_from(kind: type[Asked], values: Mapping[str, Any]) -> tuple[Asked, tuple[Adjusted, ...]]:
    """A request from nested plain values, and a word on each value that could not be used."""
    known, left = sift(kind, values)
    return kind.parse(known), left


def sift(kind: type[Request], values: Mapping[str, Any]) -> tuple[Plain, tuple[Adjusted, ...]]:
    """The values that a request of this kind can use, and a word on each of the others."""
    _, known, lost = salvage(kind.model_validate, values)
    return known, tuple(map(_note, lost))


def over(values: Mapping[str, Any], above: Mapping[str, Any]) -> Plain:
    """Nested values with others laid over them; tables are merged, everything else is replaced."""
    merged = dict(values)
    for key, value in above.items():
        below = merged.get(key)
        merged[key] = over(below, value) if isinstance(below, dict) and isinstance(value, Mapping) else value
    return merged


def _note(lost: Lost) -> Adjusted:
    told: Reason = {"key": lost.key, "value": shown(lost.value)}
    if lost.wrong["type"] == "extra_forbidden":
        return Adjusted("note.option.unknown", told)
    return Adjusted("note.option.unfit", told | unfit(lost.wrong))
