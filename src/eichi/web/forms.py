"""Requests from controls, controls from descriptions of fields.

A form is a map from the option's key to its control, and sets of options that are one control together, so nothing
here depends on an order. Values go to `Request.parse` as they come, which complains in the same words as it does to a
flag. Knows no job and no plan.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import gradio as gr
from gradio.components import Component
from gradio.data_classes import ImageData

from eichi.declare import Plain, at
from eichi.options import Request, place
from eichi.web.fields import FieldView
from eichi.web.fieldset import FieldSet
from eichi.web.i18n import Words
from eichi.web.stubs import without_stubs

Asked = TypeVar("Asked", bound=Request)


with without_stubs():

    class Picture(gr.Image):
        """A picture that stays as it was given: its texts are read too.

        Gradio is not to look at it. It asks Pillow, which opens far more kinds than are opened here, runs Ghostscript
        for one of them, and refuses what is read here, with words of its own.
        """

        is_template = True  # it is drawn as what it is made from

        def preprocess(self, payload: ImageData | None) -> str | None:
            return None if payload is None else payload.path


@dataclass(frozen=True)
class Form(Generic[Asked]):
    """The controls of a kind of request, by the key of their option."""

    kind: type[Asked]
    controls: dict[str, Component]
    sets: Sequence[FieldSet] = ()

    def request(self, given: Mapping[Component, Any], more: Mapping[str, Any], unused: Iterable[str] = ()) -> Asked:
        """What was set, with the values that have no control, without those that are unused. Raises OptionError."""
        values: Plain = {}
        for key, value in {**self.values(given), **more}.items():
            if key not in unused and value is not None:
                place(values, key, value)
        return self.kind.parse(values)

    def values(self, given: Mapping[Component, Any]) -> Plain:
        """The values of the controls by key, None where one is empty."""
        found = {key: given[control] for key, control in self.controls.items()}
        for one in self.sets:
            found |= one.values(given[one.html])
        return {key: None if value == "" else value for key, value in found.items()}

    def show(self, request: Request) -> dict[Component, Any]:
        """Updates that put a request's values into the controls."""
        plain = request.dump()
        shown: dict[Component, Any] = {}
        for key, control in self.controls.items():
            value = at(plain, key)
            shown[control] = gr.update(value="" if isinstance(control, gr.Dropdown) and value is None else value)
        for one in self.sets:
            shown[one.html] = gr.update(value={key: at(plain, key) for key in one.fields})
        return shown


def picture(**looks: Any) -> Picture:
    """A control for a picture."""
    return Picture(type="filepath", image_mode=None, sources=["upload", "clipboard"], buttons=[], **looks)


def control(field: FieldView, words: Words, **more: Any) -> Component:
    """The control of an option that has one of its own: a picture, a text, a number."""
    given: Plain = {"label": words(field.label), "interactive": True, "elem_id": f"option-{field.id}"}
    if field.control == "picture":
        return picture(**{"height": 150} | given | more)
    given |= {"value": field.default}
    if field.control == "text":
        return gr.Textbox(**{"lines": 2} | given | more)
    return gr.Number(precision=0 if field.whole else None, step=field.step or 1, **given | more)
