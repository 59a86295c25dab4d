"""Clips as latents: rendered and coded once, so that a training step only reads.

A clip of 145 frames becomes 37 latents, one for its first frame and one for the last of each four after it; no other
frame is rendered. Clips come in pairs of neighbours: clip 2k + 1 is clip 2k going the opposite way, if that goes in a
named direction.

Files are numbered chunks of one picture size, float16. Rendering takes 15 ms a clip of 64 pixels; an interrupted stage
continues with the first missing chunk. Reading leaves the latents on the disk: of 128 pixels, ten thousand clips are
3 GB, of which a step looks at some megabytes.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import torch
import torch.nn.functional as F

from training import state, world
from training.codec import GROUP, Codec, fit
from training.words import MOVES

log = logging.getLogger(__name__)

FIRST, TRAIN, VALID = world.FIRST, "train", "valid"  # splits of the world
LATENTS = 37
FRAMES = GROUP * (LATENTS - 1) + 1
CHUNK = 250
# Sizes (height, width) of successive chunks, by the side of a square picture: most are square, as many lie as stand. Of
# what a network for 128 pixels sees, every other chunk is small: a step with it costs a quarter, and what was learnt
# there is soon forgotten. The first two are what the validation set has.
LARGE, SMALL = ((128, 128), (128, 128), (96, 160), (160, 96)), ((64, 64), (64, 64), (48, 80), (80, 48))
SIZES = {
    64: ((64, 64),) * 8 + ((48, 80), (80, 48)) * 2,
    128: tuple(size for both in zip(LARGE, SMALL, strict=True) for size in both),
}
# Side of the picture that the vision encoder is fed; it only ever sees the start picture.
VISION = 64


@dataclass(frozen=True)
class Clips:
    """Latents of many clips of one size, with what was said about them and their start pictures."""

    clips: torch.Tensor  # (n, 37, 16, h, w) float16
    pictures: torch.Tensor  # (n, 3, height, width) uint8
    prompts: list[str]
    motions: list[str]
    kinds: list[str]  # of background

    def __len__(self) -> int:
        return len(self.prompts)


def codec(folder: Path) -> Codec:
    """The linear code, fitted on first use to the pictures of the training world, half of them photographs."""
    path = folder / "codec.pt"
    if not path.exists():
        rendered = [world.scene("codec", k, (64, 64)) for k in range(3000)]
        photos = [s for s in rendered if s.kind == "photo"]
        others = [s for s in rendered if s.kind != "photo"][: len(photos)]
        times = [torch.tensor([float(7 * k % FRAMES)]) for k in range(len(rendered))]
        made = fit(torch.cat([world.render(s, t) for s, t in zip(photos + others, times, strict=False)]))
        state.save(path, {"filters": made.filters, "bias": made.bias})
    return Codec(**state.load(path))


def fill(folder: Path, split: str, count: int, workers: int, pixels: int = 64) -> None:
    """Render and code `count` clips of a split into chunks, several processes side by side."""
    code = codec(folder)
    missing = [k for k in range(count // CHUNK) if not _path(folder, split, k).exists()]
    if not missing:
        return
    with get_context("spawn").Pool(workers) as pool:
        for number in pool.imap_unordered(_Filler(folder, split, code, SIZES[pixels]), missing):
            log.info("cache: %s chunk %d of %d", split, number, count // CHUNK)


@dataclass(frozen=True)
class _Filler:
    """What a worker process needs to make one chunk."""

    folder: Path
    split: str
    codec: Codec
    sizes: tuple[tuple[int, int], ...]

    def __call__(self, number: int) -> int:
        torch.set_num_threads(1)
        size = self.sizes[number % len(self.sizes)]
        first = number * CHUNK // 2
        scenes = [scene for k in range(CHUNK // 2) for scene in world.pair(self.split, first + k, size)]
        state.save(_path(self.folder, self.split, number), vars(code_scenes(self.codec, scenes)))
        return number


def code_scenes(codec: Codec, scenes: Sequence[world.Scene]) -> Clips:
    """Render scenes of one size and code them."""
    return gather(scenes, codec.encode)


def gather(scenes: Sequence[world.Scene], code: Callable[[torch.Tensor], torch.Tensor]) -> Clips:
    """Scenes of one size as clips; `code` turns each of the frames (37, 3, height, width) that count into a latent."""
    clips, pictures = [], []
    for scene in scenes:
        frames = world.render(scene, torch.arange(0.0, FRAMES, GROUP))
        clips.append(code(frames).half())
        pictures.append(((frames[0] + 1) * 127.5).round().clamp(0, 255).byte())
    return Clips(
        torch.stack(clips),
        torch.stack(pictures),
        [scene.prompt for scene in scenes],
        [scene.motion for scene in scenes],
        [scene.kind for scene in scenes],
    )


def read(folder: Path, split: str) -> list[Clips]:
    """All chunks there are, their tensors left in the files."""
    return [Clips(**state.load(path, mapped=True)) for path in sorted((folder / "clips").glob(f"{split}-*.pt"))]


def vision(picture: torch.Tensor) -> torch.Tensor:
    """Start pictures (n, 3, height, width) uint8 as the vision processor would squash them, (n, 3, 64, 64) in -1..1."""
    scaled = picture.float()
    if picture.shape[-2:] != (VISION, VISION):
        scaled = F.interpolate(scaled, (VISION, VISION), mode="bicubic", antialias=True).round().clamp(0, 255)
    return scaled / 127.5 - 1


def shares(clips: list[Clips]) -> dict[str, float]:
    """How much of the cache each motion makes up, for the report."""
    total = sum(len(c) for c in clips)
    return {m: sum(c.motions.count(m) for c in clips) / total for m in MOVES}


def _path(folder: Path, split: str, number: int) -> Path:
    return folder / "clips" / f"{split}-{number:04d}.pt"
