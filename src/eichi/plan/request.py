"""What every kind of request resolves in the same way: its size, its seed, what deserves a word about its texts."""

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from eichi.catalog import Entry
from eichi.declare import walk
from eichi.events import Adjusted
from eichi.options import MAX_SEED, FillOptions, Request, StepOptions
from eichi.plan.size import published, usual
from eichi.plan.wildcards import plain

Asked = TypeVar("Asked", bound=Request)


@dataclass(frozen=True)
class Resolved(Generic[Asked]):
    """What every plan holds. `options` is the request with its seed and resolution, `notes` what deserves a word."""

    options: Asked
    entry: Entry
    seed: int
    height: int
    width: int
    notes: tuple[Adjusted, ...]


def settle(options: Asked, entry: Entry, picture: tuple[int, int]) -> tuple[Asked, int, int, int]:
    """The request with its resolution and its seed filled in, then seed, height and width. Raises OptionError.

    `picture` is the start picture's (width, height). A seed that was left open is drawn here, so that what is
    resolved can be run again.
    """
    resolution = options.resolution or usual(entry, picture)
    height, width = published(entry, resolution, picture, first=options.fit == "original")
    seed = drawn(options.seed)
    return options.model_copy(update={"seed": seed, "resolution": resolution}), seed, height, width


def drawn(seed: int | None, count: int = 1) -> int:
    """A seed, drawn where it was left open, so that `count` seeds can be counted up from it."""
    return secrets.randbelow(MAX_SEED + 2 - count) if seed is None else seed


def texts_read(prompts: Iterable[str], options: Request | FillOptions, sampling: StepOptions) -> tuple[str, ...]:
    """Every text that the encoders read, as they read it, once: the prompts, and the negative one where it counts."""
    negative = [options.negative] if sampling.negated else []
    return tuple(dict.fromkeys(map(plain, [*prompts, *negative])))


def size_notes(options: Request, entry: Entry, sampling: StepOptions) -> Iterator[Adjusted]:
    """A remark on places that are scaled though the picture is no larger than those that the model knows."""
    resolution = options.resolution or entry.resolution
    if sampling.rope != 1.0 and resolution <= entry.resolution:
        values = {"scale": sampling.rope, "own": entry.resolution, "resolution": resolution}
        yield Adjusted("note.rope.small", values)


def request_notes(options: Request | FillOptions) -> Iterator[Adjusted]:
    """Remarks on an empty prompt, and on options that another one makes useless."""
    if not options.prompt.strip():
        yield Adjusted("note.prompt.empty", {})
    known = {field.key: field for field in walk(type(options))}
    for field in known.values():
        given = field.of(options)
        asked = given.strip() if isinstance(given, str) else given
        if field.shown is not None and not field.used(options) and asked != field.info.default:
            other, value = known[field.shown.key], field.shown.unless
            told = other.words_of(value) or f"{value:g}"
            yield Adjusted("note.option.unused", {"option": field.label, "other": other.label, "value": told})
