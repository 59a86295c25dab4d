"""`eichi jobs grid`: the results of a batch side by side, as one picture and one video. Thin."""

from dataclasses import dataclass
from pathlib import Path

import click

from eichi.commands.jobs import jobs, open_queue
from eichi.lines import in_terminal
from eichi.terminal import json_flag, out_flag, print_json, tell
from eichi.words import say


@dataclass(frozen=True)
class Grid:
    """The files that show a batch."""

    files: tuple[str, ...]


@jobs.command(help=say("cli.jobs.grid"))
@click.argument("batch")
@out_flag
@json_flag
def grid(batch: str, out: Path | None, as_json: bool) -> None:
    with open_queue(as_json) as (settings, queue):
        from eichi.jobs.gridsheet import write_grid

        files: list[str] = []
        for made in write_grid(queue.store, batch, out or settings.outputs, settings.language):
            if isinstance(made, Path):
                files.append(str(made))
            else:
                tell(in_terminal(made, settings.language))
        if as_json:
            print_json(Grid(tuple(files)))
        for file in () if as_json else files:
            click.echo(say("run.finished", settings.language, file=file))
