"""FramePack-eichi: a picture and a prompt in, a video out, on your own machine.

The Python surface. Names are looked up when they are first used, so that `import eichi` stays free of torch.

    from eichi import VideoOptions, make_plan, generate

    plan = make_plan(VideoOptions(image="cat.jpg", prompt="the camera zooms in", seconds=2))
    for event in generate(plan, "outputs"):
        print(event)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eichi.errors import EichiError
    from eichi.options import VideoOptions
    from eichi.pipeline.generate import generate
    from eichi.prepare import make_plan

__all__ = ["EichiError", "VideoOptions", "generate", "make_plan"]

_HOMES = {
    "EichiError": "eichi.errors",
    "VideoOptions": "eichi.options",
    "generate": "eichi.pipeline.generate",
    "make_plan": "eichi.prepare",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'eichi' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
