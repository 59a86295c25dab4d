"""Small things that several places of the page need: lists of models, addresses of pictures, the meter, errors."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr
from gradio.components import Component

from eichi.catalog import find, known
from eichi.declare import Plain
from eichi.errors import EichiError, InputError
from eichi.events import Adjusted
from eichi.jobs.batch import BatchPicture
from eichi.jobs.lists import pair
from eichi.models.locate import present
from eichi.models.tokens import Meter
from eichi.options import FrameOptions, Request, VideoOptions
from eichi.plan.memory import plan_memory
from eichi.plan.oneframe import FramePlan
from eichi.plan.plan import Plan
from eichi.prepare import weigh
from eichi.web.desk import Desk
from eichi.web.i18n import Words


@contextmanager
def folded(title: str, name: str) -> Iterator[None]:
    """A group that opens. Gradio's own forgets what was put into it before it was opened; this one is only hidden."""
    head = f'<button type="button" class="fold" aria-expanded="false" data-fold="{name}">{escape(title)}</button>'
    gr.HTML(head, elem_classes="foldhead")
    with gr.Column(elem_classes="folded"):
        yield


@contextmanager
def said(words: Words) -> Iterator[None]:
    """An error of ours becomes its sentence on the page."""
    try:
        yield
    except EichiError as error:
        raise gr.Error(escape(error.say(words.language)), title=words("page.problem"), print_exception=False) from error


def changes(controls: Iterable[Component]) -> list[Any]:
    """The events of any of these changing.

    Pictures tell of it by another name; texts and numbers tell of an input before they have its value.
    """
    late = (gr.Image, gr.File, gr.Textbox, gr.Number)
    return [getattr(one, "change" if isinstance(one, late) else "input") for one in controls]


def frame(text: str) -> str:
    """The empty room of something, with a word on why it is empty."""
    return f'<div class="room">{escape(text)}</div>'


def address(path: Path | str, words: Words) -> str:
    """Where a page finds a picture that was given to it."""
    return f"/{words.language}/gradio_api/file={quote(str(path))}"


def tell(words: Words) -> Callable[[Adjusted], None]:
    """A word on something that was done otherwise than asked, on the page."""
    return lambda note: gr.Warning(escape(words(note.id, **note.values)), title=words("page.note"))


def recorded(path: Path, kind: type[Request], below: Callable[[], Request], desk: Desk, words: Words) -> Plain:
    """The options that a file carries, with a word on what is not known or not found here. Raises InputError.

    What another program's file does not say stays as it is in the request `below`.
    """
    values, notes = desk.restored(path, kind, below)
    for note in notes:
        tell(words)(note)
    return values


def many(label: str, kinds: list[str], name: str) -> gr.File:
    """A place for any number of files."""
    return gr.File(
        file_count="multiple", file_types=kinds, type="filepath", label=label, height=140, elem_id=f"{name}-files"
    )


def pictured(given: list[str] | None, words: Words) -> tuple[BatchPicture, ...]:
    """Pictures that were given for a batch, each with the text of its name, with a word on what is neither."""
    pictures, notes, rest = pair(map(Path, given or ()))
    if rest:
        notes += (Adjusted("note.batch.left", {"names": ", ".join(rest)}),)
    for note in notes:
        tell(words)(note)
    return pictures


def begin(desk: Desk, requests: Sequence[VideoOptions | FrameOptions], editing: int | None, words: Words) -> None:
    """New jobs, or the one that is changed. Raises InputError."""
    if editing is None:
        jobs = desk.start(requests)
        gr.Info(words("page.queued", first=jobs[0].id, count=len(jobs)), duration=4, title=words("page.note"))
        return
    if len(requests) != 1:
        raise InputError("error.batch.edit", job=editing, count=len(requests))
    desk.queue.change(editing, requests[0])
    gr.Info(words("page.changed", job=editing), duration=4, title=words("page.note"))


def start_label(editing: int | None, words: Words) -> str:
    """What is written on the start."""
    return words("do.start") if editing is None else words("do.change", job=editing)


def model_choices(direction: str, desk: Desk, words: Words) -> list[tuple[str, str]]:
    """The known models of a direction, those on this machine first."""
    names = [name for name in known() if find(name).direction == direction]
    here = [name for name in names if present(find(name), desk.settings.models)]
    ordered = sorted(names, key=lambda name: (name not in here, find(name).embedded))
    return [(model_label(name, desk, words), name) for name in ordered]


def model_label(name: str, desk: Desk, words: Words) -> str:
    """A model's name for people, with a word where it is not on this machine."""
    label = words.pick(f"choice.model.{name.replace('-', '_')}", name)
    try:
        here = present(find(name), desk.settings.models)
    except EichiError:
        here = False
    return label if here else words("page.absent", name=label)


def resolutions(model: str, words: Words) -> list[tuple[str, int | str]]:
    """The sizes of a model, its own choice first."""
    try:
        entry = find(model)
    except EichiError:
        return [(words("page.automatic"), "")]
    own: list[tuple[str, int | str]] = [(words("page.automatic_as", value=entry.resolution), "")]
    return [*own, *((str(size), size) for size in entry.sizes)]


def summary(line: str, plan: Plan | FramePlan, desk: Desk, words: Words) -> str:
    """What will be made, in a line, with the memory that it takes, and what deserves a word."""
    machine = desk.probe.look(desk.settings)
    memory = plan_memory(plan.entry, weigh(plan.need, plan.options), machine)
    sizes = {"gpu": memory.gpu, "usable": memory.usable, "ram": memory.ram}
    cpu = machine.gpu is None
    told = [words(note.id, **note.values) for note in (*memory.shortages, *plan.notes)]
    notes = "".join(f"<li>{escape(text)}</li>" for text in told)
    line += f" · {words('plan.memory_ram' if cpu else 'plan.memory', **sizes)}"
    return f'<p class="line">{escape(line)}</p><ul class="notes">{notes}</ul>'


def meter(reader: Meter | None, prompt: str, words: Words) -> str:
    """How far each encoder reads: two bars, and the words that only one sees or none."""
    if reader is None or not prompt.strip():
        return f'<div class="meter"><span class="muted">{escape(words("meter.empty"))}</span></div>'
    reading = reader.read(prompt)
    bars = "".join(
        f'<span>{escape(words(id, used=used, limit=limit))}</span><i class="bar {"over" if used > limit else ""}">'
        f'<u style="width:{min(100, 100 * used / limit):.0f}%"></u></i>'
        for id, used, limit in (
            ("meter.both", reading.clip, reading.clip_limit),
            ("meter.story", reading.llama, reading.llama_limit),
        )
    )
    tails = [("meter.only_story", reading.llama_only, "story"), ("meter.cut", reading.cut, "cut")]
    rest = "".join(
        f'<p class="{name}"><b>{escape(words(id))}</b> {escape(text.strip())}</p>'
        for id, text, name in tails
        if text.strip()
    )
    return f'<div class="meter">{bars}</div>{rest}'
