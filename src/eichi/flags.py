"""A request as command-line flags: generated from the option fields, read back into options.

Values stay as they were typed until `Request.parse` reads them, so that a flag complains in the same words as a
preset or a page. Knows no command.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from eichi.errors import OptionError
from eichi.events import Adjusted
from eichi.options import OptionField, Request, place, walk
from eichi.settings import load_settings
from eichi.words import say

Command = TypeVar("Command", bound=Callable[..., Any])
Asked = TypeVar("Asked", bound=Request)


def option_flags(*kinds: type[Request]) -> Callable[[Command], Command]:
    """The everyday flags of kinds of requests, `--set` for everything else, `--from` for all at once."""

    def decorate(command: Command) -> Command:
        path = click.Path(path_type=Path)
        command = click.option("--from", "source", type=path, metavar="FILE", help=say("cli.from"))(command)
        command = click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help=say("cli.set"))(command)
        fields = {field.key: field for kind in kinds for field in walk(kind)}
        for field in reversed(fields.values()):
            if field.flag is not None:
                command = _flag(field)(command)
        return command

    return decorate


def read_request(kind: type[Asked], assignments: tuple[str, ...], flags: dict[str, Any]) -> Asked:
    """A request from a file made here, `--set` and flags, the later winning."""
    fields = {field.key: field for field in walk(kind)}
    source: Path | None = flags.get("source")
    values = {} if source is None else request_of(source, kind, _tell)
    for key, value in assigned(assignments).items():
        if key in fields and fields[key].repeatable:
            raise OptionError("error.set.table", key=key, flag=fields[key].flag, form=fields[key].form)
        place(values, key, value)
    for field in fields.values():
        given = flags.get(_parameter(field))
        if given is None or given == ():
            continue
        place(values, field.key, _table(field, given) if field.numbered else given)
    known = {"source", *map(_parameter, fields.values())}
    for name in (name for name, given in flags.items() if given not in (None, ()) and name not in known):
        raise OptionError("error.option.unknown", key=name.replace("__", "."), known=", ".join(sorted(fields)))
    return kind.parse(values)


def assigned(assignments: tuple[str, ...]) -> dict[str, str]:
    """`--set KEY=VALUE` as keys and values, the later winning. Raises OptionError."""
    found: dict[str, str] = {}
    for text in assignments:
        key, sign, value = text.partition("=")
        if not sign:
            raise OptionError("error.set.form", text=text)
        found[key] = value
    return found


def request_of(path: Path, kind: type[Request], tell: Callable[[Adjusted], None]) -> dict[str, Any]:
    """The options that a file carries, with a word on those that are not known here.

    Raises InputError for a file of another kind or without any.
    """
    from eichi.library.restore import restore

    restored = restore(path, kind)
    for note in restored.notes:
        tell(note)
    return restored.values


def _tell(note: Adjusted) -> None:
    click.echo(say(note.id, load_settings().language, **note.values), err=True)


def _table(field: OptionField, pairs: tuple[str, ...]) -> dict[str, str]:
    """`N:VALUE` flags as a table of section numbers. A number given twice is refused."""
    table: dict[str, str] = {}
    for pair in pairs:
        number, sign, value = pair.partition(":")
        if not sign or not number.strip().isdecimal():
            raise OptionError("error.section.form", flag=field.flag, text=pair)
        section = str(int(number))
        if section in table:
            raise OptionError("error.section.twice", flag=field.flag, number=section)
        table[section] = value
    return table


def _flag(field: OptionField) -> Callable[[Command], Command]:
    """One option as a click option; bounds and types are left to the option itself."""
    flag, name, help = field.flag, _parameter(field), say(field.id)
    assert flag is not None
    if field.info.annotation is bool:
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=help)
    if field.repeatable:
        return click.option(flag, name, multiple=True, metavar=field.form, help=help)
    if field.info.default is not None and field.info.default != "":
        help = f"{help} [{field.info.default}]"
    return click.option(flag, name, default=None, metavar=field.form, help=help)


def _parameter(field: OptionField) -> str:
    return field.key.replace(".", "__")
