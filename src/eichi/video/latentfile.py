"""Latent files: a video before it is decoded, to be continued, redone from a section on, or decoded again.

`history_latents` is [1, 16, T, height/8, width/8], scaled, in the order of time, as in eichi; the header carries the
request. A stopped job of the standard model has made the end of a video first, so its file starts at a later latent
than 0 and says so; a file that was joined says where its clips begin. Ours have a checksum of all that, as a damaged
latent is a number like any other. Knows nothing of torch.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from eichi.errors import InputError
from eichi.files import aside
from eichi.plan.continued import Shape
from eichi.reading import parse_json
from eichi.video.metadata import KEY as RECORD
from eichi.video.metadata import Record, dump

KEY = "history_latents"
FIRST = "first_latent"
JOINTS = "joints"
CHECKSUM = "checksum"


@dataclass(frozen=True)
class Latents:
    """A run of a video's latents [1, 16, n, h, w], the first at place `first`; `joints` as those of a `Shape`."""

    values: NDArray[np.float32]
    first: int
    joints: tuple[int, ...] = ()

    @property
    def shape(self) -> Shape:
        _, channels, count, height, width = self.values.shape
        return Shape(channels, count, height, width, self.first, self.joints)


def measure_latents(path: Path) -> Shape:
    """The shape of a latent file, from its header alone. Raises InputError."""
    with _opened(path) as file:
        return _checked(path, file)


def load_latents(path: Path) -> Latents:
    """The latents of a file. Raises InputError; a file of another precision is read as float32."""
    with _opened(path) as file:
        shape = _checked(path, file)
        try:
            values: NDArray[np.float32] = file.get_tensor(KEY).astype(np.float32)
        except (SafetensorError, TypeError) as error:  # a precision that NumPy does not have
            raise InputError("error.latents.damaged", path=path, reason=error) from error
        header = _header(path, file)
    if header.pop(CHECKSUM, None) not in (None, _checksum(header, values)):
        raise InputError("error.latents.damaged", path=path, reason="reason.checksum")
    if not np.isfinite(values).all():
        raise InputError("error.latents.damaged", path=path, reason="reason.nan")
    return Latents(values, shape.first, shape.joints)


def save_latents(path: Path, latents: Latents, values: Mapping[str, Any]) -> None:
    """Write a latent file with its record, aside and renamed.

    One string in the header: the library writes several in a random order, and equal requests give equal bytes.
    """
    header = {**values, FIRST: latents.first, "fps": 30, "scaled": True}
    if latents.joints:
        header[JOINTS] = list(latents.joints)
    header[CHECKSUM] = _checksum(header, latents.values)
    content = save({KEY: latents.values}, metadata={RECORD: dump(header)})
    with aside(path) as draft:
        # The library's own writing leaves a file of a random name when it is killed, and is for its owner alone.
        draft.write_bytes(content)


def _opened(path: Path) -> Any:
    """The file's handle, which is not typed; what is wrong with the file in our own words."""
    if not os.path.isfile(path):  # also false for a name that no file can have
        raise InputError("error.file.missing", path=path)
    try:
        return safe_open(path, framework="numpy")
    except (SafetensorError, OSError) as error:
        raise InputError("error.latents.damaged", path=path, reason=error) from error


def _checked(path: Path, file: Any) -> Shape:
    """The shape of the latents in a file that has them, and what its header says of them."""
    if KEY not in file.keys():  # noqa: SIM118  # the handle is no mapping
        raise InputError("error.latents.none", path=path, key=KEY)
    shape = tuple(file.get_slice(KEY).get_shape())
    if len(shape) != 5 or shape[0] != 1 or not all(shape):
        raise InputError("error.latents.damaged", path=path, reason="reason.shape", shape=str(list(shape)))
    _, channels, count, height, width = shape
    header = _header(path, file)
    first, joints = header.get(FIRST, 0), header.get(JOINTS, [])
    return Shape(channels, count, height, width, first if isinstance(first, int) else 0, _joints(path, joints, count))


def _joints(path: Path, places: object, count: int) -> tuple[int, ...]:
    """Where the clips of a joined file begin. Raises InputError for places that the file does not have."""
    found = tuple(places) if isinstance(places, list) else ()
    if not all(isinstance(place, int) for place in found) or not all(a < b for a, b in pairwise((0, *found, count))):
        raise InputError("error.latents.damaged", path=path, reason="reason.joints", places=str(places))
    return found


def _checksum(header: Mapping[str, Any], values: NDArray[np.float32]) -> str:
    """The checksum of a file: of its header, and of its latents."""
    made = hashlib.blake2b(dump(header).encode("utf-8"), digest_size=16)
    made.update(np.ascontiguousarray(values).data)
    return made.hexdigest()


def _header(path: Path, file: Any) -> Record:
    """What a file says of itself; files of other programs say nothing and begin at the start. Raises InputError."""
    try:
        values = parse_json((file.metadata() or {})[RECORD])
    except (KeyError, ValueError):
        return {}
    except RecursionError as error:  # no program writes that, and whoever reads the record falls over it
        raise InputError("error.latents.damaged", path=path, reason="JSON […[…]…]") from error
    return values if isinstance(values, dict) else {}
