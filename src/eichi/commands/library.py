"""What a user keeps, from the command line: `eichi import FOLDER` takes over what eichi 1.9 kept.

It says of everything that it found whether it was taken, and of what was not, why. Knows no file of eichi 1.9 itself.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eichi.lines import in_terminal
from eichi.terminal import json_flag, print_json, reporting
from eichi.usage import Command
from eichi.words import say

if TYPE_CHECKING:
    from eichi.library.imports import Item


@dataclass(frozen=True)
class ImportReport:
    """The folder that was read, how many things were taken, and everything that was found."""

    folder: Path
    taken: int
    items: "tuple[Item, ...]"


@click.command("import", cls=Command, help=say("cli.import"))
@click.argument("folder", type=click.Path(path_type=Path))
@json_flag
def import_(folder: Path, as_json: bool) -> None:
    from eichi.library.imports import import_folder

    with reporting(as_json) as settings:
        base, items = import_folder(folder, settings.home)
        taken = sum(item.taken for item in items)
        if as_json:
            print_json(ImportReport(base, taken, tuple(items)))
            return
        for item in items:
            mark = "✓" if item.taken else "–"
            what = say(f"import.{item.kind}", settings.language, name=item.name)
            click.echo(f"{mark} {what} ({item.file})")
            for note in item.notes:
                click.echo(f"    {in_terminal(note, settings.language)}")
        click.echo(say("import.summary", settings.language, taken=taken, left=len(items) - taken, folder=base))
