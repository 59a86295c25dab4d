"""Controls from option fields, requests from controls.

What an option is stands on its field; what a control looks like follows from it: a tick, a choice, a slider, a picture.
A form is a map from the option's key to its control, so nothing here depends on an order. Values go to `Request.parse`
as they come, which complains in the same words as it does to a flag. Knows no job and no plan.
"""

import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, Union, get_args, get_origin

import gradio as gr
from gradio.components import Component

from eichi.options import OptionField, Request, place, walk
from eichi.web.i18n import Words

Asked = TypeVar("Asked", bound=Request)

FINE = 0.01  # the step of a slider between two bounds that says no other


@dataclass(frozen=True)
class Form(Generic[Asked]):
    """The controls of a kind of request, by the key of their option."""

    kind: type[Asked]
    controls: dict[str, Component]

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
        return {key: None if value == "" else value for key, value in found.items()}

    def show(self, request: Request) -> dict[Component, Any]:
        """Updates that put a request's values into the controls."""
        plain = request.model_dump()
        shown: dict[Component, Any] = {}
        for key, control in self.controls.items():
            value: Any = plain
            for part in key.split("."):
                value = value[part]
            empty = "" if isinstance(control, gr.Dropdown) and value is None else value
            shown[control] = gr.update(value=str(value) if isinstance(value, Path) else empty)
        return shown


def fields(kind: type[Request]) -> dict[str, OptionField]:
    """The options of a kind of request by key."""
    return {field.key: field for field in walk(kind)}


def control(field: OptionField, words: Words, **more: Any) -> Component:
    """The control of an option; `more` goes to the component."""
    name = field.id.removeprefix("option.")
    given: dict[str, Any] = {"label": words(f"label.{name}"), "interactive": True, "elem_id": element(field)}
    plain, optional = _plain(field.info.annotation)
    default = None if field.info.is_required() else field.info.default
    if plain is Path:
        return _file(field, given | more)
    given |= {"info": words(field.id)}
    if field.choices:
        choices = [(words.pick(f"choice.{name}.{value}", str(value)), value) for value in field.choices]
        return gr.Radio(choices, value=default, **given | more)
    if plain is bool:
        return gr.Checkbox(value=bool(default), **given | more)
    if plain is str:
        return gr.Textbox(value=default, **{"lines": 2} | given | more)
    return _number(field, plain is int, optional, given | {"value": default} | more)


def element(field: OptionField) -> str:
    """The name of an option's control in the page, for styles and tests."""
    return f"option-{field.id.removeprefix('option.').replace('.', '-').replace('_', '-')}"


def _number(field: OptionField, whole: bool, optional: bool, given: dict[str, Any]) -> Component:
    """A slider between two bounds; a number that may be left out is written."""
    low, high = bounds(field)
    extra = field.info.json_schema_extra
    own: Any = extra.get("step") if isinstance(extra, dict) else None
    step = float(own) if own is not None else 1 if whole else FINE
    if optional or low is None or high is None:
        return gr.Number(precision=0 if whole else None, step=step, **given)
    return gr.Slider(low, high, step=step, buttons=[], **given)


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


def _plain(annotation: Any) -> tuple[Any, bool]:
    """A type without `| None`, and whether it had it."""
    if get_origin(annotation) in (types.UnionType, Union):
        rest = [one for one in get_args(annotation) if one is not type(None)]
        return rest[0], len(rest) < len(get_args(annotation))
    return annotation, False
