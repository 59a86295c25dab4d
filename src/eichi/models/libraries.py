"""The large libraries, brought in at once and before anything that needs them; to be imported first.

They make some 700,000 objects that stay. While they do, garbage collection would look through all of them again and
again, a sixth of the time from a command to its first step; so it waits, and they are put among what is old already.

What torch reads of the environment when it comes is said here, too: pinned memory as it is asked for. Its own way is to
round every block up to a power of two, which would make half as much again of streamed weights.
"""

import gc
import os

ALLOCATOR = "PYTORCH_ALLOC_CONF"
OLDER = "PYTORCH_CUDA_ALLOC_CONF"
EXACT = "pinned_max_round_threshold_mb:1"


def _say() -> None:
    """Leaves alone what somebody set by hand."""
    if OLDER not in os.environ:
        os.environ.setdefault(ALLOCATOR, EXACT)


def _bring() -> None:
    collecting = gc.isenabled()
    gc.disable()
    try:
        from diffusers import AutoencoderKLHunyuanVideo  # noqa: F401  # with it come torch and transformers
    finally:
        gc.freeze()
        gc.unfreeze()  # into the oldest generation, without having been looked at
        if collecting:
            gc.enable()


_say()
_bring()
