"""Requests from controls, controls from option fields.

What an option is stands on its field; what a control looks like follows from it: a tick, a choice, a number, a picture.
A form is a map from the option's key to its control, and sets of options that are one control together, so nothing
here depends on an order. Values go to `Request.parse` as they come, which complains in the same words as it does to a
flag. Knows no job and no plan.
"""

import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Union, get_args, get_origin

import gradio as gr
from gradio.components import Component

from eichi.options import OptionField, Request, place, walk
from eichi.web.i18n import Words

if TYPE_CHECKING:
    from eichi.web.fieldset import FieldSet

Asked = TypeVar("Asked", bound=Request)

# What videos and single images say of sampling alike, in the order of the forms.
STEPS = (
    "sampling.steps",
    "sampling.guidance",
    "sampling.teacache",
    "sampling.cache",
    "sampling.threshold",
    "sampling.cfg",
    "sampling.rescale",
)
FINE = 0.01  # the step of a number that says no other


@dataclass(frozen=True)
class Form(Generic[Asked]):
    """The controls of a kind of request, by the key of their option."""

    kind: type[Asked]
    controls: dict[str, Component]
    sets: "Sequence[FieldSet]" = ()

    def request(self, given: Mapping[Component, Any], more: Mapping[str, Any], unused: Iterable[str] = ()) -> Asked:
        """What was set, with the values that have no control, without those that are unused. Raises OptionError."""
        values: dict[str, Any] = {}
        for key, value in {**self.values(given), **more}.items():
            if key not in unused and value is not None:
                place(values, key, value)
        return self.kind.parse(values)

    def values(self, given: Mapping[Component, Any]) -> dict[str, Any]:
        """The values of the controls by key, None where one is empty."""
        found = {key: given[control] for key, control in self.controls.items()}
        for one in self.sets:
            found |= one.values(given[one.html])
        return {key: None if value == "" else value for key, value in found.items()}

    def show(self, request: Request) -> dict[Component, Any]:
        """Updates that put a request's values into the controls."""
        plain = request.model_dump()
        shown: dict[Component, Any] = {}
        for key, control in self.controls.items():
            value = _at(plain, key)
            empty = "" if isinstance(control, gr.Dropdown) and value is None else value
            shown[control] = gr.update(value=str(value) if isinstance(value, Path) else empty)
        for one in self.sets:
            values = {key: _at(plain, key) for key in one.keys}
            plain_values = {key: str(value) if isinstance(value, Path) else value for key, value in values.items()}
            shown[one.html] = gr.update(value=plain_values)
        return shown


def _at(values: Any, key: str) -> Any:
    """The value at a dotted key."""
    for part in key.split("."):
        values = values[part]
    return values


def fields(kind: type[Request]) -> dict[str, OptionField]:
    """The options of a kind of request by key."""
    return {field.key: field for field in walk(kind)}


def control(field: OptionField, words: Words, **more: Any) -> Component:
    """The control of an option that has one of its own: a picture, a file, a text, a number."""
    given: dict[str, Any] = {"label": words(f"label.{field.id.removeprefix('option.')}"), "interactive": True}
    given |= {"elem_id": f"option-{element(field)}"}
    plain, _ = plain_type(field.info.annotation)
    if plain is Path:
        return _file(field, given | more)
    given |= {"value": None if field.info.is_required() else field.info.default}
    if plain is str:
        return gr.Textbox(**{"lines": 2} | given | more)
    return gr.Number(precision=0 if plain is int else None, step=step_of(field, plain is int), **given | more)


def element(field: OptionField) -> str:
    """The name of an option's control in the page, for styles and tests."""
    return field.id.removeprefix("option.").replace(".", "-").replace("_", "-")


def step_of(field: OptionField, whole: bool) -> float:
    """What a number goes up and down by."""
    extra = field.info.json_schema_extra
    own: Any = extra.get("step") if isinstance(extra, dict) else None
    return float(own) if own is not None else 1 if whole else FINE


def _file(field: OptionField, given: dict[str, Any]) -> Component:
    """A picture to look at, or a file by its name. Pictures stay as they were given: their texts are read too."""
    if field.key.endswith("latents"):
        return gr.File(file_types=[".safetensors"], height=96, **given)
    looks: dict[str, Any] = {"height": 150, "sources": ["upload", "clipboard"], "buttons": []}
    return gr.Image(type="filepath", image_mode=None, **looks | given)


def bounds(field: OptionField) -> tuple[float | None, float | None]:
    """The lowest and the highest value of a number."""
    low = next((rule.ge for rule in field.info.metadata if hasattr(rule, "ge")), None)
    return low, next((rule.le for rule in field.info.metadata if hasattr(rule, "le")), None)


def plain_type(annotation: Any) -> tuple[Any, bool]:
    """A type without `| None`, and whether it had it."""
    if get_origin(annotation) in (types.UnionType, Union):
        rest = [one for one in get_args(annotation) if one is not type(None)]
        return rest[0], len(rest) < len(get_args(annotation))
    return annotation, False
