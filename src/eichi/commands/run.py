"""Requests planned, run and followed in this terminal: what the commands that make something share.

Progress goes to standard error, what was made to standard output. Torch is loaded only when a request is known to be
good.
"""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from eichi.errors import EichiError
from eichi.events import Event, Finished, FrameFinished, Stopped
from eichi.lines import done, in_terminal
from eichi.options import FinishOptions, VideoOptions
from eichi.settings import Settings
from eichi.terminal import STOPPED, interrupt, print_json, tell
from eichi.words import say

if TYPE_CHECKING:
    from eichi.finish.folder import FinishFolder
    from eichi.finish.plan import FinishPlan
    from eichi.jobs.view import FramePlanView, PlanView
    from eichi.models.tokens import Reading
    from eichi.pipeline.checkpoint import Checkpoint
    from eichi.plan.oneframe import FramePlan
    from eichi.plan.plan import Plan


Place = TypeVar("Place", "Checkpoint", "FinishFolder")
Telling = Callable[[Iterator[Event]], Iterator[Event]]  # lets somebody know of the events of a job, and passes them on


@dataclass(frozen=True)
class Images:
    """The images of a series that are finished; whether it was stopped before its end."""

    images: tuple[FrameFinished, ...]
    stopped: bool


@dataclass(frozen=True)
class Plans:
    """The plans of a series."""

    plans: "tuple[PlanView | FramePlanView, ...]"


def run_request(options: VideoOptions, out: Path, settings: Settings, as_json: bool, kept: bool = False) -> Event:
    """Draw its wildcards, plan, check, generate, and finish what was made where that is asked for; the last event of
    the video. Ends the program where the job was stopped. One that is `kept` is a job of the store.
    """
    from eichi.finish.plan import check_chain
    from eichi.library.wildcards import drawn_request
    from eichi.prepare import check_run, make_plan, shared_plan

    options = drawn_request(options, settings.lists)
    plan = make_plan(options, settings.model_folders)
    check_run(plan, out, settings.model_folders)
    shared_plan(plan, settings.runtime)
    check_chain(options.finish, settings.model_folders)
    from eichi.models.load import Components
    from eichi.pipeline.checkpoint import new_checkpoint
    from eichi.pipeline.generate import generate

    with closing(Components(plan.entry, settings.runtime)) as components, ExitStack() as held:
        place: Checkpoint | None = None
        telling: Telling = alone
        if kept:
            place, telling = held.enter_context(_job(options, out, settings, partial(new_checkpoint, out)))
        last = follow(
            lambda stop: telling(generate(plan, out, components, stop, place, retire=telling is not alone)),
            as_json,
            settings,
            out,
        )
    follow_chain(options, last, out, settings, as_json, kept)
    return last


def follow_chain(
    options: VideoOptions, last: Event, out: Path, settings: Settings, as_json: bool, kept: bool = False
) -> None:
    """Finish the video that a job has ended with, where its request asks for that."""
    from eichi.finish.plan import make_finish_plan

    if options.finish.asked and isinstance(last, Finished):
        chain = FinishOptions(video=Path(last.video), finish=options.finish)
        follow_finish(
            make_finish_plan(chain, settings.model_folders, settings.cache), out, settings, as_json, kept=kept
        )


def follow_finish(
    plan: "FinishPlan",
    out: Path,
    settings: Settings,
    as_json: bool,
    place: "FinishFolder | None" = None,
    kept: bool = False,
) -> None:
    """Finish a video, or go on in a `place` or where the same was interrupted, which may be a job of the store. One
    that is `kept` becomes such a job.
    """
    from eichi.finish.folder import left_over, new_folder
    from eichi.finish.run import finish

    place = place or left_over(out, plan)
    telling: Telling = alone
    with ExitStack() as held:
        if place is not None:
            telling = held.enter_context(telling_of(settings, place.folder, plan.options))
        elif kept:
            begin = partial(new_folder, out, plan.form.ending)
            place, telling = held.enter_context(_job(plan.options, out, settings, begin))
        follow(
            lambda stop: telling(finish(plan, out, settings.runtime, stop, place)),
            as_json,
            settings,
            out,
            lambda: "run.stopped_chain" if left_over(out, plan) else "run.stopped_empty",
        )


@contextmanager
def telling_of(settings: Settings, folder: Path, options: VideoOptions | FinishOptions) -> Iterator[Telling]:
    """What lets the store know of the events of the job in a folder, where it is a job of the store."""
    from eichi.jobs.elsewhere import owner, telling
    from eichi.jobs.store import Store

    with ExitStack() as stack:
        try:
            store = stack.enter_context(Store(settings.store))
            job = owner(store, folder)
        except EichiError as error:
            tell(in_terminal(error, settings.language))
            job = None
        yield alone if job is None else partial(telling, store=store, job=job, options=options)


