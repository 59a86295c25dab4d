"""A request as a draft of the page holds it: ids for its files, and a word on each that is not there.

Pictures are kept among what was given, so that they can be shown and outlive the place they came from. What a request
brought along from elsewhere reaches only the folders that it may. Knows no page.
"""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from eichi.declare import Plain
from eichi.errors import InputError
from eichi.events import Adjusted
from eichi.names import leads_away
from eichi.options import Options, drop, files_of, put
from eichi.video.metadata import last_part, model_name
from eichi.web.i18n import Words
from eichi.web.refs import FORM, Refs
from eichi.web.visitor import Visitor

# Of a list's entry these are the file without which there is no entry.
ENTRY = re.compile(r"(references\.\d+)\.image|(weights\.loras\.\d+)\.file")
OTHERS = ("kept.latents", "weights.loras.")  # what is no picture begins so


class Drafter:
    """Makes drafts for one visitor."""

    def __init__(self, refs: Refs, visitor: Visitor) -> None:
        self.refs, self.visitor = refs, visitor

    def draft(self, asked: Options, within: Sequence[Path] | None = None) -> tuple[Plain, tuple[Adjusted, ...]]:
        """The nested values of a request, and a word on each file that is not there.

        Where the request is not our own, only files `within` these folders are taken.
        """
        values, gone, notes = asked.dump(), list[str](), dict[str, Adjusted]()
        for key, path in files_of(asked).items():
            id = self._id(key, path, within)
            if id is not None:
                put(values, key, id)
                continue
            entry = ENTRY.fullmatch(key)
            gone.append(key if entry is None else entry[1] or entry[2])
            name = last_part(str(path))
            notes.setdefault(name, Adjusted("note.file.lost", {"key": key, "name": name}))
        drop(values, gone)
        if "model" in values and not self.visitor.local:
            values["model"] = model_name(values["model"])
        plain = type(asked).parse(values).dump()
        return plain, tuple(notes.values())

    def _id(self, key: str, path: Path, within: Sequence[Path] | None) -> str | None:
        """What a draft calls a file; None for one that is not there, or not for whoever asks."""
        if FORM.fullmatch(path.as_posix()):
            return self._there(path.as_posix())
        if leads_away(str(path), within or (self.refs.given.folder,)):
            return None
        if not (path.is_absolute() and os.path.isfile(path)) or not _may(path, within):
            return None
        if not key.startswith(OTHERS):
            adopted = self.refs.given.adopt(path)
            return None if adopted is None else self.refs.id(adopted)
        return self.refs.id(path) or (str(path) if self.visitor.local else None)

    def _there(self, id: str) -> str | None:
        try:
            self.refs.find(id)
        except InputError:
            return None
        return id


def told(notes: Iterable[Adjusted], words: Words) -> dict[str, str]:
    """Notes in a language, each once, with what the documents know them by."""
    return {words(note.id, **note.values): note.id for note in notes}


def _may(path: Path, within: Sequence[Path] | None) -> bool:
    """Whether a file lies in one of these folders; any may where there are none named."""
    return within is None or any(path.resolve().is_relative_to(folder.resolve()) for folder in within)
