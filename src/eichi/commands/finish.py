"""`eichi finish`: a video that there is made larger, given another look, pace or form; its plan; one frame of it.

Thin: one request, the same as the page's. Torch is loaded only where an upscaler is asked for.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eichi.commands.run import follow_finish
from eichi.commands.target import target
from eichi.flags import read_request, some_flags
from eichi.lines import in_terminal
from eichi.options import LATEST, FinishOptions
from eichi.settings import Settings
from eichi.terminal import json_flag, out_flag, print_json, reporting, tell
from eichi.usage import Command, Number
from eichi.words import say

if TYPE_CHECKING:
    from eichi.finish.plan import FinishPlan

PICTURE = ".png"


@click.command(cls=Command, help=say("cli.finish"))
@click.argument("video", type=click.Path(path_type=Path))
@some_flags(FinishOptions)
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help=say("cli.set"))
@click.option("--plan", "only_plan", is_flag=True, help=say("cli.finish_plan"))
@click.option(
    "--preview",
    nargs=2,
    type=(Number(0, LATEST, whole=False), click.Path(path_type=Path)),
    default=None,
    metavar="SECOND FILE",
    help=say("cli.finish_preview"),
)
@out_flag
@json_flag
def finish(
    video: Path,
    assignments: tuple[str, ...],
    only_plan: bool,
    preview: tuple[float, Path] | None,
    out: Path | None,
    as_json: bool,
    **flags: Any,
) -> None:
    from eichi.finish.plan import make_finish_plan
    from eichi.jobs.finishing import FinishPlanView

    with reporting(as_json) as settings:
        options = read_request(FinishOptions, assignments, flags | {"video": video}, settings)
        plan = make_finish_plan(options, settings.model_folders, settings.cache)
        if only_plan:
            if as_json:
                print_json(FinishPlanView.of(plan))
            for note in () if as_json else plan.notes:
                click.echo(in_terminal(note, settings.language))
            return
        if preview is not None:
            made = _preview(plan, *preview, settings)
            if as_json:
                print_json(made)
            else:
                click.echo(say("run.finished", settings.language, file=made.file))
            return
        follow_finish(plan, out or settings.outputs, settings, as_json)


@dataclass(frozen=True)
class Preview:
    """A frame of a result that was written: its file, the second that it is shown at, its size in pixels."""

    file: str
    second: float
    width: int
    height: int


def _preview(plan: "FinishPlan", second: float, file: Path, settings: Settings) -> Preview:
    """One frame of a result, as a PNG with the record."""
    from eichi.finish.plan import finish_record
    from eichi.finish.run import preview
    from eichi.video.metadata import save_png
    from eichi.video.writer import writing

    path = target(file, settings, plan.options.video, "preview", PICTURE)
    for note in plan.notes:
        tell(in_terminal(note, settings.language))
    pixels = preview(plan, second, settings.runtime)
    with writing(path):
        save_png(path, pixels, finish_record(plan) | {"second": second})
    return Preview(str(path), second, plan.width, plan.height)
