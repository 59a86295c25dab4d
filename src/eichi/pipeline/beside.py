"""Decoding beside sampling: latents of one section become frames in a thread while the next section is drawn.

One run of latents is in hand at a time, so memory does not grow, and the caller decides when it takes the frames, so a
job's events come in the same order on every machine. Torch lets go of the interpreter while it computes; on a GPU the
thread has a stream of its own. What goes wrong in the thread is raised where its frames are taken.

Knows nothing of sections, plans or files.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eichi.events import FramesReady
from eichi.pipeline.job import boundary

Run = tuple[int, NDArray[np.uint8]]


class Decodes(Protocol):
    """What a decoder of this package can do."""

    def push(self, first: int, latents: Tensor) -> Run | None: ...


class Beside:
    """A decoder in a thread. A context manager: leaving it waits for the tile in hand and drops its frames."""

    def __init__(self, make: Callable[[], Decodes], device: torch.device) -> None:
        """`make` gives the decoder; it is called when the first latents are there."""
        self._make = make
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="decode")
        self._decoder: Decodes | None = None
        self._pending: Future[Run | None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(cancel_futures=True)

    def push(self, first: int, latents: Tensor) -> None:
        """Hand over scaled latents [1, c, n, h, w] on the CPU, at places first ... first+n-1 of the clip."""
        assert self._pending is None, "the frames of the run before are taken first"
        if self._decoder is None:
            self._decoder = self._make()
        if self._stream is not None:
            self._stream.wait_stream(torch.cuda.current_stream(self._stream.device))  # the weights are there
        self._pending = self._thread.submit(self._decode, self._decoder, first, latents)

    def take(self) -> Iterator[FramesReady]:
        """The frames that the last run made final, once they are there; none where it made none."""
        pending, self._pending = self._pending, None
        run = None if pending is None else pending.result()
        if run is not None:
            yield FramesReady(*run)

    def _decode(self, decoder: Decodes, first: int, latents: Tensor) -> Run | None:
        """In the thread, which has neither the caller's inference mode nor its stream."""
        stream: AbstractContextManager[object] = torch.cuda.stream(self._stream) if self._stream else nullcontext()
        with torch.inference_mode(), stream, boundary("vae"):
            return decoder.push(first, latents)
