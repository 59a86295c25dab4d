"""What tells weights from others on any machine: the names and sizes of their files, and samples of what is in them.

Dates, by which one machine knows its files again, differ from machine to machine; to read forty gigabytes takes
minutes. Two trainings of a network differ everywhere, so samples from one end to the other tell them apart. Small files
are read whole. Without torch.
"""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from eichi.models.formats import Print, file_print

COUNTING = (".safetensors", ".json", ".txt", ".model")  # other files beside them change nothing
SAMPLES, SAMPLE = 64, 2**16  # how many, and bytes of each
LENGTH = 16


def weights_prints(folders: Mapping[str, Path]) -> dict[str, str]:
    """The print of every part by the folder or file that it lies in. Raises OSError."""
    return {part: _print(place, file_print(place)) for part, place in sorted(folders.items())}


def one_print(prints: Mapping[str, str]) -> str:
    """One print for all parts."""
    return _short("\n".join(f"{part} {value}" for part, value in sorted(prints.items())))


@lru_cache(maxsize=256)
def _print(place: Path, state: Print) -> str:
    """The print of a place as long as its files are in this state."""
    found = [place] if place.is_file() else [place / name for name, *_ in state]
    counting = [path for path in found if path.suffix in COUNTING and not path.name.startswith(".")]
    return _short("\n".join(f"{path.name} {path.stat().st_size} {_sampled(path)}" for path in counting))


def _sampled(path: Path) -> str:
    total, size = hashlib.sha256(), path.stat().st_size
    with path.open("rb") as file:
        if size <= SAMPLES * SAMPLE:
            total.update(file.read())
        else:
            for number in range(SAMPLES):
                file.seek((size - SAMPLE) * number // (SAMPLES - 1))
                total.update(file.read(SAMPLE))
    return total.hexdigest()


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]
