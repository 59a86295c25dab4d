"""The place for what the machine is, written to `settings.json`; and what the browser may do.

The controls are drawn from the declarations of the settings. Only who sits at the machine may change them; whoever else
calls is refused, whatever the page has shown.
"""

import os
from collections.abc import Mapping
from html import escape
from typing import Any

import gradio as gr
from gradio.components import Component
from pydantic import ValidationError

from eichi.declare import explain, walk
from eichi.errors import InputError, OptionError
from eichi.prepare import check_folder
from eichi.settings import Settings, variable, write_settings
from eichi.web.desk import Desk
from eichi.web.fields import FieldView, Update, fields
from eichi.web.fieldset import FieldSet
from eichi.web.i18n import Words
from eichi.web.parts import said
from eichi.web.stage import button


class Preferences:
    """The controls of the place and what they do."""

    def __init__(self, desk: Desk, words: Words) -> None:
        self.desk, self.words = desk, words
        self.fields = {field.key: field for field in fields(Settings).values() if field.group}
        self.filled: list[Component] = []

    def render(self) -> None:
        """Put the controls into the page."""
        words = self.words
        with gr.Column(elem_classes="card narrow"):
            gr.HTML(f"<h3>{escape(words('setting.title'))}</h3>")
            if self.desk.local:
                rest = FieldSet(self.fields.values(), words, opened=True)
                gr.HTML(self.remarks())
                save = gr.Button(words("do.save"), variant="primary", elem_id="settings-save")
                save.click(self.on_save, rest.html, None)
                self.filled.append(rest.html)
            gr.HTML(self.facts() + self._alarm() + self._import())

    def on_load(self) -> dict[Component, Any]:
        """The settings as they are when a page opens."""
        return {control: gr.update(value=self.now) for control in self.filled}

    def on_save(self, given: Update) -> None:
        """Write down what was changed, and go on with it."""
        with said(self.words):
            self.save(given)
        gr.Info(self.words("setting.saved"), duration=4, title=self.words("page.note"))

    def save(self, given: Mapping[str, Any]) -> None:
        """Settings as the controls have them; those that are as they were are not written. Raises InputError."""
        if not self.desk.local:
            raise InputError("error.api.settings")
        asked = {key: _filled(field, given.get(key)) for key, field in self.fields.items()}
        changed = {key: value for key, value in asked.items() if value != self.now[key]}
        try:
            settings = Settings(**self.desk.settings.model_dump() | changed)
        except ValidationError as error:
            wrong = explain(error, Settings)
            label = self.fields[str(wrong.values["key"])].label
            raise OptionError(wrong.id, **wrong.values | {"key": self.words(label)}) from error
        check_folder(settings.outputs)
        write_settings(settings.home, changed)
        self.desk.adjust(settings)

    @property
    def now(self) -> Update:
        """The settings as values of controls."""
        settings = self.desk.settings
        values = settings.model_dump(mode="json") | {"outputs": str(settings.outputs.absolute())}
        return {key: values[key] for key in self.fields}

    def remarks(self) -> str:
        """When a change counts, and what cannot be changed here."""
        words = self.words
        fixed = [words(field.label) for key, field in self.fields.items() if os.environ.get(variable(key))]
        told = [words("setting.later")] + ([words("setting.fixed", names=", ".join(fixed))] if fixed else [])
        return "".join(f'<p class="muted">{escape(text)}</p>' for text in told)

    def facts(self) -> str:
        """Where things are; for who does not sit at the machine, how it is set, too."""
        settings, words = self.desk.settings, self.words
        set_up = [] if self.desk.local else [field for field in walk(Settings) if field.group]
        rows = {words(field.label): field.tell(self.now[field.key], words.language) for field in set_up}
        rows |= {
            words("setting.models"): str(settings.models),
            words("label.setting.home"): str(settings.home),
            words("label.setting.store"): settings.store.rsplit("@")[-1],
        }
        listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows.items())
        away = f'<p class="muted">{escape(words("setting.away"))}</p>' if set_up else ""
        return f"{away}<dl>{listed}</dl>{self._doors()}"

    def _doors(self) -> str:
        """The ways to files on the disk."""
        folder = button("open-folder", 0, self.words) if self.desk.local else ""
        log = f'<a href="/api/v1/log" target="_blank">{escape(self.words("setting.log"))}</a>'
        return f'<p class="buttons">{folder}{log}</p>'

    def _alarm(self) -> str:
        """Sound and notification are the browser's, and are kept in it."""
        ticks = "".join(
            f'<label class="tick"><input type="checkbox" data-keep="{name}"> {escape(self.words(id))}</label>'
            for name, id in (("sound", "setting.sound"), ("notify", "setting.notify"))
        )
        return f"<h3>{escape(self.words('setting.browser'))}</h3>{ticks}"

    def _import(self) -> str:
        """What eichi 1.9 kept, taken over from a folder of this machine."""
        if not self.desk.local:
            return ""
        words = self.words
        name = escape(words("setting.import_folder"))
        return (
            f"<form data-import><h3>{escape(words('setting.import'))}</h3><p>{escape(words('setting.import_help'))}</p>"
            f'<div class="field"><label for="import">{name}</label>'
            '<input id="import" name="folder" type="text" required></div>'
            f'<p class="buttons"><button>{escape(words("do.import"))}</button></p><ul data-report></ul></form>'
        )


def _filled(field: FieldView, value: Any) -> Any:
    """What an empty control stands for."""
    return value if value not in (None, "") else None if field.optional else field.default
