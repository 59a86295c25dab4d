"""What every kind of request resolves in the same way: its size, its seed, what deserves a word about its texts."""

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from eichi.catalog import Entry
from eichi.events import Adjusted
from eichi.options import MAX_SEED, FillOptions, Request
from eichi.plan.size import published

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
    resolution = options.resolution or entry.resolution
    height, width = published(entry, resolution, picture, first=options.fit == "original")
    seed = drawn(options.seed)
    return options.model_copy(update={"seed": seed, "resolution": resolution}), seed, height, width


def drawn(seed: int | None, count: int = 1) -> int:
    """A seed, drawn where it was left open, so that `count` seeds can be counted up from it."""
    return secrets.randbelow(MAX_SEED + 2 - count) if seed is None else seed


def texts_read(prompts: Iterable[str], options: Request | FillOptions, cfg: float) -> tuple[str, ...]:
    """Every text that the encoders read, once: the prompts, and the negative one where it counts."""
    negative = [options.negative] if cfg != 1.0 else []
    return tuple(dict.fromkeys([*prompts, *negative]))


def text_notes(options: Request | FillOptions, cfg: float) -> Iterator[Adjusted]:
    """Remarks on the prompts."""
    if not options.prompt.strip():
        yield Adjusted("note.prompt.empty", {})
    if options.negative.strip() and cfg == 1.0:
        yield Adjusted("note.negative.unused", {})
