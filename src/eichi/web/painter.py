"""A picture that a mask can be painted on, in the browser's own canvas.

Gradio's editor draws by WebGL, speaks English, and now and then hands over a picture as none; here a picture is an
ordinary upload, and what is painted on it becomes a mask: black where the picture may change, white where it is kept.
The browser names both by what the server called them and never says a path. Knows no request.
"""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from eichi.web.desk import Desk
from eichi.web.fields import Update
from eichi.web.fieldset import live_html
from eichi.web.i18n import Words

TOOLS = ("erase", "clear", "remove")


class Painter:
    """One picture with its mask; the value is their names."""

    def __init__(self, desk: Desk, words: Words, label: str, name: str) -> None:
        self.desk = desk
        buttons = "".join(
            f'<button type="button" class="quiet" data-paint="{tool}">{escape(words(f"painter.{tool}"))}</button>'
            for tool in TOOLS
        )
        html = (
            f'<div class="painter"><b>{escape(label)}</b>'
            '<label class="drop"><input type="file" accept="image/*">'
            f"<span>{escape(words('single.drop'))}</span></label>"
            f'<div class="board" hidden><img alt="{escape(label)}"><canvas></canvas></div>'
            f'<div class="tools" hidden><label>{escape(words("painter.brush"))}'
            f'<input type="range" min="2" max="40" value="12"></label>{buttons}</div></div>'
        )
        self.html = live_html("painter", {}, html, elem_id=name)

    def read(self, given: Mapping[str, Any] | None) -> tuple[Path | None, Path | None]:
        """The picture and its mask, None without. Raises InputError for one that is not there any more."""
        image, mask = (self.desk.picture(name) if name else None for name in map((given or {}).get, ("image", "mask")))
        return image, mask

    def show(self, image: Path | None, mask: Path | None) -> Update:
        """An update that puts a picture and its mask into the control."""
        named = {"image": image and self.desk.name(image), "mask": mask and self.desk.name(mask)}
        updated: Update = gr.update(value=named)
        return updated
