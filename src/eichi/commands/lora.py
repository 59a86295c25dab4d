"""`eichi lora`: what LoRA files are and which models they fit, told from headers alone, without torch."""

from pathlib import Path
from typing import Any

import click

from eichi.catalog import find, known
from eichi.errors import LoraError
from eichi.models.lorafile import Match, match_lora, read_lora
from eichi.models.shapes import transformer_shapes
from eichi.surface import json_flag, print_json, surface
from eichi.words import say


@click.group(help=say("cli.lora"))
def lora() -> None:
    pass


@lora.command(help=say("cli.lora.inspect"))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--model", help=say("cli.lora.model"))
@json_flag
def inspect(file: Path, model: str | None, as_json: bool) -> None:
    with surface(as_json) as settings:
        fits, misfits = _compare(file, (model,) if model else known(), settings.models)
        if not fits:
            raise next(reversed(misfits.values()))
        if as_json:
            told = {name: error.say(settings.language) for name, error in misfits.items()}
            print_json({"file": str(file), "fits": [match.describe() for match in fits], "misfits": told})
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
    head = fits[0].describe()
    lines = [say("lora.file", language, **head | {"base": head["base"] or "?"})]
    for match in fits:
        values: dict[str, Any] = match.describe()
        figures = {key: ", ".join(f"{number:g}" for number in values[key]) for key in ("rank", "alpha")}
        lines.append(say("lora.fits", language, **values | figures | {"changed": len(match.shares)}))
        lines += [say("lora.unmatched", language, key=key) for key in match.unmatched]
    return lines + [
        say("lora.misfit", language, model=name, sentence=error.say(language)) for name, error in misfits.items()
    ]
