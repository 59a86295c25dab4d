"""`eichi calibrate`: what only a model's weights can tell of themselves, found out by drawing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

import click

from eichi.terminal import json_flag, print_json, reporting, tell
from eichi.usage import Command, Number
from eichi.words import say

if TYPE_CHECKING:
    from eichi.catalog import ModelFolders
    from eichi.plan.plan import Plan


@dataclass(frozen=True)
class Calibrated:
    """What step caches need to know of a model."""

    model: str
    teacache: tuple[float, ...]
    magcache: tuple[tuple[float, ...], ...]


@click.command(cls=Command, help=say("cli.calibrate"))
@click.option("--model", default="framepack", show_default=True, help=say("option.model"))
@click.option("--steps", type=Number(3, 100), default=25, show_default=True, help=say("option.sampling.steps"))
@click.option("--write", is_flag=True, help=say("cli.calibrate.write"))
@json_flag
def calibrate(model: str, steps: int, write: bool, as_json: bool) -> None:
    with reporting(as_json) as settings, _short(model, steps, settings.model_folders, seconds=2.0) as plan:
        from eichi.catalog import write_card
        from eichi.events import Step
        from eichi.models.load import Components
        from eichi.pipeline.calibrate import watched
        from eichi.pipeline.generate import sample_latents
        from eichi.pipeline.job import boundary
        from eichi.pipeline.originals import fitted

        components = Components(plan.entry, replace(settings.runtime, gpus=1))
        with boundary(), watched(components.transformer) as measured:
            for event in sample_latents(plan, components, fitted(plan)):
                if isinstance(event, Step):
                    tell(f"{event.order + 1}/{event.sections} {event.step}/{event.steps}")
        found = Calibrated(model, tuple(measured.polynomial), (tuple(measured.ratios),))
        if write:
            write_card(plan.entry, {"teacache": found.teacache, "magcache": found.magcache})
        print_json(found)


@contextmanager
def _short(model: str, steps: int, models: "ModelFolders", seconds: float = 1.0) -> Iterator["Plan"]:
    """The plan of a short video of the demo's picture, in the model's smallest size, without a step cache."""
    from eichi.catalog import find
    from eichi.options import VideoOptions
    from eichi.prepare import make_plan

    with as_file(files("eichi") / "demo" / "picture.jpg") as picture:
        values = {"model": model, "image": picture, "seconds": seconds, "seed": 1, "resolution": min(find(model).sizes)}
        prompt = (files("eichi") / "demo" / "prompt.txt").read_text(encoding="utf-8").strip()
        sampling = {"steps": steps, "teacache": False}
        yield make_plan(VideoOptions.parse(values | {"prompt": prompt, "sampling": sampling}), models)
