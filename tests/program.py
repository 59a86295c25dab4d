"""What a command of the program came to, for tests that call it in their own process."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Result:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


Run = Callable[..., Result]
