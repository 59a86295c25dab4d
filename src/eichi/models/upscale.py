"""Pictures made larger by a network that spandrel knows, in tiles that overlap and leave no seams.

A network is read from safetensors, or from the older files of tensors (.pth): spandrel reads those with an unpickler
of its own that makes tensors and dictionaries and nothing else, so that no code in a file is ever run. What holds a
program (.pt, .ckpt) is not taken.

A tile is computed with a rim around it, which the network may look at and which is thrown away but for a part in
which two neighbours fade into each other. So memory follows the tile and not the picture. The rim is wider than most
networks look far, so that what is made of tiles is what would be made of the whole; for those that look at all of
their picture at once, the fading hides the difference. Knows no video.
"""

import sys
from itertools import pairwise
from math import ceil
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor

from eichi.errors import DeviceError, ModelError
from eichi.models.device import empty_cache, on_gpu
from eichi.models.source import finite
from eichi.models.spandrel import library
from eichi.models.upscalers import ENDINGS, Facts, UpscalerFile
from eichi.said import Refusal, say_last

TILE, RIM, FADE = 256, 32, 16  # pixels of a tile of the small picture, of what it sees around, of the part that fades
LEAST = 64  # pixels of a tile that memory may be short for
CHUNK = 4  # frames that a GPU is given at once
LARGEST = 4 * 2**30  # bytes of a file
ROOM = LARGEST + 12 * 2**30  # bytes of addresses for building a network; libraries take many and use few
# What reading a file raises that is damaged, or holds more than tensors, or no network that spandrel knows.
DAMAGE = (
    OSError, SafetensorError, UnpicklingError, BadZipFile, ValueError, TypeError, LookupError, AttributeError,
    RuntimeError, EOFError, ArithmeticError, AssertionError, MemoryError,
)  # fmt: skip

Pixels = NDArray[np.uint8]


class Upscaler:
    """A network on a device. Raises ModelError for a file that holds none."""

    def __init__(self, file: UpscalerFile, device: torch.device) -> None:
        self.file, self.device = file, device
        made = _read(file.path)
        self.facts = _facts(made, file.path)
        self.scale = self.facts.scale
        self._least, self._multiple = made.size_requirements.minimum, made.size_requirements.multiple_of
        self._square = made.size_requirements.square
        self.kind = torch.float16 if self.facts.half and on_gpu(device) else torch.float32
        self._model = made.model.eval().requires_grad_(False).to(device, self.kind)
        self.tile, self.chunk = TILE, CHUNK if on_gpu(device) else 1

    def enlarge(self, frames: Pixels) -> Pixels:
        """Frames [n, h, w, 3] that many times larger. Where memory runs out, tiles are made smaller and it begins anew.

        Raises DeviceError where that does not help.
        """
        while True:
            try:
                parts = [self._drawn(frames[at : at + self.chunk]) for at in range(0, len(frames), self.chunk)]
                return parts[0] if len(parts) == 1 else np.concatenate(parts)
            except torch.OutOfMemoryError as error:
                if self.chunk == 1 and self.tile // 2 < LEAST:
                    raise DeviceError("error.upscaler.memory", name=self.file.name) from error
            self.tile = self.tile if self.chunk > 1 else self.tile // 2
            self.chunk = 1
            empty_cache(self.device)

    @torch.inference_mode()
    def _drawn(self, frames: Pixels) -> Pixels:
        given = torch.from_numpy(frames).to(self.device).permute(0, 3, 1, 2).to(self.kind).div_(255)
        made = self.whole(given).float().clamp_(0, 1).mul_(255).round_().byte().permute(0, 2, 3, 1)
        return np.ascontiguousarray(made.cpu().numpy())

    def whole(self, picture: Tensor) -> Tensor:
        """Pictures [n, 3, h, w] in 0-1 made larger, of tiles where they are larger than one."""
        count, _, height, width = picture.shape
        if max(height, width) <= self.tile + 2 * RIM:
            return self._one(picture)
        scale, fade = self.scale, FADE
        made = torch.zeros(count, 3, height * scale, width * scale, device=self.device, dtype=torch.float32)
        weights = torch.zeros(1, 1, height * scale, width * scale, device=self.device, dtype=torch.float32)
        for top, bottom in _spans(height, self.tile):
            for left, right in _spans(width, self.tile):
                rows, columns = _around(top, bottom, height, RIM), _around(left, right, width, RIM)
                tile = self._one(picture[:, :, slice(*rows), slice(*columns)]).float()
                keep = _around(top, bottom, height, fade), _around(left, right, width, fade)
                (first, last), (begin, end) = keep
                y, x = (first - rows[0]) * scale, (begin - columns[0]) * scale
                tile = tile[:, :, y : y + (last - first) * scale, x : x + (end - begin) * scale]
                down = _ramp(first, last, top, bottom, scale, self.device)
                across = _ramp(begin, end, left, right, scale, self.device)
                share = down[:, None] * across[None, :]
                place = slice(first * scale, last * scale), slice(begin * scale, end * scale)
                made[:, :, place[0], place[1]] += tile * share
                weights[:, :, place[0], place[1]] += share
        return made / weights

    def _one(self, picture: Tensor) -> Tensor:
        """A picture as the network takes it, without what had to be put around it for that."""
        height, width = picture.shape[2:]
        target = [ceil(max(side, self._least) / self._multiple) * self._multiple for side in (height, width)]
        if self._square:
            target = [max(target)] * 2
        down, right = target[0] - height, target[1] - width
        if down or right:
            picture = F.pad(picture, (0, right, 0, down), mode="replicate")
        made: Tensor = self._model(picture)
        if not finite(made):
            made = self._exactly(picture)
        return made[:, :3, : height * self.scale, : width * self.scale]

    def _exactly(self, picture: Tensor) -> Tensor:
        """The same in full precision, where half was too small for what comes between. Raises ModelError."""
        made: Tensor = self._model.float()(picture.float())
        self._model.to(self.kind)  # for this picture alone, so that others come out as if there had been none
        if not finite(made):
            raise ModelError("error.upscaler.nan", path=self.file.path)
        return made


