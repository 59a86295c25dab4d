"""Many options as one component: native controls, written from the option fields, whose values go as one table.

A control of its own for every option would make a page of hundreds of components. Here the browser's own controls
stand in groups that open, and what is set differently from the default is said beside a group's name. What the
present direction has no use for is hidden by its mark. Knows no request and no plan.
"""

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from eichi.options import OptionField
from eichi.web.forms import bounds, element, plain_type, step_of
from eichi.web.i18n import Words

# The one value of a set that is no option: which controls are shown.
MODE = "mode"
# What a template would read as its own signs.
SIGNS = str.maketrans({"`": "&#96;", "$": "&#36;", "\\": "&#92;", "{": "&#123;", "}": "&#125;"})


def live_html(script: str, value: Any, html: str, **more: Any) -> gr.HTML:
    """HTML whose value a function of the page's script reads and sets: `eichi.<script>`."""
    load = f"eichi.{script}(element, props, trigger, watch)"
    return gr.HTML(value, html_template=html.translate(SIGNS), js_on_load=load, **more)


class FieldSet:
    """The controls of some options, in groups with a title each; a group without one (`""`) is always open."""

    def __init__(
        self,
        options: Sequence[OptionField],
        groups: Mapping[str, Sequence[str]],
        words: Words,
        only: Mapping[str, str] | None = None,
        beside: Mapping[str, str] | None = None,
        prefix: str = "option",
    ) -> None:
        """`only` says for which direction an option is, `beside` is HTML to stand in a group."""
        self.options = {field.key: field for field in options}
        self.keys = tuple(key for keys in groups.values() for key in keys)
        self.words, self.only, self.prefix = words, only or {}, prefix
        drawn = "".join(self._group(name, keys, (beside or {}).get(name, "")) for name, keys in groups.items())
        known = escape(json.dumps({key: self.options[key].info.default for key in self.keys}))
        drawn = f'<div class="fields" data-mode="reverse" data-defaults="{known}">{drawn}</div>'
        self.html = live_html("fields", self.defaults, drawn, elem_classes="fieldset")

    @property
    def defaults(self) -> dict[str, Any]:
        """Every option as it is when nobody has set it."""
        return {MODE: "reverse", **{key: self.options[key].info.default for key in self.keys}}

    def values(self, given: Mapping[str, Any] | None) -> dict[str, Any]:
        """The options' values by key; a text field that is empty is an empty text."""
        return {key: value for key, value in {**self.defaults, **(given or {})}.items() if key in self.keys}

    def _group(self, name: str, keys: Sequence[str], beside: str) -> str:
        rows = "".join(self._row(self.options[key]) for key in keys)
        if not name:
            return f"{rows}{beside}"
        kinds = {self.only.get(key) for key in keys}
        only = f' data-only="{kinds.pop()}"' if len(kinds) == 1 and None not in kinds else ""
        title = escape(self.words(f"group.{name}"))
        return (
            f'<details class="group" data-group="{name}"{only}><summary><b>{title}</b><small class="set"></small>'
            f"</summary>{rows}{beside}</details>"
        )

    def _row(self, field: OptionField) -> str:
        """One option: its label, its control, its help."""
        words, id, name = self.words, f"{self.prefix}-{element(field)}", field.id.removeprefix("option.")
        label, help = escape(words(f"label.{name}")), escape(words(field.id))
        only = self.only.get(field.key)
        mark = "" if only is None else f' data-only="{only}"'
        common = f'id="{id}" name="{field.key}" aria-describedby="{id}-help"'
        plain, optional = plain_type(field.info.annotation)
        note = f'<small id="{id}-help">{help}</small>'
        if plain is bool:
            tick = f'<label class="tick"><input type="checkbox" {common}> <span>{label}</span></label>'
            return f'<div class="field"{mark}>{tick}{note}</div>'
        return (
            f'<div class="field"{mark}><label for="{id}">{label}</label>'
            f"{self._control(field, plain, optional, common, label)}{note}</div>"
        )

    def _control(self, field: OptionField, plain: Any, optional: bool, common: str, label: str) -> str:
        name = field.id.removeprefix("option.")
        if field.choices:
            shown = [(self.words.pick(f"choice.{name}.{value}", str(value)), value) for value in field.choices]
            listed = "".join(f'<option value="{escape(str(value))}">{escape(text)}</option>' for text, value in shown)
            kind = "text" if plain is str or isinstance(field.choices[0], str) else "number"
            return f'<select {common} data-type="{kind}">{listed}</select>'
        if plain is Path:
            return f'<select {common} data-source="/api/v1/latents"><option value=""></option></select>'
        if plain is str:
            return f'<textarea rows="2" {common}></textarea>'
        low, high = bounds(field)
        limits = "".join(f' {side}="{end}"' for side, end in (("min", low), ("max", high)) if end is not None)
        step = f' step="{step_of(field, plain is int):g}"'
        hint = f' placeholder="{escape(self.words("page.automatic"))}"' if optional else ""
        number = f'<input type="number" {common}{limits}{step}{hint}>'
        if optional or low is None or high is None:
            return number
        slider = f'<input type="range" tabindex="-1" aria-label="{label}"{limits}{step}>'
        return f'<span class="pair">{slider}{number}</span>'
