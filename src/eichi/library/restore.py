"""A dropped or named file gives its options back.

A PNG, an MP4 or a latent file made here carries its whole request, also where one tool or several made it of one other
result. A PNG of eichi 1.9 or of A1111 and its kin carries a few values; these are taken, everything else stays as
it is. What is not known here, or does not fit, is said.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from eichi.declare import Plain
from eichi.errors import InputError
from eichi.events import Adjusted
from eichi.library.outside import kind_of, sift
from eichi.library.whereabouts import Places, relocate
from eichi.options import Request, VideoOptions
from eichi.video.metadata import FOREIGN, Marks, read_record


@dataclass(frozen=True)
class Restored:
    """What a file gives back: nested values for a kind of request, all of them where `whole`."""

    kind: type[Request]
    values: Plain
    whole: bool
    notes: tuple[Adjusted, ...]
    marks: Marks

    def at(
        self, places: Places, settled: Callable[[str], bool] = lambda key: False
    ) -> tuple[Plain, tuple[Adjusted, ...]]:
        """The values with their files where they are here, and all that deserves a word; see `whereabouts.relocate`."""
        if not self.whole:
            return self.values, self.notes
        found, notes = relocate(self.kind.parse(self.values), self.marks, places, settled)
        return found.dump(), (*self.notes, *notes)


def restore(path: Path, kind: type[Request] | None = None) -> Restored:
    """The options that a file carries. Raises InputError for one that carries none, or those of another kind."""
    record = read_record(path)
    while record["kind"] == "latents" and len(record["sources"]) == 1 and record["sources"][0]:
        (record,) = record["sources"]
    if not record["request"]:
        raise InputError("error.file.record", path=path)
    whole = record["kind"] != FOREIGN
    if whole and kind is not None and record["kind"] != kind.kind:
        raise InputError("error.file.kind", path=path, kind=record["kind"], wanted=kind.kind)
    made = kind_of(record["kind"]) if whole else kind or VideoOptions
    values, notes = sift(made, record["request"])
    marks = record.get("files")
    return Restored(made, values, whole, notes, marks if isinstance(marks, dict) else {})
