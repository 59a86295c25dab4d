"""How an option is declared, and what a declaration says to everything that is derived from it.

A field is declared by `option`, once, with all its facts: flag, bounds, choices, where it stands on a page, which kind
of model has a use for it, when it is shown, what it costs. `walk` gives the options of a model as `OptionField`s, and
flags, pages, the schema, the plan's refusals and the reference page read nothing else. Requests (`options`) and the
facts of the machine (`settings`) are declared alike. Knows none of them.
"""

import json
import types
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import get_annotations
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, Literal, TypedDict, Union, Unpack, get_args, get_origin

from pydantic import (
    BaseModel,
    Field,
    GetJsonSchemaHandler,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, ErrorDetails

from eichi.catalog import Direction
from eichi.errors import OptionError
from eichi.reasons import unfit
from eichi.text import ELLIPSIS, decimal, figures, shorten
from eichi.words import ENGLISH, languages, say, table

# Options as nested plain values that nobody has read yet: what a file, a flag, a page or another program says of them.
Plain = dict[str, Any]

# Where an option stands on a page, in the order of the page; in a group, options stand in the order of declaration.
Group = Literal[
    "source",
    "keyframes",
    "motion",
    "positions",
    "sampling",
    "output",
    "finish",
    "weights",
    "kept",
    "machine",
    "models",
    "memory",
]
GROUPS: tuple[Group, ...] = get_args(Group)
# What a change of the option changes: the time of a section, the memory that is needed.
Cost = Literal["time", "memory"]
# What lies at a path.
Kind = Literal["picture", "video", "sound", "latents", "lora", "folder", "line"]
Unit = Literal["seconds", "percent", "pixels", "gigabytes"]

LAST = 2**31 - 1  # the last whole number that every database takes
WIDEST = 60  # columns of a value in a sentence
FINE = 0.01  # the step of a number that says no other
OPTION = "option."


@dataclass(frozen=True)
class Shown:
    """An option counts, and is shown, unless another one has a value that makes it useless; with `others`, unless
    all of them have it.
    """

    key: str
    unless: Any
    others: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """The options that it follows."""
        return (self.key, *self.others)


class Facts(TypedDict, total=False):
    """What a declaration says beside type, default and bounds. All of it can be left out."""

    group: Group  # an option without one has a place of its own, or none
    only: Direction  # the one kind of model that has a use for it; the plan refuses it for the other
    costs: tuple[Cost, ...]
    shown: Shown
    choices: tuple[Any, ...]  # the only values, where `Literal` cannot hold them
    suggestions: tuple[Any, ...] | dict[Direction, tuple[Any, ...]]  # values that are offered; others are fine, too
    step: float  # a value is a multiple of it
    form: str  # how it is written in a flag, where that needs showing
    unit: Unit
    kind: Kind  # of a path that is no picture; of a text that has one line


class Declared(Facts, total=False):
    """A declaration: facts of ours, and bounds that pydantic sees to."""

    ge: float
    le: float
    min_length: int
    max_length: int
    multiple_of: int


def option(default: Any, flag: str | None = None, **declared: Unpack[Declared]) -> Any:
    """A field that is an option: `flag` is its everyday flag; without one it is set by `--set key=value`."""
    facts: dict[str, Any] = {} if flag is None else {"flag": flag}
    bounds: dict[str, Any] = {}
    for name, value in declared.items():
        (facts if name in Facts.__annotations__ else bounds)[name] = value
    return Field(default, json_schema_extra=facts, **bounds)


def unless(key: str, value: Any, *others: str) -> Shown:
    """Shown unless the option of this key has this value, and those of the others have it as well."""
    return Shown(key, value, others)


@dataclass(frozen=True)
class OptionField:
    """One option as the surfaces see it: its dotted key, the id of its help, its declaration."""

    key: str
    id: str
    info: FieldInfo

    def fact(self, name: str) -> Any:
        """What was declared under a name, None where nothing was."""
        extra = self.info.json_schema_extra
        return extra.get(name) if isinstance(extra, dict) else None

    @property
    def name(self) -> str:
        """What its words are found by: a key, or that of a class it shares words with."""
        return self.id.removeprefix(OPTION)

    @property
    def label(self) -> str:
        """The id of its name for people."""
        return f"label.{self.name}"

    @property
    def flag(self) -> str | None:
        flag: str | None = self.fact("flag")
        return flag

    @property
    def group(self) -> Group | None:
        group: Group | None = self.fact("group")
        return group

    @property
    def only(self) -> Direction | None:
        only: Direction | None = self.fact("only")
        return only

    @property
    def costs(self) -> tuple[Cost, ...]:
        return self.fact("costs") or ()

    @property
    def shown(self) -> Shown | None:
        shown: Shown | None = self.fact("shown")
        return shown

    @property
    def unit(self) -> Unit | None:
        unit: Unit | None = self.fact("unit")
        return unit

    @property
    def type(self) -> Any:
        """The type of a value, without `| None`."""
        annotation = self.info.annotation
        if get_origin(annotation) in (types.UnionType, Union):
            return next(one for one in get_args(annotation) if one is not types.NoneType)
        return annotation

    @property
    def optional(self) -> bool:
        """Whether it may be left open."""
        return types.NoneType in get_args(self.info.annotation)

    @property
    def numbered(self) -> bool:
        """Whether the option is a table of section number to value."""
        return get_origin(self.info.annotation) is dict

    @property
    def repeatable(self) -> bool:
        """Whether the option takes more than one value."""
        return get_origin(self.info.annotation) in (dict, tuple)

    @property
    def number(self) -> bool:
        """Whether a value is a number that a control counts up and down."""
        return self.type in (int, float) and not self.choices

    @property
    def secret(self) -> bool:
        """Whether the value is nobody's to see."""
        return self.type is SecretStr

    @property
    def kind(self) -> Kind | None:
        """What lies at the path that the option is, None where it is no path."""
        return (self.fact("kind") or "picture") if self.type is Path else None

    @property
    def choices(self) -> tuple[Any, ...]:
        """The allowed values, empty where any value of the type is allowed."""
        return get_args(self.type) if get_origin(self.type) is Literal else self.fact("choices") or ()

    def suggestions(self, direction: Direction | None = None) -> tuple[Any, ...]:
        """Values that are offered, for one kind of model where they differ."""
        given = self.fact("suggestions") or ()
        if not isinstance(given, dict):
            return tuple(given)
        chosen: tuple[Any, ...] = given[direction] if direction else max(given.values(), key=len)
        return chosen

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """The lowest and the highest value of a number, None for an open end."""
        low = next((rule.ge for rule in self.info.metadata if hasattr(rule, "ge")), None)
        return low, next((rule.le for rule in self.info.metadata if hasattr(rule, "le")), None)

    @property
    def step(self) -> float:
        """What a number goes up and down by."""
        whole = next((rule.multiple_of for rule in self.info.metadata if hasattr(rule, "multiple_of")), 1)
        return float(self.fact("step") or (whole if self.type is int else FINE))

    @property
    def form(self) -> str:
        """How one value is written."""
        form: str | None = self.fact("form")
        return form or ("N:VALUE" if self.numbered else "|".join(map(str, self.choices)) or "VALUE")

    def tell(self, value: Any, language: str = ENGLISH) -> str:
        """A value of the option for people."""
        id, text = self.words_of(value), f"{value:g}" if isinstance(value, int | float) else str(value)
        if id is not None:
            return say(id, language)
        return text if self.unit is None else f"{text} {say(f'unit.{self.unit}', language)}"

    def words_of(self, value: Any) -> str | None:
        """The id of what a value is called for people; None for one that is written as it is."""
        if value is None:
            return "value.open" if self.kind is None else "value.none"
        if isinstance(value, bool):
            return "value.on" if value else "value.off"
        id = f"choice.{self.name}.{value}"
        return id if value in self.choices and id in table(ENGLISH) else None

    def of(self, options: BaseModel) -> Any:
        """The value that a request has for the option."""
        return at(options, self.key)

    def used(self, options: BaseModel) -> bool:
        """Whether nothing else in the request makes the option useless."""
        shown = self.shown
        return shown is None or any(at(options, key) != shown.unless for key in shown.keys)


def switched(text: str) -> bool | str:
    """A switch that is typed as the page calls it in one of our languages; anything else as it is."""
    plain = text.strip().rstrip(".").casefold()
    for language, (id, on) in product(languages(), (("value.on", True), ("value.off", False))):
        if plain == say(id, language).rstrip(".").casefold():
            return on
    return text


class Optioned(BaseModel):
    """Base of models whose fields are declared by `option`. Their JSON schema says all that is declared."""

    # Where the words of the fields stand that this class declares; none for what is only written within an option.
    words: ClassVar[str] = "option"

    @field_validator("*", mode="before")
    @classmethod
    def pointed(cls, value: Any, info: ValidationInfo) -> Any:
        """A number may be written with a decimal comma, and in wide signs; a switch as it is called in any language."""
        assert info.field_name is not None
        field = OptionField(info.field_name, "", cls.model_fields[info.field_name])
        if not isinstance(value, str) or field.type not in (bool, int, float):
            return value
        if field.type is bool:
            return switched(value)
        return decimal(value) if field.type is float else figures(value)

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        made = handler(core)
        properties = handler.resolve_ref_schema(made).get("properties", {})
        for field in walk(cls, deep=False):
            said = {"title": say(field.label), "description": say(field.id), "label": field.label, "help": field.id}
            properties[field.key] |= said
            # As an enumeration where every generator of clients knows it: not of numbers with a point.
            if field.type is not float and "choices" in properties[field.key]:
                properties[field.key]["enum"] = properties[field.key].pop("choices")
        return made


def walk(model: type[BaseModel], prefix: str = "", deep: bool = True) -> Iterator[OptionField]:
    """All options of a model in the order of their declaration, those of groups within it too if `deep`."""
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from walk(info.annotation, f"{prefix}{name}.") if deep else ()
        elif words := _owner(model, name).words:
            yield OptionField(f"{prefix}{name}", f"{words}.{name}", info)


def field_of(model: type[BaseModel], key: str) -> OptionField:
    """The option of a key. Raises KeyError."""
    return {field.key: field for field in walk(model)}[key]


def _owner(model: type[BaseModel], name: str) -> type[Optioned]:
    """The class that declares a field."""
    return next(base for base in model.__mro__ if issubclass(base, Optioned) and name in get_annotations(base))


def at(values: Any, key: str) -> Any:
    """The value at a dotted key of a model or of nested values."""
    for part in key.split("."):
        values = values[part] if isinstance(values, dict) else getattr(values, part)
    return values


def explain(error: ValidationError, model: type[BaseModel]) -> OptionError:
    """The first complaint of a validation as one sentence."""
    return complaints(error, model)[0]


def complaints(error: ValidationError, model: type[BaseModel]) -> list[OptionError]:
    """All complaints of a validation, a sentence each."""
    return [_complaint(one, model) for one in error.errors(include_url=False)]


def _complaint(first: ErrorDetails, model: type[BaseModel]) -> OptionError:
    key = ".".join(str(part) for part in first["loc"])
    value, context = first["input"], first.get("ctx", {})
    known = {field.key: field for field in walk(model)}
    if key in known and known[key].secret:
        return OptionError("error.option.value", key=key, value=shown(value, secret=True), **unfit(first))
    if first["type"] == "extra_forbidden" or not key:  # a key that is no text has no place
        return OptionError("error.option.unknown", key=key or str(value), known=", ".join(sorted(known)))
    field = known.get(key)
    if field is not None and field.choices:
        choices = ", ".join(map(str, field.choices))
        return OptionError("error.option.choice", key=key, value=shown(value), choices=choices)
    if first["type"] in ("coding", "string_unicode"):
        return OptionError("error.option.coding", key=key, value=shown(value))
    if first["type"] in ("step", "multiple_of"):
        step = context[first["type"]]
        return OptionError("error.option.step", key=key, value=shown(value), step=step)
    if field is not None and {"ge", "gt", "le", "lt"} & context.keys():
        return beyond(key, shown(value), *field.bounds)
    return OptionError("error.option.value", key=key, value=shown(value), **unfit(first))


def beyond(key: str, value: str, low: float | None, high: float | None) -> OptionError:
    """What says that a number is not within its bounds, None being an open end."""
    if low is not None and high is not None:
        return OptionError("error.option.range", key=key, value=value, low=low, high=high)
    reason = "reason.most" if low is None else "reason.least"
    return OptionError("error.option.value", key=key, value=value, reason=reason, limit=high if low is None else low)


def shown(value: object, secret: bool = False) -> str:
    """A value in a sentence: numbers as they are, text quoted, on one line and not longer than the sentence.

    Of a secret nothing is said.
    """
    if secret:
        return ELLIPSIS
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return shorten(repr(value[:WIDEST]) if isinstance(value, str) else str(value), WIDEST)
