"""Which parts of a model lie in the folders of ComfyUI and in others that a user names; told by what is in the files.

Folders are walked within bounds, links that lead in a circle and folders that cannot be read are passed over. What
looks like a part and cannot be used is found as well, with the reason. Of every file the header is read once and
remembered by name, size and date, so that looking again costs a list of the folders. A part is taken where all of its
tensors are there: of several files the one whose size is that of a published file, then the one that keeps the most,
whole numbers of bits before eight. Which of the two models a transformer is stands in no weight; its name must say so.
Without torch.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path

from eichi.catalog import CARD, STANDARD, WEIGHTS, Direction, Entry, ModelFolders, told_direction
from eichi.files import read_file, size_of
from eichi.models.comfy import comfy_places, folders, troubles
from eichi.models.formats import ANCHORS, INDEX, Layout, Print, file_print, layouts
from eichi.reasons import Reason, because
from eichi.text import encodable

# More than anybody's folders of parts; what is beyond is not looked at.
MOST_FOLDERS, MOST_FILES, DEPTH = 1000, 5000, 4
# Published files that go by no other size, in bytes.
PUBLISHED = {
    16_331_849_976: "FramePackI2V_HY_fp8_e4m3fn",
    9_091_392_483: "llava_llama3_fp8_scaled",
    246_144_152: "clip_l",
    856_505_640: "sigclip_vision_patch14_384",
}
# Whose part a file is that says nothing itself, by its name or its folder's.
GUESSES = {
    "transformer": STANDARD,
    "text_encoder": re.compile(r"llava[-_ ]?llama", re.IGNORECASE),
    "text_encoder_2": re.compile(r"clip[-_ ]?l(?![a-z])", re.IGNORECASE),
    "image_encoder": re.compile(r"sigclip|siglip", re.IGNORECASE),
    "vae": re.compile(r"hunyuan[-_ ]?video[-_ ]?vae", re.IGNORECASE),
}
UNKNOWN = "unknown"  # the part that is none of ours as far as anybody can tell
# Files of weights that are not read; those whose names say that they are parts are shown all the same.
UNREAD = (".gguf", ".pt", ".pth", ".ckpt", ".sft")
# From the best to be had to the least.
PRECISIONS = ("fp64", "fp32", "bf16", "fp16", "fp8 scaled", "fp8")
# A tokenizer by what its settings name, and what must be beside them.
TOKENIZER = "tokenizer_config.json"
MARKS = {"tokenizer": "<|begin_of_text|>", "tokenizer_2": "<|startoftext|>"}
WORDS = (("tokenizer.json",), ("vocab.json", "merges.txt"))
SETTINGS = 2**20  # bytes of a tokenizer's settings


@dataclass(frozen=True)
class Found:
    """A file or folder that is a part of a model, or nearly: `wrong` says why it cannot be used, None where it can.

    Of what cannot be read `part` is what its name says, else `UNKNOWN`. `name` is that of the published file of its
    size, `direction` which transformer it is, where its name tells.
    """

    part: str
    place: Path
    precision: str
    size: int
    wrong: Reason | None = None
    name: str = ""
    direction: Direction | None = None


def best(found: Iterable[Found], part: str, direction: Direction) -> Path | None:
    """The first whole place of a part in what `look` gives; None where there is none."""
    good = (one for one in found if one.part == part and one.wrong is None)
    return next((one.place for one in good if part != "transformer" or one.direction == direction), None)


def look(entry: Entry, models: ModelFolders) -> list[Found]:
    """All that is a part of a model, or nearly one, in other programs' folders; of each part the best first."""
    found = [one for place in _walk(models).places for one in _parts(entry, place)]
    return sorted(found, key=lambda one: (one.part, one.wrong is not None, not one.name, _rank(one), str(one.place)))


def complaints(entry: Entry, models: ModelFolders) -> list[tuple[Path, Reason]]:
    """What is wrong with the folders that are looked through: those that a user named, and the lists in all of them."""
    told = list(troubles(models))
    good = (place for place in models.comfy if place not in dict(told))
    alone = (replace(models, comfy=(place,), usual=False) for place in good)
    told += [(one.comfy[0], {"reason": "reason.nothing"}) for one in alone if not look(entry, one)]
    walk = _walk(models)
    told += [(folder, {"reason": "reason.names"}) for folder in walk.unnamed]
    if walk.stopped is not None:
        told.append((walk.stopped, {"reason": "reason.bounds", "folders": MOST_FOLDERS, "files": MOST_FILES}))
    return told


def precision(part: str, place: Path) -> str:
    """What a part is kept in where it lies; empty for one without weights, and where it cannot be told."""
    try:
        layout = _read(place, file_print(place)).get(part) if part in ANCHORS else None
    except (OSError, ValueError):  # whoever loads it says what is wrong
        return ""
    return "" if layout is None else layout.precision


def published_name(place: Path) -> str:
    """The published file that a file is by its size; empty for none."""
    return PUBLISHED.get(place.stat().st_size, "") if place.is_file() else ""


def named(place: Path) -> bool:
    """Whether nothing but its name says which of the models a transformer is."""
    return place.is_file() and not (place.parent / CARD).is_file() and place.stat().st_size not in PUBLISHED


def _rank(found: Found) -> int:
    return PRECISIONS.index(found.precision) if found.precision in PRECISIONS else len(PRECISIONS)


