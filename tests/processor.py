"""A processor with less than this one has: what FFmpeg's libraries do on it, seen without leaving the machine."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

import av


@contextmanager
def plain() -> Iterator[None]:
    """FFmpeg without any instruction that not every processor has: its C alone. x264 asks the processor itself."""
    library = ctypes.CDLL(av._core.__file__)  # linked against libavutil, whose names are found through it
    library.av_force_cpu_flags(0)
    try:
        assert library.av_get_cpu_flags() == 0
        yield
    finally:
        library.av_force_cpu_flags(-1)
