"""`eichi verify-gpu` and `eichi calibrate`: what only this machine and its weights can tell, found out by drawing."""

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eichi.surface import FAILED, json_flag, print_json, surface, tell
from eichi.words import say

if TYPE_CHECKING:
    from eichi.plan.plan import Plan


@click.command("verify-gpu", help=say("cli.verify_gpu"))
@click.option("--model", default="framepack", show_default=True, help=say("option.model"))
@click.option("--steps", type=click.IntRange(2, 100), default=4, show_default=True, help=say("option.sampling.steps"))
@click.option("--out", type=click.Path(path_type=Path), help=say("cli.verify_gpu.out"))
@json_flag
def verify_gpu(model: str, steps: int, out: Path | None, as_json: bool) -> None:
    with (
        surface(as_json) as settings,
        _short(model, steps, settings.models) as plan,
        tempfile.TemporaryDirectory() as own,
    ):
        from eichi.models.load import Components
        from eichi.pipeline.trial import about, example_lora, try_out, ways

        components = Components(plan.entry, settings.runtime)
        lora = example_lora(components, Path(own) / "example.safetensors")
        report: dict[str, Any] = about(components) | {"model": model, "size": [plan.width, plan.height], "steps": steps}
        report["runs"] = []
        path = out or Path(f"eichi-verify-{datetime.now():%y%m%d_%H%M%S}.json")
        for run in try_out(plan, components, ways(components.device, lora)):
            report["runs"].append(run)
            # After each run, so that a crash of the driver leaves what was found before it.
            path.write_text(json.dumps(report, indent=1, default=str), encoding="utf-8")
            tell(say(f"verify.{'good' if run['good'] else 'bad'}", settings.language, **_figures(run)))
        if as_json:
            print_json(report | {"file": str(path)})
        else:
            click.echo(say("verify.written", settings.language, file=path))
        if not all(run["good"] for run in report["runs"]):
            sys.exit(FAILED)


@click.command(help=say("cli.calibrate"))
@click.option("--model", default="framepack", show_default=True, help=say("option.model"))
@click.option("--steps", type=click.IntRange(3, 100), default=25, show_default=True, help=say("option.sampling.steps"))
@click.option("--write", is_flag=True, help=say("cli.calibrate.write"))
@json_flag
def calibrate(model: str, steps: int, write: bool, as_json: bool) -> None:
    with surface(as_json) as settings, _short(model, steps, settings.models, seconds=2.0) as plan:
        from eichi.catalog import write_card
        from eichi.events import Step
        from eichi.models.load import Components
        from eichi.pipeline.calibrate import watched
        from eichi.pipeline.generate import draw, fitted
        from eichi.pipeline.job import boundary

        components = Components(plan.entry, settings.runtime)
        with boundary(), watched(components.transformer) as measured:
            for event in draw(plan, components, fitted(plan)):
                if isinstance(event, Step):
                    tell(f"{event.order + 1}/{event.sections} {event.step}/{event.steps}")
        found = {"teacache": measured.polynomial, "magcache": [measured.ratios]}
        if write:
            write_card(plan.entry, found)
        print_json({"model": model, **found})


@contextmanager
def _short(model: str, steps: int, models: Path, seconds: float = 1.0) -> Iterator["Plan"]:
    """The plan of a short video of the demo's picture, in the model's smallest size, without a step cache."""
    from eichi.catalog import find
    from eichi.options import VideoOptions
    from eichi.prepare import make_plan

    with as_file(files("eichi") / "demo" / "picture.jpg") as picture:
        values = {"model": model, "image": picture, "seconds": seconds, "seed": 1, "resolution": min(find(model).sizes)}
        prompt = (files("eichi") / "demo" / "prompt.txt").read_text(encoding="utf-8").strip()
        sampling = {"steps": steps, "teacache": False}
        yield make_plan(VideoOptions.parse(values | {"prompt": prompt, "sampling": sampling}), models)


def _figures(run: dict[str, Any]) -> dict[str, Any]:
    """A run for a sentence."""
    figures = {name: f"{run[name]:.2f}" if name in run else "-" for name in ("seconds", "peak_gib", "forecast_gib")}
    return figures | {"way": run["way"], "error": run.get("error", "-")}
