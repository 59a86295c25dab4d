"""The library that knows upscalers, brought in without torchvision.

spandrel asks torchvision for three small functions, for two networks that are no upscalers (one fills holes, one mends
faces). torchvision has to be of torch's very build: one of another build ends not just spandrel but everything that
imports diffusers. So it is not wanted here. Where it is not installed, something with these three names stands in its
place while spandrel is imported, and is gone after that, so that nobody else takes it for torchvision.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Never

from eichi.errors import ModelError

NAME, WANTED = "spandrel", "torchvision"


class _Ways(Enum):
    """The one way of interpolation that a default value there names."""

    NEAREST = "nearest"
    BILINEAR = "bilinear"


def library() -> Any:
    """spandrel. Raises ModelError where it is not installed."""
    if find_spec(NAME) is None:
        raise ModelError("error.finish.library")
    if NAME in sys.modules or find_spec(WANTED) is not None:
        import spandrel

        return spandrel
    with _stand_in():
        import spandrel
    return spandrel


@contextmanager
def _stand_in() -> Iterator[None]:
    names = (WANTED, f"{WANTED}.transforms", f"{WANTED}.transforms.functional")
    made = {name: ModuleType(name) for name in names}
    functional = made[names[-1]]
    functional.__dict__.update(InterpolationMode=_Ways, rotate=_refuse, normalize=_refuse)
    sys.modules.update(made)
    try:
        yield
    finally:
        for name in made:
            del sys.modules[name]


def _refuse(*_: object, **__: object) -> Never:
    """No upscaler comes here."""
    raise ModelError("error.finish.library")
