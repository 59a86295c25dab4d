"""Option fields as a page draws them: plain descriptions, made from the declarations alone.

What a control is follows from type and facts: a tick, a choice, a slider, a picture. Texts are ids of words, so that
one description serves all languages; values are JSON-ready. Knows no HTML and no request's values.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict
from pydantic_core import to_jsonable_python

from eichi.catalog import Direction
from eichi.declare import GROUPS, Cost, Group, OptionField, Shown, walk

# `table` is values by section number, `list` several values; what one of them is, the request's schema says.
Control = Literal[
    "tick",
    "choice",
    "slider",
    "number",
    "text",
    "line",
    "secret",
    "picture",
    "video",
    "sound",
    "latents",
    "lora",
    "folder",
    "table",
    "list",
]

DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
SPAN = 1000  # a longer range is not for a slider


class View(BaseModel):
    """Base of the descriptions."""

    model_config = ConfigDict(frozen=True)


class ChoiceView(View):
    """One of the values of a choice; `label` is the id of its name, which stands for itself where there is none."""

    value: Any
    label: str


class FieldView(View):
    """One option: what a request calls it (`key`), what its control is called in a page (`id`), and what it is.

    `label` and `help` are ids of words, `unit` is one where there is a unit. `low`, `high` and `step` are for numbers;
    `whole` says that a number has no fraction. An `optional` one may be left empty. `suggestions` are values to offer,
    by the direction of the model.
    """

    key: str
    id: str
    label: str
    help: str
    control: Control
    default: Any
    optional: bool
    choices: tuple[ChoiceView, ...]
    suggestions: dict[Direction, tuple[Any, ...]]
    low: int | float | None
    high: int | float | None
    step: float | None
    whole: bool
    unit: str | None
    group: Group | None
    only: Direction | None
    shown: Shown | None
    costs: tuple[Cost, ...]
    flag: str | None


def fields(kind: type[BaseModel]) -> dict[str, FieldView]:
    """The options of a kind of request, or the settings, by key, in the order of their declaration."""
    return {field.key: describe(field) for field in walk(kind)}


def grouped(views: Iterable[FieldView]) -> dict[Group, tuple[FieldView, ...]]:
    """The fields that stand in a group, by group, in the order of the page."""
    every = tuple(views)
    found = {group: tuple(view for view in every if view.group == group) for group in GROUPS}
    return {group: inside for group, inside in found.items() if inside}


def describe(field: OptionField) -> FieldView:
    """An option as a page draws it."""
    low, high = field.bounds
    return FieldView(
        key=field.key,
        id=field.name.replace(".", "-").replace("_", "-"),
        label=field.label,
        help=field.id,
        control=_control(field),
        default=None if field.info.is_required() else to_jsonable_python(field.info.default),
        optional=field.optional,
        choices=tuple(ChoiceView(value=value, label=f"choice.{field.name}.{value}") for value in field.choices),
        suggestions={direction: offered for direction in DIRECTIONS if (offered := field.suggestions(direction))},
        low=low,
        high=high,
        step=field.step if field.number else None,
        whole=field.type is int,
        unit=None if field.unit is None else f"unit.{field.unit}",
        group=field.group,
        only=field.only,
        shown=field.shown,
        costs=field.costs,
        flag=field.flag,
    )


def _control(field: OptionField) -> Control:
    """What shows an option and lets it be set."""
    if field.repeatable:
        return "table" if field.numbered else "list"
    if field.type is bool:
        return "tick"
    if field.choices:
        return "choice"
    if field.secret:
        return "secret"
    if field.type is Path:
        return field.kind or "picture"
    if not field.number:
        return "line" if field.fact("kind") == "line" else "text"
    low, high = field.bounds
    return "number" if low is None or high is None or high - low > SPAN else "slider"
