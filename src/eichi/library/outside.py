"""Values from another time or another program as a request: what is known is taken, the rest is said.

A favourite of an earlier version, a picture of another program, the settings of eichi 1.9: their keys and bounds are
not ours. Nothing of theirs is dropped silently, and nothing of theirs keeps the rest from being used.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from eichi.declare import Plain, shown
from eichi.errors import InputError
from eichi.events import Adjusted
from eichi.library.salvage import Lost, salvage
from eichi.options import FrameOptions, Options, Request, VideoOptions
from eichi.reasons import Reason, unfit
from eichi.text import shorten

Asked = TypeVar("Asked", bound=Request)

# Notes on one file that are told one by one.
MOST = 20


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


def sift(kind: type[Options], values: Mapping[str, Any]) -> tuple[Plain, tuple[Adjusted, ...]]:
    """The values that a request of this kind can use, and a word on each of the others."""
    _, known, lost = salvage(kind.model_validate, values)
    return known, few([*map(_note, lost[:MOST])], len(lost))


def over(values: Mapping[str, Any], above: Mapping[str, Any]) -> Plain:
    """Nested values with others laid over them; tables are merged, everything else is replaced."""
    merged = dict(values)
    for key, value in above.items():
        below = merged.get(key)
        merged[key] = over(below, value) if isinstance(below, dict) and isinstance(value, Mapping) else value
    return merged


def left_out(key: str, value: object, **reason: str | int | float | None) -> Adjusted:
    """A word on a value that is not used: as it is not known here, or for a reason. None is spelled out at length."""
    key, text = (part.encode("utf-8", "backslashreplace").decode() for part in (key, shown(value)))
    told: Reason = {"key": shorten(key, 60), "value": text}
    return Adjusted("note.option.unfit", told | reason) if reason else Adjusted("note.option.unknown", told)


def few(notes: Sequence[Adjusted], count: int = 0) -> tuple[Adjusted, ...]:
    """So many notes that a person reads them, and how many more of all that there are, which may be a `count`."""
    more = max(count, len(notes)) - MOST
    return (*notes[:MOST], *((Adjusted("note.more", {"count": more}),) if more > 0 else ()))


def _note(lost: Lost) -> Adjusted:
    unknown = lost.wrong["type"] == "extra_forbidden"
    return left_out(lost.key, lost.value, **({} if unknown else unfit(lost.wrong)))
