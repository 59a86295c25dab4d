"""`eichi verify-gpu` and `eichi calibrate`: what only this machine and its weights can tell, found out by drawing."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eichi.terminal import FAILED, json_flag, print_json, reporting, tell
from eichi.text import json_text
from eichi.usage import Command, Number
from eichi.words import say, typed

if TYPE_CHECKING:
    from eichi.catalog import Shelves
    from eichi.pipeline.trial import About, Trial
    from eichi.plan.plan import Plan


@dataclass(frozen=True)
class GpuReport:
    """A machine and what came of every way to run a model on it; the file that all of it was written to."""

    machine: "About"
    model: str
    size: tuple[int, int]
    steps: int
    runs: "tuple[Trial, ...]"
    file: Path


@dataclass(frozen=True)
class Calibrated:
    """What step caches need to know of a model."""

    model: str
    teacache: tuple[float, ...]
    magcache: tuple[tuple[float, ...], ...]


@click.command("verify-gpu", cls=Command, help=say("cli.verify_gpu"))
@click.option("--model", default="framepack", show_default=True, help=say("option.model"))
@click.option("--steps", type=Number(2, 100), default=4, show_default=True, help=say("option.sampling.steps"))
@click.option("--out", type=click.Path(path_type=Path), help=say("cli.verify_gpu.out"))
@json_flag
def verify_gpu(model: str, steps: int, out: Path | None, as_json: bool) -> None:
    with (
        reporting(as_json) as settings,
        _short(model, steps, settings.shelves) as plan,
        tempfile.TemporaryDirectory() as own,
    ):
        from eichi.models.load import Components
        from eichi.pipeline.trial import about, example_lora, try_out, ways

        components = Components(plan.entry, settings.runtime)
        lora = example_lora(components, Path(own) / "example.safetensors")
        path = out or Path(f"eichi-verify-{datetime.now():%y%m%d_%H%M%S}.json")
        report = GpuReport(about(components), model, (plan.width, plan.height), steps, (), path)
        for run in try_out(plan, components, ways(components.device, lora)):
            report = replace(report, runs=(*report.runs, run))
            # After each run, so that a crash of the driver leaves what was found before it.
            path.write_text(json_text(report, indent=1), encoding="utf-8")
            tell(say(f"verify.{'good' if run.good else 'bad'}", settings.language, **_figures(run, settings.language)))
        if as_json:
            print_json(report)
        else:
            click.echo(say("verify.written", settings.language, file=path))
        if not all(run.good for run in report.runs):
            sys.exit(FAILED)


@click.command(cls=Command, help=say("cli.calibrate"))
@click.option("--model", default="framepack", show_default=True, help=say("option.model"))
@click.option("--steps", type=Number(3, 100), default=25, show_default=True, help=say("option.sampling.steps"))
@click.option("--write", is_flag=True, help=say("cli.calibrate.write"))
@json_flag
def calibrate(model: str, steps: int, write: bool, as_json: bool) -> None:
    with reporting(as_json) as settings, _short(model, steps, settings.shelves, seconds=2.0) as plan:
        from eichi.catalog import write_card
        from eichi.events import Step
        from eichi.models.load import Components
        from eichi.pipeline.calibrate import watched
        from eichi.pipeline.generate import fitted, sample_latents
        from eichi.pipeline.job import boundary

        components = Components(plan.entry, settings.runtime)
        with boundary(), watched(components.transformer) as measured:
            for event in sample_latents(plan, components, fitted(plan)):
                if isinstance(event, Step):
                    tell(f"{event.order + 1}/{event.sections} {event.step}/{event.steps}")
        found = Calibrated(model, tuple(measured.polynomial), (tuple(measured.ratios),))
        if write:
            write_card(plan.entry, {"teacache": found.teacache, "magcache": found.magcache})
        print_json(found)


@contextmanager
def _short(model: str, steps: int, models: "Shelves", seconds: float = 1.0) -> Iterator["Plan"]:
    """The plan of a short video of the demo's picture, in the model's smallest size, without a step cache."""
    from eichi.catalog import find
    from eichi.options import VideoOptions
    from eichi.prepare import make_plan

    with as_file(files("eichi") / "demo" / "picture.jpg") as picture:
        values = {"model": model, "image": picture, "seconds": seconds, "seed": 1, "resolution": min(find(model).sizes)}
        prompt = (files("eichi") / "demo" / "prompt.txt").read_text(encoding="utf-8").strip()
        sampling = {"steps": steps, "teacache": False}
        yield make_plan(VideoOptions.parse(values | {"prompt": prompt, "sampling": sampling}), models)


def _figures(run: "Trial", language: str) -> dict[str, str]:
    """A run for a sentence."""
    numbers = {"seconds": run.seconds, "peak_gib": run.peak_gib, "forecast_gib": run.forecast_gib}
    figures = {name: "-" if number is None else f"{number:.2f}" for name, number in numbers.items()}
    error = "-" if run.error is None else say(typed(run.error.id), language, **run.error.values)
    return figures | {"way": run.way, "error": error}
