"""Plan -> latents -> frames -> file, as a generator of events.

`compute` makes the frames and holds none of them; `generate` drains it into files and says where the file is.
Callers decide between two events whether to go on, what to show and how fast. Nothing here knows a page, a queue or
a terminal.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from eichi.errors import RunError
from eichi.events import Event, FramesReady, LatentsReady, SectionDone, Started, Step
from eichi.models.load import Components
from eichi.pipeline.conditioning import encode_picture, encode_vision
from eichi.pipeline.decode import Decoder
from eichi.pipeline.job import Stop, boundary, free_name, own_components, step_cache
from eichi.pipeline.prompts import read_prompts
from eichi.pipeline.sections import Denoiser, History, Section, sample_section
from eichi.plan.keyframes import FINAL, START
from eichi.plan.plan import Plan
from eichi.video import images
from eichi.video.outputs import Outputs


def generate(
    plan: Plan, folder: Path | str = "outputs", components: Components | None = None, stop: Stop = lambda: False
) -> Iterator[Event]:
    """Run a plan; the last event is Finished, or Stopped once `stop()` is true.

    Writes `<folder>/<time>.mp4`, its poster `.png`, and what the output options ask for beside them. What is
    finished when the job is stopped is kept as a playable file.
    Raises RunError; a failed job leaves no half file behind.
    """
    components = components or own_components(plan.entry)
    pixels = _pixels(plan)
    with boundary(), Outputs(plan, free_name(Path(folder), ".mp4")) as outputs:
        for event in compute(plan, components, pixels):
            outputs.take(event)
            yield event
            if stop() and not outputs.complete:
                yield outputs.stop()
                return
        yield outputs.finish(pixels[START])


@torch.inference_mode()
def compute(plan: Plan, components: Components, pixels: dict[str, NDArray[np.uint8]]) -> Iterator[Event]:
    """The events of a plan, frames included, in the order of generation. `pixels` are the plan's pictures, fitted."""
    options = plan.options.sampling
    yield from plan.notes

    # 1. Words and pictures become conditions; the encoders' memory is given back before the transformer is loaded.
    texts = {section.prompt for section in plan.sections} | ({plan.options.negative} if options.cfg != 1.0 else set())
    words = read_prompts(components, texts)
    vision = encode_vision(components, pixels[START])
    components.release("image_encoder")
    latents = {name: encode_picture(components, picture) for name, picture in pixels.items()}
    image = latents[START]

    # 2. What lies next to the first section: nothing, the final image, or for F1 the start image.
    history = History(plan.entry.direction, image)
    if plan.entry.direction == "forward":
        history.push(image)
    elif FINAL in latents:
        history.push(latents[FINAL] * plan.options.keyframes.final_strength)

    generator = torch.Generator().manual_seed(plan.seed)
    decoder = Decoder(components.vae, plan.latents, plan.entry.direction)
    yield Started(
        plan.entry.name,
        plan.seed,
        str(components.device),
        plan.width,
        plan.height,
        plan.frames,
        plan.seconds,
        len(plan.sections),
    )
    if plan.entry.direction == "forward":
        decoder.push(0, image)
        yield LatentsReady(0, image.numpy())
    with step_cache(options, components) as cache:
        for part in plan.sections:
            # 3. Draw the section's latents.
            section = Section(
                layout=part.layout,
                anchor=latents[part.anchor],
                context=history.context(),
                image=image,
                # Users turn a strength of 1.00-1.02; the share of noise is its inverse.
                strength=1.0 / options.image_strength,
                vision=vision,
                positive=words[part.prompt],
                negative=words[plan.options.negative] if options.cfg != 1.0 else None,
            )
            if cache is not None:
                cache.reset()
            denoiser = Denoiser(components.transformer, section, options, cache)
            made = image
            for step, prediction in enumerate(sample_section(denoiser, generator), start=1):
                made = prediction.cpu()
                yield Step(part.order, len(plan.sections), step, options.steps)
            if not torch.isfinite(made).all():
                raise RunError("error.run.nan", number=part.number)

            # 4. They become history, and frames as far as their neighbours allow.
            history.push(made)
            if part.first == 1 and plan.entry.direction == "reverse":
                made, first = torch.cat([image, made], dim=2), 0
            else:
                first = part.first
            yield LatentsReady(first, made.numpy())
            reused = cache.reused if cache is not None else 0
            yield SectionDone(part.number, part.order, len(plan.sections), denoiser.evaluations - reused, reused)
            run = decoder.push(first, made)
            if run is not None:
                yield FramesReady(*run)


def _pixels(plan: Plan) -> dict[str, NDArray[np.uint8]]:
    """The plan's pictures at the size of the video, all by one geometry."""
    how = plan.options.fit
    return {name: images.fit(images.load(path), plan.width, plan.height, how) for name, path in plan.images.items()}
