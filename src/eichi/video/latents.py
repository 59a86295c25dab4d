"""Latent files: a video before it is decoded, to be continued, redone from a section on, or decoded again.

`history_latents` is [1, 16, T, height/8, width/8], scaled, in the order of time, as in eichi; the header carries the
request. A stopped job of the standard model has made the end of a video first, so its file starts at a later latent
than 0 and says so. Knows nothing of torch.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from eichi.errors import InputError
from eichi.files import aside
from eichi.plan.continued import Shape
from eichi.video.metadata import KEY as RECORD
from eichi.video.metadata import dump

KEY = "history_latents"
FIRST = "first_latent"


@dataclass(frozen=True)
class Latents:
    """A run of a video's latents [1, 16, n, h, w], the first at place `first`."""

    values: NDArray[np.float32]
    first: int


def measure_latents(path: Path) -> Shape:
    """The shape of a latent file, from its header alone. Raises InputError."""
    with _opened(path) as file:
        _, channels, count, height, width = _checked(path, file)
        return Shape(channels, count, height, width, _first(file))


def load_latents(path: Path) -> Latents:
    """The latents of a file. Raises InputError; a file of another precision is read as float32."""
    with _opened(path) as file:
        _checked(path, file)
        values: NDArray[np.float32] = file.get_tensor(KEY).astype(np.float32)
        return Latents(values, _first(file))


def save_latents(path: Path, latents: Latents, values: Mapping[str, Any]) -> None:
    """Write a latent file with its record, aside and renamed.

    One string in the header: the library writes several in a random order, and equal requests give equal bytes.
    """
    header = {**values, FIRST: latents.first, "fps": 30, "scaled": True}
    with aside(path) as draft:
        save_file({KEY: latents.values}, draft, metadata={RECORD: dump(header)})


def _opened(path: Path) -> Any:
    """The file's handle, which is not typed; what is wrong with the file in our own words."""
    if not path.is_file():
        raise InputError("error.file.missing", path=path)
    try:
        return safe_open(path, framework="numpy")
    except (SafetensorError, OSError) as error:
        raise InputError("error.latents.damaged", path=path, reason=error) from error


def _checked(path: Path, file: Any) -> tuple[int, ...]:
    """The shape of the latents in a file that has them."""
    if KEY not in file.keys():  # noqa: SIM118  # the handle is no mapping
        raise InputError("error.latents.none", path=path, key=KEY)
    shape = tuple(file.get_slice(KEY).get_shape())
    if len(shape) != 5 or shape[0] != 1:
        raise InputError("error.latents.damaged", path=path, reason=f"shape {list(shape)}")
    return shape


def _first(file: Any) -> int:
    """Where in its video a file begins; files of other programs begin at the start."""
    try:
        first = json.loads((file.metadata() or {})[RECORD])[FIRST]
    except (KeyError, ValueError, TypeError):
        return 0
    return first if isinstance(first, int) else 0
