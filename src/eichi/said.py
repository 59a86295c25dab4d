"""What a process of its own says on its last line: what it was asked for, or an error of ours, as JSON.

For what the page's process, which has no torch, and others that must not end with a network, let such a process do.
Libraries print what they like before that line. Knows neither who asks nor what for.
"""

import sys
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from eichi.errors import EichiError

Answer = TypeVar("Answer", bound=BaseModel)


class Refusal(BaseModel):
    """An error of ours: its id, and what fills its sentence."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    error: str
    values: dict[str, str | int | float | None] = {}

    @classmethod
    def of(cls, error: EichiError) -> "Refusal":
        return cls(error=error.id, values=error.plain)

    def error_of(self, kind: type[EichiError]) -> EichiError:
        """The error again, as one of a kind."""
        return kind(self.error, **self.values)


def say_last(said: BaseModel) -> None:
    """Say this as the last line."""
    sys.stdout.write(said.model_dump_json() + "\n")


def read_said(text: str | bytes, answer: type[Answer], refused: type[EichiError]) -> Answer:
    """An answer in JSON. Raises an error of the kind `refused` where that is what was said, ValueError."""
    try:
        refusal = Refusal.model_validate_json(text)
    except ValidationError:
        return answer.model_validate_json(text)
    raise refusal.error_of(refused)


def last_line(text: str) -> str:
    """The last line that says something, or nothing."""
    return (text.strip().splitlines() or [""])[-1]
