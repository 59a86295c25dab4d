"""What varies in a batch as it is asked for over HTTP: ids for its files, and the axes of a grid as one types them.

What is wrong with an axis is told with its place, so that a page can say it there and not at the option itself. Knows
no draft and no plan.
"""

from collections.abc import Iterator
from math import prod
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from eichi.declare import field_of
from eichi.errors import EichiError, OptionError
from eichi.jobs.batch import Batch, BatchPicture, parse_prompts
from eichi.jobs.grid import AXES, REPLACE, Axis, check_axis, check_values, make_axis
from eichi.options import FrameOptions, ReferenceOptions, VideoOptions
from eichi.web.desk import Desk
from eichi.web.visitor import Visitor

MOST = 100_000  # results of a batch
MODEL, UPSCALER = "model", "finish.upscale"  # options that are a name or a path
PLACE = "batch"  # what a key begins with that is of a batch and of no option
# What is wrong with the option of an axis, not with its values.
OF_KEY = {"error.grid.option", "error.grid.twice", "error.option.unknown", "error.api.path"}


class BatchPictureAsked(BaseModel):
    """A start picture of a batch, by its id; `prompt` is its own text."""

    model_config = ConfigDict(extra="forbid")

    id: str
    prompt: str | None = None


class BatchReferenceAsked(BaseModel):
    """A first reference of a batch, by its id; `mask` is one, too."""

    model_config = ConfigDict(extra="forbid")

    id: str
    index: int | None = Field(None, ge=0)
    mask: str | None = None


class AxisAsked(BaseModel):
    """An axis of a grid: an option's key, or `replace` for a part of the prompt, and its values as one types them."""

    model_config = ConfigDict(extra="forbid")

    key: str = Field(max_length=100)
    values: str = Field(max_length=20_000)


class BatchAsked(BaseModel):
    """What varies in a batch: so many results of each combination, a prompt on each line, pictures, references, and up
    to three axes of a grid.
    """

    model_config = ConfigDict(extra="forbid")

    count: int = Field(1, ge=1, le=MOST)
    prompts: str = Field("", max_length=2_000_000)
    pictures: tuple[BatchPictureAsked, ...] = Field((), max_length=10_000)
    references: tuple[BatchReferenceAsked, ...] = Field((), max_length=10_000)
    windows: tuple[int, ...] = Field((), max_length=100)
    targets: tuple[int, ...] = Field((), max_length=100)
    axes: tuple[AxisAsked, ...] = Field((), max_length=AXES)


def batch_of(desk: Desk, asked: BatchAsked, visitor: Visitor, kind: type[VideoOptions] | type[FrameOptions]) -> Batch:
    """A batch of requests of a kind with files for its ids. Raises InputError."""

    known: dict[str, Path] = {}

    def found(key: str, id: str) -> Path:
        if id not in known:  # one picture may be named ten thousand times
            known[id] = desk.refs.path(key, Path(id), visitor)
        return known[id]

    pictures = tuple(BatchPicture(found("batch.pictures", one.id), one.prompt) for one in asked.pictures)
    references = tuple(
        ReferenceOptions(
            image=found("batch.references", one.id),
            index=one.index,
            mask=None if one.mask is None else found("batch.references", one.mask),
        )
        for one in asked.references
    )
    prompts = tuple(parse_prompts(asked.prompts))
    axes = tuple(_axis(desk, one, kind, visitor) for one in asked.axes)
    return Batch(asked.count, prompts, pictures, references, asked.windows, asked.targets, axes)


def _axis(desk: Desk, asked: AxisAsked, kind: type[VideoOptions] | type[FrameOptions], visitor: Visitor) -> Axis:
    """An axis as it is written; who does not sit here names no files and no folders. Raises InputError."""
    axis = make_axis(asked.key, asked.values, kind)
    for value in axis.values:
        desk.refs.check_names(value if axis.key == MODEL else None, value if axis.key == UPSCALER else None, visitor)
    option = None if axis.key in (REPLACE, MODEL, UPSCALER) else field_of(kind, axis.key)
    if option is not None and (option.type is Path or option.fact("kind")) and not visitor.local:
        raise OptionError("error.api.path", key=axis.key)
    return axis


def wrong_axes(
    desk: Desk, asked: BatchAsked, options: VideoOptions | FrameOptions, visitor: Visitor
) -> Iterator[tuple[EichiError, str]]:
    """What is wrong with the axes of a grid of a request, each with where in the batch that is."""
    known: list[Axis] = []
    for number, one in enumerate(asked.axes):
        try:
            axis = _axis(desk, one, type(options), visitor)
            for prompt in _prompts(asked, options) if axis.key == REPLACE else ("",):
                check_axis(options.model_copy(update={"prompt": prompt}), axis, known)
            check_values(options, axis)
            known.append(axis)
        except EichiError as error:
            yield error, f"{PLACE}.axes.{number}.{'key' if error.id in OF_KEY else 'values'}"


def _prompts(asked: BatchAsked, options: VideoOptions | FrameOptions) -> tuple[str, ...]:
    """The prompts of a batch as they were typed. Raises OptionError."""
    own = tuple(one.prompt for one in asked.pictures if one.prompt is not None)
    shared = len(own) < len(asked.pictures) or not own
    listed = parse_prompts(asked.prompts) or [options.written.prompt or options.prompt]
    return (*own, *(listed if shared else ()))


def count_jobs(batch: Batch) -> int:
    """How many jobs a batch makes of a request."""
    prompts = max(1, len(batch.prompts))
    pictures = sum(prompts if one.prompt is None else 1 for one in batch.pictures) or prompts
    swept = max(1, len(batch.windows)) * max(1, len(batch.targets))
    cells = prod(len(axis.values) for axis in batch.axes)
    return pictures * max(1, len(batch.references)) * batch.count * swept * cells
