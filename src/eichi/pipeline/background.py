"""Decoding beside sampling: latents of one section become frames in a thread while the next section is drawn.

One run of latents is in hand at a time, so memory does not grow, and the caller decides when it takes the frames, so a
job's events come in the same order on every machine. Torch lets go of the interpreter while it computes; on a GPU the
thread has a stream of its own. On a CPU each side has half of the cores: where both spread over all of them, they wait
for one another, and a clip takes a third longer. Where the placement has no room for both, the latents wait and are
decoded when their frames are taken. What goes wrong in the thread is raised there, too; memory that ran out is tried
again there, with less of it taken by the weights and nothing drawn meanwhile.

Knows nothing of sections, plans or files.
"""

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eichi.events import Adjusted, FramesReady
from eichi.models.device import on_gpu, side_stream
from eichi.models.load import Components
from eichi.pipeline.job import boundary, retry_call

FrameRun = tuple[int, NDArray[np.uint8]]


class Decodes(Protocol):
    """What a decoder of this package can do. `repeated` counts tiles that were decoded again in float32."""

    @property
    def repeated(self) -> int: ...

    def push(self, first: int, latents: Tensor) -> FrameRun | None: ...

    def fork(self) -> Self: ...


class BackgroundDecoder:
    """A decoder in a thread. A context manager: leaving it waits for the tile in hand and drops its frames."""

    def __init__(self, make: Callable[[], Decodes], components: Components) -> None:
        """`make` gives the decoder; it is called when the first latents are there."""
        self._make = make
        self._components = components
        device = components.device
        self._stream = side_stream(device)
        self._cores = torch.get_num_threads()
        self._share = self._cores if on_gpu(device) else max(1, self._cores // 2)
        self._thread = ThreadPoolExecutor(1, "decode", torch.set_num_threads, (self._share,))
        self._decoder: Decodes | None = None
        self._waiting: tuple[int, Tensor] | None = None
        self._pending: Future[tuple[Decodes, FrameRun | None]] | None = None

    def __enter__(self) -> Self:
        torch.set_num_threads(self._share)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(cancel_futures=True)
        torch.set_num_threads(self._cores)

    def push(self, first: int, latents: Tensor) -> None:
        """Hand over scaled latents [1, c, n, h, w] on the CPU, at places first ... first+n-1 of the clip."""
        assert self._waiting is None, "the frames of the run before are taken first"
        if self._decoder is None:
            self._decoder = self._make()
        self._waiting = first, latents
        if self._components.placement.beside:
            if self._stream is not None:
                self._stream.wait_stream(torch.cuda.current_stream(self._stream.device))  # the weights are there
            self._pending = self._thread.submit(self._decode)

    def take(self) -> Iterator[FramesReady | Adjusted]:
        """The frames that the last run made final, once they are there; none where it made none.

        A word, once a clip, where they are not what half precision gave.
        """
        if self._waiting is not None:
            before = self._repeated
            run = yield from self._taken()
            self._waiting = None
            if not before and self._repeated:
                yield Adjusted("note.decode.again", {})
            if run is not None:
                yield FramesReady(*run)

    def _taken(self) -> Generator[Adjusted, None, FrameRun | None]:
        with boundary("vae"):
            self._decoder, run = yield from retry_call(self._result, self._components)
        return run

    @property
    def _repeated(self) -> int:
        return 0 if self._decoder is None else self._decoder.repeated

    def _result(self) -> tuple[Decodes, FrameRun | None]:
        """What the thread made; where it made nothing, the same made here."""
        pending, self._pending = self._pending, None
        return self._decode() if pending is None else pending.result()

    def _decode(self) -> tuple[Decodes, FrameRun | None]:
        """The decoder after the waiting run, and its frames. The thread has neither inference mode nor our stream."""
        assert self._decoder is not None and self._waiting is not None
        stream: AbstractContextManager[object] = torch.cuda.stream(self._stream) if self._stream else nullcontext()
        decoder = self._decoder.fork()
        with torch.inference_mode(), stream:
            return decoder, decoder.push(*self._waiting)
