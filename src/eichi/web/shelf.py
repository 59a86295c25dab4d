"""What a user keeps, beside the controls: prompt presets with the advice on prompts, favourites.

A preset is a prompt, a favourite a whole request; choosing one puts it into the controls. What is kept and how is the
library's; built-in presets are said in the page's language and cannot be changed.
"""

from html import escape
from typing import Any

import gradio as gr

from eichi.library.advice import AdviceSection, Block, Example, Paragraph, Points, Table, at, shown
from eichi.library.favourites import Favourites
from eichi.library.prompts import PromptPresets
from eichi.options import Request
from eichi.web.desk import Desk
from eichi.web.fields import Update
from eichi.web.i18n import Words
from eichi.web.parts import folded, said, tell


class PromptShelf:
    """Prompt presets: choose, save, delete."""

    def __init__(self, desk: Desk, words: Words) -> None:
        self.words = words
        self.prompts = PromptPresets(desk.settings.home, tell(words))
        with folded(words("group.presets"), "presets"):
            self.chosen = gr.Dropdown(self.choices(), value=None, label=words("keep.preset"), elem_id="preset")
            self.name = gr.Textbox(label=words("keep.name"), info=words("keep.preset_help"), elem_id="preset-name")
            with gr.Row():
                self.save = gr.Button(words("keep.save_prompt"), size="sm", elem_id="preset-save")
                self.delete = gr.Button(words("keep.delete"), size="sm", elem_id="preset-delete")
            gr.HTML(advice(words, "prompt", "section"))

    def choices(self) -> list[tuple[str, str]]:
        """All presets by their names, those that are built in by the names of this language."""
        return [(self.words(one.name) if one.built_in else one.name, one.name) for one in self.prompts.list()]

    def wire(self, prompt: gr.Textbox) -> Any:
        """What the buttons do to a prompt; the event after which the prompt is another."""
        self.save.click(self.on_save, [self.name, prompt], self.chosen)
        self.delete.click(self.on_delete, self.chosen, self.chosen)
        return self.chosen.input(self.on_choose, self.chosen, prompt)

    def on_choose(self, name: str | None) -> Any:
        with said(self.words):
            return gr.update() if name is None else self.prompts.apply(name)

    def on_save(self, name: str, text: str) -> Update:
        with said(self.words):
            self.prompts.save(name, text)
        gr.Info(self.words("keep.saved"), duration=3, title=self.words("page.note"))
        return gr.update(choices=self.choices(), value=name.strip() or None)

    def on_delete(self, name: str | None) -> Update:
        with said(self.words):
            self.prompts.delete(name or "")
        return gr.update(choices=self.choices(), value=None)


class FavouriteShelf:
    """Favourites of one kind of request: choose, save, rename, delete, take along."""

    def __init__(self, desk: Desk, words: Words, kind: type[Request]) -> None:
        self.words, self.kind = words, kind
        self.favourites = Favourites(desk.settings.home, tell(words))
        with folded(words("group.favourites"), "favourites"):
            self.chosen = gr.Dropdown(self.names(), value=None, label=words("keep.favourite"), elem_id="favourite")
            self.name = gr.Textbox(label=words("keep.name"), elem_id="favourite-name")
            with gr.Row():
                self.save = gr.Button(words("keep.save_options"), size="sm", elem_id="favourite-save")
                self.rename = gr.Button(words("keep.rename"), size="sm", elem_id="favourite-rename")
                self.delete = gr.Button(words("keep.delete"), size="sm", elem_id="favourite-delete")
            gr.HTML(f'<a href="/api/v1/favourites.json" download>{escape(words("keep.export"))}</a>')

    def names(self) -> list[str]:
        """The favourites of this kind."""
        return [name for name, kind in self.favourites.list().items() if kind == self.kind.kind]

    def keep(self, name: str, request: Request) -> Update:
        """Save a request under a name; the same name again is another version of it."""
        self.favourites.save(name, request, replace=True)
        gr.Info(self.words("keep.saved"), duration=3, title=self.words("page.note"))
        return gr.update(choices=self.names(), value=name.strip())

    def on_rename(self, name: str | None, new: str) -> Update:
        with said(self.words):
            self.favourites.rename(name or "", new)
        return gr.update(choices=self.names(), value=new.strip())

    def on_delete(self, name: str | None) -> Update:
        with said(self.words):
            self.favourites.delete(name or "")
        return gr.update(choices=self.names(), value=None)


def advice(words: Words, *places: str) -> str:
    """The document's guidance for places of the program, folded."""
    return "".join(
        f"<details><summary>{escape(words(section.id))}</summary>{_blocks(section, words)}</details>"
        for section in at(*places)
    )


def _blocks(section: AdviceSection, words: Words) -> str:
    return "".join(_block(block, words) for block in section.blocks)


def _block(block: Block, words: Words) -> str:
    match block:
        case Paragraph(id):
            return f"<p>{escape(words(id))}</p>"
        case Points(ids):
            return f"<ul>{''.join(f'<li>{escape(words(id))}</li>' for id in ids)}</ul>"
        case Example(id, text):
            return f"<p>{escape(words(id))}: <code>{escape(text)}</code></p>"
        case Table():
            return _table(block, words)


def _table(table: Table, words: Words) -> str:
    heads = [words("advice.case"), *(words(f"advice.value.{key}") for key in table.options), words("advice.effect")]
    rows = [
        [words(row.case), *(shown(span, words.language) for span in row.ranges), words(row.effect)]
        for row in table.rows
    ]
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    head = "".join(f"<th>{escape(cell)}</th>" for cell in heads)
    return f"<p><b>{escape(words(table.id))}</b></p><table><tr>{head}</tr>{body}</table>"
