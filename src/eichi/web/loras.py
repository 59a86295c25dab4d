"""The place for LoRA: the files of the folder, which of them are used and how strongly, five presets.

One choice serves videos and images alike. The browser names files of the folder, or files that a request brought along
whose paths are remembered here; it never says a path. What a file is and which models it fits is read from its header.
"""

import json
import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from eichi.catalog import find, known
from eichi.errors import EichiError, InputError
from eichi.jobs.view import View
from eichi.library.lorafolders import ENDING, lora_files
from eichi.library.loras import SLOTS, Loras, PresetLora, lora
from eichi.library.store import Tell
from eichi.models.lorafile import LoraFile, read_lora
from eichi.models.loramatch import match_lora
from eichi.models.shapes import transformer_shapes
from eichi.options import Request
from eichi.settings import Settings
from eichi.web.fields import Update
from eichi.web.fieldset import live_html
from eichi.web.i18n import Words

TEXTS = ("none", "strength", "empty", "missing")


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


class LoraPlace:
    """The one control of the place: what is chosen, as a list of names with strengths."""

    def __init__(self, folder: LoraFolder, words: Words, render: bool = True) -> None:
        self.folder = folder
        told = escape(json.dumps({name: words(f"loras.{name}") for name in TEXTS}, ensure_ascii=False))
        slots = "".join(
            f'<span class="slot"><b>{number}</b><button type="button" data-slot-load="{number}">'
            f'{escape(words("loras.load"))}</button><button type="button" class="quiet" data-slot-save="{number}">'
            f"{escape(words('loras.save'))}</button><small></small></span>"
            for number in SLOTS
        )
        help = escape(words("loras.help", folder=folder.folder))
        html = (
            f'<div class="loras" data-words="{told}" data-language="{words.language}">'
            f"<h3>{escape(words('place.loras'))} <small>{help}</small></h3>"
            f'<ul class="files"></ul><label class="upload"><input type="file" accept="{ENDING}" data-upload-lora>'
            f"<span>{escape(words('loras.upload'))}</span></label>"
            f'<h4>{escape(words("loras.presets"))}</h4><div class="slots">{slots}</div></div>'
        )
        self.html = live_html("loras", [], html, render=render)

    def values(self, given: Sequence[Mapping[str, Any]] | None) -> list[Update]:
        """What a request says of it. Raises InputError for a file that is not there."""
        return [{"file": self.folder.path(str(one["name"])), "strength": one["strength"]} for one in given or ()]

    def show(self, request: Request) -> Update:
        """An update that puts a request's LoRAs into the place."""
        chosen = [{"name": self.folder.name(one.file), "strength": one.strength} for one in request.weights.loras]
        return gr.update(value=chosen)


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
