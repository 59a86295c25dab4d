"""The shipped model judged through the program itself: pictures from files, prompts as typed, frames as they leave.

This drives `eichi`'s pipeline, with its tokenizers, solver, step cache and streaming decode, so that a figure is what a
user gets.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from eichi import make_frame_plan, make_plan
from eichi.catalog import ModelFolders, find
from eichi.events import Event, FramesReady, LatentsReady, SectionDone
from eichi.models.load import Components
from eichi.options import FrameOptions, VideoOptions
from eichi.pipeline.conditioning import encode_picture
from eichi.pipeline.generate import compute, sample_latents
from eichi.pipeline.oneframe import compute_frame, fit_picture
from eichi.pipeline.originals import fitted
from eichi.plan.plan import Plan
from eichi.settings import Runtime
from training import sprites, track, world
from training.codec import GROUP
from training.decoder import decibels
from training.words import DIRECTIONS

SIDE = 64  # pixels of a picture, which is square; tests are four times as quick as at the usual 128
FIRST = 9000  # number of the first held-out scene, as in the report
LEAST = 0.05  # of the width: less is not a movement
SEEN = 0.01  # of the picture: a sprite of which less stands out cannot be followed

Clip: TypeAlias = Tensor  # (frames, 3, height, width) in -1..1


@dataclass(frozen=True)
class Subject:
    """A held-out picture on disk, what is around its sprite, and how it ends if it does what its own motion says."""

    scene: world.Scene
    picture: Path
    background: Tensor  # (1, 3, h, w) as the decoder shows it
    last: Path

    @property
    def sprite(self) -> str:
        """What prompts call it."""
        return self.scene.name.split()[1]


class Judge:
    """One model of the catalogue and some held-out pictures, kept in a folder."""

    def __init__(self, model: str, count: int, folder: Path, side: int = SIDE) -> None:
        self.components = Components(find(model), Runtime(ModelFolders(folder), "cpu", folder / "cache"))
        self.folder, self.side = folder, side
        self.subjects = [self._subject(scene) for scene in islice(held(side), count)]

    def others(self, sprite: str, count: int) -> list[Subject]:
        """More held-out pictures, all with the same kind of sprite."""
        wanted = (scene for scene in held(self.side) if scene.name.endswith(sprite))
        return [self._subject(scene) for scene in islice(wanted, count)]

    def clip(self, subject: Subject, said: str, **options: Any) -> Clip:
        """The frames (n, 3, h, w) in -1..1 of one video; `{s}` in a prompt is the sprite, `options` change the rest."""
        return joined(self.events(subject, said, **options))

    def events(self, subject: Subject, said: str, **options: Any) -> list[Event]:
        """All that the program says while it makes this video."""
        plan, pixels = self._planned(subject, said, options)
        return list(compute(plan, self.components, pixels))

    def drawn(self, subject: Subject, said: str, **options: Any) -> tuple[Tensor, list[SectionDone]]:
        """A video's latents (n, 16, h, w), in the order of time, and its sections. Half the price of its frames."""
        plan, pixels = self._planned(subject, said, options)
        events = list(sample_latents(plan, self.components, pixels))
        runs = {event.first: event.latents for event in events if isinstance(event, LatentsReady)}
        latents = np.concatenate([runs[first] for first in sorted(runs)], axis=2)
        return torch.from_numpy(latents[0]).transpose(0, 1), [e for e in events if isinstance(e, SectionDone)]

    @torch.inference_mode()
    def shots(self, latents: Tensor) -> Clip:
        """What each of some latents (n, 16, h, w) shows: the last of its four frames."""
        vae = self.components.vae
        shown: Tensor = vae.decode(latents[:, :, None].to(vae.dtype) / vae.config.scaling_factor).sample
        return shown[:, :, 0].float().clamp(-1, 1)

    def latent(self, path: Path) -> Tensor:
        """A picture's latent (16, h, w)."""
        return encode_picture(self.components, np.asarray(Image.open(path)))[0, :, 0]

    def image(self, subject: Subject, said: str, **options: Any) -> Clip:
        """A single image (1, 3, h, w), asked for like a video."""
        plan = make_frame_plan(FrameOptions.parse(self._request(subject, said) | options))
        return joined(compute_frame(plan, self.components, [fit_picture(picture, plan) for picture in plan.pictures]))

    def moved(self, subject: Subject, clip: Clip) -> tuple[float, float]:
        """The sprite's way from the first to the last frame, in widths, x to the right and y down."""
        x, y = track.moved(clip, subject.background).tolist()
        return x, y

    def went(self, subject: Subject, clip: Clip, direction: str) -> float:
        """How far the sprite went in a named direction, in widths."""
        x, y = self.moved(subject, clip)
        dx, dy = DIRECTIONS[direction]
        return float(x * dx + y * dy)

    def obeyed(self, **options: Any) -> Iterator[tuple[Subject, str, float]]:
        """Every picture told to go every way, and how far it went that way."""
        for subject in self.subjects:
            for direction in DIRECTIONS:
                latents, _ = self.drawn(subject, f"the {{s}} moves {direction}", **options)
                yield subject, direction, self.went(subject, self.shots(latents[[0, -1]]), direction)

    def drift(self, subject: Subject, clip: Clip) -> float:
        """The sprite's largest distance from where it began, in widths."""
        return track.drift(clip, subject.background)

    def likeness(self, subject: Subject, clip: Clip) -> float:
        """Decibels between frame 0 and the VAE's own picture of the start picture."""
        return decibels(clip[:1], self.alone(subject.picture))

    def alone(self, path: Path) -> Clip:
        """A picture as the VAE gives it back, (1, 3, h, w)."""
        return self.shots(self.latent(path)[None])

    def _planned(self, subject: Subject, said: str, options: dict[str, Any]) -> tuple[Plan, dict[str, Any]]:
        """The plan of a video, and its pictures, fitted."""
        asked = VideoOptions.parse({"seconds": 2.0} | self._request(subject, said) | options)
        plan = make_plan(asked, self.components.entry)
        return plan, fitted(plan)

    def _request(self, subject: Subject, said: str) -> dict[str, Any]:
        prompt = said.format(s=subject.sprite)
        given = {"model": self.components.entry.name, "image": subject.picture, "prompt": prompt, "seed": 1}
        return given | {"resolution": self.side}

    def _subject(self, scene: world.Scene) -> Subject:
        paths = {name: self.folder / f"{uuid4().hex}-{name}.png" for name in ("first", "last", "bare")}
        for name, frame in (("first", 0.0), ("last", 72.0), ("bare", 0.0)):
            pixels = world.render(scene, torch.tensor([frame]), bare=name == "bare")[0]
            levels = ((pixels.permute(1, 2, 0) + 1) * 127.5).round().to(torch.uint8).numpy()
            Image.fromarray(levels).save(paths[name])
        return Subject(scene, paths["first"], self.alone(paths["bare"]), paths["last"])


