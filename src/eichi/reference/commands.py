"""The page of the command line: every command with how it is written, its arguments and options.

Read from the commands themselves, whose help is looked up in the reader's language as it is in a terminal. What a
request's flags mean stands on the page of options, so here they lead there. Knows no command.
"""

from collections.abc import Iterator
from functools import cache

import click

from eichi.cli import commands
from eichi.declare import OptionField, walk
from eichi.documents import anchor
from eichi.options import FillOptions, FrameOptions, VideoOptions
from eichi.reference.marks import code, heading, paragraph, plain, typing
from eichi.terminal import FAILED, STOPPED, WRONG_INPUT
from eichi.usage import in_language
from eichi.words import ENGLISH, say, typed

PROGRAM = "eichi"
ENDS = {"done": 0, "failed": FAILED, "wrong": WRONG_INPUT, "stopped": STOPPED}


def commands_page(language: str = ENGLISH) -> str:
    """Every command."""
    parts = [heading(1, say("reference.commands", language)).lstrip()]
    parts += [paragraph(say(f"reference.commands.{name}", language)) for name in ("for", "help", "json")]
    parts += [heading(2, say("reference.ends", language)), "\n"]
    parts += (f"* {code(number)} – {say(f'reference.ends.{name}', language)}\n" for name, number in ENDS.items())
    parts += (_command(command, path, language) for path, command in walk_commands(commands))
    return "".join(parts)


def walk_commands(command: click.Command, path: tuple[str, ...] = (PROGRAM,)) -> Iterator[tuple[str, click.Command]]:
    """A command with how it is called, and all those within it."""
    yield " ".join(path), command
    for name, inner in command.commands.items() if isinstance(command, click.Group) else ():
        yield from walk_commands(inner, (*path, name))


def target(path: str) -> str:
    """Where the page says more of a command: `command-jobs-add`."""
    return "-".join(["command", *(path.split()[1:] or [PROGRAM])])


def _command(command: click.Command, path: str, language: str) -> str:
    context = click.Context(command, info_name=path)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    level = 2 if path.count(" ") < 2 else 3
    parts = [heading(level, code(path), target(path))]
    texts = in_language(command.help or "", language).split("\n\n")
    parts += (paragraph(typing(" ".join(text.split()))) for text in texts)
    parts.append(f"\n```text\n{usage}\n```\n")
    options = [param for param in command.params if isinstance(param, click.Option) and not param.hidden]
    own = [option for option in options if _field(option) is None]
    if isinstance(command, click.Group):
        inner = (f"[{code(name)}](#{target(f'{path} {name}')})" for name in command.commands)
        parts.append(paragraph(f"{say('cli.commands', language)}{say('reference.is', language)}{', '.join(inner)}"))
    if own:
        parts.append("\n" + "".join(f"* {_own(option, context, language)}\n" for option in own))
    links = [link for option in options if (link := _link(option, context, language))]
    if links:
        parts += [paragraph(f"{say('reference.asked', language)}{say('reference.is', language)}".rstrip()), "\n"]
        parts += (f"* {link}\n" for link in links)
    return "".join(parts)


def _written(option: click.Option, context: click.Context) -> str:
    """An option as it is typed, with the other way of a switch."""
    record = option.get_help_record(context)
    assert record is not None, "an option that is not hidden"
    return ", ".join(code(part) for part in record[0].split(" / "))


def _own(option: click.Option, context: click.Context, language: str) -> str:
    record = option.get_help_record(context)
    assert record is not None, "an option that is not hidden"
    return f"{_written(option, context)} – {typing(in_language(record[1], language))}"


def _link(option: click.Option, context: click.Context, language: str) -> str | None:
    """The flag of a request's option, with the option's name."""
    field = _field(option)
    if field is None:
        return None
    return f"{_written(option, context)} – [{plain(say(field.label, language))}](options.md#{anchor(field.id)})"


def _field(option: click.Option) -> OptionField | None:
    """The option of a request that a flag is for: it says the same of itself, maybe with its default."""
    help = option.help or ""
    said = (help, help.rpartition(" [")[0])
    return next((field for text in said for flag in option.opts if (field := _fields().get((flag, text)))), None)


@cache
def _fields() -> dict[tuple[str, str], OptionField]:
    """The options of requests by their flags and what these say of them."""
    every = (field for kind in (VideoOptions, FrameOptions, FillOptions) for field in walk(kind))
    return {(field.flag, say(typed(field.id))): field for field in every if field.flag}
