"""`eichi models`: which models are on this machine, fetched, verified, found and removed."""

import sys
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from eichi.surface import FAILED, json_flag, print_json, surface, tell
from eichi.words import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eichi.models.download import Fetching
    from eichi.settings import Settings


@click.group(invoke_without_command=True, help=say("cli.models"))
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

    with surface(as_json) as settings:
        entry = find(name)
        events = fetch(entry, settings.models)
        if as_json:
            for event in events:
                print_json({"event": "Fetching", **vars(event)})
        else:
            _follow(events, settings)
        folders = {part: str(folder) for part, folder in locate(entry, settings.models).items()}
        if as_json:
            print_json({"model": entry.name, "folders": folders})
        else:
            click.echo(say("models.complete", settings.language, model=entry.name))


@models.command(help=say("cli.models.verify"))
@click.argument("name")
@json_flag
def verify(name: str, as_json: bool) -> None:
    from eichi.catalog import find
    from eichi.models.download import verify as check

    with surface(as_json) as settings:
        files, bad = [], []
        for checked in check(find(name), settings.models):
            files.append(vars(checked))
            if not checked.good:
                bad.append(str(checked.file))
            if not as_json:
                state = f"models.{checked.how}" if checked.good else "models.bad"
                click.echo(f"{checked.part:<18}{say(state, settings.language):<24}{checked.file}")
        if as_json:
            print_json({"model": name, "good": not bad, "files": files})
        elif bad:
            tell(say("models.damaged", settings.language, count=len(bad), model=name))
        if bad:
            sys.exit(FAILED)


@models.command(help=say("cli.models.path"))
@click.argument("name")
@json_flag
def path(name: str, as_json: bool) -> None:
    from eichi.catalog import find
    from eichi.models.locate import locate

    with surface(as_json) as settings:
        folders = locate(find(name), settings.models)
        if as_json:
            print_json({"model": name, "folders": folders})
            return
        for part, folder in folders.items():
            click.echo(f"{part:<18}{folder}")


@models.command(help=say("cli.models.remove"))
@click.argument("name")
@json_flag
def remove(name: str, as_json: bool) -> None:
    from eichi.catalog import find
    from eichi.models.download import remove as discard

    with surface(as_json) as settings:
        files, freed = discard(find(name), settings.models)
        if as_json:
            print_json({"model": name, "files": files, "bytes": freed})
        else:
            click.echo(say("models.removed", settings.language, count=len(files), freed=freed / 2**30))


def _show(as_json: bool) -> None:
    """The list of known models."""
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
