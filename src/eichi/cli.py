"""The command line: thin commands over the same request that the page and the API make.

Each family of commands has a module in `commands/`; what all have around them is in `terminal`.
"""

import sys
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, NoReturn

import click

from eichi.commands.doctor import doctor
from eichi.commands.extend import extend
from eichi.commands.finish import finish
from eichi.commands.grid import grid as grid  # joins the commands on jobs
from eichi.commands.jobs import jobs
from eichi.commands.latents import latents
from eichi.commands.library import import_
from eichi.commands.lora import lora
from eichi.commands.machine import calibrate
from eichi.commands.memory import memory
from eichi.commands.models import models
from eichi.commands.ray import ray
from eichi.commands.resume import left, resume
from eichi.commands.run import draw_images, how_to_resume, run_request, show_plans
from eichi.commands.ui import ui
from eichi.commands.verify import verify_gpu
from eichi.commands.worker import worker
from eichi.commands.workers import workers
from eichi.console import console
from eichi.declare import walk
from eichi.errors import EichiError
from eichi.flags import option_flags, otherwise, read_request, read_sweep, setting_flag, sweep_flags
from eichi.library.lorafolders import located
from eichi.library.wildcards import drawn_request
from eichi.options import FillOptions, FinishOptions, FrameOptions, Options, VideoOptions
from eichi.settings import asked_language
from eichi.terminal import STOPPED, WRONG_INPUT, fail, json_flag, out_flag, print_json, reporting, tell
from eichi.usage import Group, explain
from eichi.video.metadata import Record
from eichi.words import say, typed

# The requests that results are made from; a tool on latents was told so little that its record says it all.
KINDS: dict[str, type[Options]] = {
    "video": VideoOptions,
    "frame": FrameOptions,
    "fill": FillOptions,
    "finish": FinishOptions,
    "foreign": VideoOptions,
}


@click.group(
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help=say("cli.help"),
)
@click.version_option(package_name="framepack-eichi")
@click.option("--offline", is_flag=True, help=say("cli.offline"))
def commands(offline: bool) -> None:
    pass


FAMILIES = (
    *(doctor, extend, finish, jobs, latents, models, memory, lora, import_, ui),
    *(resume, verify_gpu, calibrate, worker, workers, ray),
)
for family in FAMILIES:
    commands.add_command(family)


def main() -> NoReturn:
    """Run the command line; what click finds wrong with it is said like every other error."""
    with console():
        try:
            commands(prog_name="eichi", standalone_mode=False)
        except click.exceptions.NoArgsIsHelpError as error:
            tell(error.format_message())
            sys.exit(WRONG_INPUT)
        except click.UsageError as error:
            with reporting("--json" in sys.argv):
                raise explain(error) from error
        except click.Abort:
            sys.exit(STOPPED)
        except EichiError as error:  # a number that is none, help that nobody takes
            fail(error, asked_language(), "--json" in sys.argv)
    sys.exit(0)


@commands.command(help=say("cli.generate"))
@option_flags(VideoOptions)
@setting_flag("gpus")
@out_flag
@json_flag
def generate(assignments: tuple[str, ...], gpus: int | None, out: Path | None, as_json: bool, **flags: Any) -> None:
    with reporting(as_json) as settings:
        settings = otherwise(settings, gpus=gpus)
        options = located(read_request(VideoOptions, assignments, flags, settings), settings.loras)
        run_request(options, out or settings.outputs, settings, as_json)


@commands.command(help=say("cli.frame"))
@option_flags(FrameOptions)
@sweep_flags
@click.option("--plan", "only_plan", is_flag=True, help=say("cli.frame_plan"))
@out_flag
@json_flag
def frame(assignments: tuple[str, ...], only_plan: bool, out: Path | None, as_json: bool, **flags: Any) -> None:
    from eichi.prepare import make_frame_plan

    with reporting(as_json) as settings:
        request = located(read_request(FrameOptions, assignments, flags, settings), settings.loras)
        requests = [drawn_request(one, settings.lists) for one in read_sweep(request, flags)]
        plans = [make_frame_plan(request, settings.model_folders) for request in requests]
        if only_plan:
            show_plans(plans, as_json, settings)
        else:
            draw_images(plans, out or settings.outputs, settings, as_json)


