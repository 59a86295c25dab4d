"""The folders of this machine with LoRA files: the program's own, and those that the settings name, with all below.

A file is known by its path inside its folder, so that two of one name in two folders are two; where two folders have
the same path, the later one's begins with the name of its folder. Links to folders are followed, each folder once.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

from eichi.errors import LoraError
from eichi.options import Options, WeightsOptions
from eichi.text import encodable

ENDING = ".safetensors"
MOST, DEEPEST = 5_000, 12  # files and folders below folders that anybody looks through

Asked = TypeVar("Asked", bound=Options)


def lora_files(folders: Iterable[Path]) -> dict[str, Path]:
    """Every LoRA file by its name, in the order of the folders and of the alphabet."""
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(islice(_below(folder.absolute()), MOST)):
            name = path.relative_to(folder.absolute()).as_posix()
            if name in found:
                name = f"{folder.name}/{name}"
            found.setdefault(name, path)
    return found


def find_lora(path: Path, folders: Sequence[Path]) -> Path | None:
    """Where a LoRA file lies: at its path, or in one of the folders by its name there, or by its last part alone.

    Raises LoraError where several folders have files of such a name.
    """
    if os.path.isfile(path):  # also false for a name that no file can have
        return path
    files = lora_files(folders)
    name = path.as_posix().lower()
    names = [name] if name.endswith(ENDING) else [name, name + ENDING]
    for known, file in files.items():
        if known.lower() in names:
            return file
    last = {one.rpartition("/")[2] for one in names}
    found = {known: file for known, file in files.items() if file.name.lower() in last}
    if len(found) > 1:
        raise LoraError("error.lora.several", name=path, names=", ".join(found))
    return next(iter(found.values()), None)


def located(options: Asked, folders: Sequence[Path]) -> Asked:
    """A request whose LoRA files are named by where they lie; those that are found nowhere keep their names."""
    weights = getattr(options, "weights", None)
    if not isinstance(weights, WeightsOptions) or all(os.path.isfile(lora.file) for lora in weights.loras):
        return options
    found = tuple(
        lora.model_copy(update={"file": find_lora(lora.file, folders) or lora.file}) for lora in weights.loras
    )
    return options.model_copy(update={"weights": weights.model_copy(update={"loras": found})})


def _below(folder: Path) -> Iterator[Path]:
    """The LoRA files of a folder and of those below it; a folder that cannot be read has none."""
    seen: set[tuple[int, int]] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        try:
            state = os.stat(place)
        except OSError:  # gone since it was listed
            continue
        if (state.st_dev, state.st_ino) in seen or len(Path(place).relative_to(folder).parts) > DEEPEST:
            folders.clear()
            continue
        seen.add((state.st_dev, state.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            path = Path(place, name)
            if name.lower().endswith(ENDING) and not name.startswith(".") and encodable(path) and path.is_file():
                yield path
