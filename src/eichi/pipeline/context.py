"""The ends of videos as the model sees them: what a new part goes on from, and what it leads up to.

Of a video that is continued the last 4k + 1 frames are taken, so that its last latent ends on its last frame, and
encoded in one pass by the grid of `encode`. (Chunks of sixteen frames, each encoded alone, end three frames early:
their last three reach no latent.) F1 sees as many latents as its history has, the standard model begins at the last
one; both decode from two latents before the cut on, `LEAD` of them before the one that the new part begins at. A video
that is led up to gives its first nineteen latents, of which the first stands for its first frame, as a picture's does.
Shorter ones give what they have.

At position 0 F1 was trained to see the beginning of the video, whatever its history holds by then. So the first latent
that it sees of a video lies there, which stands for one frame as a start picture's does, and not the last one: beside
that, nothing in its history seems to have moved (measured/joins.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLHunyuanVideo
from numpy.typing import NDArray
from torch import Tensor

from eichi.pipeline.decode import LEAD
from eichi.pipeline.encode import encode
from eichi.plan.layout import CONTEXT, X2, X4
from eichi.plan.plan import AFTER, BEFORE, Plan
from eichi.plan.timeline import FRAMES_PER_LATENT, frame_count
from eichi.video.clip import head, tail

START = 5  # latents of a video of which only the last one is needed: a tile of the encoder


@dataclass(frozen=True)
class Ends:
    """Latents [1, c, n, h, w] of the video before and of the one after the new part, None where there is none; `anchor`
    [1, c, 1, h, w] is what sections come from where no picture says otherwise.
    """

    before: Tensor | None = None
    after: Tensor | None = None
    anchor: Tensor | None = None

    @property
    def lead(self) -> Tensor:
        """The latents that decoding begins with, before the last one; of a video of one latent that one."""
        assert self.before is not None, "there is nothing to decode before"
        return self.before[:, :, :-1][:, :, -LEAD:] if self.before.shape[2] > LEAD else self.before[:, :, :LEAD]


def read_ends(plan: Plan, vae: AutoencoderKLHunyuanVideo, sources: Mapping[str, Path]) -> Ends:
    """What the model sees of the videos around a plan. Raises InputError, RunError."""
    size = plan.height, plan.width
    found: dict[str, Tensor] = {}
    if BEFORE in sources:
        frames = tail(sources[BEFORE], frame_count(_seen(plan)), size)
        found[BEFORE] = _encoded(vae, frames[(len(frames) - 1) % FRAMES_PER_LATENT :])
    if AFTER in sources:
        frames = head(sources[AFTER], frame_count(CONTEXT), size)
        found[AFTER] = _encoded(vae, frames[: len(frames) - (len(frames) - 1) % FRAMES_PER_LATENT])
    before = found.get(BEFORE)
    if before is None:
        return Ends(after=found.get(AFTER))
    anchor = before[:, :, :1] if plan.entry.direction == "forward" else before[:, :, -1:]
    return Ends(before, found.get(AFTER), anchor)


def last_frame(plan: Plan, path: Path) -> NDArray[np.uint8]:
    """The frame [height, width, 3] that a video ends on, at a plan's size. Raises InputError."""
    frame: NDArray[np.uint8] = tail(path, 1, (plan.height, plan.width))[-1]
    return frame


def _seen(plan: Plan) -> int:
    """How many latents of a video that is continued the model sees."""
    return X4 + X2 + len(plan.sections[0].layout.clean) if plan.entry.direction == "forward" else START


def _encoded(vae: AutoencoderKLHunyuanVideo, frames: NDArray[np.uint8]) -> Tensor:
    return torch.cat([*encode(vae, frames)], dim=2)
