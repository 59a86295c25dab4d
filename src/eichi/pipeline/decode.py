"""Latents to frames while the latents are still being made: each decoded about once, memory independent of length.

The VAE decodes long clips in temporal tiles: five latents each, a new one every three, four frames of overlap blended
linearly. That grid is laid over the whole clip here and walked once. A tile is decoded as soon as its latents exist,
and frames leave as soon as the neighbour they are blended with is decoded; so the result equals decoding the finished
clip at once, in either direction of generation, and nothing but a few tiles is ever held. Decoding section by section
and blending the sections, as the original does, decodes everything twice and mixes two decodes.

Tile j covers latents 3j ... 3j+4. Its first frame only warms up the causal decoder (except in tile 0), so it gives
frames 12j+1 ... 12j+16, of which the last four are blended into tile j+1.
"""

from collections.abc import Iterator
from copy import copy
from typing import Self

import numpy as np
import torch
from diffusers import AutoencoderKLHunyuanVideo
from numpy.typing import NDArray
from torch import Tensor

from eichi.catalog import Direction
from eichi.errors import RunError
from eichi.models.load import exactly
from eichi.plan.timeline import FRAMES_PER_LATENT, frame_count

TILE, STRIDE = 5, 3
STEP = STRIDE * FRAMES_PER_LATENT  # frames from one tile to the next
BLEND = (TILE - 1 - STRIDE) * FRAMES_PER_LATENT
LEAD = 1  # latents before the one before a cut that decoding begins with there