class Truth(Judge):
    """The world itself in a model's place: its clips as they should be, through the VAE. `motions` are by prompt."""

    def __init__(self, motions: dict[str, str], count: int, folder: Path, side: int = SIDE) -> None:
        super().__init__("tiny", count, folder, side)
        self.motions = motions

    @torch.inference_mode()
    def clip(self, subject: Subject, said: str, **options: Any) -> Clip:
        """Such a video, all its frames."""
        latents, _ = self.drawn(subject, said, **options)
        shown: Tensor = self.components.vae.decode(latents.transpose(0, 1)[None]).sample
        return shown[0].transpose(0, 1).clamp(-1, 1)

    @torch.inference_mode()
    def drawn(self, subject: Subject, said: str, **options: Any) -> tuple[Tensor, list[SectionDone]]:
        """Its latents. Where nothing is said, things go on as they do."""
        motion = self.motions[said] or subject.scene.motion
        arm = sprites.arm(sprites.COLOURS[subject.scene.name.split()[0]]) if motion == "wave" else None
        plan, _ = self._planned(subject, said, options)
        frames = world.render(replace(subject.scene, motion=motion, arm=arm), torch.arange(0.0, plan.frames, GROUP))
        mode: Tensor = self.components.vae.encode(frames[:, :, None]).latent_dist.mode()
        return mode[:, :, 0], []


def held(side: int = SIDE) -> Iterator[world.Scene]:
    """Held-out scenes without end, moving the four ways by turns.

    A sprite cut out of a dark photograph is now and then not to be seen on a dark wall; such a picture is left out.
    """
    for number, word in enumerate(cycle(DIRECTIONS)):
        scene = world.scene("held", FIRST + number, (side, side), word)
        shown, bare = (world.render(scene, torch.zeros(1), bare=bare) for bare in (False, True))
        if float(track.centres(shown, bare)[1]) > SEEN:
            yield scene


def joined(events: Iterable[Event]) -> Clip:
    """The frames (n, 3, h, w) in -1..1 that these events bring, in the order of time."""
    runs = {event.first: event.frames for event in events if isinstance(event, FramesReady)}
    frames = np.concatenate([runs[first] for first in sorted(runs)])
    return torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 127.5 - 1
