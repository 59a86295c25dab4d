"""Frame plan -> one latent -> one image -> PNG, as a generator of events.

The same encoders, denoiser, sampler and decoder as for a video; what differs is the layout, which the plan holds, and
the masks: a masked-out part of a picture is taken out of its latent, so that nothing conditions the model there. That
is a hint to the model, not inpainting. `compute_frame` makes the pixels, `generate_frame` drains it into a file.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from eichi.errors import RunError
from eichi.events import (
    Adjusted,
    Event,
    FrameDrawn,
    FrameFinished,
    FramesReady,
    FrameStarted,
    LatentsReady,
    Preparing,
    Stopped,
)
from eichi.models.emptyhistory import allow_empty_history
from eichi.models.load import Components
from eichi.pipeline.checkpoint import named
from eichi.pipeline.conditioning import PromptStates, encode_picture, encode_vision
from eichi.pipeline.decode import Decoder
from eichi.pipeline.denoise import denoise_section
from eichi.pipeline.job import (
    Stop,
    arrange,
    boundary,
    computed,
    make_weights,
    mark_files,
    retry_call,
    retry_steps,
    step_cache,
)
from eichi.pipeline.promptcache import read_prompts
from eichi.pipeline.sections import Context, Denoiser, SectionInputs, make_noise
from eichi.plan.oneframe import FedPicture, FrameLayout, FramePlan
from eichi.plan.wildcards import plain
from eichi.video import images
from eichi.video.latentfile import Latents, save_latents
from eichi.video.metadata import record, save_png
from eichi.video.writer import writing


@dataclass(frozen=True)
class Fitted:
    """A picture at the size of the image: `pixels` [h, w, 3], and `mask` [h, w], 0 where it does not count, with a word
    on where it is from.
    """

    pixels: NDArray[np.uint8]
    mask: NDArray[np.uint8] | None
    word: Adjusted | None = None


def generate_frame(
    plan: FramePlan, folder: Path | str, components: Components, stop: Stop = lambda: False
) -> Iterator[Event]:
    """Run a plan; the last event is FrameFinished, or Stopped once `stop()` is true. Writes `<folder>/<time>.png`,
    and on request its latent as `.safetensors`.

    Raises RunError; a failed or stopped job leaves no file behind.
    """
    values = record(plan, mark_files(plan.options, components))
    latents: Latents | None = None
    pictures = [fit_picture(picture, plan) for picture in plan.pictures]
    yield from (fitted.word for fitted in pictures if fitted.word is not None)
    with named(Path(folder), ".png") as path, boundary():
        for event in compute_frame(plan, components, pictures):
            match event:
                case LatentsReady(_, first, made) if plan.options.output.latents:
                    latents = Latents(made, first)
                case FramesReady(_, frames):
                    values = computed(values, components)
                    with writing(path):
                        if latents is not None:
                            save_latents(path.with_suffix(".safetensors"), latents, values)
                        save_png(path, frames[0], values)
            yield event
            if stop() and not path.exists():
                yield Stopped(None, plan.seed, 0, 0)
                return
    yield FrameFinished(str(path), plan.seed, plan.layout.describe())


@torch.inference_mode()
def compute_frame(plan: FramePlan, components: Components, pictures: Sequence[Fitted]) -> Iterator[Event]:
    """The events of a plan, pixels included. `pictures` are the plan's."""
    options = plan.options.sampling
    yield from plan.notes
    yield from arrange(components, plan.options, plan.need)

    # 1. Words and pictures become conditions.
    words, vision, latents = yield from retry_steps(lambda: _encode(plan, components, pictures), components)
    image = latents[0]
    yield from make_weights(components)

    # 2. Each picture at its position, without what its mask takes out; zeros where the profile has them.
    anchor, *references = (
        latent if picture.mask is None else masked(latent, picture.mask)
        for latent, picture in zip(latents, pictures, strict=True)
    )
    section = SectionInputs(
        layout=plan.layout.section,
        anchor=anchor,
        context=surroundings(plan.layout, references, like=image),
        image=image,
        strength=plan.options.denoise,
        vision=vision,
        positive=words[plain(plan.options.prompt)],
        negative=words[plain(plan.options.negative)] if options.negated else None,
    )

    # 3. Draw the latent.
    device, positions = str(components.device), plan.layout.describe()
    yield FrameStarted(plan.entry.name, plan.seed, device, plan.width, plan.height, positions)
    yield from components.announce("drawing")
    generator = torch.Generator().manual_seed(plan.seed)
    with allow_empty_history(components.transformer), step_cache(options, components) as cache:
        denoiser = Denoiser(components.transformer, section, options, cache)
        noise = make_noise(section, generator)
        spoilt = RunError("error.run.nan_image")
        made = yield from denoise_section(components, denoiser, noise, spoilt, factor=options.shift)
        counts = denoiser.counts  # the cache forgets them
    yield FrameDrawn(*counts)
    yield LatentsReady(0, 0, made.numpy())

    # 4. A latent on its own is one image.
    run = yield from retry_call(lambda: Decoder(components.vae, 1, "forward").push(0, made), components)
    assert run is not None, "the only latent is a whole clip"
    yield FramesReady(*run)


