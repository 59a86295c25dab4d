"""What trying a machine out gives: the report as it is written to a file, as a table for an issue, beside another one.

The table is in English whatever is set, like the names of the ways: it goes to people who compare machines. Reports are
read back from their JSON, also those of other machines.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from eichi.errors import ErrorView, InputError
from eichi.models.meter import Card
from eichi.plan.memory import Placement
from eichi.words import ENGLISH, say

Left = Literal["time", "device", "card", "ram", "kernel", "fp8", "large", "forward", "compile"]


@dataclass(frozen=True)
class About:
    """The machine and the versions, for the head of a report."""

    system: str
    versions: dict[str, str]
    device: str
    card: Card | None = None
    driver: str | None = None
    kernels: dict[str, str] = field(default_factory=dict)  # by name, those that are installed


@dataclass(frozen=True)
class Memory:
    """GiB of a card: the peaks that were measured, and the forecast, all without what CUDA takes for itself.

    `ratio` is what the allocator held to the forecast. `moved` are GiB that come from RAM at every step.
    """

    allocated: float
    reserved: float
    forecast: float
    ratio: float
    moved: float = 0.0


@dataclass(frozen=True)
class Trial:
    """What came of a way at one size.

    `loading` are seconds until the first step begins, `step` those of a step (the middle one, without the first) and
    `expected` what was forecast for it where the card is known, `decoding` those after the last step; `seconds` all of
    both runs. `rate` are GB a second from RAM. `kernel` computed attention, `reused` are evaluations that a step cache
    saved, `lowered` how often less was put on the card because memory ran out. `latents` and `frames` are digests,
    `repeats` whether both runs gave them. `notes` are the ids of what was said. `left` is why it was not tried, `error`
    what went wrong.
    """

    way: str
    side: int
    good: bool
    left: Left | None = None
    seconds: float | None = None
    loading: float | None = None
    step: float | None = None
    expected: float | None = None
    decoding: float | None = None
    memory: Memory | None = None
    rate: float | None = None
    placement: Placement | None = None
    kernel: str | None = None
    reused: int = 0
    lowered: int = 0
    latents: str | None = None
    frames: str | None = None
    repeats: bool | None = None
    notes: tuple[str, ...] = ()
    error: ErrorView | None = None


@dataclass(frozen=True)
class GpuReport:
    """A machine and what came of every way to run a model on it; the file that all of it was written to.

    `random` is the size of a model of random numbers, None for one with weights.
    """

    machine: About
    model: str
    random: str | None
    steps: int
    minutes: float
    runs: tuple[Trial, ...]
    file: Path

    @property
    def good(self) -> bool:
        """Whether nothing went wrong. What was left out did not."""
        return all(run.good or run.left for run in self.runs)


def read_report(path: Path) -> GpuReport:
    """A report from its file. Raises InputError for any other, and for one that cannot be read."""
    try:
        return TypeAdapter(GpuReport).validate_json(path.read_bytes())
    except OSError as error:
        raise InputError("error.verify.read", path=path, reason=error) from error
    except ValidationError as error:
        raise InputError("error.verify.report", path=path) from error


HEADS = (
    *(
        "way",
        "size",
        "s/step",
        "forecast",
        "loading s",
        "decoding s",
        "allocated GiB",
        "reserved GiB",
        "forecast GiB",
        "ratio",
    ),
    *("moved GiB/step", "GB/s", "placement", "attention", "notes", "latents", "frames", "repeats"),
)


def markdown(report: GpuReport) -> str:
    """A report as a table to be pasted into an issue, with what was left out and what went wrong below."""
    lines = [*_head(report), "", _line(HEADS), _line("---" for _ in HEADS)]
    lines += [_line(_cells(run)) for run in report.runs if not run.left]
    left: dict[str, list[str]] = {}
    for run in report.runs:
        if run.left:
            left.setdefault(say(f"verify.left.{run.left}", ENGLISH), []).append(f"{run.way} {run.side}")
    wrong = [f"{run.way} {run.side}: {run.error.message}" for run in report.runs if run.error]
    for title, said in (("Left out", [f"{why} {'; '.join(ways)}" for why, ways in left.items()]), ("Failed", wrong)):
        lines += ["", f"{title}:", "", *(f"* {line}" for line in said)] if said else []
    return "\n".join(lines) + "\n"


def compare(one: GpuReport, other: GpuReport) -> str:
    """Two reports as one table: what both ran, with seconds, memory, and whether the bytes are equal."""
    heads = ("way", "size", "s/step", "s/step", "ratio", "reserved GiB", "reserved GiB", "latents", "frames", "repeats")
    lines = [f"A: {_name(one)}", f"B: {_name(other)}", "", _line(heads), _line("---" for _ in heads)]
    others = {(run.way, run.side): run for run in other.runs if not run.left}
    for run in one.runs:
        beside = others.get((run.way, run.side))
        if beside is None or run.left:
            continue
        ratio = run.step / beside.step if run.step and beside.step else None
        held = (each.memory and each.memory.reserved for each in (run, beside))
        equal = ("equal" if mine and mine == theirs else "differ" for mine, theirs in _digests(run, beside))
        repeats = f"{_yes(run.repeats)}, {_yes(beside.repeats)}"
        cells = (run.way, run.side, run.step, beside.step, ratio, *held, *equal, repeats)
        lines.append(_line(map(_cell, cells)))
    return "\n".join(lines) + "\n"


def _digests(one: Trial, other: Trial) -> Iterator[tuple[str | None, str | None]]:
    yield one.latents, other.latents
    yield one.frames, other.frames


def _name(report: GpuReport) -> str:
    """What a report is of, in a line."""
    card = report.machine.card
    device = report.machine.device if card is None else f"{card.name}, {card.gib} GiB, CUDA {card.cuda}"
    model = report.model if report.random is None else f"random, {report.random}"
    return f"{device}; {report.machine.system}; torch {report.machine.versions.get('torch')}; {model}"


def _head(report: GpuReport) -> Iterator[str]:
    """What stands above the table."""
    yield f"{_name(report)}; {report.steps} steps; driver {report.machine.driver or '-'}"
    yield ""
    told = {**report.machine.versions, **report.machine.kernels}
    yield ", ".join(f"{name} {number}" for name, number in told.items())


def _cells(run: Trial) -> Iterator[str]:
    """A row of the table."""
    yield from (run.way, str(run.side))
    yield from map(_cell, (run.step, run.expected, run.loading, run.decoding))
    memory = run.memory
    if memory is None:
        yield from ["-"] * 5
    else:
        yield from map(_cell, (memory.allocated, memory.reserved, memory.forecast, memory.ratio, memory.moved or None))
    place = run.placement
    yield _cell(run.rate)
    yield "-" if place is None else f"{place.level}{f' {place.streamed}' if place.streamed else ''}"
    notes = (f"reused {run.reused}" if run.reused else "", f"lowered {run.lowered}" if run.lowered else "")
    yield _cell(run.kernel)
    yield ", ".join(filter(None, notes)) or "-"
    yield from map(_cell, (run.latents, run.frames))
    yield "failed" if run.error else f"{_yes(run.repeats)}{'' if run.good else ', frames are missing'}"


def _yes(repeats: bool | None) -> str:
    return {True: "yes", False: "no", None: "-"}[repeats]


def _cell(value: object) -> str:
    """A value in a cell."""
    if isinstance(value, float):
        return f"{value:.3g}" if value < 10 else f"{value:.1f}"
    return "-" if value is None else str(value)


def _line(cells: Iterable[str]) -> str:
    """A row of Markdown."""
    return f"| {' | '.join(cells)} |"
