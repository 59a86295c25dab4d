"""Plan -> latents -> frames -> file, as a generator of events.

`compute` makes the frames and holds none of them; `generate` drains it into files and says where the file is.
Callers decide between two events whether to go on, what to show and how fast. Nothing here knows a page, a queue or
a terminal.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eichi.errors import RunError
from eichi.events import Event, FramesReady, LatentsReady, SectionDone, Started, Step
from eichi.models.load import Components
from eichi.pipeline.checkpoint import Checkpoint, beside
from eichi.pipeline.conditioning import Words, encode_picture, encode_vision
from eichi.pipeline.decode import Decoder, LoopDecoder
from eichi.pipeline.job import Stop, boundary, free_name, own_components, step_cache
from eichi.pipeline.prompts import read_prompts
from eichi.pipeline.sections import Denoiser, History, Section, draw_noise, sample_section
from eichi.plan.keyframes import CONNECTING, END, FINAL, START
from eichi.plan.plan import Plan
from eichi.video import images
from eichi.video.latents import load_latents, measure_latents
from eichi.video.outputs import Outputs


def generate(
    plan: Plan,
    folder: Path | str = "outputs",
    components: Components | None = None,
    stop: Stop = lambda: False,
    checkpoint: Checkpoint | None = None,
) -> Iterator[Event]:
    """Run a plan; the last event is Finished, or Stopped once `stop()` is true.

    Writes `<folder>/<time>.mp4`, its poster `.png`, and what the output options ask for beside them. What is
    finished when the job is stopped is kept as a playable file. After every section the job can be gone on with from
    its `checkpoint`, which is what an interrupted job leaves and what a finished one does not. One that is not begun
    gives the video its name. Raises RunError.
    """
    components = components or own_components(plan.entry)
    checkpoint = checkpoint or beside(free_name(Path(folder), ".mp4"))
    if checkpoint.begun:
        checkpoint.check(plan, components)
        pixels, before = checkpoint.pictures(), checkpoint.sections()
    else:
        pixels, before = _pixels(plan), kept_latents(plan)
        checkpoint.begin(plan, components, pixels)
    outputs = Outputs(plan, checkpoint.result, checkpoint.folder)
    try:
        with boundary():
            for event in compute(plan, components, pixels, before):
                if isinstance(event, LatentsReady) and event.order is not None:
                    checkpoint.keep(event.order, event.latents[:, :, -plan.window :])
                outputs.take(event)
                yield event
                if stop() and not outputs.complete:
                    yield outputs.stop()
                    return
            last = outputs.finish(pixels[START])
            checkpoint.discard()
            yield last
    finally:
        if not checkpoint.sections():
            checkpoint.discard()


@torch.inference_mode()
def compute(
    plan: Plan, components: Components, pixels: dict[str, NDArray[np.uint8]], before: Sequence[Tensor] = ()
) -> Iterator[Event]:
    """The events of a plan, frames included, in the order of generation. `pixels` are the plan's pictures, fitted.

    `before` are the latents of the first sections, where they were made before; they are taken over as they are.
    """
    options = plan.options.sampling
    yield from plan.notes

    # 1. Words and pictures become conditions; the encoders' memory is given back before the transformer is loaded.
    given = _encode(plan, components, pixels)
    image, latents = given.latents[START], given.latents

    # 2. What lies next to the first section: nothing, the final image, or for F1 the start image.
    history = History(plan.entry.direction, image)
    if FINAL in latents:
        history.push(latents[FINAL] * plan.options.keyframes.final_strength)
    decoder = _decoder(plan, components)
    generator = torch.Generator().manual_seed(plan.seed)
    yield _started(plan, components)
    if plan.entry.direction == "forward":
        history.push(image)
        decoder.push(0, image)
        yield LatentsReady(None, 0, image.numpy())
    with step_cache(options, components) as cache:
        for part in plan.sections:
            # 3. Draw the section's latents.
            section = Section(
                layout=part.layout,
                anchor=latents[part.anchor],
                context=history.context(),
                image=image,
                # Users turn a strength of 1.00-1.02; the share of noise is its inverse, in the first section only.
                strength=1.0 / options.image_strength if part.order == 0 else 1.0,
                vision=given.vision,
                positive=given.words[part.prompt],
                negative=given.words[plan.options.negative] if options.cfg != 1.0 else None,
            )
            if cache is not None:
                cache.reset()
            denoiser = Denoiser(components.transformer, section, options, cache)
            noise = draw_noise(section, generator)
            taken = part.order < len(before)
            made = before[part.order] if taken else image
            for step, prediction in enumerate([] if taken else sample_section(denoiser, noise), start=1):
                made = prediction.cpu()
                yield Step(part.order, len(plan.sections), step, options.steps)
            if not torch.isfinite(made).all():
                raise RunError("error.run.nan", number=part.number)

            # 4. They become history, and frames as far as their neighbours allow.
            first = part.first
            if part.order == 0:
                latents[END] = made[:, :, -1:]
            if first == 1 and plan.entry.direction == "reverse":
                first, made = 0, torch.cat([image, made], dim=2)
            history.push(made)
            yield LatentsReady(part.order, first, made.numpy())
            reused = cache.reused if cache is not None else 0
            yield SectionDone(part.number, part.order, len(plan.sections), denoiser.evaluations - reused, reused)
            run = decoder.push(first, made)
            if run is not None:
                yield FramesReady(*run)


@dataclass(frozen=True)
class Given:
    """What the sections are drawn from: prompts by text, the start picture's vision, pictures' latents by name."""

    words: dict[str, Words]
    vision: Tensor
    latents: dict[str, Tensor]


def _encode(plan: Plan, components: Components, pixels: dict[str, NDArray[np.uint8]]) -> Given:
    """Everything that is read before the first section."""
    texts = {section.prompt for section in plan.sections}
    if plan.options.sampling.cfg != 1.0:
        texts.add(plan.options.negative)
    words = read_prompts(components, texts)
    vision = encode_vision(components, pixels[START])
    components.release("image_encoder")
    latents = {name: encode_picture(components, picture) for name, picture in pixels.items()}
    return Given(words, vision, latents)


def kept_latents(plan: Plan) -> list[Tensor]:
    """The latents of the sections that the plan takes over, in the order they were made."""
    path = plan.options.kept.latents
    if path is None:
        return []
    file, shape = load_latents(path), measure_latents(path)
    places = (shape.place(part.order, plan.window, plan.entry.direction) for part in plan.sections if part.kept)
    return [torch.from_numpy(file.values[:, :, place : place + plan.window].copy()) for place in places]


def _decoder(plan: Plan, components: Components) -> Decoder | LoopDecoder:
    """What turns this plan's latents into frames, in the order they come."""
    if plan.sections[-1].number == CONNECTING:
        return LoopDecoder(components.vae, plan.latents, plan.window)
    return Decoder(components.vae, plan.latents, plan.entry.direction)


def _started(plan: Plan, components: Components) -> Started:
    name, device, count = plan.entry.name, str(components.device), len(plan.sections)
    return Started(name, plan.seed, device, plan.width, plan.height, plan.frames, plan.seconds, count)


def _pixels(plan: Plan) -> dict[str, NDArray[np.uint8]]:
    """The plan's pictures at the size of the video, all by one geometry."""
    how = plan.options.fit
    return {name: images.fit(images.load(path), plan.width, plan.height, how) for name, path in plan.images.items()}
