"""The tools on latent files that need a model: to a video, from a video, and what lies between two files.

Generators of events like every job; files appear under their names when they are complete. Reading and writing a video
loads the VAE and nothing else, and holds a few tiles of it; latents are held whole, a hundredth of the pixels' memory.
How clips lie in one file stands in `plan.splice`, how a gap is filled in `plan.fill`.
"""

from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLHunyuanVideo
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from eichi.errors import InputError, RunError
from eichi.events import Adjusted, Converted, Event, FileFinished, FramesReady, Preparing, SectionDone, Stopped
from eichi.models.load import Components
from eichi.options import quality
from eichi.pipeline.conditioning import encode_vision
from eichi.pipeline.decode import TILE, Decoder
from eichi.pipeline.denoise import denoise_section
from eichi.pipeline.encode import encode
from eichi.pipeline.job import Stop, arrange, boundary, computed, make_weights, mark_files, retry_steps, step_cache
from eichi.pipeline.promptcache import read_prompts
from eichi.pipeline.sections import Denoiser, History, SectionInputs, make_noise
from eichi.plan.fill import FillPlan
from eichi.plan.memory import Need
from eichi.plan.splice import frame_total, stretches
from eichi.plan.timeline import FPS, frame_count, latents_for
from eichi.plan.wildcards import plain
from eichi.video import images
from eichi.video.latentfile import Latents, load_latents
from eichi.video.metadata import tags
from eichi.video.reader import VideoShape, measure_video, read_frames
from eichi.video.splice import figures, fill_record, read_source, save, tool_record
from eichi.video.writer import Writer

RUN = 9  # latents decoded at a time; their frames become one segment of the video


@torch.inference_mode()
def decode(vae: AutoencoderKLHunyuanVideo, latents: Latents) -> Iterator[FramesReady]:
    """All frames of a file, each clip on a tile grid of its own, in the order of time."""
    begin = 0
    for stretch in stretches(latents.shape):
        decoder = Decoder(vae, len(stretch), "forward")
        for place in range(stretch.start, stretch.stop, RUN):
            part = latents.values[:, :, place : min(place + RUN, stretch.stop)]
            run = decoder.push(place - stretch.start, torch.from_numpy(part.copy()))
            if run is not None:
                yield FramesReady(begin + run[0], run[1])
        begin += frame_count(len(stretch))


def to_mp4(path: Path, target: Path, components: Components, crf: int, stop: Stop = lambda: False) -> Iterator[Event]:
    """Decode a latent file into a video; the last event is FileFinished, or Stopped. Raises InputError, RunError."""
    latents, source = load(path, components), read_source(path)
    shape = latents.shape
    total = frame_total(shape)
    if quality(crf) != crf:
        yield Adjusted("note.crf", {"asked": crf, "used": quality(crf)})
    with boundary("vae"), Writer(target, shape.width * 8, shape.height * 8, crf) as writer:
        for run in decode(components.vae, latents):
            writer.add(run.first, run.frames)
            yield Converted(writer.encoded, total)
            if stop() and writer.encoded < total:
                yield Stopped(None, 0, 0, 0)
                return
        writer.publish(tags(tool_record("to-mp4", [source], shape, components.entry.name, {"crf": crf})))
    yield FileFinished(str(target), **figures(shape))


def from_mp4(
    path: Path, target: Path, components: Components, size: tuple[int, int], stop: Stop = lambda: False
) -> Iterator[Event]:
    """Encode a video, fitted to `size` (height, width), into a latent file; the last event is FileFinished or Stopped.

    Every frame is kept. Raises InputError, RunError.
    """
    clip, source = measure_video(path), read_source(path)
    if clip.rate != FPS:
        yield Adjusted("note.video.rate", {"path": str(path), "rate": round(clip.rate, 2), "fps": FPS})
    if clip.bright:
        yield Adjusted("note.video.bright", {"path": str(path)})
    if (clip.height, clip.width) != size:
        yield Adjusted("note.video.fit", {"width": size[1], "height": size[0]})
    read = _Counted(path, clip, size)
    runs: list[Tensor] = []
    with boundary("vae"):
        for run in encode(components.vae, read):
            runs.append(run)
            yield Converted(read.count, clip.frames)
            if stop() and read.count < clip.frames:
                yield Stopped(None, 0, 0, 0)
                return
    if read.uneven:
        yield Adjusted("note.video.uneven", {"path": str(path), "fps": FPS})
    if read.count < clip.frames:
        yield Adjusted("note.video.short", {"path": str(path), "said": clip.frames, "read": read.count})
    if repeated := frame_count(latents_for(read.count)) - read.count:
        yield Adjusted("note.video.repeated", {"count": repeated})
    latents = Latents(torch.cat(runs, dim=2).numpy(), 0)
    model = components.entry.name
    yield save(target, latents, tool_record("from-mp4", [source], latents.shape, model, {"model": model}))