@contextmanager
def _job(
    options: VideoOptions | FinishOptions, out: Path, settings: Settings, begin: "Callable[[], Place]"
) -> "Iterator[tuple[Place | None, Telling]]":
    """A job of the store that this process runs, as the page would have it, in the place that `begin` makes; where the
    store fails, that is said.
    """
    from eichi.jobs.draft import draft
    from eichi.jobs.elsewhere import run_here
    from eichi.jobs.runner import new_runner
    from eichi.jobs.store import Store

    with ExitStack() as stack:
        place: Place | None = None
        telling: Telling = alone
        try:
            asked = draft(options, out, settings.model_folders, cache=settings.cache)
            place = begin()
            store = stack.enter_context(Store(settings.store))
            (job,) = store.add([asked], runner=new_runner())
            telling = partial(run_here, store=store, job=job, checkpoint=str(place.folder.absolute()))
        except EichiError as error:
            tell(in_terminal(error, settings.language))
        yield place, telling


def alone(events: Iterator[Event]) -> Iterator[Event]:
    """The events of a job that no store knows."""
    return events


def draw_images(plans: Sequence["FramePlan"], out: Path, settings: Settings, as_json: bool) -> None:
    """Check and make images one after the other, as `run_request` does a video; all share a model and pictures."""
    from eichi.prepare import check_run
    from eichi.progress import show

    check_run(plans[0], out, settings.model_folders)
    from eichi.models.load import Components
    from eichi.pipeline.oneframe import generate_frame

    components = Components(plans[0].entry, settings.runtime)
    if len(plans) == 1:
        follow(lambda stop: generate_frame(plans[0], out, components, stop), as_json, settings)
        return
    images: list[FrameFinished] = []
    with interrupt() as stop:
        for plan in plans:
            last = show(generate_frame(plan, out, components, stop), settings.language, print_json if as_json else None)
            if not isinstance(last, FrameFinished):
                break
            images.append(last)
            if not as_json:
                click.echo(done(last, settings.language))
    stopped = len(images) < len(plans)
    if as_json:
        print_json(Images(tuple(images), stopped))
    else:
        click.echo(say("run.images", settings.language, count=len(images), total=len(plans)))
    if stopped:
        sys.exit(STOPPED)


def show_plans(plans: Sequence["Plan | FramePlan"], as_json: bool, settings: Settings) -> None:
    """Plans drawn, or as JSON with what the encoders read; what deserves a word goes to standard error, once."""
    from eichi.jobs.view import FramePlanView
    from eichi.plantext import frame_lines, plan_lines
    from eichi.prepare import read_tokens

    language, models = settings.language, settings.model_folders
    for text in dict.fromkeys(in_terminal(note, language) for plan in plans for note in plan.notes):
        tell(text)
    if as_json:
        views = tuple(_view(plan, read_tokens(plan.entry, plan.texts, models)) for plan in plans)
        print_json(views[0] if len(views) == 1 else Plans(views))
        return
    width = shutil.get_terminal_size((100, 24)).columns
    for plan in plans:
        view = _view(plan)
        drawn = (
            frame_lines(view, width, language) if isinstance(view, FramePlanView) else plan_lines(view, width, language)
        )
        click.echo("\n".join(drawn))


def _view(plan: "Plan | FramePlan", tokens: "tuple[Reading, ...]" = ()) -> "PlanView | FramePlanView":
    from eichi.jobs.view import FramePlanView, PlanView
    from eichi.plan.oneframe import FramePlan

    return FramePlanView.of(plan, tokens) if isinstance(plan, FramePlan) else PlanView.of(plan, tokens)


def how_to_resume(out: Path, settings: Settings) -> str:
    """The command that goes on with what lies in a folder."""
    words = ["eichi", "resume"]
    if out.absolute() != settings.outputs.absolute():
        words += ["--out", str(out)]
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)


def follow(
    start: Callable[[Callable[[], bool]], Iterator[Event]],
    as_json: bool,
    settings: Settings,
    out: Path | None = None,
    empty: Callable[[], str] = lambda: "run.stopped_empty",
) -> Event:
    """Show a job to its end, which is returned; Ctrl-C stops it, and the program with it. `out` is where its result
    comes to lie, `empty` what is said where there is nothing to be seen yet.
    """
    from eichi.progress import show

    with interrupt() as stop:
        last = show(start(stop), settings.language, print_json if as_json else None)
    if not as_json and isinstance(last, Stopped):
        id, again = "run.stopped" if last.video else empty(), how_to_resume(out or settings.outputs, settings)
        click.echo(say(id, settings.language, **vars(last), resume=again))
    elif not as_json:
        click.echo(done(last, settings.language))
    if isinstance(last, Stopped):
        sys.exit(STOPPED)
    return last
