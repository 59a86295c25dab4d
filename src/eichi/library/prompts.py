"""Prompt presets: prompts with a name, and the one that a new request starts with.

Built-in ones are the examples of the advice; they have ids in place of names and cannot be changed. The text of a
preset is kept exactly as it was typed.
"""

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from eichi.errors import InputError, OptionError
from eichi.library.store import Kept, Name, Shelf, Tell
from eichi.options import VideoOptions

# The words of the name by id, and the prompt: the examples of the document, which the models read in English.
BUILT_IN = {
    "preset.basic": "The character walks gracefully, with clear movements, across the room.",
    "preset.calm": "The character breathes calmly, with subtle body movements.",
    "preset.medium": "The character walks forward, gestures with hands, with natural posture.",
    "preset.complex": "The character performs dynamic movements with energy and flowing motion.",
    "preset.forward": (
        "A character enthusiastically dancing with dynamic movements, arms swinging freely, "
        "head nodding to the rhythm, full of energy and life"
    ),
    "preset.story": (
        "A young woman with long flowing hair, cinematic lighting, detailed facial features, soft expressions, "
        "gentle movements. The camera slowly pans from left to right. The woman gradually turns her head, her "
        "expressions changing from neutral to a slight smile. There is a sense of emotional buildup as if emotional "
        "music is playing in the background."
    ),
}


@dataclass(frozen=True)
class Preset:
    """A prompt to choose. `name` is the id of its words where it is built in."""

    name: str
    text: str
    built_in: bool


class _Content(Kept):
    startup: str | None = None
    presets: dict[Name, str] = Field(default_factory=dict)


class PromptPresets:
    """The prompt presets of a user."""

    def __init__(self, home: Path, tell: Tell) -> None:
        self._shelf = Shelf(home, "prompts", _Content, tell)

    @property
    def startup(self) -> str:
        """The prompt of a new request, empty where none was chosen."""
        return self._shelf.read().startup or ""

    def list(self) -> list[Preset]:
        """Built-in presets first, then the user's in the order they were saved."""
        built = [Preset(id, text, True) for id, text in BUILT_IN.items()]
        return built + [Preset(name, text, False) for name, text in self._shelf.read().presets.items()]

    def apply(self, name: str) -> str:
        """The text of a preset. Raises InputError for an unknown name."""
        for preset in self.list():
            if preset.name == name:
                return preset.text
        raise self._unknown(name)

    def save(self, name: str, text: str) -> None:
        """Keep a prompt under a name; a blank name makes it the start-up prompt. Raises OptionError."""
        VideoOptions.parse({"prompt": text})  # what is kept must be usable
        name = name.strip()
        if name in BUILT_IN:
            raise OptionError("error.preset.built_in", name=name)
        with self._shelf.change() as content:
            if name:
                content.presets[name] = text
            else:
                content.startup = text

    def delete(self, name: str) -> None:
        """Remove a preset; a blank name removes the start-up prompt. Raises InputError."""
        name = name.strip()
        if name in BUILT_IN:
            raise OptionError("error.preset.built_in", name=name)
        with self._shelf.change() as content:
            if not name:
                content.startup = None
            elif content.presets.pop(name, None) is None:
                raise self._unknown(name)

    def clear(self) -> None:
        """Remove every preset of the user and the start-up prompt; the file before stays beside it."""
        with self._shelf.change() as content:
            content.presets.clear()
            content.startup = None

    def _unknown(self, name: str) -> InputError:
        known = ", ".join(preset.name for preset in self.list())
        return InputError("error.preset.unknown", name=name, known=known)
