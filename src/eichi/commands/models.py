"""`eichi models`: which models are on this machine, fetched, brought from a folder, verified, found and removed."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING

import click
from rich.cells import cell_len
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from eichi.errors import ModelError, RunError
from eichi.lines import duration
from eichi.terminal import FAILED, json_flag, print_json, reporting, tell
from eichi.text import pad
from eichi.usage import Group
from eichi.words import say

if TYPE_CHECKING:
    from eichi.catalog import Entry
    from eichi.models.download import Told
    from eichi.models.fetched import Checked
    from eichi.modelview import ModelView, OrderView
    from eichi.settings import Settings

GAP = 2  # columns between two
PART = 19  # columns of the longest name of a part, and the gap
KEPT = 12  # columns of what a part is kept in, and the gap
CONSTANT = "feature_extractor"  # the part that is always here, in the package
SIZE = 10  # columns of a size, and the gap

Move = Callable[[str, int, int, float | None, float | None], None]


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
@click.option("--plan", "only_plan", is_flag=True, help=say("cli.models.download.plan"))
@json_flag
def download(name: str, only_plan: bool, as_json: bool) -> None:
    from eichi.catalog import find
    from eichi.models.download import bring, check_room, order
    from eichi.models.hub import Server
    from eichi.modelview import order_view

    with reporting(as_json) as settings:
        entry = find(name)
        try:
            asked = order(entry, settings.model_folders, Server.of(settings))
        except (ModelError, RunError):
            if only_plan:
                _tell_rough(entry, settings, as_json)
            raise
        view = order_view(asked, settings.language)
        if only_plan or asked.files:
            if as_json:
                print_json(view)
            else:
                _tell_order(view, settings.language, click.echo if only_plan else tell, only_plan)
        if not only_plan:
            check_room(asked)
            _follow(bring(asked, sleep), settings, as_json)
            _complete(entry, settings, as_json)


@models.command(name="import", help=say("cli.models.import"))
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("name")
@json_flag
def import_(folder: Path, name: str, as_json: bool) -> None:
    from eichi.catalog import find
    from eichi.models.locate import present
    from eichi.models.taken import take

    with reporting(as_json) as settings:
        entry = find(name)
        missing = _follow(take(entry, folder.absolute(), settings.model_folders), settings, as_json) or ()
        if missing:
            parts = ", ".join(say(f"part.{part}", settings.language) for part in missing)
            tell(say("models.still", settings.language, model=entry.name, parts=parts))
        if present(entry, settings.model_folders):
            _complete(entry, settings, as_json)


@models.command(help=say("cli.models.verify"))
@click.argument("name")
@click.option("--fix", is_flag=True, help=say("cli.models.verify.fix"))
@json_flag
def verify(name: str, fix: bool, as_json: bool) -> None:
    from eichi.catalog import find
    from eichi.modelview import Verified

    with reporting(as_json) as settings:
        entry = find(name)
        files = _check(entry, settings, as_json)
        bad = [one for one in files if not one.good]
        if as_json:
            print_json(Verified.of(entry.name, files))
        elif bad:
            tell(say("models.damaged", settings.language, count=len(bad), model=entry.name))
        if bad and fix:
            _mend(entry, bad, settings, as_json)
        elif bad:
            sys.exit(FAILED)


@models.command(help=say("cli.models.path"))
@click.argument("name")
@json_flag
def path(name: str, as_json: bool) -> None:
    from eichi.catalog import find
    from eichi.models.locate import locate
    from eichi.modelview import Located

    with reporting(as_json) as settings:
        entry = find(name)
        folders = locate(entry, settings.model_folders)
        if as_json:
            print_json(Located(model=entry.name, folders=folders))
            return
        for part, folder in folders.items():
            click.echo(f"{pad(part, PART)}{folder}")


@models.command(help=say("cli.models.remove"))
@click.argument("name")
@json_flag
def remove(name: str, as_json: bool) -> None:
    from eichi.catalog import find
    from eichi.models.fetched import remove as discard
    from eichi.modelview import Removed

    with reporting(as_json) as settings:
        entry = find(name)
        files, freed = discard(entry, settings.model_folders)
        if as_json:
            print_json(Removed(model=entry.name, files=tuple(files), bytes=freed))
        else:
            click.echo(say("models.removed", settings.language, count=len(files), freed=freed))


def _show(as_json: bool) -> None:
    """The list of known models."""
    from eichi.modelview import models_view

    with reporting(as_json) as settings:
        language = settings.language
        view = models_view(settings.model_folders, language)
        if as_json:
            print_json(view)
            return
        rows = view.models
        states = {where: say(f"models.{where}", language) for where in ("embedded", "present", "absent", "begun")}
        width, longest = GAP + max(map(cell_len, states.values())), GAP + max(len(row.name) for row in rows)
        for row in rows:
            absent = "begun" if row.interrupted else "absent"
            state = states[("embedded" if row.embedded else "present") if row.present else absent]
            direction = say(f"models.{row.direction}", language)
            click.echo(f"{pad(row.name, longest)}{pad(state, width)}{direction}")
            if not row.embedded and any(part.place for part in row.parts if part.part != CONSTANT):
                _tell_parts(row, language)
        if view.spare:
            click.echo(say("models.found", language))
        column = GAP + max((cell_len(one.label) for one in view.spare), default=0)
        for one in view.spare:
            kept = pad(one.precision, KEPT)
            click.echo(f"  {pad(one.label, column)}{kept}{one.place}{_known(one.known)}: {one.why}")
        for place in view.odd:
            click.echo(say("models.odd", language, folder=place.place, why=place.why))
        click.echo(say("models.folder", language, folder=settings.models))


def _tell_parts(row: "ModelView", language: str) -> None:
    """Where every part of a model is, and what it is kept in; what is to be fetched."""
    column = GAP + max(cell_len(part.label) for part in row.parts)
    for part in row.parts:
        where = say("models.nowhere", language, size=decimal(part.size)) if part.place is None else part.place
        click.echo(f"  {pad(part.label, column)}{pad(part.precision, KEPT)}{where}{_known(part.known)}")


def _known(name: str) -> str:
    """The published name of a file, behind its own."""
    return f" ({name})" if name else ""


def _tell_order(view: "OrderView", language: str, tell: Callable[[str], object], whole: bool) -> None:
    """What a download comes to; file by file if `whole`."""
    if whole:
        for file in view.files:
            tell(f"{pad(file.part, PART)}{pad(decimal(file.size - file.here), SIZE)}{file.file}")
        for part in view.found:
            tell(f"{pad(part.part, PART)}{pad('-', SIZE)}{part.place}")
    if view.files:
        sizes = {"left": decimal(view.left), "free": decimal(view.free), "after": decimal(max(0, view.after))}
        where = {"server": view.server, "folder": view.folder, "count": len(view.files)}
        tell(say("models.order", language, **sizes, **where))
    for one in view.licences:
        tell(f"{one.text} {one.url}")
    for repository in view.repositories:
        if repository.licence:
            told = {"repository": repository.name, "licence": repository.licence, "link": repository.link}
            tell(say("models.card", language, **told).rstrip())


def _tell_rough(entry: "Entry", settings: "Settings", as_json: bool) -> None:
    """What is known of a download of which the server tells nothing: rough sizes, and the terms."""
    from eichi.modelview import model_view

    view = model_view(entry, settings.model_folders, settings.language)
    if as_json:
        print_json(view)
        return
    _tell_parts(view, settings.language)
    for one in view.licences:
        click.echo(f"{one.text} {one.url}")


def _complete(entry: "Entry", settings: "Settings", as_json: bool) -> None:
    """The last word of what brings a model here."""
    from eichi.models.locate import locate
    from eichi.modelview import Located

    if as_json:
        print_json(Located(model=entry.name, folders=locate(entry, settings.model_folders)))
    else:
        click.echo(say("models.complete", settings.language, model=entry.name))


def _check(entry: "Entry", settings: "Settings", as_json: bool) -> "list[Checked]":
    """Check a model's files, a line for each."""
    from eichi.models.fetched import verify

    states = {how: say(f"models.{how}", settings.language) for how in ("checksum", "whole", "bad")}
    width, files = GAP + max(map(cell_len, states.values())), []
    with _bar(settings.language, as_json) as (_, move):
        for told in verify(entry, settings.model_folders):
            if told.kind == "checking":
                move(str(told.file.name), told.done, told.size, None, None)
                continue
            files.append(told)
            if as_json:
                print_json(told)
                continue
            state = states[told.how if told.good else "bad"]
            click.echo(f"{pad(told.part, PART)}{pad(state, width)}{told.file}")
    return files


