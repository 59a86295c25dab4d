"""`eichi lora`: what LoRA files are and which models they fit, told from headers alone, without torch."""

from dataclasses import dataclass
from pathlib import Path

import click

from eichi.catalog import find, known
from eichi.errors import LoraError
from eichi.models.lorafile import LoraReport, Match, match_lora, read_lora
from eichi.models.shapes import transformer_shapes
from eichi.terminal import json_flag, print_json, reporting
from eichi.usage import Group
from eichi.words import say


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
        fits, misfits = _compare(file, (model,) if model else known(), settings.models)
        if not fits:
            raise next(reversed(misfits.values()))
        if as_json:
            told = {name: error.say(settings.language) for name, error in misfits.items()}
            print_json(Compared(str(file), tuple(match.report for match in fits), told))
            return
        for line in _lines(fits, misfits, settings.language):
            click.echo(line)


def _compare(file: Path, names: tuple[str, ...], models: Path) -> tuple[list[Match], dict[str, LoraError]]:
    """The models that a file fits, and why it does not fit the others. Raises LoraError for a file that is none."""
    found = read_lora(file)
    fits: list[Match] = []
    misfits: dict[str, LoraError] = {}
    for name in names:
        try:
            fits.append(match_lora(found, transformer_shapes(find(name), models), name))
        except LoraError as error:
            misfits[name] = error
    return fits, misfits


def _lines(fits: list[Match], misfits: dict[str, LoraError], language: str) -> list[str]:
    """The report for a person."""
    head = fits[0].report
    lines = [say("lora.file", language, **vars(head) | {"base": head.base or "?"})]
    for match in fits:
        values = {**vars(match.report), **match.figures, "changed": len(match.shares)}
        lines.append(say("lora.fits", language, **values))
        lines += [say("lora.unmatched", language, key=key) for key in match.unmatched]
    return lines + [
        say("lora.misfit", language, model=name, sentence=error.say(language)) for name, error in misfits.items()
    ]
