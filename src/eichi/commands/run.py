"""Requests planned, run and followed in this terminal: what the commands that make something share.

Progress goes to standard error, what was made to standard output. Torch is loaded only when a request is known to be
good.
"""

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eichi.events import Event, Stopped, message
from eichi.lines import done
from eichi.options import VideoOptions
from eichi.settings import Settings
from eichi.surface import STOPPED, interrupt, print_json, tell
from eichi.words import say

if TYPE_CHECKING:
    from eichi.plan.oneframe import FramePlan
    from eichi.plan.plan import Plan


def run_request(options: VideoOptions, out: Path, settings: Settings, as_json: bool) -> None:
    """Plan, check, generate; ends the program where the job was stopped."""
    from eichi.prepare import check_run, make_plan

    plan = make_plan(options, settings.models)
    check_run(plan, out, settings.models)
    from eichi.models.load import Components
    from eichi.pipeline.generate import generate

    components = Components(plan.entry, settings.runtime)
    follow(lambda stop: generate(plan, out, components, stop), as_json, settings)


def draw_images(plans: Sequence["FramePlan"], out: Path, settings: Settings, as_json: bool) -> None:
    """Check and make images one after the other, as `run_request` does a video; all share a model and pictures."""
    from eichi.prepare import check_run
    from eichi.progress import show

    check_run(plans[0], out, settings.models)
    from eichi.models.load import Components
    from eichi.pipeline.oneframe import generate_frame

    components = Components(plans[0].entry, settings.runtime)
    if len(plans) == 1:
        follow(lambda stop: generate_frame(plans[0], out, components, stop), as_json, settings)
        return
    images = []
    with interrupt() as stop:
        for plan in plans:
            last = show(generate_frame(plan, out, components, stop), settings.language, print_json if as_json else None)
            if isinstance(last, Stopped):
                break
            images.append(finish(last, as_json, settings.language))
    stopped = len(images) < len(plans)
    if as_json:
        print_json({"images": images} | ({"stopped": True} if stopped else {}))
    else:
        click.echo(say("run.images", settings.language, count=len(images), total=len(plans)))
    if stopped:
        sys.exit(STOPPED)


def show_plans(
    plans: Sequence["Plan | FramePlan"],
    draw: Callable[[dict[str, Any], int, str], list[str]],
    as_json: bool,
    settings: Settings,
) -> None:
    """Plans drawn, or as JSON with what the encoders read; what deserves a word goes to standard error, once."""
    from eichi.prepare import read_tokens

    language, models = settings.language, settings.models
    for text in dict.fromkeys(say(note.id, language, **note.values) for plan in plans for note in plan.notes):
        tell(text)
    if as_json:
        described = [plan.describe() | {"tokens": read_tokens(plan.entry, plan.texts, models)} for plan in plans]
        print_json(described[0] if len(described) == 1 else {"plans": described})
        return
    width = shutil.get_terminal_size((100, 24)).columns
    for plan in plans:
        for line in draw(plan.describe(), width, language):
            click.echo(line)


def follow(start: Callable[[Callable[[], bool]], Iterator[Event]], as_json: bool, settings: Settings) -> None:
    """Show a job to its end; Ctrl-C stops it."""
    from eichi.progress import show

    with interrupt() as stop:
        last = show(start(stop), settings.language, print_json if as_json else None)
    finish(last, as_json, settings.language)


def finish(last: Event, as_json: bool, language: str) -> dict[str, Any]:
    """Say how a job ended, and return what it made; ends the program where it was stopped."""
    values = message(last)
    del values["event"]
    if isinstance(last, Stopped):
        if as_json:
            print_json(values | {"stopped": True})
        else:
            click.echo(say("run.stopped" if last.video else "run.stopped_empty", language, **values))
        sys.exit(STOPPED)
    if as_json:
        print_json(values)
    else:
        click.echo(done(last, language))
    return values
