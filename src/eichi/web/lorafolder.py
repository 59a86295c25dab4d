"""The LoRA files of the machine's folders by name, and the five presets of them.

A page names files of the folders, or files that a request brought along whose paths are remembered here. What a file is
and which models it fits is read from its header. Knows no page.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from eichi.catalog import find, known
from eichi.errors import EichiError, InputError
from eichi.jobs.view import View
from eichi.library.lorafolders import lora_files
from eichi.library.loras import Loras, PresetLora, lora
from eichi.library.store import Tell
from eichi.models.lorafile import LoraFile, read_lora
from eichi.models.loramatch import match_lora
from eichi.models.shapes import transformer_shapes
from eichi.settings import Settings


class Chosen(View):
    """A LoRA file by its name, and how strongly it is used."""

    name: str
    strength: float


class LoraView(View):
    """A LoRA file by its name, the models that it fits, and why where it fits none; None where it is gone."""

    name: str
    fits: tuple[str, ...]
    said: str | None


class LoraFolder:
    """LoRA files by name: those of the machine's folders, and those that requests brought along."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._brought: dict[str, Path] = {}
        self._read: dict[tuple[Path, int, int], tuple[tuple[str, ...], EichiError | None]] = {}

    @property
    def folder(self) -> Path:
        """Where files are put that are given."""
        return self.settings.loras[0].absolute()

    def list(self, language: str) -> list[LoraView]:
        """Every file with the models that it fits, or why it fits none."""
        paths = lora_files(self.settings.loras) | self._brought
        return [self._describe(name, path, language) for name, path in paths.items()]

    def path(self, name: str) -> Path:
        """The file of a name. Raises InputError."""
        path = self._brought.get(name) or lora_files(self.settings.loras).get(name)
        if path is None or not os.path.isfile(path):  # also false for a name that no file can have
            raise InputError("error.file.missing", path=name)
        return path

    def name(self, path: Path) -> str:
        """The name of a file that a request has, for the browser."""
        ours = next((name for name, file in lora_files(self.settings.loras).items() if file == path.absolute()), None)
        if ours is None:
            self._brought[path.name] = path
        return ours or path.name

    def _describe(self, name: str, path: Path, language: str) -> LoraView:
        try:
            state = path.stat()
        except (OSError, ValueError):  # a name that no file can have
            return LoraView(name=name, fits=(), said=None)
        key = (path, state.st_mtime_ns, state.st_size)
        if key not in self._read:
            self._read[key] = self._fits(path)
        fits, error = self._read[key]
        return LoraView(name=name, fits=fits, said="" if error is None else error.say(language))

    def _fits(self, path: Path) -> tuple[tuple[str, ...], EichiError | None]:
        """The models that a file fits, and the reason where there is none."""
        try:
            file = read_lora(path)
        except EichiError as error:
            return (), error
        fits, last = [], None
        for model in known():
            try:
                self._match(file, model)
                fits.append(model)
            except EichiError as error:
                last = error
        return tuple(fits), None if fits else last

    def _match(self, file: LoraFile, model: str) -> None:
        match_lora(file, transformer_shapes(find(model), self.settings.models), model)


class Presets:
    """The five presets, as the browser reads and writes them."""

    def __init__(self, home: Path, folder: LoraFolder, tell: Tell) -> None:
        self.folder = folder
        self.kept = Loras(home, tell, folder.settings.loras)

    def list(self) -> dict[int, list[Chosen]]:
        return {
            number: [self._chosen(one) for one in slot.loras if one.on] for number, slot in self.kept.list().items()
        }

    def save(self, number: int, chosen: Sequence[Chosen]) -> None:
        """Put a choice into a preset. Raises InputError, OptionError."""
        self.kept.save(number, [lora(self.folder.path(one.name), one.strength) for one in chosen])

    def _chosen(self, one: PresetLora) -> Chosen:
        return Chosen(name=self.folder.name(one.path), strength=one.strength)