class Decoder:
    """Decodes one clip of `total` latents that arrive in runs, next to each other, in the order of `direction`."""

    def __init__(
        self, vae: AutoencoderKLHunyuanVideo, total: int, direction: Direction, tiles: range | None = None
    ) -> None:
        """`tiles` is the part of the clip's grid to decode, all of it by default."""
        self.vae = vae
        self.total = total
        self.reverse = direction == "reverse"
        self.tiles = tiles or range(tile_count(total))
        self.next = self.tiles[-1] if self.reverse else self.tiles[0]
        self.decoded = 0  # latents
        self.repeated = 0  # tiles that half precision made no numbers of, and that were decoded again in float32
        self.last: Tensor | None = None  # the decoded tile that is last in time
        self._first: int | None = None  # place of the first latent held
        self._held: Tensor | None = None
        self._neighbour: Tensor | None = None  # the tile decoded before the next one

    def push(self, first: int, latents: Tensor) -> tuple[int, NDArray[np.uint8]] | None:
        """Take scaled latents [1, c, n, h, w] at places first ... first+n-1 of the clip.

        Returns the frames that are final now as (index of the first, uint8 [m, height, width, 3]), or None.
        """
        self._take(first, latents)
        runs = list(self._ready())
        if not runs:
            return None
        runs.sort(key=lambda run: run[0])
        return runs[0][0], np.concatenate([frames for _, frames in runs])

    def fork(self) -> Self:
        """A decoder in this one's state, so that an attempt that fails costs nothing. No tensor is changed in place."""
        return copy(self)

    def continue_from(self, before: "Decoder") -> None:
        """Blend the first tile with the last one of the decoder before."""
        self._neighbour = before.last

    def _take(self, first: int, latents: Tensor) -> None:
        """Join new latents to the held ones."""
        if self._held is None:
            self._held, self._first = latents, first
        elif self.reverse:
            self._held, self._first = torch.cat([latents, self._held], dim=2), first
        else:
            self._held = torch.cat([self._held, latents], dim=2)

    def _ready(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Decode every tile whose latents are all here; yield the frames that become final."""
        while self.next in self.tiles:
            assert self._held is not None and self._first is not None
            start, stop = self.next * STRIDE, min(self.next * STRIDE + TILE, self.total)
            if start < self._first or stop > self._first + self._held.shape[2]:
                return
            tile = self._decode(self._held[:, :, start - self._first : stop - self._first])
            yield from self._settle(tile)
            self.next += -1 if self.reverse else 1
            self._drop()

    def _settle(self, tile: Tensor) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Blend a fresh tile with its neighbour and yield what neither will change any more."""
        if not self.reverse or self.last is None:
            self.last = tile
        if self.reverse:
            if self._neighbour is not None:
                yield self._emit(self.next + 1, _blend(tile, self._neighbour))
            if self.next == self.tiles[0]:
                yield self._emit(self.next, tile)
        else:
            if self._neighbour is not None:
                tile = _blend(self._neighbour, tile)
            yield self._emit(self.next, tile)
        self._neighbour = tile

    def _emit(self, index: int, tile: Tensor) -> tuple[int, NDArray[np.uint8]]:
        """The frames that belong to a tile: those before the next tile's first."""
        first = 0 if index == 0 else index * STEP + 1
        count = STEP + 1 if index == 0 else STEP
        return first, to_pixels(tile[0, :, :count])

    @torch.inference_mode()
    def _decode(self, latents: Tensor) -> Tensor:
        """The frames [1, 3, n, height, width] of a tile, without its warming-up frame."""
        self.decoded += latents.shape[2]
        frames = self._frames(latents)
        if not torch.isfinite(frames).all() and self.vae.dtype != torch.float32:
            self.repeated += 1
            with exactly(self.vae):
                frames = self._frames(latents)
        if not torch.isfinite(frames).all():
            raise RunError("error.decode.nan")
        return frames if self.next == 0 else frames[:, :, 1:]

    def _frames(self, latents: Tensor) -> Tensor:
        scaled = latents.to(self.vae.device, self.vae.dtype) / self.vae.config.scaling_factor
        frames: Tensor = self.vae.decode(scaled, return_dict=False)[0]
        return frames

    def _drop(self) -> None:
        """Let go of latents that no later tile needs."""
        assert self._held is not None and self._first is not None
        if self.reverse:
            keep = max(self.next, 0) * STRIDE + TILE
            self._held = self._held[:, :, : max(keep - self._first, 0)].clone()
        else:
            gone = max(self.next * STRIDE - self._first, 0)
            self._held, self._first = self._held[:, :, gone:].clone(), self._first + gone


class LoopDecoder:
    """Decodes a clip that is made from its end to its start and then gets `tail` latents more behind its end.

    The tiles that reach into those are left for the end and continue from the ones before, so that the whole still
    equals one decode of the finished clip.
    """

    def __init__(self, vae: AutoencoderKLHunyuanVideo, total: int, tail: int) -> None:
        grid = range(tile_count(total))
        whole = (total - tail - TILE) // STRIDE + 1  # tiles that lie before the tail
        self.body = Decoder(vae, total - tail, "reverse", grid[:whole])
        self.tail = Decoder(vae, total, "forward", grid[whole:])
        self.start = whole * STRIDE  # the first latent that the tail needs
        self._kept: Tensor | None = None

    @property
    def decoded(self) -> int:
        return self.body.decoded + self.tail.decoded

    @property
    def repeated(self) -> int:
        return self.body.repeated + self.tail.repeated

    def push(self, first: int, latents: Tensor) -> tuple[int, NDArray[np.uint8]] | None:
        """As `Decoder.push`; the last push brings the tail."""
        if first < self.body.total:
            mine = latents[:, :, max(self.start - first, 0) :]
            if mine.shape[2]:
                self._kept = mine if self._kept is None else torch.cat([mine, self._kept], dim=2)
            return self.body.push(first, latents)
        assert self._kept is not None, "the body comes first"
        self.tail.continue_from(self.body)
        return self.tail.push(self.start, torch.cat([self._kept, latents], dim=2))

    def fork(self) -> Self:
        """As `Decoder.fork`."""
        twin = copy(self)
        twin.body, twin.tail = self.body.fork(), self.tail.fork()
        return twin


class PartDecoder:
    """Decodes what follows another clip, from `LEAD` latents before that one's last one on, so that the first new
    latent has a past like every other. Places are counted from the last latent before the cut, frames from the first
    one behind it; those before it are dropped.
    """

    def __init__(self, vae: AutoencoderKLHunyuanVideo, total: int, direction: Direction) -> None:
        """`total` is the new latents and the one before the cut."""
        self.whole = Decoder(vae, LEAD + total, direction)

    @property
    def decoded(self) -> int:
        return self.whole.decoded

    @property
    def repeated(self) -> int:
        return self.whole.repeated

    def push(self, first: int, latents: Tensor) -> tuple[int, NDArray[np.uint8]] | None:
        """As `Decoder.push`; the run that begins with the lead begins at -`LEAD`."""
        run = self.whole.push(LEAD + first, latents)
        begin = run[0] - frame_count(LEAD + 1) if run else 0
        if run is None or begin + len(run[1]) <= 0:
            return None
        return max(begin, 0), run[1][max(-begin, 0) :]

    def fork(self) -> Self:
        """As `Decoder.fork`."""
        twin = copy(self)
        twin.whole = self.whole.fork()
        return twin


def tile_count(total: int) -> int:
    """Tiles of a clip of `total` latents. One of a single latent would have nothing to add behind its neighbour."""
    return max(1, -(-(total - 1) // STRIDE))


def to_pixels(frames: Tensor) -> NDArray[np.uint8]:
    """The VAE's frames [3, n, height, width] in -1 ... 1 as pixels [n, height, width, 3]."""
    frames = frames.permute(1, 2, 3, 0).float()
    return ((frames.clamp(-1, 1) + 1.0) * 127.5).round().to(torch.uint8).cpu().numpy()


def _blend(before: Tensor, after: Tensor) -> Tensor:
    """Fade the last four frames of one tile into the first four of the next, as the VAE itself does."""
    weight = (torch.arange(BLEND, device=after.device, dtype=after.dtype) / BLEND).view(1, 1, -1, 1, 1)
    mixed = before[:, :, -BLEND:] * (1 - weight) + after[:, :, :BLEND] * weight
    return torch.cat([mixed, after[:, :, BLEND:]], dim=2)
