"""The frames of a video in the order in which a chain shows them, from any place on, with little memory.

Frames of an uneven pace are shown at an even one, each until the next. In their own order they are read from the file
and those before the place are dropped, since decoding is cheap beside what follows, and frames can be sought in few
kinds of files. In any other order the video is laid down once, a run of frames a file, without loss; a run is then
read whole and shown from its end. Knows no step.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from eichi.files import aside
from eichi.finish.forms import SPOOL, add_video, to_frame
from eichi.finish.plan import FinishPlan
from eichi.video.reader import Frame, read_frames
from eichi.video.writer import writing

Pixels = NDArray[np.uint8]
SPOOLED = "spool"


class Frames:
    """The worked frames of a plan. `folder` is where a video is laid down whose order is turned round."""

    def __init__(self, plan: FinishPlan, folder: Path) -> None:
        self.plan = plan
        self._folder = folder / SPOOLED
        self._run: tuple[int, list[Pixels]] = (-1, [])

    def lay(self, told: Callable[[int], object] = lambda done: None) -> Iterator[int]:
        """Lay the video down where its order asks for it; says how many frames are. Raises InputError, DiskError."""
        size = self.plan.spool
        if not size:
            return
        with writing(self._folder):
            self._folder.mkdir(exist_ok=True)
        if all(self._file(run).is_file() for run in range(self._runs)):
            return
        frames = even(self.plan)
        for run in range(self._runs):
            count = min(size, self.plan.order.frames - run * size)
            run_of = list(islice(frames, count))
            with writing(self._file(run)):
                if not self._file(run).is_file():
                    self._write(self._file(run), run_of)
            yield run * size + count

    def since(self, first: int) -> Iterator[tuple[int, Pixels]]:
        """The worked frames from a place on, with their numbers. Raises InputError."""
        numbers = range(first, self.plan.worked)
        if self.plan.order.forward:
            yield from zip(numbers, self._forward(first), strict=False)
            return
        for number in numbers:
            yield number, self._laid(self.plan.order.source(self.plan.place(number)))

    def _forward(self, first: int) -> Iterator[Pixels]:
        at, shown = -1, np.empty(0, dtype=np.uint8)
        frames = even(self.plan)
        for number in range(first, self.plan.worked):
            wanted = self.plan.place(number)
            while at < wanted:
                shown, at = next(frames), at + 1
            yield shown

    def _laid(self, source: int) -> Pixels:
        """A frame of the video from where it was laid down."""
        run, place = divmod(source, self.plan.spool)
        if self._run[0] != run:
            self._run = run, self._read(self._file(run))
        return self._run[1][place]

    @property
    def _runs(self) -> int:
        return -(-self.plan.order.frames // self.plan.spool)

    def _file(self, run: int) -> Path:
        return self._folder / f"{run:06d}{SPOOL.part}"

    def _write(self, path: Path, frames: list[Pixels]) -> None:
        with aside(path, lasting=False) as draft, av.open(str(draft), "w", format=SPOOL.container) as container:  # noqa: TID251
            size = (self.plan.clip.width, self.plan.clip.height)
            stream = add_video(container, SPOOL, size, Fraction(self.plan.rate), 0)
            for number, pixels in enumerate(frames):
                frame = to_frame(SPOOL, pixels)
                frame.pts = number
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))

    @staticmethod
    def _read(path: Path) -> list[Pixels]:
        with av.open(str(path)) as container:  # noqa: TID251
            return [np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8) for frame in container.decode(video=0)]


def even(plan: FinishPlan) -> Iterator[Pixels]:
    """The frames of a video at an even pace: as they come, or each until the next is shown. The last one stays."""
    frames = (frame for frame in read_frames(plan.options.video))
    last: Frame | None = None
    if plan.clip.rate is not None:
        for last in frames:
            yield last.pixels
    else:
        count, step = 0, float(1 / plan.rate)
        for frame in frames:
            while last is not None and count * step < frame.time - step / 2:
                yield last.pixels
                count += 1
            last = frame
    while last is not None:  # fewer than the packets said
        yield last.pixels