@torch.inference_mode()
def fill(plan: FillPlan, target: Path, components: Components, stop: Stop = lambda: False) -> Iterator[Event]:
    """Write two latent files and what is made between them; the last event is FileFinished or Stopped.

    Raises InputError, RunError.
    """
    for event in _fill(plan, target, components):
        yield event
        if stop() and not isinstance(event, FileFinished):
            yield Stopped(None, plan.seed, 0, 0)
            return


def _fill(plan: FillPlan, target: Path, components: Components) -> Iterator[Event]:
    """All of it, whether it is stopped or not."""
    options, paths = plan.options.sampling, (plan.options.before, plan.options.after)
    before, after = (load(path, components) for path in paths)
    yield from plan.notes
    yield from arrange(components, plan.options, Need(plan.shape.height * 8, plan.shape.width * 8, plan.options.length))
    with boundary():
        section = yield from retry_steps(lambda: _between(plan, components, before, after), components)
        yield from make_weights(components)
        yield from components.announce("drawing")
        with step_cache(options, components) as cache:
            denoiser = Denoiser(components.transformer, section, options, cache)
            noise = make_noise(section, torch.Generator().manual_seed(plan.seed))
            made = yield from denoise_section(components, denoiser, noise, RunError("error.run.nan", number=0))
            counts = denoiser.counts  # the cache forgets them
    yield SectionDone(0, 0, 1, *counts)
    values = np.concatenate([before.values, made.numpy(), after.values], axis=2)
    record = fill_record(plan, [read_source(path) for path in paths], mark_files(plan.options, components))
    whole = Latents(values, plan.shape.first, plan.shape.joints)
    yield save(target, whole, computed(record, components))


def _between(
    plan: FillPlan, components: Components, before: Latents, after: Latents
) -> Generator[Preparing, None, SectionInputs]:
    """What the gap is drawn from: words, the picture before it for SigLIP, the latents on both sides."""
    options = plan.options
    words = yield from read_prompts(components, plan.texts)
    yield from components.bring("vae")
    yield from components.announce("pictures")
    frame = last_frame(components.vae, before)  # before the encoder comes, beside which there may be no room for it
    yield from components.bring("image_encoder")
    vision = encode_vision(components, frame)
    components.leave("image_encoder")
    anchor = torch.from_numpy(before.values[:, :, -1:].copy())
    history = History("reverse", anchor)
    history.push(torch.from_numpy(after.values[:, :, stretches(after.shape)[0]]))
    return SectionInputs(
        layout=plan.layout,
        anchor=anchor,
        context=history.context(),
        image=anchor,
        strength=1.0,
        vision=vision,
        positive=words[plain(options.prompt)],
        negative=words[plain(options.negative)] if options.sampling.negated else None,
    )


def load(path: Path, components: Components) -> Latents:
    """The latents of a file, for a model. Raises InputError where it has another number of channels."""
    latents, channels = load_latents(path), components.vae.config.latent_channels
    if latents.shape.channels != channels:
        raise InputError("error.latents.channels", path=path, there=latents.shape.channels, channels=channels)
    return latents


def last_frame(vae: AutoencoderKLHunyuanVideo, latents: Latents) -> NDArray[np.uint8]:
    """The frame [height, width, 3] that a file ends with, of which one tile is decoded."""
    clip = stretches(latents.shape)[-1]
    tail = latents.values[:, :, clip][:, :, -TILE:]
    run = Decoder(vae, tail.shape[2], "forward").push(0, torch.from_numpy(tail.copy()))
    assert run is not None, "a tile or less is decoded at once"
    frame: NDArray[np.uint8] = run[1][-1]
    return frame


class _Counted:
    """The frames of a video at the size of the latents, counted as they are read, and whether at an even pace."""

    def __init__(self, path: Path, clip: VideoShape, size: tuple[int, int]) -> None:
        self.path = path
        self.same = (clip.height, clip.width) == size
        self.size = size
        self.count = 0
        self.uneven = False
        self._step = 1 / clip.rate if clip.rate else 0.0

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        height, width = self.size
        before: float | None = None
        for frame in read_frames(self.path):
            self.count += 1
            if before is not None and self._step:
                self.uneven |= abs(frame.time - before - self._step) > self._step / 2
            before = frame.time
            yield frame.pixels if self.same else images.fit(Image.fromarray(frame.pixels), width, height, "crop")
