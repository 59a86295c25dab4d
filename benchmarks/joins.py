"""How well a new part joins the video that it goes on from: measured/joins.md, by `make joins`.

A held-out sprite of the synthetic world crosses its picture at a steady pace. The clip is cut in the middle and
continued by the embedded models through the program itself: by F1, and by the standard model towards a Final Frame;
with an empty prompt, and with one that names the motion. Measured is the sprite's step from the last frame of the clip
to the first new one, beside the median step of the twelve frames on either side, and whether it goes on as it went.
A step of these sprites is a third of a pixel, so all is measured as the codec shows it, the clip too.

Beside each stands the same with the clip encoded as other programs do it, in chunks of sixteen frames each on its own,
and decoded without what lies before the cut; and the world itself in the models' place.
"""

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, cycle, islice
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import torch
from diffusers import AutoencoderKLHunyuanVideo
from PIL import Image
from torch import Tensor

from benchmarks.printing import printing
from eichi import make_plan
from eichi.catalog import ModelFolders, find
from eichi.events import LatentsReady
from eichi.models.load import Components
from eichi.options import VideoOptions
from eichi.pipeline.context import Ends, read_ends
from eichi.pipeline.decode import Decoder
from eichi.pipeline.encode import encode, encode_tile
from eichi.pipeline.generate import compute, sample_latents
from eichi.pipeline.originals import fitted
from eichi.plan.plan import BEFORE, Plan
from eichi.settings import Runtime
from eichi.video.clip import tail
from eichi.video.writer import Writer
from training import track, world
from training.judge import FIRST, LEAST, SEEN, SIDE, joined
from training.words import DIRECTIONS

CLIPS, LENGTH, SECONDS = 32, 37, 1.2  # frames of a clip: ten latents, as the models were trained with; a section
NEXT = 36  # frames of the new part
NEAR = 12  # frames on either side of the join that are looked at
PLACE = 0.05  # where the sprite is at the cut, in half widths from the middle: it never comes near the edge
CHUNK, MOST = 16, 108  # frames of the others' chunks, and how many of them they take in all
ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Crossing:
    """A sprite at a steady pace, and the frame of its scene at which the clip is cut."""

    scene: world.Scene
    cut: int

    def frames(self, first: int, last: int) -> Tensor:
        """Frames by their distance from the cut, both ends with them: (n, 3, h, w) in -1..1."""
        return world.render(self.scene, torch.arange(self.cut + first, self.cut + last + 1).float())

    def background(self) -> Tensor:
        """The picture without the sprite, (1, 3, h, w)."""
        return world.render(self.scene, torch.zeros(1), bare=True)

    @property
    def way(self) -> Tensor:
        return torch.tensor(DIRECTIONS[self.scene.motion], dtype=torch.float32)

    @property
    def prompt(self) -> str:
        return f"the {self.scene.name.split()[1]} moves {self.scene.motion}"


@dataclass(frozen=True)
class Joint:
    """The step over a join by the median step around it, and the way after it by the way before it, along the motion.

    `gone` is how far the sprite goes in all of the new part, in widths, `level` how much more the two frames at the
    join differ than the clip's last two, of 255.
    """

    step: float
    way: float
    gone: float
    level: float

    @property
    def kept(self) -> bool:
        """Whether it goes on the way it went, as the models' own card counts it."""
        return self.gone >= LEAST


