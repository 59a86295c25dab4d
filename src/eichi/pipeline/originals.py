"""What a job copies into its folder, so that it needs nothing from outside to go on: pictures as they are fitted, the
videos and the sound that it is made for as they are, the latents of the sections that it takes over.

Each copy has a name, and what writes it when it is needed. Knows no folder and no checksums.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file

from eichi.errors import InputError
from eichi.options import MADE
from eichi.pipeline.context import last_frame
from eichi.plan.keyframes import START
from eichi.plan.plan import BEFORE, Plan
from eichi.video import images
from eichi.video.latentfile import Latents, load_latents
from eichi.video.sectionfolder import LATENTS, copy_file, section_file, source_file

Write = Callable[[Path], object]  # fills a draft


@dataclass(frozen=True)
class Original:
    """What a file of the folder is copied from, and what writes the copy."""

    path: Path
    write: Write
    lasting: bool = True  # whether the copy has to reach the disk; a file that is there already has


def originals(plan: Plan) -> dict[str, Original]:
    """What a job of this plan copies, by the copies' names, read when it is copied: its pictures, the videos that it is
    made for, and the latents of the sections that it takes over.
    """
    copies = {
        picture_file(name): Original(path, partial(_copy_picture, plan, path)) for name, path in plan.images.items()
    }
    if BEFORE in plan.sources:
        path = plan.sources[BEFORE]
        copies[picture_file(START)] = Original(path, partial(_copy_last, plan, path))
    copies |= {source_file(name, path): whole_file(path) for name, path in plan.around.items()}
    kept = plan.options.kept.latents
    if kept is not None:
        load = cache(partial(load_latents, kept))
        copies |= {
            section_file(order): Original(kept, partial(_copy_section, plan, order, load)) for order in range(plan.kept)
        }
    return copies


def _copy_picture(plan: Plan, path: Path, draft: Path) -> None:
    write_picture(draft, _fit(plan, path))


def _copy_last(plan: Plan, path: Path, draft: Path) -> None:
    write_picture(draft, last_frame(plan, path))


def _copy_section(plan: Plan, order: int, load: Callable[[], Latents], draft: Path) -> None:
    file = load()
    place = file.shape.place(order, plan.window, plan.entry.direction)
    write_latents(draft, file.values[:, :, place : place + plan.window])


def fitted(plan: Plan) -> dict[str, NDArray[np.uint8]]:
    """The plan's pictures at the size of the video, all by one geometry; the last frame of a video is stretched to it,
    as all of its frames are.
    """
    before = plan.sources.get(BEFORE)
    pictures = {name: _fit(plan, path) for name, path in plan.images.items() if path != before}
    return pictures if before is None else {START: last_frame(plan, before), **pictures}


def _fit(plan: Plan, path: Path) -> NDArray[np.uint8]:
    if path.name.startswith(MADE):
        return images.plain(path.name.removeprefix(MADE), plan.width, plan.height, plan.seed)
    return images.fit(images.load(path), plan.width, plan.height, plan.options.fit)


def picture_file(name: str) -> str:
    """What a picture's copy is called."""
    return f"{name.replace(':', '-')}.png"


def whole_file(path: Path) -> Original:
    """A file that is kept as it is. On the same disk it gets a second name, which costs nothing; where somebody then
    writes into it, and does not put another in its place, the copy is damaged too, and that is said.
    """

    def write(draft: Path) -> None:
        if not path.is_file():
            raise InputError("error.file.missing", path=path)
        draft.unlink(missing_ok=True)
        copy_file(path, draft)

    return Original(path, write, lasting=False)


def write_picture(draft: Path, pixels: NDArray[np.uint8]) -> None:
    """A fitted picture [height, width, 3] as a file. Raises OSError."""
    Image.fromarray(pixels).save(draft, format="PNG")


def write_latents(draft: Path, latents: NDArray[np.float32]) -> None:
    """The latents of a section as a file. Raises OSError, SafetensorError."""
    save_file({LATENTS: torch.from_numpy(latents.copy())}, draft)
