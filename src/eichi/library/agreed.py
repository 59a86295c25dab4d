"""The terms of model weights that a user has agreed to in the page, so that each is asked about once."""

from collections.abc import Iterable
from pathlib import Path

from pydantic import Field

from eichi.library.store import Kept, Shelf, Tell


class _Content(Kept):
    licences: list[str] = Field(default_factory=list)


class Agreed:
    """The ids of the licences that were agreed to."""

    def __init__(self, home: Path, tell: Tell) -> None:
        self._shelf = Shelf(home, "licences", _Content, tell)

    def list(self) -> frozenset[str]:
        """Raises InputError for a file of a later version."""
        return frozenset(self._shelf.read().licences)

    def add(self, licences: Iterable[str]) -> None:
        """Note what somebody agreed to. Raises FolderError."""
        with self._shelf.change() as content:
            content.licences = sorted({*content.licences, *licences})
