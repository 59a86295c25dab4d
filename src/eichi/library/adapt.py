"""What a file brought into a request and the rest of the request has no use for: it is left out, with a word on each.

A result of the standard model is made again with F1, one of many sections shorter, one of another model's size: what
was typed beside the file says so, and what only came along with it must not stand in the way. What was typed itself is
left to the plan, which refuses it by name.
"""

from collections.abc import Callable, Iterator
from typing import TypeVar

from eichi.catalog import Entry, find
from eichi.declare import Plain, at, walk
from eichi.errors import ModelError
from eichi.events import Adjusted
from eichi.options import Request, VideoOptions, place
from eichi.plan.plan import count_sections

Asked = TypeVar("Asked", bound=Request)


def adapt(asked: Asked, settled: Callable[[str], bool]) -> tuple[Asked, tuple[Adjusted, ...]]:
    """A request without what it cannot use of a file, and a word on each; `settled` tells the keys that were typed."""
    try:
        entry = find(asked.model)
    except ModelError:  # which the plan says
        return asked, ()
    values = asked.dump()
    notes = [*_resolution(asked, values, entry, settled), *_direction(asked, values, entry, settled)]
    asked = type(asked).parse(values)
    if isinstance(asked, VideoOptions):
        notes += _beyond(asked, values, settled)
        asked = type(asked).parse(values)
    return asked, tuple(notes)


def _resolution(asked: Request, values: Plain, entry: Entry, settled: Callable[[str], bool]) -> Iterator[Adjusted]:
    """The size of another model."""
    if asked.resolution is not None and asked.resolution not in entry.sizes and not settled("resolution"):
        values["resolution"] = None
        yield Adjusted("note.from.resolution", {"value": asked.resolution, "model": entry.name})


def _direction(asked: Request, values: Plain, entry: Entry, settled: Callable[[str], bool]) -> Iterator[Adjusted]:
    """What the other kind of model is for."""
    for field in walk(type(asked)):
        if field.only in (None, entry.direction):
            continue
        plain = field.info.default
        value, kept = field.of(asked), plain
        if field.numbered:
            kept = {number: one for number, one in value.items() if settled(f"{field.key}.{number}")}
        if value not in (plain, kept) and not settled(field.key):
            place(values, field.key, _plain(kept))
            yield Adjusted(f"note.from.{entry.direction}", {"key": field.key, "model": entry.name})


def _plain(value: object) -> object:
    return {str(number): str(one) for number, one in value.items()} if isinstance(value, dict) else value


def _beyond(asked: VideoOptions, values: Plain, settled: Callable[[str], bool]) -> Iterator[Adjusted]:
    """Pictures and prompts of sections that the video does not have."""
    count = count_sections(asked) - (asked.keyframes.loop == "seamless")  # the last one connects
    for key in (field.key for field in walk(type(asked)) if field.numbered):
        table: Plain = at(values, key)
        for number in sorted(map(int, table)):
            if number >= count and not settled(f"{key}.{number}"):
                del table[str(number)]
                yield Adjusted("note.from.section", {"key": key, "number": number, "count": count})
