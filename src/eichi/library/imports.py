"""What a user has in a folder of eichi 1.9, taken over: presets, favourites, settings, queued jobs, section archives.

Everything is read where it lies and nothing there is changed. What is here already stays: the same thing is not taken
twice, another thing of the same name is taken under a free one. The report says of every file what was taken, what was
not, and why; one damaged file, and one damaged entry of a file, keeps nothing else from being taken.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from eichi.declare import Plain
from eichi.errors import EichiError, InputError
from eichi.events import Adjusted
from eichi.library import eichi19, labels
from eichi.library.archive import read_archive
from eichi.library.favourites import Favourite, Favourites
from eichi.library.loras import SLOTS, Loras
from eichi.library.outside import over, sift
from eichi.library.prompts import PromptPresets
from eichi.library.store import FOLDER, free_name
from eichi.options import Request, VideoOptions
from eichi.reading import parse_json
from eichi.reasons import Unfit, because
from eichi.text import shorten

Kind = Literal["prompt", "startup", "slot", "favourite", "folder", "file"]
LIMIT = 16 * 2**20
VALUES = 2_000_000
# Entries of one file that are looked at: more than anybody has made by hand.
MOST = 1000
MARKS = ("settings", "presets", "configs")
SETTINGS = "settings/app_settings.json"
# Where the pictures of section archives are unpacked.
ARCHIVES = "archives"
# Its applications' settings, and what they are called as favourites.
APPS = {
    "app_settings_eichi": "eichi 1.9",
    "app_settings": "eichi 1.9",
    "app_settings_f1": "eichi 1.9 F1",
    "app_settings_oichi": "eichi 1.9 oichi",
}


@dataclass(frozen=True)
class Item:
    """One thing that was found: what it is, its name, whether it was taken, what there is to say."""

    file: str
    kind: Kind
    name: str
    taken: bool
    notes: tuple[Adjusted, ...] = ()


def import_folder(folder: Path, home: Path) -> tuple[Path, list[Item]]:
    """Take over what a folder of eichi 1.9 holds; the folder that held it, and the report. Raises InputError."""
    base = next((place for place in (folder, folder / "webui", folder.parent) if _looks_like(place)), None)
    if base is None or (base == folder.parent and folder.name not in MARKS):
        raise InputError("error.import.nothing", folder=folder, marks=", ".join(f"{mark}/" for mark in MARKS))
    return base, list(_Import(base, home).run())


def _looks_like(folder: Path) -> bool:
    return any(os.path.isdir(folder / mark) for mark in MARKS)


class _Import:
    """One import: the folder read, what it goes to."""

    def __init__(self, base: Path, home: Path) -> None:
        self.base = base
        self.home = home
        self.notes: list[Adjusted] = []
        self.prompts = PromptPresets(home, self.notes.append)
        self.favourites = Favourites(home, self.notes.append)
        self.loras = Loras(home, self.notes.append)

    def run(self) -> Iterator[Item]:
        yield from self._read("presets/prompt_presets.json", self._prompts)
        yield from self._read("presets/lora_presets.json", self._loras)
        yield from self._read("presets/favorite_settings.json", self._favourites)
        yield from self._read(SETTINGS, self._settings)
        yield from self._read("settings/vae_settings.json", self._vae)
        for state in ("configs", "queue", "processing", "error"):
            for path in sorted((self.base / state).glob("*.json")):
                yield from self._read(path.relative_to(self.base).as_posix(), self._config)
        for path in sorted([*self.base.glob("*.zip"), *self.base.glob("*/*.zip")]):
            yield self._archive(path)
        if self.notes:  # of our own files, which may be damaged as well
            yield Item(FOLDER, "file", str(self.home / FOLDER), True, tuple(self.notes))

    def _read(self, name: str, take: Callable[[str, Plain], Iterable[Item]]) -> Iterator[Item]:
        """The things in a JSON file, or a word on why it cannot be read."""
        try:
            yield from take(name, _json(self.base / name))
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            yield Item(name, "file", name, False, (Adjusted("note.import.damaged", because(error)),))
        except EichiError as error:
            yield Item(name, "file", name, False, (_told(error),))

    def _each(self, file: str, kind: Kind, entries: Any, take: Callable[[int, Plain], Item]) -> Iterator[Item]:
        """The things in a list of a file, with a word on each that is none. Raises ValueError for what is no list."""
        if not isinstance(entries, list):
            raise Unfit("reason.list")
        for number, entry in enumerate(entries[:MOST], start=1):
            try:
                if not isinstance(entry, dict):
                    raise TypeError
                yield take(number, entry)
            except (KeyError, TypeError):
                yield Item(file, kind, str(number), False, (Adjusted("note.import.entry", {"number": number}),))
            except EichiError as error:
                yield Item(file, kind, str(number), False, (_told(error),))
        if len(entries) > MOST:
            yield Item(file, kind, file, False, (Adjusted("note.more", {"count": len(entries) - MOST}),))

    def _prompts(self, file: str, values: Plain) -> Iterator[Item]:
        def take(_number: int, preset: Plain) -> Item:
            text = _text(preset, "prompt")
            if preset.get("is_startup_default"):
                return self._startup(file, text)
            name = _text(preset, "name").strip()
            if preset.get("is_default") and text in eichi19.PROMPTS:
                return Item(file, "prompt", name, False, (Adjusted("note.import.built_in", {}),))
            return self._prompt(file, name, text)

        return self._each(file, "prompt", values.get("presets", []), take)

    def _startup(self, file: str, text: str) -> Item:
        name = shorten(text, 60)
        if text in eichi19.PROMPTS:
            return Item(file, "startup", name, False, (Adjusted("note.import.built_in", {}),))
        if self.prompts.startup:
            return Item(file, "startup", name, False, (_here(self.prompts.startup == text),))
        self.prompts.save("", text)
        return Item(file, "startup", name, True)

    def _prompt(self, file: str, name: str, text: str) -> Item:
        here = {preset.name: preset.text for preset in self.prompts.list()}
        if text in here.values():
            return Item(file, "prompt", name, False, (_here(True),))
        new = free_name(name or text[:20], list(here))
        self.prompts.save(new, text)
        return Item(file, "prompt", new, True, _renamed(name, new))

    def _loras(self, file: str, values: Plain) -> Iterator[Item]:
        def take(number: int, preset: Plain) -> Item:
            names = [preset.get(f"lora{place}") for place in (1, 2, 3)]
            found, notes = labels.loras(names, preset.get("scales"), self.base / "lora", True)
            here = self.loras.list().get(number)
            if not found:
                notes.append(Adjusted("note.import.empty", {}))
            elif here is None:
                notes.append(Adjusted("note.import.slots", {"count": len(SLOTS)}))
            elif here.loras:
                notes.append(_here(here.loras == tuple(found)))
            else:
                self.loras.save(number, found)
                missing = [lora.path for lora in found if not lora.path.is_file()]
                notes += [Adjusted("note.import.lora", {"path": str(path)}) for path in missing]
            taken = bool(found) and here is not None and not here.loras
            return Item(file, "slot", str(number), taken, tuple(notes))

        return self._each(file, "slot", values.get("presets", []), take)

    def _favourites(self, file: str, values: Plain) -> Iterator[Item]:
        def take(_number: int, settings: Plain) -> Item:
            kind, request, notes = eichi19.frame(settings, self.base / "lora")
            return self._keep(file, _text(settings, "name"), kind, request, notes)

        return self._each(file, "favourite", values.get("favorites", []), take)

    def _settings(self, file: str, values: Plain) -> Iterator[Item]:
        for app, name in APPS.items():
            if app in values and not (app == "app_settings" and "app_settings_eichi" in values):
                yield self._application(file, name, values[app])
        outputs = values.get("output_folder")
        if outputs:
            told = Adjusted("note.import.outputs", {"folder": str(self.base / str(outputs))})
            yield Item(file, "folder", str(outputs), False, (told,))
        rest = values.keys() - APPS.keys() - {"output_folder"}
        if rest:
            yield Item(file, "file", file, False, (eichi19.no_place(rest),))

    def _application(self, file: str, name: str, settings: Any) -> Item:
        """The settings of one of its applications."""
        if not isinstance(settings, dict) or not settings:
            odd = settings not in (None, {})
            note = Adjusted("note.import.settings" if odd else "note.import.empty", {})
            return Item(file, "favourite", name, False, (note,))
        if name.endswith("oichi"):
            kind, request, notes = eichi19.frame(settings, self.base / "lora")
        else:
            model = eichi19.FORWARD if name.endswith("F1") else eichi19.STANDARD
            kind, request, notes = eichi19.video(settings, model)
        return self._keep(file, name, kind, request, notes)

    def _vae(self, file: str, values: Plain) -> Iterator[Item]:
        yield Item(file, "file", file, False, (eichi19.no_place(values.keys()),))

    def _config(self, file: str, values: Plain) -> Iterator[Item]:
        kind, request, notes = eichi19.config(values, self.base)
        name = values.get("config_name")
        yield self._keep(file, name if isinstance(name, str) else Path(file).stem, kind, request, notes)

    def _archive(self, path: Path) -> Item:
        file = path.relative_to(self.base).as_posix()
        try:
            archive = read_archive(path, self.home / FOLDER / ARCHIVES)
        except EichiError as error:
            return Item(file, "file", file, False, (_told(error),))
        asked, left = archive.over(VideoOptions(model=eichi19.STANDARD))
        values = asked.dump()
        notes = list(left)
        if archive.loras:
            used = [lora for lora in archive.loras if lora.on]
            names, scales = [str(lora.path) for lora in used], ",".join(str(lora.strength) for lora in used)
            notes += eichi19.lay_loras(values, names, scales, self.base / "lora", bool(used))
        return self._keep(file, path.stem, VideoOptions, values, notes)

    def _keep(self, file: str, name: str, kind: type[Request], values: Plain, notes: list[Adjusted]) -> Item:
        """Keep values as a favourite, complete, with what is not known here as it is."""
        weights = values.pop(eichi19.WEIGHTS, {})
        known, left = sift(kind, values)
        request = over(kind().dump(), known)
        if weights:
            request = over(request, {eichi19.WEIGHTS: weights})
        favourite = Favourite(kind=kind.kind, request=request)
        here = {key: self.favourites.get(key) for key in self.favourites.list()}
        if favourite in here.values():
            return Item(file, "favourite", name, False, (*notes, *left, _here(True)))
        new = free_name(name.strip() or Path(file).stem, list(here))
        self.favourites.keep(new, favourite)
        return Item(file, "favourite", new, True, (*notes, *left, *_renamed(name, new)))


def _json(path: Path) -> Plain:
    """The values of a JSON file, with or without a byte order mark. Raises ValueError for anything else."""
    if path.stat().st_size > LIMIT:
        raise Unfit("reason.larger", limit=f"{LIMIT // 2**20} MiB")
    values = parse_json(path.read_bytes(), VALUES)
    if not isinstance(values, dict):
        raise Unfit("reason.table")
    return values


def _text(entry: Plain, key: str) -> str:
    """A text of an entry that makes no sense without it. Raises KeyError, TypeError."""
    text = entry[key]
    if not isinstance(text, str):
        raise TypeError
    return text


def _told(error: EichiError) -> Adjusted:
    return Adjusted(error.id, error.plain)


def _here(same: bool) -> Adjusted:
    return Adjusted("note.import.same" if same else "note.import.other", {})


def _renamed(name: str, new: str) -> tuple[Adjusted, ...]:
    return () if new == name.strip() else (Adjusted("note.library.renamed", {"name": name, "new": new}),)
