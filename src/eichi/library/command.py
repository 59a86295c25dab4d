"""`eichi import FOLDER`: what was taken over, what was not and why, line by line.

What every command has, its settings and its errors, is given by the command line.
"""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import click

from eichi.settings import Settings
from eichi.words import say

Surface = Callable[[bool], AbstractContextManager[Settings]]


def import_command(surface: Surface) -> click.Command:
    """The command; `surface` opens the settings and says errors."""

    @click.command("import", help=say("cli.import"))
    @click.argument("folder", type=click.Path(path_type=Path))
    @click.option("--json", "as_json", is_flag=True, help=say("cli.json"))
    def run(folder: Path, as_json: bool) -> None:
        from eichi.library.imports import import_folder

        with surface(as_json) as settings:
            base, items = import_folder(folder, settings.home)
            taken = sum(item.taken for item in items)
            if as_json:
                values = {"folder": str(base), "taken": taken, "items": [item.describe() for item in items]}
                click.echo(json.dumps(values, ensure_ascii=False))
                return
            for item in items:
                mark = "✓" if item.taken else "–"
                what = say(f"import.{item.kind}", settings.language, name=item.name)
                click.echo(f"{mark} {what} ({item.file})")
                for note in item.notes:
                    click.echo(f"    {say(note.id, settings.language, **note.values)}")
            click.echo(say("import.summary", settings.language, taken=taken, left=len(items) - taken, folder=base))

    return run
