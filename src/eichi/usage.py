"""The command line's own sentences: help, and what is wrong with the words of a command, in the user's language.

click says them in English. Its classes of complaints are told apart here and become errors of ours; headings and the
texts of commands and options, which are given to it in English, are looked up by what they say when help is written.
Knows no command.
"""

import re
from collections.abc import Iterable
from functools import cache
from math import isfinite
from typing import Any

import click

from eichi.declare import LAST, beyond, shown
from eichi.errors import InputError, OptionError
from eichi.reasons import Unfit
from eichi.settings import asked_language
from eichi.text import decimal, figures
from eichi.words import ENGLISH, say, table

# What click itself writes in help.
OWN = {
    "Options": "cli.options",
    "Commands": "cli.commands",
    "Show this message and exit.": "cli.show_help",
    "Show the version and exit.": "cli.show_version",
}


class Help(click.HelpFormatter):
    """Help in the user's language."""

    def __init__(self, *sizes: Any, **more: Any) -> None:
        super().__init__(*sizes, **more)
        self._language = asked_language()

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, f"{say('cli.usage', self._language)} " if prefix is None else prefix)

    def write_heading(self, heading: str) -> None:
        super().write_heading(in_language(heading, self._language))

    def write_text(self, text: str) -> None:
        super().write_text(in_language(text, self._language))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        super().write_dl([(name, in_language(text, self._language)) for name, text in rows], col_max, col_spacing)


def in_language(text: str, language: str) -> str:
    """A text of a command's or an option's help in a language, with what click puts in brackets after it."""
    found = re.fullmatch(r"(.*?)( *\[[^\[\]]*\])?", text, re.DOTALL)
    assert found is not None
    for part, rest in ((text, ""), (found[1], found[2] or "")):
        id = OWN.get(part) or _ids().get(part)
        if id is not None:
            return say(id, language) + rest.replace("default: ", f"{say('cli.default', language)} ")
    return text


@cache
def _ids() -> dict[str, str]:
    """The ids of what commands and options say of themselves, by their English texts."""
    return {text: id for id, text in table(ENGLISH).items() if id.startswith(("cli.", "option."))}


class Context(click.Context):
    formatter_class = Help


class Command(click.Command):
    """A command whose help is in the user's language."""

    context_class = Context

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does it; what is complained of knows its command."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise


class Group(Command, click.Group):
    """Commands whose help is in the user's language."""

    command_class = Command
    group_class = type

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands with what they do, whole: where a sentence may be cut differs between languages."""
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, command.short_help or command.help or "") for name, command in self.commands.items()]
            )


class Number(click.ParamType[float]):
    """A number within bounds, complained of in the words of every other option.

    A whole one without bounds is one that every database takes.
    """

    name = "number"

    def __init__(self, low: float | None = None, high: float | None = None, whole: bool = True) -> None:
        self._low, self._high, self._whole = low, high, whole

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):  # a default
            return value
        key = _named(param)
        try:
            number = _read(value, self._whole)
        except Unfit as error:
            raise OptionError("error.option.value", key=key, value=shown(value), reason=error) from error
        below = self._low is not None and number < self._low
        if below or (self._high is not None and number > self._high):
            raise beyond(key, value, self._low, self._high)
        if self._whole and self._high is None and number > LAST:
            raise beyond(key, value, None, LAST)
        if self._whole and self._low is None and number < -LAST:
            raise beyond(key, value, -LAST, None)
        return number

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str | None:
        return None if isinstance(param, click.Argument) else "N"


def _read(text: str, whole: bool) -> float:
    """A number that was typed. Raises Unfit."""
    form = r"[-+]?\d+" if whole else r"[-+]?(\d+\.?\d*|\.\d+)"
    given = figures(text).strip() if whole else decimal(text).strip()
    if not re.fullmatch(form, given, re.ASCII):
        raise Unfit("reason.whole" if whole else "reason.number")
    number = float(given)
    if not isfinite(number):
        raise Unfit("reason.digits")
    return int(number) if whole else number


def explain(error: click.UsageError) -> InputError:
    """What is wrong with the words of a command, in ours."""
    command = error.ctx.command_path if error.ctx else "eichi"
    match error:
        case click.NoSuchOption() | click.NoSuchCommand():
            is_option = isinstance(error, click.NoSuchOption)
            name = error.option_name if is_option else error.command_name  # type: ignore[union-attr]
            id = "error.usage.option" if is_option else "error.usage.command"
            if error.possibilities:
                return InputError(f"{id}_like", name=name, like=", ".join(error.possibilities), command=command)
            return InputError(id, name=name, command=command)
        case click.MissingParameter():
            return InputError("error.usage.missing", name=_named(error.param), command=command)
        case click.BadOptionUsage():
            flag = _is_flag(error)
            return InputError(f"error.usage.{'no_value' if flag else 'value'}", name=error.option_name, command=command)
        case click.BadParameter():
            named, kind = _named(error.param), error.param and error.param.type
            if isinstance(kind, click.Choice):
                choices = ", ".join(map(str, kind.choices))
                return InputError("error.usage.choice", name=named, choices=choices, command=command)
            return InputError("error.usage.bad", name=named, command=command)
    if error.ctx is not None and isinstance(error.ctx.command, click.Group):
        return InputError("error.usage.choose", command=command)
    words = re.search(r"\((.*)\)$", error.format_message(), re.DOTALL)  # the arguments that nothing takes
    if type(error) is click.UsageError and words is not None:
        return InputError("error.usage.extra", words=words[1], command=command)
    return InputError("error.usage", reason=error, command=command)


def _is_flag(error: click.BadOptionUsage) -> bool:
    """Whether the option that is complained of takes no value."""
    known = error.ctx.command.params if error.ctx else []
    names = {name: param for param in known for name in (*param.opts, *param.secondary_opts)}
    return getattr(names.get(error.option_name), "is_flag", False)


def _named(param: click.Parameter | None) -> str:
    """An option by its flag, an argument by the name that stands in the usage."""
    if param is None:
        return "?"
    return param.human_readable_name if isinstance(param, click.Argument) else max(param.opts, key=len)
