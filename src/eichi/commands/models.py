"""`eichi models`: which models are on this machine, fetched, verified, found and removed."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from eichi.terminal import FAILED, json_flag, print_json, reporting, tell
from eichi.text import pad
from eichi.usage import Group
from eichi.words import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eichi.catalog import Direction
    from eichi.models.download import Checked, Fetching
    from eichi.settings import Settings

GAP = 2  # columns between two
PART = 19  # columns of the longest name of a part, and the gap


@dataclass(frozen=True)
class Known:
    """A model that can be asked for by name; whether it is on this machine, and whether it ships inside the package."""

    name: str
    direction: "Direction"
    present: bool
    embedded: bool


@dataclass(frozen=True)
class Models:
    """All known models, and the folder for those that are not embedded."""

    models: tuple[Known, ...]
    folder: Path


@dataclass(frozen=True)
class Located:
    """Where the parts of a model lie."""

    model: str
    folders: dict[str, Path]


@dataclass(frozen=True)
class ModelVerified:
    """What came of checking a model's files."""

    model: str
    good: bool
    files: "tuple[Checked, ...]"


@dataclass(frozen=True)
class ModelRemoved:
    """The files of a model that are gone, and the bytes they had."""

    model: str
    files: tuple[Path, ...]
    bytes: int


@click.group(cls=Group, invoke_without_command=True, help=say("cli.models"))
@json_flag
@click.pass_context
def models(context: click.Context, as_json: bool) -> None:
    if context.invoked_subcommand is None:
        _show(as_json)


@models.command(name="list", help=say("cli.models"))
@json_flag
def show(as_json: bool) -> None:
    _show(as_json)


@models.command(help=say("cli.models.download"))
@click.argument("name")
@json_flag
def download(name: str, as_json: bool) -> None:
    from eichi.catalog import find
    from eichi.models.download import download as fetch
    from eichi.models.locate import locate

    with reporting(as_json) as settings:
        entry = find(name)
        events = fetch(entry, settings.shelves)
        if as_json:
            for event in events:
                print_json(event)
        else:
            _follow(events, settings)
        if as_json:
            print_json(Located(entry.name, locate(entry, settings.shelves)))
        else:
            click.echo(say("models.complete", settings.language, model=entry.name))


@models.command(help=say("cli.models.verify"))
@click.argument("name")
@json_flag
def verify(name: str, as_json: bool) -> None:
    from eichi.catalog import find
    from eichi.models.download import verify as check

    with reporting(as_json) as settings:
        states = {how: say(f"models.{how}", settings.language) for how in ("checksum", "whole", "bad")}
        width, files = GAP + max(map(cell_len, states.values())), []
        for checked in check(find(name), settings.shelves):
            files.append(checked)
            if not as_json:
                state = states[checked.how if checked.good else "bad"]
                click.echo(f"{pad(checked.part, PART)}{pad(state, width)}{checked.file}")
        bad = sum(not checked.good for checked in files)
        if as_json:
            print_json(ModelVerified(name, not bad, tuple(files)))
        elif bad:
            tell(say("models.damaged", settings.language, count=bad, model=name))
        if bad:
            sys.exit(FAILED)


@models.command(help=say("cli.models.path"))
@click.argument("name")
@json_flag
def path(name: str, as_json: bool) -> None:
    from eichi.catalog import find
    from eichi.models.locate import locate

    with reporting(as_json) as settings:
        folders = locate(find(name), settings.shelves)
        if as_json:
            print_json(Located(name, folders))
            return
        for part, folder in folders.items():
            click.echo(f"{pad(part, PART)}{folder}")


@models.command(help=say("cli.models.remove"))
@click.argument("name")
@json_flag
def remove(name: str, as_json: bool) -> None:
    from eichi.catalog import find
    from eichi.models.download import remove as discard

    with reporting(as_json) as settings:
        files, freed = discard(find(name), settings.shelves)
        if as_json:
            print_json(ModelRemoved(name, tuple(files), freed))
        else:
            click.echo(say("models.removed", settings.language, count=len(files), freed=freed / 2**30))


def _show(as_json: bool) -> None:
    """The list of known models."""
    from eichi.catalog import find, known
    from eichi.models.locate import present

    with reporting(as_json) as settings:
        entries = [find(name) for name in known()]
        rows = [Known(one.name, one.direction, present(one, settings.shelves), one.embedded) for one in entries]
        if as_json:
            print_json(Models(tuple(rows), settings.models))
            return
        states = {where: say(f"models.{where}", settings.language) for where in ("embedded", "present", "absent")}
        width, longest = GAP + max(map(cell_len, states.values())), GAP + max(len(row.name) for row in rows)
        for row in rows:
            state = states[("embedded" if row.embedded else "present") if row.present else "absent"]
            direction = say(f"models.{row.direction}", settings.language)
            click.echo(f"{pad(row.name, longest)}{pad(state, width)}{direction}")
        click.echo(say("models.folder", settings.language, folder=settings.models))


def _follow(events: "Iterator[Fetching]", settings: "Settings") -> None:
    """A download in the terminal: one bar where there is a terminal, a line for each file where there is none."""
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(True), TransferSpeedColumn())
    told = 0
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=None)
        for event in events:
            text = say("models.fetching", settings.language, **vars(event))
            if event.index != told:
                console.print(text, markup=False, soft_wrap=True)
                told = event.index
            progress.update(bar, completed=event.done, total=event.size, description=text)
