"""The place where a video is asked for: model and mode first, a picture, a prompt, a length, start.

The rest is in groups that open, and only what the model uses is there. Beside the start stands what will be made, as
the plan says it; the timeline draws the same plan, and one editor serves whichever section is chosen, so that a video
of a hundred sections has as many controls as one of one. Knows no pipeline: it makes requests and hands them on.
"""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from statistics import median
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component

from eichi.catalog import Direction, find
from eichi.declare import GROUPS
from eichi.errors import EichiError
from eichi.jobs.batch import Batch, expand, parse_prompts
from eichi.jobs.draft import pace_key
from eichi.jobs.lists import TEXT
from eichi.jobs.view import PlanView
from eichi.library.adapt import adapt
from eichi.library.archive import read_archive
from eichi.options import VideoOptions
from eichi.plan.plan import Plan
from eichi.prepare import make_plan
from eichi.web.desk import Desk
from eichi.web.fields import Update, fields, unused
from eichi.web.fieldset import MODE, FieldSet
from eichi.web.forms import Form, control, picture
from eichi.web.i18n import Words
from eichi.web.loras import LoraPlace
from eichi.web.parts import (
    address,
    begin,
    changes,
    folded,
    frame,
    many,
    meter,
    model_choices,
    model_label,
    pictured,
    recorded,
    resolutions,
    said,
    start_label,
    summary,
    tell,
)
from eichi.web.shelf import FavouriteShelf, PromptShelf, advice
from eichi.web.timeline import END, render_timeline

RESULTS = (".png", ".mp4", ".safetensors")
Sections = dict[str, dict[str, str]]  # pictures and prompts of sections by number, and the picture of the end
NOTHING: Sections = {"sections": {}, "prompts": {}, "final": {}}
CLICK = """element.addEventListener('click', event => {
  const section = event.target.closest('[data-section]');
  if (section) trigger('click', {section: Number(section.dataset.section)});
});"""


