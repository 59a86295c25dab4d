"""FramePack-eichi: a picture and a prompt in, a video out, on your own machine.

The Python surface. Names are looked up when they are first used, so that `import eichi` stays free of torch.

    from eichi import VideoOptions, make_plan, generate

    plan = make_plan(VideoOptions(image="cat.jpg", prompt="the camera zooms in", seconds=2))
    for event in generate(plan, "outputs"):
        print(event)

One image is made likewise: `FrameOptions`, `make_frame_plan`, `generate_frame`.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eichi.errors import EichiError
    from eichi.options import FrameOptions, VideoOptions
    from eichi.pipeline.generate import generate
    from eichi.pipeline.oneframe import generate_frame
    from eichi.prepare import make_frame_plan, make_plan

__all__ = ["EichiError", "FrameOptions", "VideoOptions", "generate", "generate_frame", "make_frame_plan", "make_plan"]

_HOMES = {
    "EichiError": "eichi.errors",
    "FrameOptions": "eichi.options",
    "VideoOptions": "eichi.options",
    "generate": "eichi.pipeline.generate",
    "generate_frame": "eichi.pipeline.oneframe",
    "make_frame_plan": "eichi.prepare",
    "make_plan": "eichi.prepare",
}


# Large tensors in pages of 2 MiB, where the system has such: without them over a quarter of a CPU's time goes into
# giving the VAE its memory. PyTorch asks once, at the first tensor, and diffusers makes one when it is imported.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'eichi' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
