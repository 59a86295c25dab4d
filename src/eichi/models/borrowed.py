"""Private parts of libraries that the program leans on: every one of them, here and nowhere else.

Each is here because nothing public does the same, and says what it is for and the version in which it was last seen. A
library may change such a part without a word, so `tests/models/test_borrowed.py` fails where one is gone or is called
in another way, and pyproject.toml ends the versions of their libraries before those that nobody has looked at. Loads no
library.

SQLAlchemy's `_mapping` is not among them: it is documented, its underscore only keeps it apart from columns.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

# diffusers 0.42.1, `_GROUP_OFFLOADING`: the name that it looks its own hooks of group offloading up by, for instance to
# leave a network where it is that is told to move.
GROUP_OFFLOADING = "group_offloading"


@contextmanager
def packing(transformer: Any, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Iterator[None]:
    """For a time, another `_pack_history_states` in FramePack's transformer: `make` gives it, made of the one there is.

    It puts the tokens of all latents that are given before those of the window, and their rotary tables likewise. The
    forward pass has no other place between the two. diffusers 0.42.1.
    """
    transformer._pack_history_states = make(transformer._pack_history_states)
    try:
        yield
    finally:
        del transformer._pack_history_states


class Dispatched:
    """What computes attention by diffusers' dispatcher: the two attributes by which it is told with which kernel and
    with which processes. `attention_backend`, `exchanging` and diffusers itself set them. diffusers 0.42.1.
    """

    _attention_backend: Any = None
    _parallel_config: Any = None

    @property
    def backend(self) -> Any:
        """The kernel, None for torch's own."""
        return self._attention_backend

    @property
    def exchange(self) -> Any:
        """The processes that exchange tokens for heads, None where one computes alone."""
        return self._parallel_config


@contextmanager
def attention_backend(processors: Iterable[Any], backend: Any) -> Iterator[None]:
    """For a time, another `_attention_backend` in what computes attention: the kernel that diffusers' dispatcher takes.

    The public `set_attention_backend` sets a whole network's, of which a part has masks that not every kernel knows.
    diffusers 0.42.1.
    """
    kept = [(processor, processor._attention_backend) for processor in processors]
    for processor, _ in kept:
        processor._attention_backend = backend
    try:
        yield
    finally:
        for processor, before in kept:
            processor._attention_backend = before


@contextmanager
def exchanging(processors: Iterable[Any], config: Any) -> Iterator[None]:
    """For a time, a `_parallel_config` in what computes attention: the processes that exchange tokens for heads.

    The public `enable_parallelism` gives it to the part that reads the prompt as well, for good, and counts
    accelerators, of which a CPU has none. diffusers 0.42.1.
    """
    kept = list(processors)
    for processor in kept:
        processor._parallel_config = config
    try:
        yield
    finally:
        for processor in kept:
            processor._parallel_config = None