class Joiner:
    """One embedded model that continues clips."""

    def __init__(self, model: str, folder: Path) -> None:
        self.components = Components(find(model), Runtime(ModelFolders(folder), "cpu", folder / "cache"))
        self.folder = folder

    def joint(self, crossing: Crossing, said: bool, chunks: bool = False, length: int = LENGTH, **more: Any) -> Joint:
        """What the join looks like where a clip of `length` frames goes on."""
        clip, last = self.folder / "clip.mp4", self.folder / "last.png"
        before = crossing.frames(1 - length, 0)
        write(before, clip)
        values: dict[str, Any] = {"model": self.components.entry.name, "seed": 1, "seconds": SECONDS, **more}
        values |= {"prompt": crossing.prompt if said else "", "source": {BEFORE: clip}}
        if self.components.entry.direction == "reverse":
            Image.fromarray(pixels(crossing.frames(NEXT, NEXT))[0]).save(last)
            values["keyframes"] = {"final": last}
        plan = make_plan(VideoOptions.parse(values))
        new = self.in_chunks(plan) if chunks else joined(compute(plan, self.components, fitted(plan)))
        return joint(self.shown(before), new, self.shown(crossing.background()), crossing.way)

    @torch.inference_mode()
    def shown(self, frames: Tensor) -> Tensor:
        """Frames (n, 3, h, w), of which there are 4k + 1, as the codec gives them back."""
        latents = torch.cat([*encode(self.components.vae, pixels(frames))], dim=2)
        made = Decoder(self.components.vae, latents.shape[2], "forward").push(0, latents)
        assert made is not None, "all of it is there"
        return torch.from_numpy(made[1]).permute(0, 3, 1, 2).float() / 127.5 - 1

    def true(self, crossing: Crossing) -> Joint:
        """What the join looks like where what goes on is the world's own."""
        frames = self.shown(crossing.frames(1 - LENGTH, NEXT))
        return joint(frames[:LENGTH], frames[LENGTH:], self.shown(crossing.background()), crossing.way)

    @torch.inference_mode()
    def in_chunks(self, plan: Plan) -> Tensor:
        """The new frames (n, 3, h, w) as other programs make them."""
        with patch("eichi.pipeline.generate.read_ends", chunked):
            events = list(sample_latents(plan, self.components, fitted(plan)))
        runs = {event.first: event.latents for event in events if isinstance(event, LatentsReady)}
        new = torch.cat([torch.from_numpy(runs[first]) for first in sorted(runs)], dim=2)[:, :, 2:]
        made = Decoder(self.components.vae, new.shape[2], "forward").push(0, new)
        assert made is not None, "all of it is there"
        return torch.from_numpy(made[1]).permute(0, 3, 1, 2).float() / 127.5 - 1


def chunked(plan: Plan, vae: AutoencoderKLHunyuanVideo, sources: Mapping[str, Path]) -> Ends:
    """The end of a clip in chunks of sixteen frames, each encoded alone: four latents each, the last of which stands
    for a moment three frames before the chunk's end.
    """
    whole = read_ends(plan, vae, sources)
    frames = tail(sources[BEFORE], MOST, (plan.height, plan.width))
    frames = frames[len(frames) % 4 :]
    parts = [encode_tile(vae, list(frames[first : first + CHUNK])) for first in range(0, len(frames), CHUNK)]
    before = torch.cat(parts, dim=2)
    return Ends(before, whole.after, before[:, :, -1:])


def crossings(split: str = "held") -> Iterator[Crossing]:
    """Held-out sprites without end that can be seen, going the four ways by turns. No photographs: in them the embedded
    models do not always do as they are told, see their card.
    """
    for number, motion in zip(count(FIRST), cycle(DIRECTIONS), strict=False):
        scene = world.scene(split, number, (SIDE, SIDE), motion)
        shown, bare = (world.render(scene, torch.zeros(1), bare=bare) for bare in (False, True))
        if scene.kind == "photo" or float(track.centres(shown, bare)[1]) <= SEEN:
            continue
        along = sum(a * b for a, b in zip(scene.start, DIRECTIONS[motion], strict=True))
        yield Crossing(scene, round((PLACE - along) / world.SPEED * world.FPS))


def joint(before: Tensor, new: Tensor, background: Tensor, way: Tensor) -> Joint:
    """What is at a join, of frames (n, 3, h, w) and what is behind the sprite, all as the codec shows it."""
    around = torch.cat([before[-NEAR - 1 :], new[: NEAR + 1]])
    places, _ = track.centres(around, background)
    steps = (places[1:] - places[:-1]).norm(dim=1)
    ways = [float((places[last] - places[first]) @ way) for first, last in ((0, NEAR), (NEAR + 1, -1))]
    levels = [float((around[place + 1] - around[place]).abs().mean() * 127.5) for place in (NEAR, NEAR - 1)]
    gone = track.moved(torch.cat([before[-1:], new]), background) @ way
    return Joint(float(steps[NEAR]) / median(steps.tolist()), ways[1] / ways[0], float(gone), levels[0] - levels[1])


