"""The place where a single image is asked for: a start picture, references with their indices, masks painted on them.

Knows no pipeline.
"""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component

from eichi.errors import EichiError, InputError
from eichi.jobs.batch import Batch, expand
from eichi.library.favourites import Favourites
from eichi.options import FrameOptions, ReferenceOptions
from eichi.plan.oneframe import FramePlan
from eichi.prepare import make_frame_plan
from eichi.web.desk import Desk
from eichi.web.fields import fields
from eichi.web.fieldset import FieldSet
from eichi.web.forms import Form, control
from eichi.web.i18n import Words
from eichi.web.loras import LoraPlace
from eichi.web.painter import Painter
from eichi.web.parts import (
    begin,
    changes,
    folded,
    many,
    meter,
    model_choices,
    pictured,
    recorded,
    resolutions,
    said,
    start_label,
    summary,
    tell,
)
from eichi.web.shelf import advice

REFERENCES = 4  # places for reference pictures; the command line takes any number


class OneFrame:
    """The controls of the place and what they do."""

    def __init__(self, desk: Desk, words: Words, loras: LoraPlace) -> None:
        self.desk, self.words, self.loras = desk, words, loras
        self.options = fields(FrameOptions)
        self.favourites = Favourites(desk.settings.home, tell(words))
        self.controls: dict[str, Component] = {}
        self.references: list[tuple[Painter, gr.Number]] = []
        self.editing = gr.State(None)  # number of the job that the start will change
        with gr.Row(elem_classes="place"):
            with gr.Column(elem_classes="card ask", scale=0, min_width=400):
                self._ask()
            with gr.Column(elem_classes="show", scale=1, min_width=320):
                with gr.Column(elem_classes="card"):
                    gr.HTML('<div data-live="stage"></div>')
                self._references()
        self.form = Form(FrameOptions, self.controls, (self.rest,))
        self._wire()

    def _ask(self) -> None:
        words, options, controls = self.words, self.options, self.controls
        choices = model_choices("reverse", self.desk, words)
        controls["model"] = gr.Dropdown(
            choices, value="tiny", allow_custom_value=True, label=words("label.model"), elem_id="frame-model"
        )
        self.image = Painter(self.desk, words, words("label.image"), "frame-image")
        controls["prompt"] = control(
            options["prompt"], words, lines=3, info=None, placeholder=words("option.prompt"), elem_id="frame-prompt"
        )
        self.meter = gr.HTML(meter(None, "", words))
        with gr.Row(elem_classes="three"):
            controls["resolution"] = gr.Dropdown(
                resolutions("tiny", words),
                value="",
                label=words("label.resolution"),
                elem_id="frame-resolution",
                min_width=90,
            )
            controls["seed"] = control(
                options["seed"], words, info=None, placeholder=words("page.random"), min_width=90, elem_id="frame-seed"
            )
        beside = {group: advice(words, group) for group in ("sampling", "weights")}
        self.rest = FieldSet(options.values(), words, beside, prefix="frame")
        with folded(words("group.batch"), "frame-batch"):
            self.count = gr.Number(
                1, precision=0, minimum=1, label=words("batch.count"), info=words("batch.count_help")
            )
            self.series = many(words("batch.references"), ["image"], "frame-batch")
        with gr.Column(elem_classes="go"):
            self.plan = gr.HTML(elem_id="frame-plan")
            self.start = gr.Button(words("do.start"), variant="primary", elem_id="frame-start")
        self.take = gr.UploadButton(
            words("do.take"), file_types=[".png"], size="sm", elem_classes="quiet", elem_id="frame-take"
        )

    def _references(self) -> None:
        words = self.words
        with gr.Column(elem_classes="card"):
            gr.HTML(f"<h3>{escape(words('single.references'))} <small>{escape(words('single.paint'))}</small></h3>")
            with gr.Row(elem_classes="references"):
                for place in range(1, REFERENCES + 1):
                    with gr.Column(min_width=220):
                        label = words("single.reference", number=place)
                        picture = Painter(self.desk, words, label, f"reference-{place}")
                        index = gr.Number(
                            precision=0, minimum=0, label=words("single.index"), placeholder=words("page.automatic")
                        )
                    self.references.append((picture, index))

    def _wire(self) -> None:
        asked = changes([*self.controls.values(), self.rest.html, self.loras.html, *self._pictures])
        gr.on(asked, self.on_change, self.every, self.shown, trigger_mode="always_last", show_progress="hidden")
        batch = {self.count, self.series, self.editing}
        self.start.click(self.on_start, {*self.every, *batch}, [self.editing, self.start])
        self.take.upload(self.on_take, {*self.every, self.take}, self.filled).then(
            self.on_change, self.every, self.shown
        )

    @property
    def every(self) -> set[Block]:
        """What a request is made of."""
        return {*self.controls.values(), self.rest.html, self.loras.html, *self._pictures}

    @property
    def shown(self) -> list[Component]:
        """What shows the plan."""
        return [self.plan, self.meter]

    @property
    def filled(self) -> list[Component]:
        """What a request fills."""
        controls = [*self.controls.values(), self.rest.html, self.loras.html, *self._pictures, self.meter]
        return [self.editing, self.start, self.count, self.series, *controls]

    @property
    def _pictures(self) -> list[Component]:
        """The start picture, the references and their indices."""
        return [self.image.html, *(part for picture, index in self.references for part in (picture.html, index))]

    def request(self, given: Mapping[Component, Any]) -> FrameOptions:
        """The request that the controls make. Raises OptionError."""
        image, mask = self.image.read(given[self.image.html])
        references = []
        for picture, index in self.references:
            path, hidden = picture.read(given[picture.html])
            if path is not None:
                references.append({"image": path, "index": given[index], "mask": hidden})
        more = {"image": image, "mask": mask, "references": references}
        return self.form.request(given, more | {"weights.loras": self.loras.values(given[self.loras.html])})

    def on_change(self, given: dict[Component, Any]) -> dict[Component, Any]:
        """What the controls come to, or what is wrong, in a sentence."""
        counted: dict[Component, Any] = {
            self.meter: self.read(given[self.controls["prompt"]], given[self.controls["model"]])
        }
        try:
            options = self.request(given)
            self.favourites.remember(options)
            plan = make_frame_plan(options, self.desk.settings.models)
            return {self.plan: self.summary(plan), **counted}
        except EichiError as error:
            if error.id == "error.image.required":
                return {self.plan: f'<p class="hint">{escape(self.words("plan.need_image"))}</p>', **counted}
            return {self.plan: f'<p class="error">{escape(error.say(self.words.language))}</p>', **counted}

    def summary(self, plan: FramePlan) -> str:
        """The plan in a line, and what deserves a word."""
        line = self.words("plan.frame_line", width=plan.width, height=plan.height, model=plan.entry.name)
        return summary(line, plan, self.desk, self.words)

    def read(self, prompt: str, model: str) -> str:
        return meter(self.desk.meter(model), prompt, self.words)

    def on_start(self, given: dict[Component, Any]) -> dict[Component, Any]:
        """Requests into the queue, as many as were asked for, or in the place of the job that is changed."""
        with said(self.words):
            series = tuple(ReferenceOptions(image=one.image) for one in pictured(given[self.series], self.words))
            batch = Batch(count=int(given[self.count] or 1), references=series)
            begin(self.desk, expand(self.request(given), batch), given[self.editing], self.words)
        return self.edit(None)

    def edit(self, job: int | None) -> dict[Component, Any]:
        """What the start does from here on: it changes a job that waits, or makes new ones."""
        one = {} if job is None else {self.count: 1, self.series: None}
        return one | {self.editing: job, self.start: gr.update(value=start_label(job, self.words))}

    def on_take(self, given: dict[Component, Any]) -> dict[Any, Any]:
        """The options of an image that was made here, or what another program's has of them."""
        with said(self.words):
            path = Path(given[self.take])
            values = recorded(path, FrameOptions, lambda: self.request(given), self.desk, self.words)
            return self.fill(FrameOptions.parse(values))

    def fill(self, options: FrameOptions) -> dict[Any, Any]:
        """A request into the controls. Raises InputError where it has more references than there are places."""
        if len(options.references) > REFERENCES:
            raise InputError("error.single.references", given=len(options.references), places=REFERENCES)
        updates: dict[Any, Any] = self.form.show(options)
        updates[self.loras.html] = self.loras.show(options)
        updates[self.image.html] = self.image.show(options.image, options.mask)
        for place, (picture, index) in enumerate(self.references):
            one = options.references[place] if place < len(options.references) else None
            updates[picture.html] = picture.show(*(None, None) if one is None else (one.image, one.mask))
            updates[index] = None if one is None else one.index
        updates[self.meter] = self.read(options.prompt, options.model)
        return updates

    def on_load(self) -> dict[Any, Any]:
        """What was last set, when a page opens."""
        return self.fill(FrameOptions.parse(self.desk.adopt(self.favourites.last(FrameOptions).dump())))
