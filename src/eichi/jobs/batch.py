"""One request becomes many: every reference with every picture with every prompt, each with a row of seeds.

Expanded to explicit requests before anything starts, so that what will be made can be counted, shown and changed one
by one. Pure: reads no file; lists and folders are read by `lists`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from eichi.declare import Plain
from eichi.errors import OptionError
from eichi.jobs.grid import Axis, crossed
from eichi.options import MAX_SEED, FrameOptions, ReferenceOptions, VideoOptions
from eichi.plan.oneframe import sweep
from eichi.plan.request import drawn
from eichi.reading import entries

MOST = 10_000  # entries of a list: each is a job, or many


@dataclass(frozen=True)
class BatchPicture:
    """A start picture of a batch; `prompt` is its own text, None where it has none."""

    image: Path | None
    prompt: str | None = None


@dataclass(frozen=True)
class Batch:
    """What varies; an empty part leaves the request's own.

    `count` results of each combination have consecutive seeds, from the request's or from one that is drawn, the same
    for every combination, so that combinations can be compared. A picture's own text is its only prompt. Every one of
    `references` in turn becomes the first reference of a single image; `windows` and `targets` are swept likewise. Of
    every one of these requests `axes` make a grid.
    """

    count: int = 1
    prompts: tuple[str, ...] = ()
    pictures: tuple[BatchPicture, ...] = ()
    references: tuple[ReferenceOptions, ...] = ()
    windows: tuple[int, ...] = ()
    targets: tuple[int, ...] = ()
    axes: tuple[Axis, ...] = ()


def parse_prompts(text: str) -> list[str]:
    """The prompts of a list, as `entries` reads them. Raises OptionError for too many."""
    found = [*islice(entries(text), MOST + 1)]
    if len(found) > MOST:
        raise OptionError("error.batch.many", limit=MOST)
    return found


def expand(options: VideoOptions | FrameOptions, batch: Batch) -> list[VideoOptions | FrameOptions]:
    """All requests of a batch in the order they are made, seeds turning fastest. Raises OptionError."""
    if isinstance(options, VideoOptions) and (batch.references or batch.windows or batch.targets):
        raise OptionError("error.batch.frame")
    if batch.count > 1 and any(axis.key == "seed" for axis in batch.axes):
        raise OptionError("error.grid.seeds", count=batch.count)
    seeds = [options.seed] if batch.count == 1 else _row(options.seed, batch.count)
    found: list[VideoOptions | FrameOptions] = []
    for values in _combinations(options, batch):
        for seed in seeds:
            found += _swept(type(options).parse(values | {"seed": seed}), batch)
    if not batch.axes:
        return found
    return [one for request in found for one in crossed(request, batch.axes)]


def _row(first: int | None, count: int) -> list[int | None]:
    """Consecutive seeds; a first one that was left open is drawn so that they fit."""
    if (first or 0) + count > MAX_SEED + 1:
        raise OptionError("error.batch.seeds", first=first or 0, count=count, most=MAX_SEED)
    begin = drawn(first, count)
    return list(range(begin, begin + count))


def _combinations(options: VideoOptions | FrameOptions, batch: Batch) -> Iterator[Plain]:
    """Requests as plain values, without their seeds."""
    own = options.dump()
    referred = [own | {"references": [one.model_dump(mode="json"), *own["references"]]} for one in batch.references]
    for values in referred or [own]:
        for picture in batch.pictures or [BatchPicture(options.image)]:
            prompts = batch.prompts or (options.prompt,)
            for prompt in prompts if picture.prompt is None else (picture.prompt,):
                yield values | {"image": picture.image, "prompt": prompt}


def _swept(options: VideoOptions | FrameOptions, batch: Batch) -> tuple[VideoOptions | FrameOptions, ...]:
    if isinstance(options, FrameOptions) and (batch.windows or batch.targets):
        return sweep(options, batch.windows, batch.targets)
    return (options,)
