"""What a batch is made of, read from files: prompt lists, folders of pictures with their texts, lists of references.

Nothing is passed over in silence: what lies in a folder and is no picture is named. The order is that of the names,
numbers in them counted as numbers.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from PIL import Image
from pydantic import ValidationError

from eichi.errors import InputError
from eichi.events import Adjusted
from eichi.jobs.batch import BatchPicture, parse_prompts
from eichi.options import ReferenceOptions

TEXT = ".txt"


def read_prompts(path: Path) -> tuple[str, ...]:
    """The prompts of a list. Raises InputError for a list that cannot be read or has none."""
    return tuple(_lines(path))


def read_pictures(folder: Path) -> tuple[tuple[BatchPicture, ...], tuple[Adjusted, ...]]:
    """The pictures of a folder, each with the text of the same name, and a word on what else lies there.

    A text is read whole; an empty one leaves the common prompt. Raises InputError for a folder without pictures.
    """
    pictures, rest = pair(_files(folder))
    if not pictures:
        raise InputError("error.batch.pictures", folder=folder)
    notes = (Adjusted("note.batch.ignored", {"folder": str(folder), "names": ", ".join(rest)}),) if rest else ()
    return pictures, notes


def pair(files: Iterable[Path]) -> tuple[tuple[BatchPicture, ...], list[str]]:
    """The pictures among files, wherever they lie, each with the text of the same name; the names of the rest."""
    ordered = sorted(files, key=lambda path: [_natural(part) for part in re.split(r"(\d+)", path.name.lower())])
    texts = {path.name: path for path in ordered if path.suffix == TEXT}
    pictures = [path for path in ordered if path.suffix.lower() in _endings()]
    names = {path.name for path in pictures} | {path.with_suffix(TEXT).name for path in pictures}
    found = tuple(BatchPicture(path, _text(texts.get(path.with_suffix(TEXT).name))) for path in pictures)
    return found, [path.name for path in ordered if path.name not in names]


def read_references(path: Path) -> tuple[tuple[ReferenceOptions, ...], tuple[Adjusted, ...]]:
    """References: the pictures of a folder, or of a list with one FILE[:INDEX[:MASK]] on each line.

    The files of a list are looked for beside it. Raises InputError.
    """
    if path.is_dir():
        pictures, notes = read_pictures(path)
        return tuple(ReferenceOptions(image=picture.image) for picture in pictures), notes
    found = []
    for line in _lines(path):
        try:
            one = ReferenceOptions.model_validate(line)
        except ValidationError as error:
            raise InputError("error.batch.entry", path=path, text=line) from error
        mask = None if one.mask is None else path.parent / one.mask
        found.append(one.model_copy(update={"image": path.parent / one.image, "mask": mask}))
    return tuple(found), ()


def _lines(path: Path) -> list[str]:
    lines = parse_prompts(_read(path))
    if not lines:
        raise InputError("error.batch.list", path=path)
    return lines


def _text(path: Path | None) -> str | None:
    text = "" if path is None else _read(path).strip()
    return text or None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("error.batch.utf8", path=path) from error
    except OSError as error:
        raise InputError("error.batch.read", path=path, reason=error) from error


def _files(folder: Path) -> list[Path]:
    """The files of a folder that are not hidden."""
    try:
        return [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    except OSError as error:
        raise InputError("error.batch.read", path=folder, reason=error) from error


def _natural(part: str) -> tuple[int, str]:
    return (int(part), "") if part.isdecimal() else (-1, part)


def _endings() -> set[str]:
    """The endings of all kinds of pictures that can be opened."""
    return {ending for ending, kind in Image.registered_extensions().items() if kind in Image.OPEN}
