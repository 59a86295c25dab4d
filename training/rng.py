"""Random streams by name and number, so that clip 1234 is the same clip whoever asks and in whatever order.

The held-out world has its own name and therefore shares no seed with the training world.
"""

import zlib
from typing import TypeAlias, TypeVar

import numpy as np

Rng: TypeAlias = np.random.Generator
T = TypeVar("T")


def stream(name: str, number: int) -> Rng:
    """The generator of one clip, one batch or one picture."""
    return np.random.default_rng([zlib.crc32(name.encode()), number])


def pick(rng: Rng, choices: tuple[T, ...]) -> T:
    """One of several, all equally likely."""
    return choices[int(rng.integers(len(choices)))]
