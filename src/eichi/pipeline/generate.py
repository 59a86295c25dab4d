"""Plan -> latents -> frames -> file, as a generator of events.

`compute` makes the frames and holds none of them; `generate` drains it into a writer and says where the file is.
Callers decide between two events whether to go on, what to show and how fast. Nothing here knows a page, a queue or
a terminal.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from eichi.errors import DeviceError, RunError
from eichi.events import Event, Finished, FramesReady, SectionDone, Started, Step, Stopped
from eichi.models.load import Components
from eichi.models.stepcache import TeaCache, TeaConfig, apply_teacache, remove_teacache
from eichi.pipeline.conditioning import Words, encode_picture, encode_prompt, encode_vision
from eichi.pipeline.decode import Decoder
from eichi.pipeline.sections import Denoiser, History, Section, sample_section
from eichi.plan.keyframes import FINAL, START
from eichi.plan.plan import Plan
from eichi.settings import load_settings
from eichi.video import images
from eichi.video.metadata import record, save_png, tags
from eichi.video.writer import Writer

Stop = Callable[[], bool]


def generate(
    plan: Plan, folder: Path | str = "outputs", components: Components | None = None, stop: Stop = lambda: False
) -> Iterator[Event]:
    """Run a plan; the last event is Finished, or Stopped once `stop()` is true.

    Writes `<folder>/<time>.mp4` and `.png`. What is finished when the job is stopped is kept as a playable file.
    Raises RunError; a failed job leaves no half file behind.
    """
    components = components or _own_components(plan)
    path = _free_name(Path(folder))
    pixels = _pixels(plan)
    values = record(plan)
    done = 0
    with _boundary(), Writer(path, plan.width, plan.height, plan.options.output.crf) as writer:
        for event in compute(plan, components, pixels):
            if isinstance(event, FramesReady):
                writer.add(event.first, event.frames)
            done += isinstance(event, SectionDone)
            yield event
            if stop() and writer.encoded < plan.frames:
                yield _stopped(plan, writer, done, values)
                return
        frames = writer.publish(tags(values))
        poster = path.with_suffix(".png")
        save_png(poster, pixels[START], values)
    yield Finished(str(path), str(poster), plan.seed, frames, plan.seconds, len(plan.sections))


@torch.inference_mode()
def compute(plan: Plan, components: Components, pixels: dict[str, NDArray[np.uint8]]) -> Iterator[Event]:
    """The events of a plan, frames included, in the order of generation. `pixels` are the plan's pictures, fitted."""
    options = plan.options.sampling
    yield from plan.notes

    # 1. Words and pictures become conditions; the encoders' memory is given back before the transformer is loaded.
    words = _words(plan, components)
    components.release("text_encoder", "text_encoder_2")
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
    if plan.entry.direction == "forward":
        decoder.push(0, image)
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
    with _teacache(plan, components) as cache:
        for part in plan.sections:
            # 3. Draw the section's latents.
            section = Section(
                layout=part.layout,
                anchor=latents[part.anchor],
                context=history.context(),
                image=image,
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
            reused = cache.reused if cache is not None else 0
            yield SectionDone(part.number, part.order, len(plan.sections), denoiser.evaluations - reused, reused)
            run = decoder.push(first, made)
            if run is not None:
                yield FramesReady(*run)


def _words(plan: Plan, components: Components) -> dict[str, Words]:
    """Every text that the sections need, read once."""
    texts = {section.prompt for section in plan.sections}
    if plan.options.sampling.cfg != 1.0:
        texts.add(plan.options.negative)
    return {text: encode_prompt(components, text) for text in sorted(texts)}


def _pixels(plan: Plan) -> dict[str, NDArray[np.uint8]]:
    """The plan's pictures at the size of the video, all by one geometry."""
    how = plan.options.fit
    return {name: images.fit(images.load(path), plan.width, plan.height, how) for name, path in plan.images.items()}


@contextmanager
def _teacache(plan: Plan, components: Components) -> Iterator[TeaCache | None]:
    """The step cache on the transformer for the time of a job, None where it is off."""
    options = plan.options.sampling
    if not options.teacache:
        yield None
        return
    config = TeaConfig(options.threshold, plan.entry.teacache, options.steps)
    cache = apply_teacache(components.transformer, config)
    try:
        yield cache
    finally:
        remove_teacache(components.transformer)


def _stopped(plan: Plan, writer: Writer, sections: int, values: dict[str, object]) -> Stopped:
    """Keep what is finished of a stopped job as a file of its own."""
    if not writer.encoded:
        return Stopped(None, plan.seed, 0, sections)
    path = writer.path.with_name(f"{writer.path.stem}_stopped.mp4")
    frames = writer.publish(tags(values), path)
    return Stopped(str(path), plan.seed, frames, sections)


def _own_components(plan: Plan) -> Components:
    settings = load_settings()
    return Components(plan.entry, settings.models, settings.device)


def _free_name(folder: Path) -> Path:
    """A name for the result that nothing in the folder has yet: date, time and milliseconds."""
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        path = folder / f"{datetime.now():%y%m%d_%H%M%S_%f}"[:-3]
        if not any(path.parent.glob(f"{path.name}*")):
            return path.with_suffix(".mp4")


@contextmanager
def _boundary() -> Iterator[None]:
    """The one place where torch's complaints about a run become ours."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise DeviceError("error.device.memory", part="transformer") from error
