"""Many options as one component: native controls, drawn from descriptions of fields, whose values go as one table.

A control of its own for every option would make a page of hundreds of components. Here the browser's own controls
stand in groups that open, and what is set differently from the default is said beside a group's name. What the
present direction has no use for, or what another option makes useless, is hidden by its mark. Knows no request and no
plan.
"""

import json
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

import gradio as gr

from eichi.web.fields import FieldView, Update, grouped
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
    """The controls of the fields that have a group, in these groups, `opened` or not."""

    def __init__(
        self,
        fields: Iterable[FieldView],
        words: Words,
        beside: Mapping[str, str] | None = None,
        prefix: str = "option",
        opened: bool = False,
    ) -> None:
        """`beside` is HTML to stand in a group."""
        groups = grouped(fields)
        self.fields = {field.key: field for inside in groups.values() for field in inside}
        self.words, self.prefix, self.opened = words, prefix, opened
        drawn = "".join(self._group(name, inside, (beside or {}).get(name, "")) for name, inside in groups.items())
        known = escape(json.dumps({key: field.default for key, field in self.fields.items()}))
        drawn = f'<div class="fields" data-mode="reverse" data-defaults="{known}">{drawn}</div>'
        self.html = live_html("fields", self.defaults, drawn, elem_classes="fieldset")

    @property
    def defaults(self) -> Update:
        """Every option as it is when nobody has set it."""
        return {MODE: "reverse", **{key: field.default for key, field in self.fields.items()}}

    def values(self, given: Mapping[str, Any] | None) -> Update:
        """The options' values by key; a text field that is empty is an empty text."""
        return {key: value for key, value in {**self.defaults, **(given or {})}.items() if key in self.fields}

    def _group(self, name: str, fields: Iterable[FieldView], beside: str) -> str:
        rows = "".join(map(self._row, fields))
        kinds = {field.only for field in fields}
        only = f' data-only="{kinds.pop()}"' if len(kinds) == 1 and None not in kinds else ""
        opened = " open" if self.opened else ""
        title = escape(self.words(f"group.{name}"))
        return (
            f'<details class="group" data-group="{name}"{only}{opened}><summary><b>{title}</b>'
            f'<small class="set"></small></summary>{rows}{beside}</details>'
        )

    def _row(self, field: FieldView) -> str:
        """One option: its label, its control, its help."""
        id, label, help = f"{self.prefix}-{field.id}", escape(self.words(field.label)), escape(self.words(field.help))
        unit = (
            ""
            if field.unit is None or field.choices
            else f' <small class="unit">{escape(self.words(field.unit))}</small>'
        )
        common = f'id="{id}" name="{field.key}" aria-describedby="{id}-help"'
        note = f'<small id="{id}-help">{help}</small>'
        if field.control == "tick":
            tick = f'<label class="tick"><input type="checkbox" {common}> <span>{label}</span></label>'
            return f'<div class="field"{_marks(field)}>{tick}{note}</div>'
        return (
            f'<div class="field"{_marks(field)}><label for="{id}">{label}{unit}</label>'
            f"{self._control(field, common, label)}{note}</div>"
        )

    def _control(self, field: FieldView, common: str, label: str) -> str:
        match field.control:
            case "choice":
                shown = [(one.value, self.words.pick(one.label, str(one.value))) for one in field.choices]
                listed = "".join(f'<option value="{escape(str(one))}">{escape(text)}</option>' for one, text in shown)
                kind = "text" if isinstance(field.choices[0].value, str) else "number"
                return f'<select {common} data-type="{kind}">{listed}</select>'
            case "latents":
                return f'<select {common} data-source="/api/v1/latents"><option value=""></option></select>'
            case "folder":
                return f'<input type="text" {common}>'
            case "slider" | "number":
                return self._number(field, common, label)
        if not field.suggestions:
            return f'<textarea rows="2" {common}></textarea>'
        id = f"{self.prefix}-{field.id}-offered"
        offered = "".join(f'<option value="{escape(str(one))}">' for one in field.suggestions["reverse"])
        return f'<input type="text" {common} list="{id}"><datalist id="{id}">{offered}</datalist>'

    def _number(self, field: FieldView, common: str, label: str) -> str:
        ends = (("min", field.low), ("max", field.high))
        limits = "".join(f' {side}="{end:.10g}"' for side, end in ends if end is not None) + f' step="{field.step:g}"'
        open_ = self.words("page.auto" if field.control == "slider" else "page.automatic")
        hint = f' placeholder="{escape(open_)}"' if field.optional else ""
        number = f'<input type="number" {common}{limits}{hint}>'
        if field.control == "number":
            return number
        slider = f'<input type="range" tabindex="-1" aria-label="{label}"{limits}>'
        return f'<span class="pair">{slider}{number}</span>'


def _marks(field: FieldView) -> str:
    """What a row is hidden by."""
    only = "" if field.only is None else f' data-only="{field.only}"'
    if field.shown is None:
        return only
    return f'{only} data-shown="{escape(field.shown.key)}" data-unless="{escape(json.dumps(field.shown.unless))}"'
