"""The command line: thin commands over the same request that the page and the API make.

Results go to standard output, everything else to standard error; with `--json` the last
line of standard output is one JSON object. Exit codes: 0 done, 1 failed, 2 wrong input, 130 stopped.
"""

import shutil
import sys
from collections.abc import Callable, Iterator
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, NoReturn

import click

from eichi.commands.jobs import jobs
from eichi.commands.ui import ui
from eichi.errors import InputError
from eichi.events import Event, Finished, FrameFinished, Stopped, message
from eichi.flags import option_flags, read_request
from eichi.library.command import import_command
from eichi.options import FrameOptions, VideoOptions, walk
from eichi.settings import Settings
from eichi.surface import FAILED, STOPPED, WRONG_INPUT, interrupt, json_flag, out_flag, print_json, surface, tell
from eichi.words import say


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}, help=say("cli.help"))
@click.version_option(package_name="framepack-eichi")
def commands() -> None:
    pass


commands.add_command(jobs)
commands.add_command(ui)


def main() -> NoReturn:
    """Run the command line; what click finds wrong with it is said like every other error."""
    try:
        commands(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        tell(error.format_message())
        sys.exit(WRONG_INPUT)
    except click.UsageError as error:
        with surface("--json" in sys.argv):
            command = error.ctx.command_path if error.ctx else "eichi"
            raise InputError("error.usage", reason=error.format_message(), command=command) from error
    except click.Abort:
        sys.exit(STOPPED)
    sys.exit(0)


@commands.command(help=say("cli.generate"))
@option_flags(VideoOptions)
@out_flag
@json_flag
def generate(assignments: tuple[str, ...], out: Path | None, as_json: bool, **flags: Any) -> None:
    with surface(as_json) as settings:
        _run(read_request(VideoOptions, assignments, flags), out or settings.outputs, settings, as_json)


@commands.command(help=say("cli.frame"))
@option_flags(FrameOptions)
@out_flag
@json_flag
def frame(assignments: tuple[str, ...], out: Path | None, as_json: bool, **flags: Any) -> None:
    with surface(as_json) as settings:
        _run(read_request(FrameOptions, assignments, flags), out or settings.outputs, settings, as_json)


@commands.command(help=say("cli.demo"))
@click.option("--model", default="tiny", show_default=True, help=say("option.model"))
@out_flag
@json_flag
def demo(model: str, out: Path | None, as_json: bool) -> None:
    with surface(as_json) as settings, as_file(files("eichi") / "demo" / "picture.jpg") as picture:
        prompt = (files("eichi") / "demo" / "prompt.txt").read_text(encoding="utf-8").strip()
        options = VideoOptions.parse({"model": model, "image": picture, "prompt": prompt, "seconds": 2.0, "seed": 1})
        _run(options, out or settings.outputs, settings, as_json)


@commands.command(help=say("cli.plan"))
@option_flags(VideoOptions)
@json_flag
def plan(assignments: tuple[str, ...], as_json: bool, **flags: Any) -> None:
    from eichi.drawing import draw
    from eichi.prepare import make_plan

    with surface(as_json) as settings:
        made = make_plan(read_request(VideoOptions, assignments, flags))
        for note in made.notes:
            tell(say(note.id, settings.language, **note.values))
        if as_json:
            print_json(made.describe())
            return
        width = shutil.get_terminal_size((100, 24)).columns
        for line in draw(made.describe(), width, settings.language):
            click.echo(line)


@commands.command(help=say("cli.inspect"))
@click.argument("file", type=click.Path(path_type=Path))
@json_flag
def inspect(file: Path, as_json: bool) -> None:
    from eichi.video.metadata import read_record

    with surface(as_json) as settings:
        record = read_record(file)
        if as_json:
            print_json(record)
            return
        single = record["kind"] == "frame"
        if single:
            click.echo(say("inspect.frame", settings.language, **record))
        else:
            click.echo(say("inspect.summary", settings.language, **_summary(record), seed=record["seed"]))
        for field in walk(FrameOptions if single else VideoOptions):
            click.echo(f"  {field.key} = {_at(record['request'], field.key)}")
        for name, number in record["versions"].items():
            click.echo(f"  {name} {number}")


@commands.command(help=say("cli.resume"))
@click.argument("job", required=False)
@out_flag
@json_flag
def resume(job: str | None, out: Path | None, as_json: bool) -> None:
    with surface(as_json) as settings:
        from eichi.models.load import Components
        from eichi.pipeline.checkpoint import find
        from eichi.pipeline.generate import generate as run

        checkpoint = find(job, out or settings.outputs)
        plan = checkpoint.plan()
        components = Components(plan.entry, settings.models, settings.device, settings.cache)
        _follow(lambda stop: run(plan, checkpoint.folder.parent, components, stop, checkpoint), as_json, settings)


@commands.command(help=say("cli.models"))
@json_flag
def models(as_json: bool) -> None:
    from eichi.catalog import find, known
    from eichi.models.locate import present

    with surface(as_json) as settings:
        rows = []
        for name in known():
            entry = find(name)
            here = present(entry, settings.models)
            rows.append({"name": name, "direction": entry.direction, "present": here, "embedded": entry.embedded})
        if as_json:
            print_json({"models": rows, "folder": str(settings.models)})
            return
        for row in rows:
            place = "models.embedded" if row["embedded"] else "models.present"
            state = place if row["present"] else "models.absent"
            direction = say(f"models.{row['direction']}", settings.language)
            click.echo(f"{row['name']:<14}{say(state, settings.language):<24}{direction}")
        click.echo(say("models.folder", settings.language, folder=settings.models))


@commands.command(help=say("cli.doctor"))
@json_flag
def doctor(as_json: bool) -> None:
    from eichi.doctor import examine

    with surface(as_json) as settings:
        report = examine(settings)
        if as_json:
            print_json({"findings": [vars(finding) for finding in report]})
        else:
            for finding in report:
                mark = {"good": "✓", "warn": "!", "bad": "✗"}[finding.state]
                click.echo(f"{mark} {say(finding.id, settings.language, **finding.values)}")
        if any(finding.state == "bad" for finding in report):
            sys.exit(FAILED)


def _run(options: VideoOptions | FrameOptions, out: Path, settings: Settings, as_json: bool) -> None:
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
        _follow(lambda stop: generate_frame(plan, out, components, stop), as_json, settings)
    else:
        _follow(lambda stop: run(plan, out, components, stop), as_json, settings)


def _follow(start: Callable[[Callable[[], bool]], Iterator[Event]], as_json: bool, settings: Settings) -> None:
    """Show a job to its end; Ctrl-C stops it."""
    from eichi.progress import show

    with interrupt() as stop:
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


def _at(values: dict[str, Any], key: str) -> Any:
    """The value at a dotted key; None where an older file did not know it."""
    for part in key.split("."):
        values = values.get(part) if isinstance(values, dict) else None  # type: ignore[assignment]
    return values


def _summary(values: dict[str, Any]) -> dict[str, Any]:
    """The figures that a plan and a record share."""
    sections = values["sections"]
    count = sections if isinstance(sections, int) else len(sections)
    return {key: values[key] for key in ("model", "seconds", "frames", "width", "height")} | {"sections": count}


commands.add_command(import_command(surface))
