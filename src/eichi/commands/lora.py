"""`eichi lora`: what LoRA files are and which models they fit, told without torch.

Of one file all numbers are looked at, as the job would; of all files in a list only the headers.
"""

from dataclasses import dataclass
from pathlib import Path

import click

from eichi.catalog import known
from eichi.errors import LoraError
from eichi.library.lorafolders import find_lora, lora_files
from eichi.lines import in_terminal
from eichi.loratext import compare, lines
from eichi.models.lorafile import check_numbers, read_lora
from eichi.models.loramatch import LoraReport
from eichi.settings import Settings
from eichi.terminal import json_flag, print_json, reporting
from eichi.usage import Group
from eichi.words import say


@dataclass(frozen=True)
class Listed:
    """A file of the folders by its name, where it lies, the models that it fits, and why where it fits none."""

    name: str
    file: str
    fits: tuple[str, ...]
    said: str


@dataclass(frozen=True)
class Files:
    """The files of the folders."""

    files: tuple[Listed, ...]


@dataclass(frozen=True)
class Compared:
    """A file, the models that it fits, and why it does not fit the others, in sentences."""

    file: str
    fits: tuple[LoraReport, ...]
    misfits: dict[str, str]


@click.group(cls=Group, help=say("cli.lora"))
def lora() -> None:
    pass


@lora.command(help=say("cli.lora.inspect"))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--model", help=say("cli.lora.model"))
@json_flag
def inspect(file: Path, model: str | None, as_json: bool) -> None:
    with reporting(as_json) as settings:
        found = read_lora(find_lora(file, settings.loras) or file)
        check_numbers(found)
        fits, misfits = compare(found, (model,) if model else known(), settings.model_folders)
        if not fits:
            raise next(reversed(misfits.values()))
        if as_json:
            told = {name: in_terminal(error, settings.language) for name, error in misfits.items()}
            print_json(Compared(str(found.path), tuple(match.report for match in fits), told))
            return
        for line in lines(fits, misfits, settings.language):
            click.echo(line)


@lora.command(name="list", help=say("cli.lora.list"))
@json_flag
def list_(as_json: bool) -> None:
    with reporting(as_json) as settings:
        files = tuple(_listed(name, path, settings) for name, path in lora_files(settings.loras).items())
        if as_json:
            print_json(Files(files))
            return
        if not files:
            click.echo(say("loras.none", settings.language))
        for one in files:
            click.echo(f"{one.name}: {', '.join(one.fits) or one.said}")


def _listed(name: str, path: Path, settings: Settings) -> Listed:
    """One file of a list; a damaged one is said and keeps none of the others from being listed."""
    try:
        fits, misfits = compare(read_lora(path), known(), settings.model_folders)
        error = None if fits else next(reversed(misfits.values()))
    except LoraError as caught:
        fits, error = [], caught
    said = "" if error is None else in_terminal(error, settings.language)
    return Listed(name, str(path), tuple(match.model for match in fits), said)