def _mend(entry: "Entry", bad: "list[Checked]", settings: "Settings", as_json: bool) -> None:
    """Fetch damaged files again."""
    from eichi.models.download import download
    from eichi.models.fetched import alone, discard
    from eichi.models.hub import Server

    with alone(settings.model_folders):
        again = discard(entry, settings.model_folders, bad)
    _follow(download(entry, settings.model_folders, sleep, Server.of(settings), again), settings, as_json)
    _complete(entry, settings, as_json)


def _follow(events: "Iterable[Told]", settings: "Settings", as_json: bool) -> "tuple[str, ...] | None":
    """What comes, in the terminal: one bar where there is a terminal, a line for each file where there is none.

    Returns what the events return at their end.
    """
    language, at, before, told = settings.language, 0, "", iter(events)
    try:
        with _bar(language, as_json) as (console, move):
            while True:
                event = next(told)
                if as_json:
                    print_json(event)
                elif event.kind == "stalled":
                    if (said := event.say(language)) != before:
                        console.print(said, markup=False, soft_wrap=True)
                    before = said
                else:
                    text = say("models.fetching", language, index=event.index, files=event.files, file=event.file)
                    if event.index != at:
                        console.print(text, markup=False, soft_wrap=True)
                        at = event.index
                    move(text, event.done, event.size, event.speed, event.left)
    except StopIteration as end:
        returned: tuple[str, ...] | None = end.value
        return returned
    except KeyboardInterrupt:
        tell(say("models.stopped", language))
        raise


@contextmanager
def _bar(language: str, quiet: bool) -> Iterator[tuple[Console, Move]]:
    """A bar on standard error, where that is a terminal, and what moves it: text, bytes, all of them, rate, seconds."""
    console = Console(stderr=True, highlight=False)
    hidden = quiet or not console.is_terminal
    shown = ("{task.description}", "{task.fields[rate]}", "{task.fields[left]}")
    text, rate, left = (TextColumn(form) for form in shown)
    columns = (text, BarColumn(), DownloadColumn(), rate, left)
    # What goes to standard output passes above the bar where that is the same terminal, else it stays what it is.
    with Progress(*columns, console=console, disable=hidden, redirect_stdout=sys.stdout.isatty()) as bar:
        task = bar.add_task("", total=None, rate="", left="")

        def move(text: str, done: int, size: int, speed: float | None, left: float | None) -> None:
            rate = "" if speed is None else say("models.speed", language, speed=decimal(int(speed)))
            time = "" if left is None else duration(left)
            bar.update(task, completed=done, total=size, description=text, rate=rate, left=time)

        yield console, move
