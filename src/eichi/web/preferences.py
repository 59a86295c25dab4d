"""The place for what the machine is: folders and device, written to `settings.json`; and what the browser may do."""

import json
from html import escape
from typing import Any, get_args

import gradio as gr
from pydantic import ValidationError

from eichi.files import aside, private
from eichi.prepare import check_folder
from eichi.settings import FILE, Settings, wrong
from eichi.text import as_json
from eichi.web.desk import Desk
from eichi.web.i18n import Words
from eichi.web.parts import said
from eichi.web.stage import button

KEYS = ("outputs", "device", "log_level")
LEVELS: tuple[str, ...] = get_args(Settings.model_fields["log_level"].annotation)


class Preferences:
    """The controls of the place and what they do."""

    def __init__(self, desk: Desk, words: Words) -> None:
        self.desk, self.words = desk, words
        settings = desk.settings
        with gr.Column(elem_classes="card narrow"):
            gr.HTML(f"<h3>{escape(words('setting.title'))}</h3>")
            self.outputs = gr.Textbox(
                str(settings.outputs.absolute()), label=words("setting.outputs"), info=words("setting.outputs_help")
            )
            self.device = gr.Textbox(settings.device, label=words("setting.device"), info=words("setting.device_help"))
            levels = [(words(f"level.{level}"), level) for level in LEVELS]
            self.level = gr.Dropdown(
                levels, value=settings.log_level, label=words("setting.level"), info=words("setting.level_help")
            )
            save = gr.Button(words("do.save"), variant="primary")
            gr.HTML(self._facts() + self._alarm() + self._import())
        save.click(self.on_save, [self.outputs, self.device, self.level], None)

    def on_save(self, outputs: str, device: str, level: str) -> None:
        """Write the settings down, aside and renamed; other keys of the file stay."""
        with said(self.words):
            given = dict(zip(KEYS, (outputs, device, level), strict=True))
            try:
                settings = Settings(**{**self.desk.settings.model_dump(), **given})
            except ValidationError as error:
                raise wrong(error) from error
            check_folder(settings.outputs)
            write(settings, given)
            self.desk.adjust(settings)
        gr.Info(self.words("setting.saved"), duration=4, title=self.words("page.note"))

    def _facts(self) -> str:
        settings = self.desk.settings
        rows = {
            self.words("setting.models"): str(settings.models),
            self.words("setting.home"): str(settings.home),
            self.words("setting.store"): str(settings.store).rsplit("@")[-1],
        }
        return (
            "<dl>"
            + "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows.items())
            + f"</dl>{self._doors()}"
        )

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


def write(settings: Settings, given: dict[str, Any]) -> None:
    """Put keys into the settings file, leaving the others as they are."""
    path = settings.home / FILE
    values = json.loads(path.read_bytes()) if path.is_file() else {}
    private(path.parent)
    with aside(path) as draft:
        draft.write_text(as_json(values | given, indent=1), encoding="utf-8")
