"""What a job really does, counted from outside: evaluations, latents decoded, frames encoded, frames in the file.

Counts do not depend on the machine, so they are tests as well as figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import av
import numpy as np
from numpy.typing import NDArray

from eichi import generate
from eichi.events import Finished
from eichi.models.load import Components
from eichi.plan.plan import Plan
from eichi.video.writer import Writer


@dataclass(frozen=True)
class Counts:
    """One job. `decoded` counts a latent once for every tile of the VAE that it went through."""

    sections: int
    evaluations: int
    latents: int
    decoded: int
    encoded: int
    frames: int


def count(plan: Plan, components: Components, folder: Path) -> Counts:
    """Run a plan and count. The VAE must not tile in space."""
    evaluated: list[int] = []
    decoded: list[int] = []
    encoded: list[int] = []
    encode = Writer._encode

    def counted(writer: Writer, path: Path, frames: NDArray[np.uint8]) -> None:
        encoded.append(len(frames))
        encode(writer, path, frames)

    hooks = [
        components.transformer.register_forward_pre_hook(lambda *_: evaluated.append(1)),
        components.vae.decoder.register_forward_pre_hook(lambda _, given: decoded.append(given[0].shape[2])),
    ]
    with patch.object(Writer, "_encode", counted):
        *_, last = generate(plan, folder, components)
    for hook in hooks:
        hook.remove()
    assert isinstance(last, Finished)
    frames = frames_in(Path(last.video))
    return Counts(len(plan.sections), len(evaluated), plan.latents, sum(decoded), sum(encoded), frames)


def frames_in(path: Path) -> int:
    """The frames that a decoder finds in a file."""
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def straightness(xs: Sequence[float], ys: Sequence[float]) -> float:
    """R² of the straight line through points."""
    line: Any = np.polyval(np.polyfit(xs, ys, 1), xs)
    residue, spread = np.square(np.array(ys) - line).sum(), np.square(np.array(ys) - np.mean(ys)).sum()
    return float(1.0 - residue / spread)
