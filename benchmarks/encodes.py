"""One clip encoded again and again must be one file: in several processes, under load, on one core and on all.

What an encoder takes from its machine shows here: how many cores it may use, what they do meanwhile, what lay in memory
before. The second half of `make torture`. Nothing here times anything.
"""

import hashlib
import multiprocessing
import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eichi.video.writer import Writer

CELL = 8  # pixels of a square's side
CRF = 16


def clip(count: int = 32, height: int = 128, width: int = 80) -> NDArray[np.uint8]:
    """Frames [count, height, width, 3] of squares that drift under grain: every frame is much work for an encoder."""
    chance = np.random.default_rng(0)
    colours = chance.integers(60, 196, ((height + count) // CELL + 1, (width + count) // CELL + 1, 3))
    picture = colours.repeat(CELL, 0).repeat(CELL, 1).astype(np.float64)
    frames = [picture[at : at + height, at : at + width] for at in range(count)]
    return (np.stack(frames) + chance.normal(0, 8, (count, height, width, 3))).clip(0, 255).astype(np.uint8)


def litter(chance: np.random.Generator) -> list[NDArray[np.uint8]]:
    """Write to much memory and give half of it back; the other half keeps what comes next from lying in one piece."""
    sizes = (2 ** chance.uniform(6, 20, 300)).astype(int)
    return [chance.integers(0, 256, size, dtype=np.uint8) for size in sizes][::2]


def encode(folder: Path, seed: int, number: int) -> str:
    """In a child: the digest of the file that the clip becomes, every other time on a single core."""
    if sys.platform == "linux":
        cores = sorted(os.sched_getaffinity(os.getppid()))
        os.sched_setaffinity(0, cores[number % len(cores) :][:1] if number % 2 else cores)
    frames, path = clip(), folder / f"{number}.mp4"
    kept = litter(np.random.default_rng([seed, number]))
    with Writer(path, frames.shape[2], frames.shape[1], CRF) as writer:
        writer.add(0, frames[:12])
        writer.add(12, frames[12:])
        writer.publish({})
    del kept
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.unlink()
    return digest


def spin() -> None:
    """In a child: keep a core busy."""
    while True:
        pass


def encodes(times: int, seed: int, folder: Path, say: Callable[[str], None]) -> int:
    """Encode the clip so often, with as many processes as there are cores and a busy one beside each.

    Returns how many different files it became.
    """
    context = multiprocessing.get_context("spawn")
    count = max(2, os.cpu_count() or 1)
    busy = [context.Process(target=spin, daemon=True) for _ in range(count)]
    for process in busy:
        process.start()
    try:
        with ProcessPoolExecutor(count, context) as pool:
            found = set(pool.map(encode, [folder] * times, [seed] * times, range(times)))
    finally:
        for process in busy:
            process.kill()
    say(f"{times} encodes of one clip by {count} processes beside {count} busy ones, seed {seed}: {len(found)} file(s)")
    return len(found)