@commands.command(help=say("cli.demo"))
@click.option(  # F1 keeps photographs clearer
    "--model", default="tiny-f1", show_default=True, help=say(typed("option.model"))
)
@out_flag
@json_flag
def demo(model: str, out: Path | None, as_json: bool) -> None:
    with reporting(as_json) as settings, as_file(files("eichi") / "demo" / "picture.jpg") as picture:
        prompt = (files("eichi") / "demo" / "prompt.txt").read_text(encoding="utf-8").strip()
        asked = {"model": model, "image": picture, "prompt": prompt, "seconds": 2.0, "seed": 1}
        options = VideoOptions.parse(asked | {"finish": {"upscale": "compact2x"}})
        run_request(options, out or settings.outputs, settings, as_json, kept=True)  # the page's history begins with it


@commands.command(help=say("cli.plan"))
@option_flags(VideoOptions)
@setting_flag("gpus")
@json_flag
def plan(assignments: tuple[str, ...], gpus: int | None, as_json: bool, **flags: Any) -> None:
    from eichi.prepare import make_plan, shared_plan

    with reporting(as_json) as settings:
        settings = otherwise(settings, gpus=gpus)
        options = located(read_request(VideoOptions, assignments, flags, settings), settings.loras)
        made = make_plan(drawn_request(options, settings.lists), settings.model_folders)
        show_plans([shared_plan(made, settings.runtime)], as_json, settings)


@commands.command(help=say("cli.inspect"))
@click.argument("file", type=click.Path(path_type=Path))
@json_flag
def inspect(file: Path, as_json: bool) -> None:
    from eichi.video.metadata import FOREIGN, read_record

    with reporting(as_json) as settings:
        part = left(file, settings)
        record = read_record(file) if part is None else part.record | {"made": part.made}
        if as_json:
            print_json(record)
            return
        request = record["request"]
        click.echo(_headline(record, settings.language))
        if part is not None:
            again = how_to_resume(file.absolute().parent, settings)
            values = {"made": part.made, "sections": part.sections, "resume": again}
            click.echo(say("inspect.unfinished", settings.language, **values))
        kind = KINDS.get(record["kind"])
        for key in request if kind is None else (field.key for field in walk(kind)):
            value = _at(request, key)
            if value is not None or record["kind"] != FOREIGN:
                click.echo(f"  {key} = {value}")
        written = request.get("written")
        for key, text in written.items() if isinstance(written, dict) else ():
            if text:
                click.echo(f"  written.{key} = {text}")
        for name, number in record.get("versions", {}).items():
            click.echo(f"  {name} {number}")


def _headline(record: Record, language: str) -> str:
    """The first line on a result, by its kind, or that its figures are damaged."""
    try:
        return _figures(record, language)
    except (KeyError, IndexError, TypeError, ValueError):
        return say("inspect.damaged", language)


def _figures(record: Record, language: str) -> str:
    match record["kind"]:
        case "frame":
            return say("inspect.frame", language, **record, target=record["positions"]["target"][0])
        case "video":
            return say("inspect.summary", language, **_summary(record), seed=record["seed"])
        case "finish":
            return say("inspect.finish", language, **record)
        case "foreign":
            return say("inspect.foreign", language)
    tool = record["request"].get("tool", record["kind"])
    return say("inspect.latents", language, **record | {"model": record["model"] or "?", "tool": tool})


def _at(values: Record, key: str) -> Any:
    """The value at a dotted key; None where an older file did not know it."""
    for part in key.split("."):
        values = values.get(part) if isinstance(values, dict) else None  # type: ignore[assignment]
    return values


def _summary(values: Record) -> Record:
    """The figures that a plan and a record share."""
    sections = values["sections"]
    count = sections if isinstance(sections, int) else len(sections)
    return {key: values[key] for key in ("model", "seconds", "frames", "width", "height")} | {"sections": count}