class Create:
    """The controls of the place and what they do."""

    def __init__(self, desk: Desk, words: Words, loras: LoraPlace) -> None:
        self.desk, self.words, self.loras = desk, words, loras
        self.options = fields(VideoOptions)
        self.keys = gr.State(NOTHING)
        self.chosen = gr.State(None)
        self.editing = gr.State(None)  # number of the job that the start will change
        with gr.Row(elem_classes="place"):
            with gr.Column(elem_classes="card ask", scale=0, min_width=400):
                self._ask()
            with gr.Column(elem_classes="show", scale=1, min_width=320):
                with gr.Column(elem_classes="card"):
                    gr.HTML('<div data-live="stage"></div>')
                with gr.Column(elem_classes="card"):
                    self._timeline()
        self.form = Form(VideoOptions, self.controls, (self.rest,))
        self._wire()

    def _ask(self) -> None:
        words, options = self.words, self.options
        modes = [(words("mode.reverse"), "reverse"), (words("mode.forward"), "forward")]
        self.mode = gr.Radio(modes, value="reverse", label=words("mode.label"), elem_classes="seg", elem_id="mode")
        self.hint = gr.HTML(words("mode.reverse_help"), elem_classes="muted")
        gr.HTML(advice(words, "model"))
        choices = model_choices("reverse", self.desk, words)
        self.controls: dict[str, Component] = {
            "model": gr.Dropdown(
                choices, value="tiny", allow_custom_value=True, label=words("label.model"), elem_id="option-model"
            ),
            "image": control(options["image"], words, height=190),
            "prompt": control(options["prompt"], words, lines=3, info=None, placeholder=words("option.prompt")),
        }
        self.meter = gr.HTML(meter(None, "", words), elem_id="meter")
        with gr.Row(elem_classes="three"):
            self.controls["seconds"] = gr.Dropdown(
                self._lengths("reverse"),
                value=5,
                allow_custom_value=True,
                label=words("label.seconds"),
                elem_id="option-seconds",
                min_width=90,
            )
            self.controls["resolution"] = gr.Dropdown(
                resolutions("tiny", words),
                value="",
                label=words("label.resolution"),
                elem_id="option-resolution",
                min_width=90,
            )
            self.controls["seed"] = control(
                options["seed"], words, info=None, placeholder=words("page.random"), min_width=90
            )
        self.presets = PromptShelf(self.desk, words)
        self._groups()
        with folded(words("group.batch"), "batch"):
            self.count = gr.Number(
                1,
                precision=0,
                minimum=1,
                label=words("batch.count"),
                info=words("batch.count_help"),
                elem_id="batch-count",
            )
            self.prompts = gr.Textbox(lines=3, label=words("batch.prompts"), info=words("batch.prompts_help"))
            self.pictures = many(words("batch.pictures"), ["image", TEXT], "batch")
        self.favourites = FavouriteShelf(self.desk, words, VideoOptions)
        with gr.Column(elem_classes="go"):
            self.plan = gr.HTML(elem_id="plan")
            self.start = gr.Button(words("do.start"), variant="primary", elem_id="start")
        self.take = gr.UploadButton(
            words("do.take"),
            file_types=[*RESULTS, ".zip", ".json"],
            size="sm",
            elem_id="take",
            elem_classes="quiet",
        )

    def _groups(self) -> None:
        """The rest of the options, folded."""
        self.rest = FieldSet(self.options.values(), self.words, {group: advice(self.words, group) for group in GROUPS})

    def _lengths(self, mode: Direction) -> list[tuple[str, Any]]:
        """The lengths that are offered; any other can be written."""
        offered = self.options["seconds"].suggestions[mode]
        return [(self.words("page.whole_seconds", seconds=seconds), seconds) for seconds in offered]

    def _timeline(self) -> None:
        words = self.words
        gr.HTML(f"<h3>{escape(words('timeline.title'))} <small>{escape(words('timeline.help'))}</small></h3>")
        self.axis = gr.HTML(frame(words("timeline.none")), js_on_load=CLICK, elem_id="timeline")
        with gr.Row(visible=False, elem_classes="editor", elem_id="editor") as self.editor:
            self.picture = picture(
                elem_id="section-picture",
                height=130,
                label=words("timeline.picture"),
                interactive=True,
                scale=0,
                min_width=200,
            )
            self.text = gr.Textbox(
                lines=3,
                label=words("timeline.prompt"),
                placeholder=words("timeline.blank"),
                elem_id="section-text",
            )
        self.clear = gr.Button(
            words("timeline.clear"), size="sm", visible=False, elem_classes="quiet", elem_id="sections-clear"
        )
        gr.HTML(f'<a href="/api/v1/archive.zip" download>{escape(words("keep.archive"))}</a>')

    def _wire(self) -> None:
        every, shown = self.every, self.shown
        quick: Update = {"queue": False, "show_progress": "hidden"}
        gr.on(
            changes([*self.controls.values(), self.rest.html, self.loras.html]),
            self.on_change,
            every,
            shown,
            trigger_mode="always_last",
            show_progress="hidden",
        )
        controls: Update = self.controls  # what Gradio makes of a class at run time has no types
        prompt, model = controls["prompt"], controls["model"]
        moded = self.mode.input(self.on_mode, [self.mode, self.rest.html], self._moded(), **quick)
        moded.then(self.on_change, every, shown)
        model.input(self.on_model, model, self.controls["resolution"], **quick)
        self.axis.click(
            self.on_section, [self.keys, self.mode], [self.chosen, self.editor, self.picture, self.text]
        ).then(self.on_change, every, shown, show_progress="hidden")
        edits = [self.picture.upload, self.picture.clear, self.text.change]
        edited = [self.keys, self.chosen, self.picture, self.text]
        gr.on(edits, self.on_edit, edited, self.keys, trigger_mode="always_last", **quick).then(
            self.on_change, every, shown, show_progress="hidden"
        )
        emptied = [self.keys, self.chosen, self.editor]
        self.clear.click(self.on_clear, None, emptied).then(self.on_change, every, shown)
        batch = {self.count, self.prompts, self.pictures, self.editing}
        self.start.click(self.on_start, {*every, *batch}, [self.editing, self.start], api_name="start")
        taken = self.take.upload(self.on_take, {*every, self.take}, [*self.filled, self.favourites.chosen])
        kept, chosen = self.favourites, self.favourites.chosen
        kept.save.click(self.on_keep, {*every, kept.name}, chosen)
        kept.rename.click(kept.on_rename, [chosen, kept.name], chosen)
        kept.delete.click(kept.on_delete, chosen, chosen)
        for done in (taken, self.presets.wire(prompt), chosen.input(self.on_favourite, chosen, self.filled)):
            done.then(self.on_change, every, shown, show_progress="hidden")

    @property
    def every(self) -> set[Block]:
        """What a request is made of."""
        return {*self.controls.values(), self.rest.html, self.loras.html, self.keys, self.chosen, self.mode}

    @property
    def shown(self) -> list[Component]:
        """What shows the plan."""
        return [self.plan, self.axis, self.clear, self.meter]

    @property
    def filled(self) -> list[Component]:
        """What a request fills."""
        return [
            self.editing,
            self.start,
            self.count,
            self.prompts,
            self.pictures,
            *self.controls.values(),
            self.mode,
            self.hint,
            self.keys,
            self.chosen,
            self.meter,
            self.editor,
            self.rest.html,
            self.loras.html,
        ]

    def _moded(self) -> list[Any]:
        lists = (self.controls[name] for name in ("model", "resolution", "seconds"))
        return [self.hint, *lists, self.editor, self.rest.html]

    def request(self, given: Mapping[Component, Any]) -> VideoOptions:
        """The request that the controls make. Raises OptionError."""
        keys: Sections = given[self.keys]
        more: Update = {"keyframes.sections": keys["sections"], "keyframes.prompts": keys["prompts"]}
        more["weights.loras"] = self.loras.values(given[self.loras.html])
        more["keyframes.final"] = keys["final"].get(str(END))
        options = self.form.request(given, more, unused(self.options.values(), given[self.mode]))
        if options.kept.latents is not None:
            self.desk.check(options.kept.latents)
        return options

    def on_change(self, given: dict[Component, Any]) -> dict[Component, Any]:
        """What the controls come to, beside the start and on the timeline; what is wrong, in a sentence."""
        keys: Sections = given[self.keys]
        beside = {
            self.clear: gr.update(visible=any(keys.values())),
            self.meter: self.read(given[self.controls["prompt"]], given[self.controls["model"]]),
        }
        try:
            options = self.request(given)
            self.favourites.favourites.remember(options)
            plan = make_plan(options, self.desk.settings.models)
        except EichiError as error:
            kind = "hint" if error.id == "error.image.required" else "error"
            text = self.words("plan.need_image") if kind == "hint" else error.say(self.words.language)
            return {self.plan: f'<p class="{kind}">{escape(text)}</p>', self.axis: frame(text), **beside}
        pictures = {name: address(path, self.words) for name, path in plan.images.items()}
        copies = options.keyframes.copies
        drawn = render_timeline(PlanView.of(plan), self.words, pictures, copies, given[self.chosen])
        return {self.plan: self.summary(plan), self.axis: drawn, **beside}

    def summary(self, plan: Plan) -> str:
        """The plan in a line, and what deserves a word."""
        values = {"sections": len(plan.sections), "frames": plan.frames, "seconds": plan.seconds}
        line = self.words("plan.line", width=plan.width, height=plan.height, **values)
        paces = self.desk.store.paces(pace_key(plan))
        if paces:
            span = self.words.span(median(paces) * (len(plan.sections) - plan.kept))
            line += f" · {self.words('plan.time', time=span)}"
        return summary(line, plan, self.desk, self.words)

    def read(self, prompt: str, model: str) -> str:
        """How much of the prompt is read, at every keystroke."""
        return meter(self.desk.meter(model), prompt, self.words)

    def on_mode(self, mode: Direction, rest: Mapping[str, Any]) -> dict[Any, Any]:
        """Another direction: its models, its controls."""
        choices = model_choices(mode, self.desk, self.words)
        return {
            self.hint: self.words(f"mode.{mode}_help"),
            self.controls["model"]: gr.update(choices=choices, value=choices[0][1]),
            self.controls["resolution"]: gr.update(choices=resolutions(choices[0][1], self.words), value=""),
            self.controls["seconds"]: gr.update(choices=self._lengths(mode)),
            self.editor: gr.update(visible=False),
            self.rest.html: gr.update(value={**rest, MODE: mode}),
        }

    def on_model(self, model: str) -> Update:
        return gr.update(choices=resolutions(model, self.words), value="")

    def on_section(self, keys: Sections, mode: str, event: gr.EventData) -> dict[Any, Any]:
        """A section was chosen: its picture and its prompt into the editor."""
        number: int = event.section
        name, end = str(number), number == END
        picture = keys["final" if end else "sections"].get(name)
        title = self.words("label.keyframes.final") if end else self.words("timeline.picture_of", number=number)
        return {
            self.chosen: number,
            self.editor: gr.update(visible=number >= 0 or end),
            self.picture: gr.update(value=picture, label=title, visible=mode == "reverse"),
            self.text: gr.update(
                value=keys["prompts"].get(name, ""),
                label=self.words("timeline.prompt_of", number=number),
                visible=not end,
            ),
        }

    def on_edit(self, keys: Sections, chosen: int | None, picture: str | None, text: str) -> Sections:
        """What was given to the chosen section, among those of the others."""
        given = {"sections": picture, "prompts": text.strip() or None, "final": None}
        if chosen == END:
            given = {"sections": None, "prompts": None, "final": picture}
        return {
            table: {
                **{n: value for n, value in keys[table].items() if n != str(chosen)},
                **({str(chosen): new} if new else {}),
            }
            for table, new in given.items()
        }

    def on_clear(self) -> dict[Any, Any]:
        return {self.keys: NOTHING, self.chosen: None, self.editor: gr.update(visible=False)}

    def on_start(self, given: dict[Component, Any]) -> dict[Component, Any]:
        """Requests into the queue, as many as were asked for, or in the place of the job that is changed."""
        with said(self.words):
            pictures = pictured(given[self.pictures], self.words)
            prompts = tuple(parse_prompts(given[self.prompts] or ""))
            batch = Batch(count=int(given[self.count] or 1), prompts=prompts, pictures=pictures)
            begin(self.desk, expand(self.request(given), batch), given[self.editing], self.words)
        return self.edit(None)

    def edit(self, job: int | None) -> dict[Component, Any]:
        """What the start does from here on: it changes a job that waits, or makes new ones."""
        one = {} if job is None else {self.count: 1, self.prompts: "", self.pictures: None}
        return one | {self.editing: job, self.start: gr.update(value=start_label(job, self.words))}

    def on_take(self, given: dict[Component, Any]) -> dict[Any, Any]:
        """The options of a result, a section archive or a file of favourites that was dropped on the page."""
        path = Path(given[self.take])
        with said(self.words):
            if path.suffix.lower() == ".json":
                self.favourites.favourites.take_in(path)
                return {self.favourites.chosen: gr.update(choices=self.favourites.names())}
            if path.suffix.lower() == ".zip":
                options, notes = read_archive(path, self.desk.uploads).over(self.request(given))
                options, unused = adapt(options, lambda key: False)
                for note in (*notes, *unused):
                    tell(self.words)(note)
                return self.fill(options)
            values = recorded(path, VideoOptions, lambda: self.request(given), self.desk, self.words)
            return self.fill(VideoOptions.parse(values))

    def on_keep(self, given: dict[Component, Any]) -> Update:
        """What is set, under a name."""
        with said(self.words):
            return self.favourites.keep(given[self.favourites.name], self.request(given))

    def on_favourite(self, name: str | None) -> dict[Any, Any]:
        with said(self.words):
            options = self.favourites.favourites.apply(name or "")
            return self.fill(VideoOptions.parse(self.desk.adopt(options.dump())))

    def fill(self, options: VideoOptions) -> dict[Any, Any]:
        """A request into the controls."""
        try:
            direction = find(options.model).direction
        except EichiError:
            direction = "reverse"
        keys = options.dump()["keyframes"]
        updates: dict[Any, Any] = self.form.show(options)
        moded = self.on_mode(direction, updates[self.rest.html]["value"])
        for one, update in moded.items():
            updates[one] = {**updates.get(one, {}), **update} if isinstance(update, dict) else update
        model, resolution = self.controls["model"], self.controls["resolution"]
        label = (model_label(options.model, self.desk, self.words), options.model)
        known = model_choices(direction, self.desk, self.words)
        updates[model] = gr.update(choices=known if label in known else [*known, label], value=options.model)
        updates[resolution] = gr.update(choices=resolutions(options.model, self.words), value=options.resolution or "")
        return updates | {
            self.mode: direction,
            self.keys: {
                "sections": keys["sections"],
                "prompts": keys["prompts"],
                "final": {str(END): keys["final"]} if keys["final"] else {},
            },
            self.editor: gr.update(visible=False),
            self.loras.html: self.loras.show(options),
            self.chosen: None,
            self.meter: self.read(options.prompt, options.model),
        }

    def on_load(self) -> dict[Any, Any]:
        """What was last set, when a page opens."""
        last = self.favourites.favourites.last(VideoOptions).dump()
        return self.fill(
            VideoOptions.parse(self.desk.adopt(last | {"prompt": last["prompt"] or self.presets.prompts.startup}))
        )
