"""What a batch is made of, read from files: prompt lists, folders of pictures with their texts, lists of references.

Nothing is passed over in silence: what lies in a folder and is no picture is named, and so is a text whose coding had
to be guessed. The order is that of the names, numbers in them counted as numbers. Names are the same whatever their
case, and whether an accent is a sign of its own, as macOS writes it, or part of a letter.
"""

import errno
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from eichi.errors import InputError
from eichi.events import Adjusted
from eichi.files import read_file
from eichi.jobs.batch import BatchPicture, parse_prompts
from eichi.options import ReferenceOptions
from eichi.reading import decode
from eichi.text import shorten
from eichi.video.sources import ENDINGS

TEXT = ".txt"
LIMIT = 16 * 2**20  # bytes of a text
SHOWN = 200  # signs of a line that is no entry

Notes = tuple[Adjusted, ...]


def read_prompts(path: Path) -> tuple[tuple[str, ...], Notes]:
    """The prompts of a list, and a word on its coding. Raises InputError for a list that cannot be read or has none."""
    lines, notes = _lines(path)
    return tuple(lines), notes


def read_pictures(folder: Path) -> tuple[tuple[BatchPicture, ...], Notes]:
    """The pictures of a folder, each with the text of the same name, and a word on what else lies there.

    A text is read whole; an empty one leaves the common prompt. Raises InputError for a folder without pictures.
    """
    pictures, notes, rest = pair(_files(folder))
    if not pictures:
        raise InputError("error.batch.pictures", folder=folder)
    if rest:
        notes += (Adjusted("note.batch.ignored", {"folder": str(folder), "names": ", ".join(rest)}),)
    return pictures, notes


def pair(files: Iterable[Path]) -> tuple[tuple[BatchPicture, ...], Notes, list[str]]:
    """The pictures among files, wherever they lie, each with the text of the same name; notes; the names of the rest.

    Raises InputError for a text that cannot be read.
    """
    ordered = sorted(files, key=lambda path: [_natural(part) for part in re.split(r"(\d+)", path.name.lower())])
    texts = [path for path in ordered if path.suffix.lower() == TEXT]
    alike, written = {_plain(path.stem): path for path in texts}, {path.stem: path for path in texts}
    pictures = [path for path in ordered if path.suffix.lower() in ENDINGS]
    found: list[BatchPicture] = []
    notes: Notes = ()
    used = {*pictures}
    for picture in pictures:
        path = written.get(picture.stem) or alike.get(_plain(picture.stem))
        text, told = ("", ()) if path is None else _read(path)
        found.append(BatchPicture(picture, text.strip() or None))
        if path is not None and path not in used:
            used.add(path)
            notes += told
    return tuple(found), notes, [path.name for path in ordered if path not in used]


def _plain(name: str) -> str:
    """A name without case and without a choice of how its accents are written."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def read_references(path: Path) -> tuple[tuple[ReferenceOptions, ...], Notes]:
    """References: the pictures of a folder, or of a list with one FILE[:INDEX[:MASK]] on each line.

    The files of a list are looked for beside it. Raises InputError.
    """
    if path.is_dir():
        pictures, notes = read_pictures(path)
        return tuple(ReferenceOptions(image=picture.image) for picture in pictures), notes
    found = []
    lines, notes = _lines(path)
    for line in lines:
        try:
            one = ReferenceOptions.model_validate(line)
        except ValidationError as error:
            raise InputError("error.batch.entry", path=path, text=shorten(line, SHOWN)) from error
        mask = None if one.mask is None else path.parent / one.mask
        found.append(one.model_copy(update={"image": path.parent / one.image, "mask": mask}))
    return tuple(found), notes


def _lines(path: Path) -> tuple[list[str], Notes]:
    text, notes = _read(path)
    lines = parse_prompts(text)
    if not lines:
        raise InputError("error.batch.list", path=path)
    return lines, notes


def _read(path: Path) -> tuple[str, Notes]:
    """A text, and a word on its coding where that was guessed. Raises InputError."""
    try:
        text, coding = decode(read_file(path, LIMIT))
        return text, (Adjusted("note.text.coding", {"file": path.name, "coding": coding}),) if coding else ()
    except UnicodeDecodeError as error:
        raise InputError("error.batch.utf8", path=path) from error
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise InputError("error.batch.large", path=path, limit=LIMIT // 2**20) from error
        raise InputError("error.batch.read", path=path, reason=error) from error


def _files(folder: Path) -> list[Path]:
    """The files of a folder that are not hidden."""
    try:
        return [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    except OSError as error:
        raise InputError("error.batch.read", path=folder, reason=error) from error


def _natural(part: str) -> tuple[int, str]:
    return (int(part), "") if part.isdecimal() else (-1, part)
