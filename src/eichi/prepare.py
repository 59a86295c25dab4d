"""A request meets the machine: the model is found, the pictures are opened, the folder is tried, the plan is made.

Everything that can be wrong with a request is found out here, before any time is spent and without torch. The command
line, the page and the store all start a job by this one call.
"""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from textwrap import shorten
from typing import TypeVar

from eichi.catalog import Entry, find
from eichi.errors import FolderError, OptionError
from eichi.events import Adjusted
from eichi.models.locate import locate, locate_part
from eichi.models.tokens import WHOLE, Meter
from eichi.options import FillOptions, FrameOptions, VideoOptions
from eichi.plan.fill import FillPlan
from eichi.plan.fill import make_fill_plan as resolve_fill
from eichi.plan.oneframe import FramePlan
from eichi.plan.oneframe import make_frame_plan as resolve_frame
from eichi.plan.plan import Plan
from eichi.plan.plan import make_plan as resolve
from eichi.settings import load_settings
from eichi.video.images import load, measure
from eichi.video.latents import measure_latents
from eichi.video.splice import model_of, read_source

Resolved = TypeVar("Resolved", Plan, FramePlan)


def make_plan(options: VideoOptions, entry: Entry | None = None) -> Plan:
    """The plan of a request: its model looked up unless given, its pictures measured. Raises InputError."""
    entry = entry or find(options.model)
    if options.image is None:
        raise OptionError("error.image.required", flag="--image")
    before = None if options.kept.latents is None else measure_latents(options.kept.latents)
    plan = resolve(options, entry, measure(options.image), before)
    return _examined(plan, [section.prompt for section in plan.sections])


def make_frame_plan(options: FrameOptions, entry: Entry | None = None) -> FramePlan:
    """The plan of a request for one image, as `make_plan` is that of a video. Raises InputError."""
    entry = entry or find(options.model)
    if options.image is None:
        raise OptionError("error.image.required", flag="--image")
    return _examined(resolve_frame(options, entry, measure(options.image)), [options.prompt])


def make_fill_plan(options: FillOptions, entry: Entry | None = None) -> FillPlan:
    """The plan of what lies between two latent files, their headers read. Raises InputError."""
    entry = entry or find(options.model)
    files = (options.before, options.after)
    before, after = (measure_latents(path) for path in files)
    model_of([read_source(path) for path in files], entry.name)
    plan = resolve_fill(options, entry, before, after)
    return replace(plan, notes=(*plan.notes, *cut_notes(entry, [options.prompt])))


def _examined(plan: Resolved, texts: Iterable[str]) -> Resolved:
    """A plan whose pictures are all there, with a word on texts that are too long."""
    for path in plan.files:
        measure(path)
    return replace(plan, notes=(*plan.notes, *cut_notes(plan.entry, texts)))


def cut_notes(entry: Entry, texts: Iterable[str]) -> Iterator[Adjusted]:
    """A word on every text that is too long for LLaMA, with what is cut; none where the tokenizers are not here."""
    models = load_settings().models
    llama, clip = (locate_part(entry, part, models) for part in ("tokenizer", "tokenizer_2"))
    if llama is None or clip is None or not (llama / WHOLE).is_file():
        return
    meter = Meter(entry.template, llama, clip)
    for text in dict.fromkeys(texts):
        *_, cut = meter.read(text).parts(text)
        if cut.strip():
            yield Adjusted("note.prompt.cut", {"limit": entry.template.limit, "cut": shorten(cut, 80)})


def check_run(plan: Plan | FramePlan, folder: Path, models: Path | None = None) -> None:
    """Refuse a plan that this machine cannot run: a model incomplete, a picture damaged, a folder not writable."""
    locate(plan.entry, models or load_settings().models)
    for path in set(plan.files):
        load(path)
    check_folder(folder)


def check_folder(folder: Path) -> None:
    """Make sure that files can be written to a folder, which is made if it is not there. Raises FolderError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise FolderError("error.folder.write", folder=folder, reason=error.strerror or error) from error
