"""A request as command-line flags: generated from the option fields, read back into options.

Values stay as they were typed until `Request.parse` reads them, so that a flag complains in the same words as a
preset or a page. Knows no command.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from eichi.declare import OptionField, Plain, at, field_of, walk
from eichi.errors import OptionError
from eichi.events import Adjusted
from eichi.library.adapt import adapt
from eichi.library.whereabouts import Places, covers
from eichi.lines import in_terminal
from eichi.options import MAX_INDEX, FrameOptions, Options, Request, drop, has, place, put
from eichi.plan.oneframe import sweep
from eichi.settings import LORAS, Settings
from eichi.terminal import tell
from eichi.usage import Number
from eichi.words import say, typed

# The flags of `sweep_flags`, read by `read_sweep`.
SWEEP = ("sweep_target", "sweep_window", "seeds")
# More images than anyone looks through; each is a job of its own.
MAX_SEEDS = 1000

Command = TypeVar("Command", bound=Callable[..., Any])
Asked = TypeVar("Asked", bound=Options)


def option_flags(*kinds: type[Request]) -> Callable[[Command], Command]:
    """The everyday flags of kinds of requests, `--set` for everything else, `--from` for all at once."""

    def decorate(command: Command) -> Command:
        path = click.Path(path_type=Path)
        command = click.option("--from", "source", type=path, metavar="FILE", help=say("cli.from"))(command)
        command = click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help=say("cli.set"))(command)
        return _flags({field.key: field for kind in kinds for field in walk(kind)}.values(), command)

    return decorate


def setting_flag(key: str) -> Callable[[Command], Command]:
    """A setting that a command may have otherwise than the machine, None where it is left to that."""
    field = field_of(Settings, key)
    assert field.flag is not None, "such a setting is declared with a flag"
    return click.option(field.flag, key, type=Number(*field.bounds), help=say(typed(field.id)))


def otherwise(settings: Settings, **given: int | None) -> Settings:
    """The settings with what a command was given, as `setting_flag` takes it."""
    return settings.model_copy(update={key: value for key, value in given.items() if value is not None})


def some_flags(kind: type[Options], *keys: str) -> Callable[[Command], Command]:
    """The everyday flags of these options of a kind, of all of them where none is named."""

    def decorate(command: Command) -> Command:
        return _flags([field for field in walk(kind) if field.key in keys or not keys], command)

    return decorate


def _flags(fields: Iterable[OptionField], command: Command) -> Command:
    for field in reversed(list(fields)):
        if field.flag is not None:
            command = _flag(field)(command)
    return command


def read_request(kind: type[Asked], assignments: tuple[str, ...], flags: Plain, settings: Settings) -> Asked:
    """A request from a file made here, `--set` and flags, the later winning.

    An empty `--set KEY=` takes away what the file brought, a whole group too, or one entry of a table or list, and
    leaves an option open again that may be left open. What the file brought and the rest has no use for is left out.
    What deserves a word is told.
    """
    fields = {field.key: field for field in walk(kind)}
    source: Path | None = flags.get("source")
    given = {field.key: value for field in fields.values() if (value := flags.get(_parameter(field))) not in (None, ())}
    known = {"source", *SWEEP, *map(_parameter, fields.values())}
    for name in (name for name, value in flags.items() if value not in (None, ()) and name not in known):
        raise OptionError("error.option.unknown", key=name.replace("__", "."), known=", ".join(sorted(fields)))
    typed = assigned(assignments)
    settled = covers([*typed, *given])
    values: Plain = {}
    if source is not None:
        assert issubclass(kind, Request), "what is taken from a file is a whole request"
        values = request_of(source, kind, settings, settled)
    gone = {key for key, value in typed.items() if not value and _brought(values, key, kind)}
    drop(values, gone)
    for key, value in read_assignments(kind, {key: typed[key] for key in typed.keys() - gone}).items():
        (put if has(values, key) else place)(values, key, value)
    for key, value in given.items():
        field = fields[key]
        place(values, key, _typed(field, _table(field, value) if field.numbered else value))
    asked = kind.parse(values)
    if source is None or not isinstance(asked, Request):
        return asked
    adapted, notes = adapt(asked, settled)
    _tell(notes, settings)
    return adapted


def _brought(values: Plain, key: str, kind: type[Options]) -> bool:
    """Whether there is something to take away at a key. Raises OptionError for an entry that a table has not."""
    if has(values, key):
        return True
    for field in walk(kind):
        if field.repeatable and key == field.key:
            return True
        if field.repeatable and key.startswith(f"{field.key}."):
            there = at(values, field.key) if has(values, field.key) else ()
            known = ", ".join(map(str, there if isinstance(there, dict) else range(len(there))))
            raise OptionError("error.set.entry", key=key, known=known or "–")
    return False


def sweep_flags(command: Command) -> Command:
    """The flags that make several images of one request."""
    for name in ("target", "window"):
        flag, help = f"--sweep-{name}", say(f"cli.sweep.{name}")
        command = click.option(flag, f"sweep_{name}", default=None, metavar="N-N,N…", help=help)(command)
    return click.option("--seeds", default=None, metavar="N", help=say("cli.seeds"))(command)


def read_sweep(options: FrameOptions, flags: Plain) -> tuple[FrameOptions, ...]:
    """The requests that a request and the flags of a sweep make: one without them. Raises OptionError."""
    values: dict[str, tuple[int, ...]] = {}
    for name in ("window", "target"):
        flag, text = f"--sweep-{name}", flags[f"sweep_{name}"]
        if text is not None and flags[name] is not None:
            raise OptionError("error.sweep.twice", flag=f"--{name}", sweep=flag)
        values[name] = () if text is None else _numbers(text, flag)
    seeds = flags["seeds"] or "1"
    if not re.fullmatch(r"[0-9]{1,4}", seeds) or not 1 <= int(seeds) <= MAX_SEEDS:
        raise OptionError("error.option.range", key="--seeds", value=seeds, low=1, high=MAX_SEEDS)
    return sweep(options, values["window"], values["target"], int(seeds))


def _numbers(text: str, flag: str) -> tuple[int, ...]:
    """The indices of `1-9`, `3,5,9` or both together, each once."""
    found: list[int] = []
    for part in text.split(","):
        ends = re.fullmatch(r" *([0-9]{1,4})(?:-([0-9]{1,4}))? *", part)
        first, last = (int(ends[1]), int(ends[2] or ends[1])) if ends else (1, 0)
        if not first <= last <= MAX_INDEX or set(found) & set(range(first, last + 1)):
            raise OptionError("error.sweep.form", flag=flag, text=text, highest=MAX_INDEX)
        found += range(first, last + 1)
    return tuple(found)


def read_assignments(kind: type[Options], typed: Mapping[str, str]) -> Plain:
    """What `--set` gives options, by key; an empty value is None where the option may be left open. Raises OptionError,
    also for a key below an option, which another value of that option would hide.
    """
    fields, found = {field.key: field for field in walk(kind)}, Plain()
    for key, value in typed.items():
        field = fields.get(key)
        if field is not None and field.repeatable:
            raise OptionError("error.set.table", key=key, flag=field.flag, form=field.form)
        if any(key.startswith(f"{one.key}.") for one in fields.values() if not one.repeatable):
            raise OptionError("error.option.unknown", key=key, known=", ".join(sorted(fields)))
        open_again = not value and field is not None and field.info.default is None
        found[key] = None if open_again else _typed(field, value)
    return found


def assigned(assignments: tuple[str, ...]) -> dict[str, str]:
    """`--set KEY=VALUE` as keys and values, the later winning. Raises OptionError."""
    found: dict[str, str] = {}
    for text in assignments:
        key, sign, value = text.partition("=")
        if not sign:
            raise OptionError("error.set.form", text=text)
        found[key] = value
    return found


def request_of(
    path: Path, kind: type[Request], settings: Settings, settled: Callable[[str], bool] = lambda key: False
) -> Plain:
    """The request that a result was made from, also where one tool or several made it of one other result.

    Its files are looked for but those that are `settled` otherwise. Of another program's PNG, what there is of it; what
    is not known or not found here is told. Raises InputError for a file of another kind and for one without a request.
    """
    from eichi.library.restore import restore

    folders = (Path.cwd(), settings.home / LORAS)
    values, notes = restore(path, kind).at(Places(path.parent, folders, settings.cache), settled)
    _tell(notes, settings)
    return values


def _tell(notes: Iterable[Adjusted], settings: Settings) -> None:
    for note in notes:
        tell(in_terminal(note, settings.language))


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


def _typed(field: OptionField | None, given: Any) -> Any:
    """Words that were typed in UTF-8 where the system expects another coding, which left bytes of them unread.

    The names of files stay as the system has them; all else is left to the option.
    """
    if field is None or field.info.annotation not in (str, dict[int, str]):
        return given
    if isinstance(given, dict):
        return {number: _typed(field, text) for number, text in given.items()}
    if not any("\udc80" <= sign <= "\udcff" for sign in given):
        return given
    try:
        return os.fsencode(given).decode("utf-8")
    except UnicodeError:
        return given


def _flag(field: OptionField) -> Callable[[Command], Command]:
    """One option as a click option; bounds and types are left to the option itself."""
    flag, name, help = field.flag, _parameter(field), say(typed(field.id))
    assert flag is not None
    if field.type is bool:
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=help)
    if field.repeatable:
        return click.option(flag, name, multiple=True, metavar=field.form, help=help)
    if field.info.default is not None and field.info.default != "":
        help = f"{help} [{field.info.default}]"
    return click.option(flag, name, default=None, metavar=field.form, help=help)


def _parameter(field: OptionField) -> str:
    return field.key.replace(".", "__")
