"""A file that was dropped on the page: what it is, told by its content, and what it gives.

A result gives its options back, a picture of another program its picture and the few options that are in it, an archive
its sections; favourites, latents and LoRA files are put where they belong. What a file does not say stays as it is in
the draft that it was dropped on. Whatever is lost on the way or guessed is said. Knows no page.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Literal

from eichi.declare import Plain
from eichi.errors import EichiError, InputError, PictureError
from eichi.events import Adjusted
from eichi.files import digest
from eichi.library.archive import Archive, read_archive
from eichi.library.favourites import Favourites
from eichi.library.lorafolders import find_lora
from eichi.library.outside import over, read_request_from
from eichi.library.restore import restore
from eichi.library.whereabouts import Places
from eichi.names import fit_name
from eichi.options import FinishOptions, LoraOptions, Request, VideoOptions
from eichi.settings import Settings
from eichi.video import images
from eichi.video.latentfile import measure_latents
from eichi.video.metadata import KEY, last_part
from eichi.video.sources import ENDINGS
from eichi.video.texts import texts_in
from eichi.web.drafted import Drafter, told
from eichi.web.i18n import Words
from eichi.web.problems import called
from eichi.web.refs import Refs
from eichi.web.toolruns import VIDEOS
from eichi.web.uploads import LARGEST, Given
from eichi.web.visitor import Visitor

Kind = Literal["settings", "picture", "archive", "favourites", "latents", "lora"]
ZIP, JSON, WEIGHTS = (b"PK\3\4", b"PK\5\6"), (".json",), (".safetensors",)
KNOWN = "PNG, JPEG, WebP, MP4, safetensors, ZIP, JSON"
UNTOLD = ("error.file.record", "error.file.kind", "error.file.packed")  # what a file says that gives no options


@dataclass
class Dropped:
    """What came of a file: its kind, nested options with ids for files, a picture, the id of another file, sentences
    with what the documents know them by.

    `names` are those of favourites that were taken in.
    """

    kind: Kind
    options: Plain | None = None
    picture: Given | None = None
    ref: str | None = None
    notes: dict[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()


class Reader:
    """Reads what a visitor drops on a draft of a kind, whose nested values are `below`."""

    def __init__(self, settings: Settings, refs: Refs, visitor: Visitor, kind: type[Request], below: Plain) -> None:
        self._machine, self.refs, self.given = settings, refs, refs.given
        self.visitor, self.kind, self.below = visitor, kind, below
        self.drafter, self.words = Drafter(refs, visitor), Words(visitor.language)
        self.heard: list[Adjusted] = []

    def read(self, name: str, content: BinaryIO) -> Dropped:
        """What a file is and gives. Raises InputError, DiskError for one that is nothing."""
        base = Path(fit_name(name) or "file")
        with TemporaryDirectory(prefix="eichi-read-") as folder:
            path = Path(folder) / f"{base.stem}{base.suffix.lower()}"
            with called(path):
                _copy(content, path)
                found = self._read(path)
        notes = found.notes | told(self.heard, self.words)
        found.notes = {self.refs.text(note, self.visitor): id for note, id in notes.items()}
        return found

    def _read(self, path: Path) -> Dropped:
        with path.open("rb") as file:
            head = file.read(64)
        if head.startswith(ZIP) or path.suffix == ".zip":
            return self._archive(path)
        if path.suffix in WEIGHTS:
            return self._weights(path)
        if path.suffix in JSON:
            return self._favourites(path)
        try:
            images.measure(path)
        except PictureError as error:
            if path.suffix in ENDINGS or error.id != "error.picture.unknown":
                raise
        else:
            return self._picture(path)
        if path.suffix not in VIDEOS and not texts_in(path):
            raise InputError("error.upload.kind", name=path.name, known=KNOWN)
        return Dropped("settings", self.settings(path))

    def _picture(self, path: Path) -> Dropped:
        """A picture, kept as one, and the options that are in it, if there are some."""
        with path.open("rb") as file:
            found = Dropped("picture", picture=self.given.picture(path.name, file))
        self._options(path, found)
        if found.options is not None:
            found.kind = "settings"
        return found

    def _weights(self, path: Path) -> Dropped:
        """Latents, put among the results, or a LoRA file, put into its folder."""
        try:
            measure_latents(path)
        except InputError:
            return Dropped("lora", ref=self._put(path, self._lora))
        found = Dropped("latents", ref=self._put(path, self.given.result))
        self._options(path, found)
        return found

    def _options(self, path: Path, found: Dropped) -> None:
        """The options of a file that is of use without them; where it has some that cannot be used, that is said."""
        try:
            found.options = self.settings(path)
        except InputError as error:
            if error.id not in UNTOLD:
                raise
            if error.values.get("kind") == FinishOptions.kind:
                return  # of somebody's own video: a picture like any other, nothing of it is lost
            if error.id != UNTOLD[0] or KEY in texts_in(path):
                error.values = {key: path.name if value == path else value for key, value in error.values.items()}
                found.notes[error.say(self.visitor.language)] = error.id

    def settings(self, path: Path) -> Plain:
        """The options that a file carries. Those of another program's lie over the draft."""
        found = restore(path, self.kind)
        if not found.whole:
            self.heard += found.notes
            return over(self.below, _typed(self.kind.parse(found.values).dump(), found.values))
        folders = (self.given.folder, self._machine.outputs.absolute(), *self._machine.loras)
        cache = self._machine.cache if self.visitor.local else None
        values, notes = found.at(Places(folders=folders, cache=cache, strict=True))
        self.heard += notes
        return self._draft(self.kind.parse(values), None if self.visitor.local else folders)

    def _archive(self, path: Path) -> Dropped:
        """The sections of an archive over the draft, its LoRA files by their names in our folders."""
        if self.kind is not VideoOptions:
            raise InputError("error.archive.frame", path=path, place="create")
        pictures = path.parent / "pictures"
        archive = read_archive(path, pictures)
        below, lost = read_request_from(VideoOptions, self.below)
        asked, notes = archive.over(below)
        self.heard += (*lost, *notes)
        if archive.loras is not None:
            loras = tuple(self._found(archive))
            weights = asked.weights.model_copy(update={"loras": loras})
            asked = asked.model_copy(update={"weights": weights})
        ours = (pictures, self.given.folder, self._machine.outputs.absolute(), *self._machine.loras)
        return Dropped("archive", self._draft(asked, None if self.visitor.local else ours))

    def _found(self, archive: Archive) -> Iterator[LoraOptions]:
        """The LoRA files of an archive that are in our folders."""
        for lora in archive.loras or ():
            name = last_part(str(lora.path))
            try:
                path = find_lora(Path(name), self._machine.loras)
            except EichiError:  # several of the name
                path = None
            if path is None:
                self.heard.append(Adjusted("note.file.lost", {"key": "weights.loras", "name": name}))
            elif lora.on:
                yield LoraOptions(file=path.absolute(), strength=lora.strength)

    def _favourites(self, path: Path) -> Dropped:
        taken = Favourites(self._machine.home, self.heard.append).take_in(path)
        return Dropped("favourites", names=tuple(taken.values()))

    def _draft(self, asked: Request, within: tuple[Path, ...] | None) -> Plain:
        values, notes = self.drafter.draft(asked, within)
        known = {note.values.get("name") for note in self.heard if note.id == "note.file.lost"}
        self.heard += (note for note in notes if note.values["name"] not in known)
        return values

    def _put(self, path: Path, take: Callable[[str, BinaryIO], Path]) -> str:
        with path.open("rb") as file:
            return self.refs.of(take(path.name, file)).id

    def _lora(self, name: str, content: BinaryIO) -> Path:
        """A LoRA file in its folder; the one that is there where its content is the same."""
        there = self._machine.loras[0].absolute() / name
        if os.path.isfile(there) and digest(there) == digest(Path(content.name)):
            return there
        return self.given.lora(name, content)


def _typed(values: Plain, said: Plain) -> Plain:
    """Of a request's nested values those that another program said, which writes numbers as texts."""
    return {
        key: _typed(values[key], one) if isinstance(one, dict) and isinstance(values[key], dict) else values[key]
        for key, one in said.items()
    }


def _copy(content: BinaryIO, path: Path) -> None:
    """A file as it was given, and not any size. Raises InputError."""
    left = LARGEST
    with path.open("xb") as file:
        while part := content.read(2**20):
            left -= len(part)
            if left < 0:
                raise InputError("error.upload.large", name=path.name, limit=LARGEST // 2**20)
            file.write(part)
