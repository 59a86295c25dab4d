"""Plan -> latents -> frames -> file, as a generator of events.

`draw` makes the latents, `compute` decodes them beside that and holds no frames, `generate` drains both into files and
says where the file is. Callers decide between two events whether to go on, what to show and how fast. Nothing here
knows a page, a queue or a terminal.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eichi.errors import InputError, RunError
from eichi.events import Adjusted, Event, FramesReady, LatentsReady, Preparing, SectionDone, Started, Step
from eichi.models.load import Components
from eichi.pipeline.background import BackgroundDecoder
from eichi.pipeline.checkpoint import Checkpoint, new_checkpoint, sweep
from eichi.pipeline.colour import Colours
from eichi.pipeline.conditioning import PromptStates, blend, encode_picture, encode_vision
from eichi.pipeline.context import Ends, read_ends
from eichi.pipeline.decode import Decoder, LoopDecoder, PartDecoder
from eichi.pipeline.denoise import denoise_section
from eichi.pipeline.job import (
    ATTENTION,
    Stop,
    arrange,
    boundary,
    computed,
    make_weights,
    retry_steps,
    step_cache,
)
from eichi.pipeline.originals import originals
from eichi.pipeline.promptcache import read_prompts
from eichi.pipeline.sections import Denoiser, History, SectionInputs, close_loop, make_noise
from eichi.plan.keyframes import CONNECTING, END, FINAL, START
from eichi.plan.plan import BEFORE, Plan, SectionPlan
from eichi.plan.wildcards import plain
from eichi.video.join import Around
from eichi.video.metadata import Record
from eichi.video.outputs import Outputs
from eichi.video.quality import watch

TWENTIETHS = 20  # how often it is said how far a video is encoded


def generate(
    plan: Plan,
    folder: Path | str,
    components: Components,
    stop: Stop = lambda: False,
    checkpoint: Checkpoint | None = None,
    previews: int = 0,
    retire: bool = False,
) -> Iterator[Event]:
    """Run a plan; the last event is Finished, or Stopped once `stop()` is true, which is asked after every event.

    Writes `<folder>/<time>.mp4`, its poster `.png`, and what the output options ask for beside them. What is
    finished when the job is stopped is kept as a playable file. After every section the job can be gone on with from
    its `checkpoint`, which is what an interrupted job leaves and what a finished one does not; of one that is to
    `retire` the sections stay. One that is not begun gives the video its name; one that is begun goes on by a plan
    that may have other prompts and pictures for sections that are not made yet. There is a Preview after every
    `previews` steps, none for 0. Raises RunError, and InputError where the video of one that is not begun is there.
    """
    if checkpoint is None:
        sweep(Path(folder))
        checkpoint = new_checkpoint(Path(folder))
    fresh = not checkpoint.begun
    if not fresh:
        checkpoint.check(plan, components)
    with checkpoint.held(), boundary():
        if fresh:
            if checkpoint.result.exists():  # of a run that is over
                raise InputError("error.resume.finished", path=checkpoint.result)
            checkpoint.begin(plan, components, originals(plan))
        else:
            planned = checkpoint.plan(plan.entry)
            yield from checkpoint.mend(planned, originals(planned))
            yield from checkpoint.turn(plan, components, originals(plan))
            yield from _drawn_otherwise(checkpoint.record(plan), components)
        pixels, around = checkpoint.pictures(), checkpoint.around(plan)
        with checkpoint.threads():
            record = computed(checkpoint.record(plan), components)
            place = checkpoint.result, checkpoint.folder
            outputs = Outputs(plan, record, *place, checkpoint.finished, Around(**around))
            called = {str(path): str(plan.around[name]) for name, path in around.items()}
            notes = tuple(_called(note, called) for note in outputs.notes)
            yield from _laid(outputs, notes)
            rest = tuple(note for note in plan.notes if note not in notes)
            plan = replace(plan, notes=rest, whole=outputs.whole)
            before = checkpoint.sections()
            poster = pixels[START]
            events = compute(plan, components, pixels, before, stop, previews, around)
            for event in watch(plan, pixels.values(), events):
                if isinstance(event, LatentsReady) and event.order is not None:
                    made = event.latents[:, :, -plan.window :]
                    if not checkpoint.keep(event.order, made, outputs.segments):
                        yield Adjusted("note.resume.otherwise", {"number": plan.sections[event.order].number})
                poster = _poster(plan, event, poster)
                outputs.take(event)
                yield event
            outputs.values = computed(record, components)  # a kernel may have been dropped meanwhile
            yield from checkpoint.vouch(plan, originals(plan))
            if not outputs.complete:
                stopped = outputs.stop(0 if fresh else checkpoint.made)
                yield from (_called(note, called) for note in outputs.apart)
                yield stopped
                return
            last = outputs.finish(poster)
            checkpoint.retire() if retire else checkpoint.discard()
            yield last


def _laid(outputs: Outputs, notes: Iterable[Adjusted]) -> Iterator[Event]:
    """Encode what is around the new part and cannot stay as it is, before anything is drawn, so that what cannot be
    read is known by then; words on what is done to it, and how far it is.
    """
    yield from notes
    told = 0
    for event in outputs.lay():
        if event.total and event.done * TWENTIETHS // event.total > told:
            told = event.done * TWENTIETHS // event.total
            yield event


def _called(note: Adjusted, names: Mapping[str, str]) -> Adjusted:
    """A word on a file by the name that this has outside."""
    path = names.get(str(note.values.get("path")))
    return note if path is None else Adjusted(note.id, {**note.values, "path": path})


def _poster(plan: Plan, event: Event, before: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What stands for the video: its start picture, and one from its middle where that is made and shows nothing."""
    if (
        isinstance(event, FramesReady)
        and plan.made
        and 0 <= (place := plan.frames // 2 - event.first) < len(event.frames)
    ):
        shown: NDArray[np.uint8] = event.frames[place].copy()
        return shown
    return before


def _drawn_otherwise(record: Record, components: Components) -> Iterator[Adjusted]:
    """A word where a job goes on by another kernel than it was drawn by so far."""
    before, now = record.get(ATTENTION, ""), components.kernels.record.get(ATTENTION, "")
    if before and before.split(", ")[-1] != now:
        yield Adjusted("note.resume.attention", {"before": before, "now": now})


def compute(
    plan: Plan,
    components: Components,
    pixels: dict[str, NDArray[np.uint8]],
    before: Iterable[Tensor | None] = (),
    stop: Stop = lambda: False,
    previews: int = 0,
    sources: Mapping[str, Path] | None = None,
) -> Iterator[Event]:
    """The events of a plan, frames included. `pixels` are the plan's pictures, fitted, `sources` the videos that it is
    made for, where these are not read from where the request says.

    `before` are the latents of the sections that were made before, in order, None for one that was not; they are taken
    over as they are.
    A section is decoded beside the first half of the next one's steps: always at the same place among the events, and
    early enough to be looked at. Once `stop()` is true nothing more is drawn, and what was drawn comes out.
    """
    middle, colours = (plan.options.sampling.steps + 1) // 2, Colours(plan, pixels)
    with BackgroundDecoder(lambda: _decoder(plan, components), components) as decoding:
        for event in sample_latents(plan, components, pixels, before, previews, sources):
            yield event
            match event:
                case Step(step=step) if step == middle:
                    yield from colours.through(decoding.take())
                case LatentsReady(_, first, latents):
                    yield from colours.through(decoding.take())
                    decoding.push(first, torch.from_numpy(latents))
            if stop():
                break
        yield from colours.through(decoding.take())


@torch.inference_mode()
def sample_latents(
    plan: Plan,
    components: Components,
    pixels: dict[str, NDArray[np.uint8]],
    before: Iterable[Tensor | None] = (),
    previews: int = 0,
    sources: Mapping[str, Path] | None = None,
) -> Iterator[Event]:
    """The events of a plan up to its latents, in the order of generation; parameters as those of `compute`."""
    options = plan.options.sampling
    yield from plan.notes
    yield from arrange(components, plan.options, plan.need, together=True)

    # 1. Words and pictures become conditions; the encoders' memory is given back before the transformer is loaded.
    around = plan.sources if sources is None else sources
    given = yield from retry_steps(lambda: _encode(plan, components, pixels, around), components)
    yield from make_weights(components)
    image, latents = given.latents[START], given.latents

    # 2. What lies next to the first section: nothing, the final image or the video after it, or for F1 what is before.
    history, start = _around(plan, given), given.start
    taken, generator = iter(before), torch.Generator().manual_seed(plan.seed)
    yield _started(plan, components)
    if plan.entry.direction == "forward":
        yield LatentsReady(None, 1 - start.shape[2], start.numpy())
    drawn = False
    with step_cache(options, components) as cache:
        for part in plan.sections:
            # 3. Draw the section's latents.
            section = SectionInputs(
                layout=part.layout,
                anchor=given.anchor(part),
                context=history.context(),
                image=image,
                # Users turn a strength of 100-102 %; the share of noise is its inverse, in the first section only.
                strength=100.0 / options.image_strength if part.order == 0 else 1.0,
                vision=given.vision,
                positive=given.said(part),
                negative=given.words[plain(plan.options.negative)] if options.negated else None,
            )
            denoiser = Denoiser(components.transformer, section, options, cache)
            noise = make_noise(section, generator)
            made = next(taken, None)
            if made is None:
                if not drawn:
                    yield from components.announce("drawing")
                drawn = True
                spoilt = RunError("error.run.nan", number=part.number)
                place = part.order, len(plan.sections)
                made = yield from denoise_section(components, denoiser, noise, spoilt, place, previews=previews)
                if part.meets:
                    made = close_loop(made, image, part.meets, components.entry.moment)

            # 4. They become history. What is decoded from them is for `compute` to say.
            first = part.first
            if part.order == 0:
                latents[END] = made[:, :, -1:]
            if first == 1 and plan.entry.direction == "reverse":
                first, made = 1 - start.shape[2], torch.cat([start, made], dim=2)
            history.push(made)
            yield LatentsReady(part.order, first, made.numpy())
            yield SectionDone(part.number, part.order, len(plan.sections), *denoiser.counts)


@dataclass(frozen=True)
class Conditions:
    """What the sections are drawn from: prompts by text, the start picture's vision, pictures' latents by name, and
    those of the videos around.
    """

    words: dict[str, PromptStates]
    vision: Tensor
    latents: dict[str, Tensor]
    ends: Ends

    @property
    def start(self) -> Tensor:
        """What frames are decoded from before the new latents: the start picture's, and what lies before a cut."""
        image = self.latents[START]
        return image if self.ends.before is None else torch.cat([self.ends.lead, image], dim=2)

    def anchor(self, section: SectionPlan) -> Tensor:
        """What a section comes from."""
        if section.anchor == START and self.ends.anchor is not None:
            return self.ends.anchor
        return self.latents[section.anchor]

    def said(self, section: SectionPlan) -> PromptStates:
        """The words of a section; after a change of prompt they are blended."""
        later = self.words[plain(section.prompt)]
        return later if section.earlier is None else blend(self.words[plain(section.earlier)], later, section.share)


def _encode(
    plan: Plan, components: Components, pixels: dict[str, NDArray[np.uint8]], sources: Mapping[str, Path]
) -> Generator[Preparing, None, Conditions]:
    """Everything that is read before the first section."""
    words = yield from read_prompts(components, plan.texts)
    yield from components.bring("image_encoder", "vae")
    yield from components.announce("pictures")
    vision = encode_vision(components, pixels[START])
    components.leave("image_encoder")
    ends = read_ends(plan, components.vae, sources)
    latents = {name: encode_picture(components, picture) for name, picture in pixels.items()}
    if ends.before is not None:
        latents[START] = ends.before[:, :, -1:]
    return Conditions(words, vision, latents, ends)


def _around(plan: Plan, given: Conditions) -> History:
    """What lies next to the first section."""
    image, ends = given.latents[START], given.ends
    history = History(plan.entry.direction, image, len(plan.sections[0].layout.clean))
    if plan.entry.direction == "forward":
        history.push(image if ends.before is None else ends.before)
    elif ends.after is not None:
        history.push(ends.after)
    elif FINAL in given.latents:
        history.push(given.latents[FINAL] * plan.options.keyframes.final_strength)
    return history


def _decoder(plan: Plan, components: Components) -> Decoder | LoopDecoder | PartDecoder:
    """What turns this plan's latents into frames, in the order they come."""
    if BEFORE in plan.sources:
        return PartDecoder(components.vae, plan.latents, plan.entry.direction)
    if plan.sections[-1].number == CONNECTING:
        return LoopDecoder(components.vae, plan.latents, plan.window)
    return Decoder(components.vae, plan.latents, plan.entry.direction)


def _started(plan: Plan, components: Components) -> Started:
    name, device, count = plan.entry.name, str(components.device), len(plan.sections)
    made = plan.width, plan.height, plan.frames, plan.seconds
    return Started(name, plan.seed, device, *made, count, plan.whole)
