"""A request as command-line flags: generated from the option fields, read back into options.

Values stay as they were typed until `VideoOptions.parse` reads them, so that a flag complains in the same words as a
preset or a page. Knows no command.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from eichi.errors import OptionError
from eichi.options import OptionField, VideoOptions, place, walk
from eichi.words import say

Command = TypeVar("Command", bound=Callable[..., Any])


def option_flags(command: Command) -> Command:
    """The everyday flags of a request, and `--set` for everything else."""
    command = click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help=say("cli.set"))(command)
    for field in reversed(list(walk(VideoOptions))):
        if field.flag is not None:
            command = _flag(field)(command)
    return command


def read_request(assignments: tuple[str, ...], flags: dict[str, Any]) -> VideoOptions:
    """Options from `--set` and from flags, flags winning."""
    fields = {field.key: field for field in walk(VideoOptions)}
    values: dict[str, Any] = {}
    for text in assignments:
        key, sign, value = text.partition("=")
        if not sign:
            raise OptionError("error.set.form", text=text)
        if key in fields and fields[key].repeatable:
            raise OptionError("error.set.table", key=key, flag=fields[key].flag)
        place(values, key, value)
    for field in fields.values():
        given = flags.get(_parameter(field))
        if given is None or given == ():
            continue
        place(values, field.key, _table(field, given) if field.repeatable else given)
    return VideoOptions.parse(values)


def _table(field: OptionField, pairs: tuple[str, ...]) -> dict[str, str]:
    """`N:VALUE` flags as a table of section numbers. A number given twice is refused."""
    table: dict[str, str] = {}
    for pair in pairs:
        number, sign, value = pair.partition(":")
        if not sign or not number.strip().isdigit():
            raise OptionError("error.section.form", flag=field.flag, text=pair)
        if number.strip() in table:
            raise OptionError("error.section.twice", flag=field.flag, number=number)
        table[number.strip()] = value
    return table


def _flag(field: OptionField) -> Callable[[Command], Command]:
    """One option as a click option; bounds and types are left to the option itself."""
    flag, name, help = field.flag, _parameter(field), say(field.id)
    assert flag is not None
    if field.info.annotation is bool:
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=help)
    if field.repeatable:
        return click.option(flag, name, multiple=True, metavar="N:VALUE", help=help)
    if field.info.default is not None and field.info.default != "":
        help = f"{help} [{field.info.default}]"
    return click.option(flag, name, default=None, metavar="|".join(map(str, field.choices)) or "VALUE", help=help)


def _parameter(field: OptionField) -> str:
    return field.key.replace(".", "__")
