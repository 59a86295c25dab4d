"""What another job can be built on: the sections of one that is finished, stopped, or still runs.

The new job takes over the sections that were made first, to the bit, and draws the rest; the old one and its result
stay as they are. Sections lie in the job's folder while it is not finished, and in what it leaves when it is; of a job
that left nothing, the latent file among its results serves, where one was asked for. Without torch.
"""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eichi.catalog import ModelFolders, find
from eichi.declare import Plain, at, field_of, walk
from eichi.errors import InputError, OptionError
from eichi.jobs.schema import Job
from eichi.options import VideoOptions, has, place
from eichi.plan.ahead import AHEAD, PROMPT, check_made, plan_ahead, same_ahead, with_past
from eichi.plan.keyframes import check_numbers
from eichi.plan.plan import Plan
from eichi.prepare import make_plan
from eichi.video.jobfolder import JobFolder
from eichi.video.latentfile import measure_latents
from eichi.video.sectionfolder import SectionFolder


@dataclass(frozen=True)
class Source:
    """A job that another one is built on: what it asked for, its plan, how many of its sections are there."""

    job: Job
    plan: Plan
    made: int

    @property
    def asked(self) -> Plain:
        """What the job asked for, with the seed that it had, and the prompts and pictures that its sections had."""
        return self.plan.options.dump()

    def kept(self, orders: int) -> Plain:
        """The options by which a job takes over the first sections. Raises InputError, DiskError."""
        if not orders:
            return {}
        folder = JobFolder(Path(str(self.job.checkpoint)))
        source = folder.source
        path = folder.leavings.join(source, self.plan, orders) if source.made else folder.latents_file
        return {"latents": str(path), "sections": orders}

    def lent(self, wished: VideoOptions) -> Plain:
        """The options that name the videos and the sound which the job was made for where they are to be had, as far as
        those are wished again. Raises InputError, DiskError.
        """
        folder, found = JobFolder(Path(str(self.job.checkpoint))), wished.source.dump()
        for name, path in self.plan.around.items():
            if folder.source.begun and getattr(wished.source, name) == path:
                found[name] = str(folder.leavings.lend(folder.source, name, path))
        return found


def source_of(job: Job, models: ModelFolders) -> Source:
    """What can be built on of a job. Raises InputError where nothing is there."""
    options = job.options
    if not isinstance(options, VideoOptions) or not job.made:
        raise InputError("error.redo.nothing", job=job.id)
    folder = JobFolder(Path(str(job.checkpoint)))
    if folder.source.made:
        return Source(job, planned(folder.source, options), folder.source.made)
    seed = getattr(job.result, "seed", options.seed)
    plan = make_plan(options.model_copy(update={"seed": seed}), models)
    there = measure_latents(folder.latents_file).made // plan.window
    return Source(job, plan, min(there, len(plan.sections)))


def planned(folder: SectionFolder, options: VideoOptions) -> Plan:
    """The plan of a job's sections with what is asked for by now: a change ahead counts before it is taken."""
    plan = folder.plan()
    return plan if same_ahead(plan.options, options) else plan_ahead(plan, options, folder.settled)


def redone(source: Source, number: int, seed: int | None, prompt: str | None, picture: Path | None) -> VideoOptions:
    """The request for a section once more, by its number, and for all that is made after it.

    The seed stays where the prompt or the picture is another; where nothing is, it is drawn. Raises InputError.
    """
    orders = {section.number: section.order for section in source.plan.sections}
    check_numbers("section", [number], len(orders))
    order = orders[number]
    if order >= source.made:
        raise InputError("error.redo.unmade", job=source.job.id, number=number)
    asked: Plain = {}
    if seed is not None or (prompt is None and picture is None):
        asked["seed"] = seed
    keys = source.asked["keyframes"]
    if prompt is not None:
        place(asked, "keyframes.prompts", {**keys["prompts"], str(number): prompt})
    if picture is not None:
        place(asked, "keyframes.sections", {**keys["sections"], str(number): str(picture)})
    return branched(source, order, asked)


def branched(source: Source, order: int, values: Mapping[str, Any]) -> VideoOptions:
    """The request for another video that begins with the first `order` sections of one: what is given in nested
    `values` is another, the rest is as it was. Raises InputError.
    """
    if not 0 <= order <= source.made:
        raise InputError("error.redo.order", job=source.job.id, order=order, made=source.made)
    asked = laid(source.asked, values)
    wished, before = VideoOptions.parse({**asked, "kept": {}}), source.plan
    if order:
        for key, same in (
            ("section_size", wished.section_size == before.options.section_size),
            ("model", find(wished.model).direction == before.entry.direction),
        ):
            if not same:
                raise OptionError("error.ahead.branch", key=key, option=field_of(VideoOptions, key).label)
        check_made(before, wished, order)
        past = with_past(before, wished, order)
        place(asked, PROMPT, past[PROMPT])
        asked["keyframes"] |= past["keyframes"]
    return VideoOptions.parse({**asked, "source": source.lent(wished), "kept": source.kept(order)})


def laid(request: Plain, values: Mapping[str, Any]) -> Plain:
    """A request with every option that nested values give in the place of its own, tables and lists as a whole."""
    made = VideoOptions.parse(request).dump()
    for field in walk(VideoOptions):
        if has(dict(values), field.key):
            place(made, field.key, at(values, field.key))
    return made


def edited(request: Plain, values: Mapping[str, Any]) -> Plain:
    """A request with other options by their dotted keys; nothing for a section takes its picture or prompt away."""
    made = deepcopy(request)
    for key, value in values.items():
        place(made, key, value)
    keys = made.get("keyframes")
    for table in keys.values() if isinstance(keys, dict) else ():
        if isinstance(table, dict):
            for number in [number for number, value in table.items() if value in ("", None)]:
                del table[number]
    return made


def with_ahead(request: Plain, options: VideoOptions) -> Plain:
    """A request with the prompts and pictures of another one, as the store keeps it."""
    made, plain = deepcopy(request), options.dump()
    for key in AHEAD:
        place(made, key, at(plain, key))
    return made


def needed(requests: Iterable[object]) -> set[Path]:
    """The latent files, the videos and the sounds that the requests of jobs name."""
    found: set[Path] = set()
    for request in requests:
        for group in ("kept", "source"):
            named = request.get(group) if isinstance(request, dict) else None
            found |= {Path(one) for one in named.values() if isinstance(one, str)} if isinstance(named, dict) else set()
    return found
