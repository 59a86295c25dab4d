"""LoRA presets: five numbered slots, each a list of LoRA files with their strengths, on or off.

Plain values: whether a file fits a model is not known here. A file that is not there is reported and stays in its
slot, since a drive comes back and a file is moved back.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import Field, ValidationError

from eichi.errors import OptionError
from eichi.events import Adjusted
from eichi.library.store import Kept, Shelf, Tell

SLOTS = range(1, 6)
STRENGTH = 0.8
HIGHEST = 2.0


class PresetLora(Kept):
    """One LoRA file and how strongly it is applied, -2 to 2."""

    path: Path
    strength: float = Field(STRENGTH, ge=-HIGHEST, le=HIGHEST, allow_inf_nan=False)
    on: bool = True


class Slot(Kept):
    """A LoRA preset. `name` is the user's, empty where there is only the number."""

    name: str = ""
    loras: tuple[PresetLora, ...] = ()


class _Content(Kept):
    slots: dict[int, Slot] = Field(default_factory=dict)


class Loras:
    """The LoRA presets of a user. `folders` are where files are looked for that have no folder of their own."""

    def __init__(self, home: Path, tell: Tell, folders: Sequence[Path] = ()) -> None:
        self._tell = tell
        self._folders = tuple(folders)
        self._shelf = Shelf(home, "loras", _Content, tell)

    def list(self) -> dict[int, Slot]:
        """All five slots by number."""
        kept = self._shelf.read().slots
        return {number: kept.get(number, Slot()) for number in SLOTS}

    def save(self, number: int, loras: Iterable[PresetLora], name: str | None = None) -> None:
        """Put LoRA files into a slot; its name stays unless another is given. Raises OptionError."""
        with self._shelf.change() as content:
            before = content.slots.get(_checked(number), Slot())
            content.slots[number] = Slot(name=before.name if name is None else name.strip(), loras=tuple(loras))

    def rename(self, number: int, name: str) -> None:
        """Give a slot another name; a blank one leaves it its number. Raises OptionError."""
        self.save(number, self.list()[_checked(number)].loras, name)

    def clear(self, number: int) -> None:
        """Empty a slot. Raises OptionError."""
        with self._shelf.change() as content:
            content.slots.pop(_checked(number), None)

    def apply(self, number: int) -> Slot:
        """A slot with the paths of the files that were found; the others stay as they are and are told."""
        slot = self.list()[_checked(number)]
        found = []
        for lora in slot.loras:
            path = find(lora.path, self._folders)
            if path is None:
                self._tell(Adjusted("note.lora.missing", {"path": str(lora.path), "number": number}))
            found.append(lora.model_copy(update={"path": path or lora.path}))
        return slot.model_copy(update={"loras": tuple(found)})


def lora(path: str | Path, strength: float = STRENGTH, on: bool = True) -> PresetLora:
    """A LoRA file with its strength. Raises OptionError for a strength out of range."""
    try:
        return PresetLora(path=Path(path), strength=strength, on=on)
    except ValidationError as error:
        raise OptionError("error.option.range", key=str(path), value=strength, low=-HIGHEST, high=HIGHEST) from error


def find(path: Path, folders: Iterable[Path]) -> Path | None:
    """Where a file lies: at its path, or below one of the folders; None where it does not."""
    for place in (path, *(folder / path for folder in folders)):
        if os.path.isfile(place):  # also false for a name that no file can have
            return place
    return None


def _checked(number: int) -> int:
    if number not in SLOTS:
        raise OptionError("error.slot.number", number=number, last=SLOTS[-1])
    return number
