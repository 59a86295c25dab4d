"""Where the parts of a model lie on this machine, without loading any of them and without torch.

In this order: the folder an entry names (the embedded model, a user's folder or file), the models folder of the program
(`<models>/<owner>/<name>`), a cache of the hub library: its own, the `hf_download` folder of eichi 1.9 moved or linked
into the models folder, or such a one beside the program; and what lies in ComfyUI's folders, see `found`. The constants
of the picture processor are in the package. Nothing is downloaded here.
"""

import json
from collections.abc import Collection, Iterator
from pathlib import Path

from eichi.catalog import PARTS, WEIGHTS, Entry, ModelFolders, PartSource
from eichi.errors import ModelError
from eichi.files import size_of
from eichi.models.comfy import hub_caches
from eichi.models.found import Found, best, look

# Caches of the hub library below the models folder.
CACHES = ("hf_download/hub", "hub")
# What was fetched from a repository, with its checksums.
LIST = ".eichi-files.json"
# One file that every part must have.
MARKS = {"tokenizer": "tokenizer_config.json", "tokenizer_2": "tokenizer_config.json"} | {
    "feature_extractor": "preprocessor_config.json"
}


def locate(entry: Entry, models: ModelFolders, parts: Collection[str] = PARTS) -> dict[str, Path]:
    """The folder of every part, or of these. Raises ModelError naming the first that is not on this machine."""
    folders = {}
    for part, folder in places(entry, models, parts):
        if folder is None:
            where = entry.parts[part].repository or entry.root
            raise ModelError("error.model.absent", model=entry.name, part=part, where=where, models=models.own)
        folders[part] = folder
    return folders


def locate_part(entry: Entry, part: str, models: ModelFolders) -> Path | None:
    """The folder or file of one part, None where it is not on this machine."""
    return next(place for _, place in places(entry, models, (part,)))


def places(entry: Entry, models: ModelFolders, parts: Collection[str] = PARTS) -> Iterator[tuple[str, Path | None]]:
    """The place of every part, or of these, one after another; other programs' folders are looked through once."""
    found: list[Found] | None = None
    for part in parts:
        source = entry.parts[part]
        place = _folder(entry, source, models, part)
        if place is None and source.repository is not None:
            found = look(entry, models) if found is None else found
            place = best(found, part, entry.direction) or entry.spare.get(part)
        yield part, place


def present(entry: Entry, models: ModelFolders) -> bool:
    """Whether all parts of a model are on this machine."""
    return all(place is not None for _, place in places(entry, models))


def lacking(entry: Entry, models: ModelFolders) -> tuple[int, int]:
    """Bytes of a model that are still to be fetched, near enough, and bytes of the same parts that have come."""
    left = come = 0
    for part, place in places(entry, models):
        source = entry.parts[part]
        if source.repository is None or place is not None:
            continue
        folder = models.own / source.repository / source.folder
        here = sum(size_of(path) for path in folder.glob("*") if path.is_file() and path.name != LIST)
        left += max(0, entry.anatomy.size(part) - here)
        come += here
    return left, come


def complete(folder: Path, part: str) -> bool:
    """Whether a folder holds a part: its mark, and all the files of its weights."""
    if not (folder / MARKS.get(part, "config.json")).is_file():
        return False
    if part in MARKS:
        return True
    for index in folder.glob(f"*{WEIGHTS}.index.json"):
        return all((folder / name).is_file() for name in _shards(index))
    return any(folder.glob(f"*{WEIGHTS}"))


def _shards(index: Path) -> set[str]:
    """The files that an index of weights names; itself where it cannot be read, so that loading says what is wrong."""
    try:
        return set(map(str, json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {index.name}


def _folder(entry: Entry, source: PartSource, models: ModelFolders, part: str) -> Path | None:
    """The folder that holds a part (the file, where it is one), None where there is none."""
    if source.repository is None:
        root = source.root or entry.root
        assert root is not None, "a source without a repository has a folder"
        place = root / source.folder
        return place if place.is_file() or complete(place, part) else None
    folder = models.own / source.repository / source.folder
    if complete(folder, part):
        return folder
    return _cached(source, models, part)


def _cached(source: PartSource, models: ModelFolders, part: str) -> Path | None:
    """The part in a cache of the hub library: its own, by its variables (HF_HOME …), or one in the models folder."""
    from huggingface_hub import try_to_load_from_cache

    assert source.repository is not None
    mark = MARKS.get(part, "config.json")
    name = f"{source.folder}/{mark}" if source.folder else mark
    for cache in (None, *(models.own / place for place in CACHES), *hub_caches(models)):
        found = try_to_load_from_cache(source.repository, name, cache_dir=cache)
        if isinstance(found, str) and complete(Path(found).parent, part):
            return Path(found).parent
    return None
