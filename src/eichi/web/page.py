"""One page in one language: its places, and what leads from one to another."""

from html import escape

import gradio as gr

from eichi.errors import InputError
from eichi.options import FrameOptions, VideoOptions
from eichi.web.create import Create
from eichi.web.desk import Desk
from eichi.web.i18n import Words
from eichi.web.latents import render_place
from eichi.web.loras import LoraPlace
from eichi.web.oneframe import OneFrame
from eichi.web.parts import said
from eichi.web.preferences import Preferences
from eichi.web.shelf import advice
from eichi.web.stage import button
from eichi.words import languages, say

USE = """element.addEventListener('click', event => {
  const button = event.target.closest('[data-use]');
  if (button) trigger('click', {job: Number(button.dataset.use), edit: 'edit' in button.dataset});
});"""


def build(desk: Desk, words: Words) -> gr.Blocks:
    """All places in one language."""
    page = gr.Blocks(title="FramePack-eichi", analytics_enabled=False, fill_width=True)
    with page:
        gr.HTML(_header(words), elem_classes="top")
        preferences = Preferences(desk, words)
        loras = LoraPlace(desk.loras, words, render=False)
        with gr.Tabs(elem_id="places") as places:
            with gr.Tab(words("place.create"), id="create"):
                create = Create(desk, words, loras)
            with gr.Tab(words("place.frame"), id="frame", render_children=True):
                single = OneFrame(desk, words, loras)
            with gr.Tab(words("place.queue"), id="queue", elem_id="queue-place"), gr.Column(elem_classes="card"):
                queue = gr.HTML('<div data-live="queue"></div>', js_on_load=USE)
            with gr.Tab(words("place.history"), id="history"), gr.Column(elem_classes="card"):
                folder = f'<p class="buttons">{button("open-folder", 0, words)}</p>' if desk.local else ""
                history = gr.HTML(f'{folder}<div data-live="history"></div>', js_on_load=USE)
            lora_tab = gr.Tab(words("place.loras"), id="loras", render_children=True)
            with lora_tab, gr.Column(elem_classes="card narrow"):
                loras.html.render()  # type: ignore[no-untyped-call]
                gr.HTML(advice(words, "weights"))
            with gr.Tab(words("place.latents"), id="latents"), gr.Column(elem_classes="card"):
                gr.HTML(render_place(words))
            with gr.Tab(words("place.settings"), id="settings"):
                preferences.render()
        _use(desk, words, (queue, history), places, create, single)
        for one, shown in ((create, create.shown), (single, single.shown)):
            loaded = page.load(one.on_load, None, one.filled, show_progress="hidden")
            loaded.then(one.on_change, one.every, shown, show_progress="hidden")
        if preferences.filled:
            page.load(preferences.on_load, None, preferences.filled, show_progress="hidden")
    return page


def _use(
    desk: Desk, words: Words, lists: tuple[gr.HTML, ...], places: gr.Tabs, create: Create, single: OneFrame
) -> None:
    """The way from a job back to its options, to make another one or to change it."""

    def use(event: gr.EventData) -> dict[object, object]:
        with said(words):
            options = desk.store.job(int(event.job)).options
            values, editing = desk.adopt(options.dump()), int(event.job) if event.edit else None
            if isinstance(options, FrameOptions):
                filled = single.fill(FrameOptions.parse(values)) | single.edit(editing)
                return {places: gr.update(selected="frame"), **filled}
            if isinstance(options, VideoOptions):
                filled = create.fill(VideoOptions.parse(values)) | create.edit(editing)
                return {places: gr.update(selected="create"), **filled}
            raise InputError("error.job.unknown", job=event.job)

    clicks = [one.click for one in lists]
    done = gr.on(clicks, use, None, [places, *create.filled, *single.filled])
    done.then(create.on_change, create.every, create.shown)
    done.then(single.on_change, single.every, single.shown)


def _header(words: Words) -> str:
    """The program's name and the languages, each in its own."""
    links = "".join(
        f'<a href="/language/{code}" lang="{code}"{" aria-current=true" if code == words.language else ""}>'
        f"{escape(say('page.language', code))}</a>"
        for code in languages()
    )
    return (
        f'<header><b>FramePack-eichi</b><nav aria-label="{escape(words("page.languages"))}">{links}</nav>'
        f'<span id="connection" hidden>{escape(words("page.offline"))}</span></header>'
    )