def _spans(length: int, tile: int) -> list[tuple[int, int]]:
    """Pieces of nearly the same length."""
    count = ceil(length / tile)
    edges = [round(length * number / count) for number in range(count + 1)]
    return list(pairwise(edges))


def _around(first: int, last: int, length: int, rim: int) -> tuple[int, int]:
    return max(first - rim, 0), min(last + rim, length)


def _ramp(first: int, last: int, begin: int, end: int, scale: int, device: torch.device) -> Tensor:
    """The share of a tile from `first` to `last`, whose own part is from `begin` to `end`, growing into that part."""
    places = torch.arange(first * scale, last * scale, device=device, dtype=torch.float32) + 0.5
    reach = 2 * FADE * scale
    rising = torch.ones_like(places) if first == begin else (places - first * scale) / reach
    falling = torch.ones_like(places) if last == end else (last * scale - places) / reach
    return torch.minimum(rising, falling).clamp(1e-3, 1.0)


def _read(path: Path) -> Any:
    """A network as spandrel describes it. Raises ModelError."""
    spandrel = library()
    try:
        if path.suffix.lower() not in ENDINGS:
            raise ModelError("error.upscaler.ending", path=path, endings=", ".join(ENDINGS))
        if path.stat().st_size > LARGEST:
            raise ModelError("error.upscaler.read", path=path, reason="reason.larger", limit=LARGEST)
        made = spandrel.ModelLoader(torch.device("cpu")).load_from_file(path)
    except spandrel.UnsupportedModelError as error:
        raise ModelError("error.upscaler.network", path=path) from error
    except DAMAGE as error:
        raise ModelError("error.upscaler.read", path=path, reason=error) from error
    weights = made.model.state_dict().items()
    bad = next((name for name, weight in weights if weight.is_floating_point() and not finite(weight)), None)
    if bad is not None:
        raise ModelError("error.upscaler.numbers", path=path, name=bad)
    return made


def _facts(made: Any, path: Path) -> Facts:
    """What a network is. Raises ModelError for one that makes no larger colour pictures of pictures alone."""
    spandrel = library()
    if not isinstance(made, spandrel.ImageModelDescriptor):
        raise ModelError("error.upscaler.network", path=path)
    if (made.input_channels, made.output_channels) != (3, 3):
        raise ModelError("error.upscaler.colours", path=path)
    return Facts(scale=int(made.scale), architecture=str(made.architecture.name), half=bool(made.supports_half))


def tell(path: str) -> None:
    """Say on one line what a file is, or what is wrong with it: for a process that has no torch.

    A small file can ask for a network of any size. Where the system lets a process have a limit, it has one.
    """
    if sys.platform == "linux":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (min(ROOM, most) if most >= 0 else ROOM, most))
    try:
        say_last(_facts(_read(Path(path)), Path(path)))
    except ModelError as error:
        say_last(Refusal.of(error))
