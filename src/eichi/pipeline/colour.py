"""Colours that drift from section to section, drawn back while frames become final.

A section's colours S, and those it is to have R, are two clouds of points in red, green and blue. Of all linear maps
that give the one the mean and the covariance of the other, this one moves the points least (Monge and Kantorovich's,
between normal distributions):

    x' = T (x - mean S) + mean R,     T = S^-1/2 (S^1/2 R S^1/2)^1/2 S^-1/2     S and R for the covariances here

and of a strength s, x + s (x' - x) is shown. T is kept within limits, so that a flat section does not become loud.

What R is: F1's first section, which the others go on from; the last frame of a video that is continued; for the
standard model, which makes the end first, the picture that the section comes from. A video that begins with nothing to
be seen has no such colours, and is left alone. Figures are those of a whole run of frames, not of each, so that what
changes within a section, light for one, stays; they are taken from means of 8 x 8 pixels, which grain hardly changes.
From the middle of a run to that of the next one map goes over into the other, a little at every frame, so that nothing
jumps where sections meet. At frame 0, and at the end where something is joined there, nothing is changed.

Runs come as the decoder gives them, in either direction, the same ones whenever a job is gone on with; one is held at a
time. Sums are numpy's own in a fixed order, so that equal frames give equal bytes. Latents are not touched.

Source: Pitie and Kokaram, 2007, "The linear Monge-Kantorovitch linear colour mapping". Written from the formula.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from eichi.events import Event, FramesReady
from eichi.plan.keyframes import START
from eichi.plan.plan import Plan
from eichi.video.quality import shrink

LIMIT = 2.0  # how much a colour may be spread or drawn together
GRAIN = 1.0  # of 255: a spread that every section is taken to have
CHANNELS = 3

Said = TypeVar("Said", bound=Event)

Map = NDArray[np.float64]  # [3, 4]: a matrix and what is added
SAME: Map = np.eye(CHANNELS, CHANNELS + 1)


@dataclass(frozen=True)
class Cloud:
    """Mean [3] and covariance [3, 3] of colours of 0-255."""

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]

    @classmethod
    def of(cls, frames: NDArray[np.uint8]) -> "Cloud":
        """The colours of frames [n, height, width, 3]."""
        points = np.concatenate([shrink(frame).reshape(-1, CHANNELS) for frame in frames]).astype(np.float64)
        mean = points.mean(axis=0)
        apart = (points - mean).T
        spread = np.array([[(one * other).mean() for other in apart] for one in apart])
        return cls(mean, spread + GRAIN * np.eye(CHANNELS))

    def towards(self, other: "Cloud", strength: float) -> Map:
        """What gives these colours the mean and covariance of others."""
        root = _power(self.spread, 0.5)
        back = _power(self.spread, -0.5)
        values, axes = np.linalg.eigh(back @ _power(root @ other.spread @ root, 0.5) @ back)
        turn = (axes * values.clip(1 / LIMIT, LIMIT)) @ axes.T
        whole = np.column_stack([turn, other.mean - turn @ self.mean])
        return SAME + strength * (whole - SAME)


def _power(matrix: NDArray[np.float64], power: float) -> NDArray[np.float64]:
    """A power of a symmetric matrix whose values are above zero."""
    values, axes = np.linalg.eigh(matrix)
    result: NDArray[np.float64] = (axes * values**power) @ axes.T
    return result


class Colours:
    """What the frames of one job are drawn back by; nothing, where that is not asked for."""

    def __init__(self, plan: Plan, pixels: Mapping[str, NDArray[np.uint8]]) -> None:
        """`pixels` are the plan's pictures, fitted."""
        options = plan.options
        self.plan, self.strength = plan, 0.0 if plan.made else options.output.colour
        own = plan.entry.direction == "forward" and options.source.before is None
        given = {} if own or not self.strength else pixels
        self._wanted = {name: Cloud.of(picture[None]) for name, picture in given.items()}
        keys = options.keyframes
        joined = keys.loop != "off" or keys.final is not None or options.source.after is not None
        self._edges = dict.fromkeys((0, plan.frames) if joined else (0,), SAME)

    def through(self, events: Iterable[Said]) -> Iterator[Said]:
        """Events, of which those with frames show what is to be shown."""
        for event in events:
            if self.strength and isinstance(event, FramesReady):
                yield replace(event, frames=self.drawn_back(event.first, event.frames))
            else:
                yield event

    def drawn_back(self, first: int, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A run of frames [n, height, width, 3], the next one in the order of generation."""
        count, cloud = len(frames), Cloud.of(frames)
        wanted = self._wanted.setdefault(self._anchor(first + count // 2), cloud)
        middle = SAME if wanted is cloud else cloud.towards(wanted, self.strength)
        left, right = (self._edges.setdefault(edge, middle) for edge in (first, first + count))
        shown = np.empty_like(frames)
        for index, frame in enumerate(frames):
            way = 2 * index / count
            one, other = (left, middle) if way < 1 else (middle, right)
            shown[index] = mapped(frame, one + (way % 1) * (other - one))
        return shown

    def _anchor(self, frame: int) -> str:
        """The picture that the section of a frame comes from; one for all where none has colours of its own."""
        sections = self.plan.sections
        anchor = next(one.anchor for one in sections if one.start_frame <= frame < one.end_frame)
        return anchor if anchor in self._wanted else START


def mapped(frame: NDArray[np.uint8], turn: Map) -> NDArray[np.uint8]:
    """The colours of a frame [height, width, 3] turned by a map."""
    parts = [frame[..., channel].astype(np.float32) for channel in range(CHANNELS)]
    made = np.empty_like(frame)
    for channel, (*shares, more) in enumerate(turn.astype(np.float32)):
        mixed = sum((share * part for share, part in zip(shares, parts, strict=True)), more)
        made[..., channel] = np.rint(mixed).clip(0, 255)
    return made
