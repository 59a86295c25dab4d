"""What every command shares: flags, settings, a job followed to its end, errors as one sentence and an exit code.

Results go to standard output, everything else to standard error; with `--json` the last
line of standard output is one JSON object. Exit codes: 0 done, 1 failed, 2 wrong input, 130 stopped.
"""

import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from eichi.errors import EichiError, InputError
from eichi.events import Event, Finished, FrameFinished, Stopped, message
from eichi.options import FrameOptions, VideoOptions
from eichi.settings import Settings, load_settings
from eichi.words import say

FAILED, WRONG_INPUT, STOPPED = 1, 2, 130

Command = TypeVar("Command", bound=Callable[..., Any])


def json_flag(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help=say("cli.json"))(command)


def out_flag(command: Command) -> Command:
    return click.option("--out", type=click.Path(path_type=Path), help=say("cli.out"))(command)


def run_request(options: VideoOptions | FrameOptions, out: Path, settings: Settings, as_json: bool) -> None:
    """Plan, check, generate, with progress on standard error; ends the program where the job was stopped."""
    from eichi.plan.oneframe import FramePlan
    from eichi.prepare import check_run, make_frame_plan, make_plan

    plan = make_frame_plan(options) if isinstance(options, FrameOptions) else make_plan(options)
    check_run(plan, out, settings.models)
    from eichi.models.load import Components  # torch is loaded only now that the request is known to be good
    from eichi.pipeline.generate import generate as run
    from eichi.pipeline.oneframe import generate_frame

    components = Components(plan.entry, settings.models, settings.device, settings.cache)
    if isinstance(plan, FramePlan):
        follow(lambda stop: generate_frame(plan, out, components, stop), as_json, settings)
    else:
        follow(lambda stop: run(plan, out, components, stop), as_json, settings)


def follow(start: Callable[[Callable[[], bool]], Iterator[Event]], as_json: bool, settings: Settings) -> None:
    """Show a job to its end; Ctrl-C stops it."""
    from eichi.progress import show

    with _interrupt() as stop:
        last = show(start(stop), settings.language)
    _finish(last, as_json, settings.language)


def _finish(last: Event, as_json: bool, language: str) -> None:
    """Say how a job ended."""
    values = message(last)
    del values["event"]
    if isinstance(last, Stopped):
        if as_json:
            print_json(values | {"stopped": True})
        else:
            click.echo(say("run.stopped" if last.video else "run.stopped_empty", language, **values))
        sys.exit(STOPPED)
    assert isinstance(last, Finished | FrameFinished), "a run ends finished, stopped or in an error"
    if as_json:
        print_json(values)
    else:
        click.echo(say("run.finished", language, file=last.video if isinstance(last, Finished) else last.image))


@contextmanager
def _interrupt() -> Iterator[Callable[[], bool]]:
    """Ctrl-C asks the job to stop after the current step; a second one ends the program at once."""
    asked = threading.Event()

    def handle(number: int, frame: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def surface(as_json: bool) -> Iterator[Settings]:
    """Settings for a command; its errors as one sentence and an exit code."""
    language = "en"
    try:
        settings = load_settings()
        language = settings.language
        yield settings
    except EichiError as error:
        _fail(error, language, as_json)
    except KeyboardInterrupt:
        sys.exit(STOPPED)


def _fail(error: EichiError, language: str, as_json: bool) -> NoReturn:
    sentence = error.say(language)
    if as_json:
        print_json({"error": error.id, "message": sentence})
    tell(say("cli.error", language, sentence=sentence))
    sys.exit(WRONG_INPUT if isinstance(error, InputError) else FAILED)


def print_json(values: dict[str, Any]) -> None:
    click.echo(json.dumps(values, ensure_ascii=False, default=str))


def tell(text: str) -> None:
    click.echo(text, err=True)
