"""What a process of its own says on its last line: what it was asked for, or an error of ours, as JSON.

For what the page's process, which has no torch, and others that must not end with a network, let such a process do.
Libraries print what they like before that line. Knows neither who asks nor what for.
"""

import sys
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from eichi.errors import EichiError, InputError, RunError

Answer = TypeVar("Answer", bound=BaseModel)


class Refusal(BaseModel):
    """An error of ours: its id, what fills its sentence, and whether it is about what was asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    error: str
    values: dict[str, str | int | float | None] = {}
    input: bool = False

    @classmethod
    def of(cls, error: EichiError) -> "Refusal":
        return cls(error=error.id, values=error.plain, input=isinstance(error, InputError))

    def error_of(self, kind: type[EichiError] | None) -> EichiError:
        """The error again, as one of a kind; None for what it was."""
        kind = kind or (InputError if self.input else RunError)
        return kind(self.error, **self.values)


def say_last(said: BaseModel) -> None:
    """Say this as the last line."""
    sys.stdout.write(said.model_dump_json() + "\n")


def read_said(text: str | bytes, answer: type[Answer], refused: type[EichiError] | None = None) -> Answer:
    """An answer in JSON. Raises the error that was said instead, as one of the kind `refused` where that is given, and
    ValueError.
    """
    try:
        refusal = Refusal.model_validate_json(text)
    except ValidationError:
        return answer.model_validate_json(text)
    raise refusal.error_of(refused)


def last_line(text: str) -> str:
    """The last line that says something, or nothing."""
    return (text.strip().splitlines() or [""])[-1]