def _parts(entry: Entry, place: Path) -> Iterator[Found]:
    """What one file or folder is."""
    try:
        told = file_print(place)
        tokenizer = _tokenizer(place, told) if place.is_dir() else None
        weights = place.is_file() or any(name.endswith(INDEX) for name, _, _ in told)
        read = _read(place, told) if weights else {}
    except (OSError, ValueError) as error:
        yield Found(_guess(place) or UNKNOWN, place, "", size_of(place), because(error))
        return
    size = sum(size for _, size, _ in told)
    if weights:
        yield from _in_vain(entry, place, read, size)
    if tokenizer is not None:
        yield Found(tokenizer, place, "", size)
    for part, layout in read.items():
        if _alike(part, layout, entry):
            direction = told_direction(place) if part == "transformer" else None
            lacks = layout.lacks(entry.published[part].shapes)
            wrong = dict(lacks.reason) if lacks is not None else _ending(place)
            yield Found(part, place, layout.precision, size, wrong, PUBLISHED.get(size, ""), direction)


def _in_vain(entry: Entry, place: Path, read: dict[str, Layout], size: int) -> Iterator[Found]:
    """What goes by the name of a part of ours and has none in it."""
    guess = _guess(place)
    if guess is None or any(_alike(part, layout, entry) for part, layout in read.items()):
        return
    layout = read.get(guess)
    lacks = None if layout is None else layout.lacks(entry.published[guess].shapes)
    wrong: Reason = {"reason": "reason.no_part"} if lacks is None else dict(lacks.reason)
    yield Found(guess, place, "" if layout is None else layout.precision, size, wrong)


def _guess(place: Path) -> str | None:
    """The part that something is by its name, or its folder's; None where neither says."""
    names = (place.name, place.parent.name)
    return next((part for name in names for part, form in GUESSES.items() if form.search(name)), None)


def _ending(place: Path) -> Reason | None:
    """Why a good file is not used all the same: by its name it is none."""
    return {"reason": "reason.ending", "ending": WEIGHTS} if place.suffix in UNREAD else None


def _alike(part: str, layout: Layout, entry: Entry) -> bool:
    """Whether a file has the one tensor that tells the part in the right shape: else it is another program's."""
    anchor = ANCHORS[part]
    piece, wanted = layout.pieces.get(anchor), entry.published[part].shapes.get(anchor)
    return piece is not None and piece.shape == wanted


@lru_cache(maxsize=MOST_FILES)
def _read(place: Path, _: Print) -> dict[str, Layout]:
    return layouts(place)


@lru_cache(maxsize=MOST_FOLDERS)
def _tokenizer(place: Path, told: Print) -> str | None:
    """Which tokenizer a folder has; None where it has none of ours. Raises OSError, ValueError."""
    names = {name for name, _, _ in told}
    if TOKENIZER not in names:
        return None
    text = read_file(place / TOKENIZER, SETTINGS).decode()
    kinds = [part for part, mark in MARKS.items() if mark in text]
    needed = WORDS[:1] if kinds == ["tokenizer"] else WORDS  # LLaMA's is counted with by its one file
    whole = any(names.issuperset(words) for words in needed)
    return kinds[0] if len(kinds) == 1 and whole else None


@dataclass(frozen=True)
class Walk:
    """Every file of weights below the folders, and every folder that has a part in several files or a tokenizer;
    `unnamed` are folders with names that are no text and that nobody could be told of; they are passed over. `stopped`
    is where there were too many files, None where there were not.
    """

    places: tuple[Path, ...]
    unnamed: tuple[Path, ...]
    stopped: Path | None


def _walk(models: ModelFolders) -> Walk:
    named = comfy_places(models)
    # A file may be named itself.
    found = [place for place in named if place.suffix == WEIGHTS and os.path.isfile(place)]
    todo = [(folder, 0) for place in named if place not in found for folder in folders(place)]
    seen: set[str] = set()
    unnamed: list[Path] = []
    left, stopped = MOST_FILES, None
    while todo and left > 0 and len(seen) < MOST_FOLDERS:
        folder, depth = todo.pop(0)
        real = os.path.realpath(folder)
        if real in seen:
            continue
        seen.add(real)
        names, below = _list(folder, left)
        left -= len(names)
        if not all(map(encodable, (*names, *below))):
            unnamed.append(folder)
            names, below = list(filter(encodable, names)), list(filter(encodable, below))
        stopped = folder if left <= 0 else None
        indexed = any(name.endswith(INDEX) for name in names)
        if indexed or TOKENIZER in names:
            found.append(folder)
        if not indexed:
            found += [folder / name for name in names if name.endswith(WEIGHTS)]
        found += [folder / name for name in names if name.endswith(UNREAD) and _guess(folder / name)]
        if depth < DEPTH:
            todo += [(folder / name, depth + 1) for name in below]
    return Walk(tuple(found), tuple(unnamed), todo[0][0] if todo else stopped)


def _list(folder: Path, most: int) -> tuple[list[str], list[str]]:
    """The names of the files and of the folders in a folder, of no more than so many; none where it cannot be read."""
    files: list[str] = []
    below: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in islice(entries, most):
                with suppress(OSError):  # a link in a circle
                    (below if entry.is_dir() else files if entry.is_file() else []).append(entry.name)
    except OSError:
        return [], []
    return sorted(files), sorted(below)
