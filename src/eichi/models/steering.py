"""What a transformer can be told beside the inputs of the library's: words to move away from, a scale of places.

Both are said with each call, as `attention_kwargs`, so that whoever repeats a call elsewhere repeats them. A job that
asks for neither has the library's transformer, untouched.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from diffusers import HunyuanVideoFramepackTransformer3DModel

from eichi.models.nag import Nag, nagging
from eichi.models.rotary import scaling


@dataclass(frozen=True)
class Steering:
    """What a job will tell."""

    nag: Nag | None = None
    places: bool = False


@contextmanager
def steered(transformer: HunyuanVideoFramepackTransformer3DModel, steering: Steering) -> Iterator[None]:
    """For the time of a job, a transformer that can be told so. To be entered before kernels, caches and shares are."""
    with ExitStack() as stack:
        if steering.nag is not None:
            stack.enter_context(nagging(transformer, steering.nag))
        if steering.places:
            stack.enter_context(scaling(transformer))
        yield