def _encode(
    plan: FramePlan, components: Components, pictures: Sequence[Fitted]
) -> Generator[Preparing, None, tuple[dict[str, PromptStates], Tensor, list[Tensor]]]:
    """Prompts by text, what SigLIP sees, and the latents of the pictures."""
    words = yield from read_prompts(components, plan.texts)
    yield from components.bring("image_encoder", "vae")
    yield from components.announce("pictures")
    vision = seen(components, pictures, plan.options.vision)
    components.leave("image_encoder")
    return words, vision, [encode_picture(components, picture.pixels) for picture in pictures]


def seen(components: Components, pictures: Sequence[Fitted], share: float) -> Tensor:
    """SigLIP's reading [1, n, d] of the start picture, the first reference's having a `share` 0-1 in it."""
    if share == 1.0:
        return encode_vision(components, pictures[1].pixels)
    start = encode_vision(components, pictures[0].pixels)
    return start if share == 0.0 else torch.lerp(start, encode_vision(components, pictures[1].pixels), share)


def fit_picture(picture: FedPicture, plan: FramePlan) -> Fitted:
    """A picture and its mask by one geometry; without a mask of its own, a picture's transparency is its mask."""
    image, how = images.load(picture.image), plan.options.fit
    mask, word = images.mask_of(picture.image) if picture.mask is None else images.load_mask(picture.mask)
    pixels = images.fit(image, plan.width, plan.height, how)
    # A mask belongs to its picture: it is stretched to the picture's own size before anything is cut off.
    shares = None if mask is None else images.fit(images.stretch(mask, image.size), plan.width, plan.height, how)
    return Fitted(pixels, shares, word)


def masked(latent: Tensor, mask: NDArray[np.uint8]) -> Tensor:
    """A latent [1, c, 1, h, w] times its mask [8h, 8w]: white keeps, black zeroes, grey weakens."""
    height, width = latent.shape[-2:]
    share = torch.from_numpy(mask.copy())[None, None].float() / 255.0
    return latent * adaptive_avg_pool2d(share, (height, width))[:, :, None]


def surroundings(layout: FrameLayout, references: Sequence[Tensor], like: Tensor) -> Context:
    """The references, followed by the zeros that the layout has; no latent at all where it has none."""

    def zeros(count: int) -> Tensor:
        return like.new_zeros((*like.shape[:2], count, *like.shape[3:]))

    return Context(
        clean=torch.cat([*references, zeros(len(layout.post))], dim=2),
        x2=zeros(len(layout.x2)),
        x4=zeros(len(layout.x4)),
    )
