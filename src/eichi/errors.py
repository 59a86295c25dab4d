"""What can go wrong, in our own words.

    EichiError
    ├── InputError            the request cannot be done as it stands; exit code 2
    │   ├── OptionError       an option: unknown, out of range, not for this model
    │   ├── PictureError      a picture: missing, unreadable, too large
    │   ├── ModelError        a model: unknown, not on this machine, damaged
    │   ├── LoraError         a LoRA: unreadable, not a LoRA, for another model
    │   └── FolderError       the place for results cannot be written
    └── RunError              the request was fine, the run was not; exit code 1
        ├── DeviceError       the device ran out of memory or failed
        ├── DiskError         a file cannot be written, the disk being full for one; the job can be gone on with
        └── StoreError        the store of jobs does not answer as it should

An error carries the id of its sentence and the values in it, so that every surface can say it in the user's
language. Foreign errors are translated where they enter (one place per boundary) and chained; given as the `reason`,
one becomes the id of a text and what fills it.
"""

import dataclasses

from eichi.reasons import because
from eichi.words import ENGLISH, Bare, say, typed


class EichiError(Exception):
    """An error with a sentence: what happened, where, and what to do about it."""

    def __init__(self, id: str, **values: object) -> None:
        super().__init__(id)  # pickle restores the rest from __dict__
        self.id = id
        reason = values.get("reason")
        self.values = values | because(reason) if isinstance(reason, BaseException) else values

    @property
    def plain(self) -> dict[str, str | int | float | None]:
        """What fills the sentence, as values that can be written."""
        plain = (str, int, float, type(None))
        return {name: value if isinstance(value, plain) else str(value) for name, value in self.values.items()}

    def say(self, language: str = ENGLISH) -> str:
        """The sentence in a language."""
        return say(self.id, language, **self.values)

    def __str__(self) -> str:
        """The sentence for who writes a program: options by their keys, as a command line has them."""
        key = self.values.get("key")
        return say(typed(self.id), ENGLISH, **self.values if key is None else self.values | {"key": Bare(str(key))})


@dataclasses.dataclass(frozen=True)
class ErrorView:
    """An error as an answer to a program: id, sentence, the option that it is about, what fills the sentence."""

    id: str
    message: str
    key: str | None = None
    values: dict[str, str | int | float | None] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, error: EichiError, language: str) -> "ErrorView":
        key = error.values.get("key")
        return cls(error.id, error.say(language), None if key is None else str(key), error.plain)


class InputError(EichiError):
    pass


class OptionError(InputError):
    pass


class PictureError(InputError):
    pass


class ModelError(InputError):
    pass


class LoraError(InputError):
    pass


class FolderError(InputError):
    pass


class RunError(EichiError):
    pass


class DeviceError(RunError):
    pass


class DiskError(RunError):
    pass


class StoreError(RunError):
    pass
