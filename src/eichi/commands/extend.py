"""`eichi extend`: a new part for a video that is there, whoever made it: after it, before it, or between two.

Thin: the same request as that of `eichi generate`, with the video in its place.
"""

from pathlib import Path
from typing import Any

import click

from eichi.commands.run import run_request
from eichi.errors import OptionError
from eichi.flags import option_flags, otherwise, read_request, setting_flag
from eichi.library.lorafolders import located
from eichi.options import VideoOptions
from eichi.plan.plan import sources
from eichi.terminal import json_flag, out_flag, reporting
from eichi.usage import Command
from eichi.words import say


@click.command(cls=Command, help=say("cli.extend"))
@click.argument("video", type=click.Path(path_type=Path), required=False)
@option_flags(VideoOptions)
@setting_flag("gpus")
@out_flag
@json_flag
def extend(
    video: Path | None, assignments: tuple[str, ...], gpus: int | None, out: Path | None, as_json: bool, **flags: Any
) -> None:
    with reporting(as_json) as settings:
        settings = otherwise(settings, gpus=gpus)
        if video is not None and flags["source__before"] is not None:
            raise OptionError("error.extend.twice", flag="--continue")
        flags["source__before"] = video or flags["source__before"]
        options = located(read_request(VideoOptions, assignments, flags, settings), settings.loras)
        if not sources(options):
            raise OptionError("error.extend.nothing", flag="--lead-to")
        run_request(options, out or settings.outputs, settings, as_json)
