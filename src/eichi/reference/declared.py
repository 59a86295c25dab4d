"""The pages of options and settings, a block for each: what it does, what may be given, how it is typed.

All of it is read from the declarations and their words, so a page cannot say what the program does not do. An option
that several kinds of requests have stands there once, with the kinds that have it. Knows no option.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from eichi.declare import GROUPS, Optioned, OptionField, walk
from eichi.documents import anchor
from eichi.options import FillOptions, FrameOptions, VideoOptions
from eichi.reference.marks import code, facts, heading, more, paragraph, plain
from eichi.settings import FILE, Settings, variable
from eichi.words import ENGLISH, say, table, typed

# What a kind of request is called for people, by its class.
KINDS: Mapping[type[Optioned], str] = {VideoOptions: "kind.video", FrameOptions: "kind.frame", FillOptions: "tool.fill"}
# Where the guide says more about a group; None is for options without one.
GUIDES: Mapping[str | None, tuple[str, ...]] = {
    None: ("prompts", "keyframes", "time", "lora", "models"),
    "source": ("continue",),
    "keyframes": ("keyframes", "influence"),
    "motion": ("influence", "f1", "time"),
    "positions": ("single-frame",),
    "sampling": ("sampling", "prompts", "influence", "memory"),
    "output": ("sampling", "results"),
    "weights": ("memory",),
    "kept": ("continue", "latents"),
}
SET_UP: Mapping[str | None, tuple[str, ...]] = {
    None: ("workers", "ray", "settings"),
    "machine": ("settings", "workers", "server"),
    "models": ("models",),
    "memory": ("memory",),
}


@dataclass(frozen=True)
class Entry:
    """An option with the kinds of requests that have it."""

    field: OptionField
    kinds: tuple[type[Optioned], ...]


def options_page(language: str = ENGLISH, kinds: Iterable[type[Optioned]] = tuple(KINDS)) -> str:
    """The options of kinds of requests."""
    parts = [heading(1, say("reference.options", language)).lstrip()]
    parts += [paragraph(say(f"reference.options.{name}", language)) for name in ("for", "typed", "open")]
    for group, inside in _groups(_entries(kinds), GUIDES, language):
        parts += group
        parts += (_option(entry, language) for entry in inside)
    return "".join(parts)


def settings_page(language: str = ENGLISH) -> str:
    """The settings of the machine."""
    parts = [heading(1, say("reference.settings", language)).lstrip()]
    parts += [
        paragraph(say(f"reference.settings.{name}", language, file=code(FILE), home=code(variable("home"))))
        for name in ("for", "given", "page")
    ]
    entries = [Entry(field, (Settings,)) for field in walk(Settings)]
    for group, inside in _groups(entries, SET_UP, language):
        parts += group
        parts += (_setting(entry.field, language) for entry in inside)
    return "".join(parts)


def _entries(kinds: Iterable[type[Optioned]]) -> list[Entry]:
    """Every option once, in the order of declaration."""
    found: dict[str, Entry] = {}
    for kind in kinds:
        for field in walk(kind):
            before = found.get(field.id)
            found[field.id] = Entry(field, (*(before.kinds if before else ()), kind))
    return list(found.values())


def _groups(
    entries: Iterable[Entry], guides: Mapping[str | None, tuple[str, ...]], language: str
) -> Iterator[tuple[list[str], list[Entry]]]:
    """Groups as a page has them, what has none first: their headings, with where the guide says more."""
    every = list(entries)
    for group in (None, *GROUPS):
        inside = [entry for entry in every if entry.field.group == group]
        if inside:
            title = "reference.general" if group is None else f"group.{group}"
            yield [heading(2, say(title, language)), *more(guides.get(group, ()), language)], inside


def _option(entry: Entry, language: str) -> str:
    field = entry.field
    rows = [
        *_values(field, language),
        ("effect", _effect(field, language)),
        ("kinds", say("list.comma", language).join(say(_kind(kind), language) for kind in entry.kinds)),
        ("only", "" if field.only is None else say(f"mode.{field.only}", language)),
        ("unless", _unless(entry, language)),
        ("flag", _flag(field, language)),
        ("key", code(field.key)),
    ]
    head = heading(3, say(field.label, language), anchor(field.id))
    return head + paragraph(plain(say(field.id, language))) + facts(rows, language)


def _flag(field: OptionField, language: str) -> str:
    """How an option is typed; what a command line says of it where the form or the choices need it."""
    if field.flag and field.type is bool:
        typing = f"{code(field.flag)}, {code(f'--no-{field.flag[2:]}')}"
    else:
        typing = code(f"{field.flag} {field.form}" if field.flag else f"--set {field.key}={field.form}")
    if not (field.choices or field.repeatable):  # there is no more to it than the page says
        return typing
    id = typed(field.id)
    return typing if id == field.id else f"{typing} – {plain(say(id, language))}"


def _setting(field: OptionField, language: str) -> str:
    rows = [
        *_values(field, language),
        ("effect", _effect(field, language)),
        ("variable", code(variable(field.key))),
        ("flag", code(f"{field.flag} N") if field.flag else ""),
        ("key", code(field.key)),
    ]
    head = heading(3, say(field.label, language), anchor(field.id))
    return head + paragraph(plain(say(field.id, language))) + facts(rows, language)


def _effect(field: OptionField, language: str) -> str:
    """What a change of it changes."""
    return say("list.comma", language).join(say(f"reference.cost.{cost}", language) for cost in field.costs)


def _values(field: OptionField, language: str) -> Iterator[tuple[str, str]]:
    """What may be given, what one of several consists of, and what holds where nothing is given."""
    yield "values", _range(field, language)
    inner = next((one for one in get_args(field.info.annotation) if _is_model(one)), None)
    yield "entry", "" if inner is None else ", ".join(map(code, inner.model_fields))
    value = None if field.info.is_required() else field.info.default
    yield "default", "" if value is None or value in ("", (), {}) else _told(field, value, language)


def _kind(kind: type[Optioned]) -> str:
    """The id of what a kind of request is called for people."""
    return next(id for known, id in KINDS.items() if issubclass(kind, known))


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _range(field: OptionField, language: str) -> str:
    low, high = field.bounds
    if field.type is bool:
        return say("list.comma", language).join(say(f"value.{name}", language) for name in ("on", "off"))
    if field.choices:
        return say("list.comma", language).join(_told(field, choice, language) for choice in field.choices)
    if low is not None:
        ends = say("reference.least" if high is None else "reference.range", language, low=low, high=high or 0.0)
        return ends if field.unit is None else f"{ends} {say(f'unit.{field.unit}', language)}"
    if field.numbered:
        return say("reference.numbered", language)
    if field.repeatable:
        return say("reference.several", language)
    kind = {str: "line" if field.fact("kind") else "text", Path: field.kind}.get(field.type, "text")
    return say(f"reference.kind.{kind}", language)


def _told(field: OptionField, value: object, language: str) -> str:
    """A value as it is typed, with what a page calls it."""
    if isinstance(value, bool):
        return say("value.on" if value else "value.off", language)
    text = f"{value:g}" if isinstance(value, float) else str(value)
    id = f"choice.{field.name}.{value}"
    called = say(id, language) if id in table(language) else text
    return code(text) if called == text else say("reference.called", language, value=code(text), name=plain(called))


def _unless(entry: Entry, language: str) -> str:
    """What makes an option useless, by the labels of the other ones."""
    shown = entry.field.shown
    if shown is None:
        return ""
    fields = {field.key: field for kind in entry.kinds for field in walk(kind)}
    found = []
    for other in (fields[key] for key in shown.keys):
        label = f"[{plain(say(other.label, language))}](#{anchor(other.id)})"
        value = say("reference.left", language) if shown.unless is None else _told(other, shown.unless, language)
        found.append(say("reference.equals", language, option=label, value=value))
    return say("reference.and", language).join(found)