def write(frames: Tensor, path: Path) -> None:
    """Frames (n, 3, h, w) in -1..1 as a video."""
    height, width = frames.shape[-2:]
    with Writer(path, width, height, 1) as writer:
        writer.add(0, pixels(frames))
        writer.publish({})


def pixels(frames: Tensor) -> Any:
    """Frames (n, 3, h, w) in -1..1 as [n, h, w, 3]."""
    return ((frames.permute(0, 2, 3, 1) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy()


def row(name: str, found: Sequence[Joint]) -> str:
    """A line of the table."""
    steps = sorted(one.step for one in found)
    within = sum(step <= 1.5 for step in steps)
    kept, level = sum(one.kept for one in found), median(one.level for one in found)
    return (
        f"| {name} | {median(steps):.2f} | {steps[int(0.9 * (len(steps) - 1))]:.2f} | {within} of {len(found)} "
        f"| {kept} of {len(found)} | {median(one.way for one in found):.2f} | {level:.1f} |"
    )


PAGE = """# Joins

How a new part joins the video that it goes on from, measured with the embedded models by `make joins` (figures of
{clips} clips at {steps} steps). A sprite crosses its picture, which is no photograph, at a steady pace; the clip of
{length} frames is cut there and continued for {next} frames. Nothing of this has run on a graphics card or with the
released weights.

* *step over the join*: from the clip's last frame to the first new one, in median steps of the twelve frames on either
  side; 1 is the pace. Its median, and what 90 % of the clips are below. At 64 x 64 pixels a step is a third of a pixel,
  so the clip's frames, too, are measured as the codec shows them; the first row is the world's own clips.
* *goes on*: the sprite goes the same way in the new part, by at least 5 % of the width, as the models' card counts it.
  *Its way*: how far it goes in the twelve frames after the join beside the twelve before, the median.
* *change*: how much more the two frames at the join differ than the two before them, of 255.
* *chunks of 16*: the same weights, with the end of the clip encoded in chunks of sixteen frames, each alone, the last
  latent at position 0 for both models, and the new latents decoded without any before them. The last three frames of
  such a chunk reach no latent, so that the new part begins three frames before the clip's end, again.

{table}

The embedded models were trained so that an empty prompt names no direction (`training/words.py`): what is in a named
motion mostly stands still without a prompt, whatever it did before. The rows with an empty prompt show that, of F1
above all; the standard model is led by its Final Frame. More steps change nothing in that: F1 at {more} steps, the
pages' default, is in the last rows.
"""
MORE, LONGER = 25, "tiny-f1"  # steps, and the model that is tried at so many too


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=CLIPS)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--length", type=int, default=LENGTH, help="frames of a clip")
    parser.add_argument("--only", nargs="*", default=["tiny-f1", "tiny"])
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    lines = [
        "| model, prompt, how | step over the join | 90 % below | at most 1.5 | goes on | its way | change |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    cases = list(islice(crossings(), arguments.clips))
    sampling = {"steps": arguments.steps}
    with tempfile.TemporaryDirectory() as folder:
        for model in arguments.only:
            joiner = Joiner(model, Path(folder))
            lines.append(row(f"the world itself, by the VAE of {model}", [joiner.true(one) for one in cases]))
            print(lines[-1], flush=True)  # noqa: T201
            for chunks in (False, True):
                for said in (True, False):
                    found = [joiner.joint(one, said, chunks, arguments.length, sampling=sampling) for one in cases]
                    name = f"{model}, {'named' if said else 'empty'}, {'chunks of 16' if chunks else 'ours'}"
                    lines.append(row(name, found))
                    print(lines[-1], flush=True)  # noqa: T201
        joiner = Joiner(LONGER, Path(folder))
        for said in (True, False) if LONGER in arguments.only and arguments.steps != MORE else ():
            found = [joiner.joint(one, said, False, arguments.length, sampling={"steps": MORE}) for one in cases]
            lines.append(row(f"{LONGER}, {'named' if said else 'empty'}, ours, {MORE} steps", found))
            print(lines[-1], flush=True)  # noqa: T201
    if arguments.write:
        figures = {"clips": arguments.clips, "steps": arguments.steps, "length": arguments.length, "next": NEXT}
        figures["more"] = MORE
        arguments.write.write_text(PAGE.format(**figures, table="\n".join(lines)), encoding="utf-8")


if __name__ == "__main__":
    with printing():
        main()
