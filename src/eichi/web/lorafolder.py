"""The LoRA files of the machine's folders by their ids, and the five presets of them.

What a file is and which models it fits is read from its header, once for as long as it does not change; one that is
damaged says so and keeps none of the others from being listed. Knows no page.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from eichi.catalog import known
from eichi.errors import EichiError, InputError
from eichi.jobs.view import View
from eichi.library.lorafolders import find_lora, lora_files
from eichi.library.loras import Loras, PresetLora, lora
from eichi.library.store import Tell
from eichi.loratext import compare, lines
from eichi.models.lorafile import check_numbers, read_lora
from eichi.models.loramatch import Match
from eichi.settings import Settings
from eichi.web.problems import called
from eichi.web.refs import LORA, Refs


class Chosen(View):
    """A LoRA file by its id, how strongly it is used, and whether it is."""

    id: str
    strength: float
    on: bool = True


class PresetFile(View):
    """A LoRA file of a preset; one that is not in the folders has no id, and stays in its preset."""

    id: str | None
    name: str
    strength: float
    on: bool


class PresetView(View):
    """A preset: the user's name for it, empty where there is none, and its files."""

    name: str
    loras: tuple[PresetFile, ...]


class LoraFigures(View):
    """What is in a file and what of it fits: layers in all and matched, tensors that fit nothing, ranks, alphas.

    `piece` is its number and that of all where it is one file of several, `base` the model that it names.
    """

    format: str
    kinds: tuple[str, ...]
    base: str | None
    layers: int
    matched: int
    unmatched: int
    silent: int
    rank: tuple[int, ...]
    alpha: tuple[float, ...]
    piece: tuple[int, int] | None


class LoraView(View):
    """A LoRA file: the folder below our own that it is in, its bytes, the models that it fits or why it fits none."""

    id: str
    name: str
    folder: str
    size: int
    fits: tuple[str, ...]
    said: str
    report: LoraFigures | None


class LoraTold(LoraView):
    """A LoRA file of which every number was looked at, with a report in sentences."""

    lines: tuple[str, ...]


class LoraFolder:
    """The LoRA files of the machine's folders."""

    def __init__(self, settings: Settings, refs: Refs) -> None:
        self.settings, self.refs = settings, refs
        self._read: dict[tuple[Path, int, int], tuple[tuple[str, ...], LoraFigures | None, EichiError | None]] = {}

    @property
    def folder(self) -> Path:
        """Where files are put that are given."""
        return self.settings.loras[0].absolute()

    def list(self, language: str) -> list[LoraView]:
        """Every file with the models that it fits, or why it fits none."""
        found = lora_files(self.settings.loras)
        return [view for name, path in found.items() if (view := self._describe(name, path, language)) is not None]

    def tell(self, id: str, language: str) -> LoraTold:
        """All about one file, as `eichi lora inspect` has it. Raises InputError."""
        path = self.refs.find(id)
        name = next((name for name, file in lora_files(self.settings.loras).items() if file == path), path.name)
        view = self._describe(name, path, language)
        if not id.startswith(LORA) or view is None:
            raise InputError("error.ref.gone")
        try:
            with called(path):
                file = read_lora(path)
                check_numbers(file)
        except EichiError as error:
            return LoraTold(**dict(view) | {"fits": (), "said": error.say(language)}, lines=())
        fits, misfits = compare(file, known(), self.settings.model_folders)
        said = lines(fits, misfits, language) if fits else []
        return LoraTold(**dict(view), lines=tuple(line.strip() for line in said))

    def _describe(self, name: str, path: Path, language: str) -> LoraView | None:
        """A file as it is listed; None for one that has gone meanwhile."""
        id = self.refs.id(path)
        try:
            state = path.stat()
        except OSError:
            return None
        key = (path, state.st_mtime_ns, state.st_size)
        if key not in self._read:
            self._read[key] = self._fits(path)
        fits, report, error = self._read[key]
        folder, _, name = name.rpartition("/")
        said = "" if error is None else error.say(language)
        size = state.st_size
        return LoraView(id=id or "", name=name, folder=folder, size=size, fits=fits, said=said, report=report)

    def _fits(self, path: Path) -> tuple[tuple[str, ...], LoraFigures | None, EichiError | None]:
        """The models that a file fits with what is in it, and the reason where there is none."""
        try:
            with called(path):
                fits, misfits = compare(read_lora(path), known(), self.settings.model_folders)
                if not fits:
                    raise next(reversed(misfits.values()))
        except EichiError as error:
            return (), None, error
        return tuple(match.model for match in fits), _figures(fits[0]), None


class Presets:
    """The five presets, as the browser reads and writes them."""

    def __init__(self, home: Path, folder: LoraFolder, tell: Tell) -> None:
        self.folder = folder
        self.kept = Loras(home, tell, folder.settings.loras)

    def list(self) -> dict[int, PresetView]:
        """All five by number."""
        return {
            number: PresetView(name=slot.name, loras=tuple(self._file(one) for one in slot.loras))
            for number, slot in self.kept.list().items()
        }

    def save(self, number: int, chosen: Sequence[Chosen], name: str | None = None) -> None:
        """Put a choice into a preset; its name stays unless another is given. Raises InputError, OptionError."""
        loras = [lora(self.folder.refs.find(one.id), one.strength, one.on) for one in chosen]
        self.kept.save(number, loras, name)

    def _file(self, one: PresetLora) -> PresetFile:
        try:
            path = find_lora(one.path, self.folder.settings.loras)
        except EichiError:  # of several nobody knows which one is meant
            path = None
        id = None if path is None or not os.path.isfile(path) else self.folder.refs.id(path.absolute())
        return PresetFile(id=id, name=one.path.name, strength=one.strength, on=one.on)


def _figures(match: Match) -> LoraFigures:
    report = match.report
    return LoraFigures(
        format=report.format,
        kinds=report.kinds,
        base=report.base,
        layers=report.layers,
        matched=report.matched,
        unmatched=len(report.unmatched),
        silent=report.silent,
        rank=report.rank,
        alpha=report.alpha,
        piece=report.piece,
    )
