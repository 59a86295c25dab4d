"""A request becomes a job that can be kept: found good on this machine, its files named for good, its plan's figures.

All that can be wrong is found out here, when the job is added and not in the night when it is run. Its time is
forecast from sections that were measured, where any were; nothing is guessed. Without torch.
"""

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from eichi.catalog import ModelFolders, known
from eichi.declare import walk
from eichi.errors import FolderError
from eichi.finish.plan import FinishPlan, check_chain, check_finish, make_finish_plan
from eichi.jobs.schema import Draft
from eichi.jobs.view import Figures
from eichi.library.wildcards import drawn_request
from eichi.options import FinishOptions, FrameOptions, Queued, VideoOptions
from eichi.plan.oneframe import FramePlan
from eichi.plan.plan import Plan
from eichi.plan.size import size_words
from eichi.prepare import check_run, make_frame_plan, make_plan
from eichi.text import encodable

LASTING = ("repeat", "reverse", "pingpong", "speed")  # of a chain, what changes the number of parts alone


@dataclass(frozen=True)
class BatchForecast:
    """What a number of jobs come to: `seconds` of drawing, None as long as a job among them was never measured."""

    jobs: int
    sections: int
    seconds: float | None


def draft(
    options: Queued,
    folder: Path,
    models: ModelFolders,
    offered: Collection[str] = (),
    lists: Path | None = None,
    cache: Path | None = None,
) -> Draft:
    """The job that a request makes, its results in a folder, its wildcards drawn from the lists of another. Raises
    InputError for what cannot be run: here, or, with a model that is `offered`, elsewhere.
    """
    place = str(folder.absolute())
    if not encodable(place):
        raise FolderError("error.folder.coding", folder=place)
    if isinstance(options, FinishOptions):
        whole = FinishOptions.parse(_absolute(options.model_dump()))
        chain = make_finish_plan(whole, models, cache)
        check_finish(chain, folder)
        return Draft(whole.kind, whole.dump(), Figures.of(chain), finish_pace_key(chain), place)
    settled = drawn_request(anchored(options), lists)
    if isinstance(settled, VideoOptions):
        check_chain(settled.finish, models)
    plan = make_frame_plan(settled, models) if isinstance(settled, FrameOptions) else make_plan(settled, models)
    check_run(plan, folder, models, offered)
    return Draft(settled.kind, settled.dump(), Figures.of(plan), pace_key(plan), place)


def anchored(options: VideoOptions | FrameOptions) -> VideoOptions | FrameOptions:
    """A request whose files are found from any working folder."""
    values = _absolute(options.model_dump())
    if options.model not in known():
        values["model"] = str(Path(os.path.expanduser(options.model)).absolute())
    return type(options).parse(values)


def pace_key(plan: Plan | FramePlan) -> str:
    """What the time of a section depends on, apart from the machine: its size, and every option that costs time."""
    options = plan.options
    asked = [
        f"{field.key}={len(value) if field.repeatable else value}"
        for field in walk(type(options))
        if "time" in field.costs and field.used(options) and field.group != "finish"  # which is another job
        for value in [field.of(options)]
    ]
    return " ".join([options.kind, size_words(plan.width, plan.height), *asked])


def finish_pace_key(plan: FinishPlan) -> str:
    """The same of a chain over a video: a part of every video of that size takes as long."""
    size = f"{size_words(plan.clip.width, plan.clip.height)} {size_words(plan.width, plan.height)}"
    asked = [f"{key}={value}" for key, value in plan.chain.dump().items() if key not in LASTING]
    return " ".join([FinishOptions.kind, size, *asked])


def forecast(drafts: Sequence[Draft], paces: Callable[[str], Sequence[float]]) -> BatchForecast:
    """What jobs come to; `paces` are the measured section times for a key, as `Store.paces` knows them."""
    seconds: float | None = 0.0
    todo = 0
    for one in drafts:
        sections = one.plan.sections - one.plan.kept
        measured = paces(one.pace_key)
        seconds = None if seconds is None or not measured else seconds + sections * median(measured)
        todo += sections
    return BatchForecast(len(drafts), todo, seconds)


def _absolute(value: Any) -> Any:
    """The same values with every path made absolute."""
    if isinstance(value, Path):
        return Path(os.path.expanduser(value)).absolute()
    if isinstance(value, dict):
        return {key: _absolute(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_absolute(inner) for inner in value]
    return value
