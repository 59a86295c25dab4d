"""`eichi verify-gpu`: this machine tried with every way to run a model, of its own weights or of random numbers."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from eichi.settings import Settings
from eichi.terminal import FAILED, json_flag, print_json, reporting, tell
from eichi.text import json_text
from eichi.usage import Command, Number
from eichi.words import say, typed

if TYPE_CHECKING:
    from eichi.pipeline.report import GpuReport, Trial
    from eichi.pipeline.trial import Bench
    from eichi.pipeline.ways import Way

TABLE = ".md"
MINUTES = Number(0.1, 600.0, whole=False)


@dataclass(frozen=True)
class Asked:
    """What is to be tried: a model by name, or one of random numbers of a `size`; `only` these ways, if any."""

    model: str
    size: Literal["small", "full"] | None
    steps: int
    minutes: float
    only: tuple[str, ...]


@click.command("verify-gpu", cls=Command, help=say("cli.verify_gpu"))
@click.option("--model", default="framepack", show_default=True, help=say("option.model"))
@click.option("--random", "made_up", is_flag=True, help=say("cli.verify_gpu.random"))
@click.option("--size", type=click.Choice(["small", "full"]), default="full", help=say("cli.verify_gpu.size"))
@click.option("--steps", type=Number(2, 100), default=4, show_default=True, help=say("option.sampling.steps"))
@click.option(
    "--minutes",
    type=Number(0.1, 600.0, whole=False),
    default=10.0,
    show_default=True,
    help=say("cli.verify_gpu.minutes"),
)
@click.option("--way", "only", multiple=True, help=say("cli.verify_gpu.way"))
@click.option("--out", type=click.Path(path_type=Path), help=say("cli.verify_gpu.out"))
@click.option("--compare", nargs=2, type=click.Path(path_type=Path), help=say("cli.verify_gpu.compare"))
@json_flag
def verify_gpu(
    model: str,
    made_up: bool,
    size: Literal["small", "full"],
    out: Path | None,
    compare: tuple[Path, Path] | None,
    as_json: bool,
    **how: Any,
) -> None:
    from eichi.prepare import check_folder

    with reporting(as_json) as settings:
        if compare is not None:
            _compare(*compare)
            return
        path = out or Path(f"eichi-verify-{datetime.now():%y%m%d_%H%M%S}.json")
        check_folder(path.parent)
        report = _verify(Asked(model, size if made_up else None, **how), settings, path)
        if as_json:
            print_json(report)
        else:
            click.echo(path.with_suffix(TABLE).read_text(encoding="utf-8"))
            click.echo(say("verify.written", settings.language, file=path, table=path.with_suffix(TABLE)))
        if not report.good:
            sys.exit(FAILED)


def _compare(one: Path, other: Path) -> None:
    from eichi.pipeline.report import compare, read_report

    click.echo(compare(read_report(one), read_report(other)))


def _verify(asked: Asked, settings: Settings, path: Path) -> "GpuReport":
    """Try everything, writing the report after each way: a driver that crashes leaves what was found before."""
    from eichi.pipeline.report import GpuReport, markdown
    from eichi.pipeline.trial import about

    with tempfile.TemporaryDirectory() as own, _bench(asked, settings, Path(own)) as bench:
        tried = _chosen(bench, asked.only, Path(own))
        parts = bench.components
        report = GpuReport(about(parts), parts.entry.name, asked.size, asked.steps, asked.minutes, (), path)
        for number, way in enumerate(tried, start=1):
            told = {"number": number, "count": len(tried), "way": way.name, "side": way.side}
            tell(say("verify.trying", settings.language, **told))
            run = bench.try_out(way)
            report = replace(report, runs=(*report.runs, run))
            path.write_text(json_text(report, indent=1), encoding="utf-8")
            path.with_suffix(TABLE).write_text(markdown(report), encoding="utf-8")
            tell(_sentence(run, settings.language))
    return report


@contextmanager
def _bench(asked: Asked, settings: Settings, own: Path) -> Iterator["Bench"]:
    """What is tried, with what it is tried with. Nothing of it comes from what was kept before, or is kept."""
    from eichi.catalog import find
    from eichi.models.device import pick_device
    from eichi.models.load import Components
    from eichi.models.pool import random_entry, random_sources
    from eichi.pipeline.trial import Bench
    from eichi.pipeline.ways import Given

    runtime = replace(settings.runtime, cache=own / "cache", merged_gb=0.0, gpus=1)
    entry = find(asked.model) if asked.size is None else random_entry(asked.size, own)
    sources = None if asked.size is None else random_sources(entry, pick_device(runtime.device))
    components = Components(entry, runtime, sources=sources)
    with as_file(files("eichi") / "demo" / "picture.jpg") as picture:
        prompt = (files("eichi") / "demo" / "prompt.txt").read_text(encoding="utf-8").strip()
        given = Given(entry, runtime.models, picture, prompt, asked.steps)
        yield Bench(components, given, asked.minutes, mapped=sources is None)


def _chosen(bench: "Bench", only: tuple[str, ...], own: Path) -> "list[Way]":
    """The ways to be tried. Raises InputError for a name that none has."""
    from eichi.errors import InputError
    from eichi.pipeline.ways import example_lora, ways

    parts = bench.components
    lora = own / "example.safetensors"
    every = ways(parts.entry, lora)
    names = list(dict.fromkeys(way.name for way in every))
    for name in only:
        if name not in names:
            raise InputError("error.verify.way", name=name, known=", ".join(names))
    chosen = [way for way in every if not only or way.name in only]
    if any(way.weights.loras for way in chosen):
        example_lora(parts.weights.shapes, lora)
    return chosen


def _sentence(run: "Trial", language: str) -> str:
    """A way's outcome for who waits."""
    told: dict[str, object] = {"way": run.way, "side": run.side}
    if run.left is not None:
        return say("verify.left", language, **told, reason=run.left)
    if run.error is not None:
        return say("verify.bad", language, **told, error=say(typed(run.error.id), language, **run.error.values))
    memory = run.memory
    figures = {"step": run.step, "reserved": memory and memory.reserved, "forecast": memory and memory.forecast}
    shown = {name: "-" if number is None else number for name, number in figures.items()}
    return say("verify.good", language, **told, **shown, repeats=run.repeats)
