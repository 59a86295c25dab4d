"""Gradio without the stubs that it writes for editors.

Whenever Gradio is imported it parses the source of each of its components, to bring the `.pyi` file beside it up to
date: half of the time of its import, and an attempt to write into the installation. Nothing that runs reads them.
"""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def without_stubs() -> Iterator[None]:
    """Import Gradio in here. Its classes look as if they had no source, and such classes get no stubs."""
    real = inspect.getfile

    def getfile(thing: Any) -> str:
        if isinstance(thing, type) and thing.__module__.startswith(("gradio.", "eichi.")):
            raise OSError(f"{thing.__module__} is left alone")
        return real(thing)

    inspect.getfile = getfile  # type: ignore[assignment]
    try:
        yield
    finally:
        inspect.getfile = real
