"""The large libraries, brought in at once and before anything that needs them; to be imported first.

They make some 700,000 objects that stay. While they do, garbage collection would look through all of them again and
again, a sixth of the time from a command to its first step; so it waits, and they are put among what is old already.
"""

import gc


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


_bring()
