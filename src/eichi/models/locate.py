"""Where the parts of a model lie on this machine, without loading any of them and without torch.

Three places, in this order: the folder an entry names (the embedded model, a user's folder), the models folder of the
program (`<models>/<owner>/<name>`), the Hugging Face cache. Nothing is downloaded here.
"""

from collections.abc import Collection
from pathlib import Path

from eichi.catalog import PARTS, Entry, Source
from eichi.errors import ModelError

# One file that every part must have; it tells a finished folder from an empty one.
MARKS = {"tokenizer": "tokenizer_config.json", "tokenizer_2": "tokenizer_config.json"} | {
    "feature_extractor": "preprocessor_config.json"
}


def locate(entry: Entry, models: Path, parts: Collection[str] = PARTS) -> dict[str, Path]:
    """The folder of every part, or of these. Raises ModelError naming the first that is not on this machine."""
    folders = {}
    for part in parts:
        source = entry.parts[part]
        folder = locate_part(entry, part, models)
        if folder is None:
            where = source.repository or entry.root
            raise ModelError("error.model.absent", model=entry.name, part=part, where=where, models=models)
        folders[part] = folder
    return folders


def locate_part(entry: Entry, part: str, models: Path) -> Path | None:
    """The folder of one part, None where it is not on this machine."""
    return _folder(entry, entry.parts[part], models, MARKS.get(part, "config.json"))


def present(entry: Entry, models: Path) -> bool:
    """Whether all parts of a model are on this machine."""
    try:
        locate(entry, models)
    except ModelError:
        return False
    return True


def _folder(entry: Entry, source: Source, models: Path, mark: str) -> Path | None:
    """The folder that holds a part, None where there is none."""
    if source.repository is None:
        assert entry.root is not None, "an entry without a repository has a folder"
        folder = entry.root / source.folder
        return folder if (folder / mark).is_file() else None
    folder = models / source.repository / source.folder
    if (folder / mark).is_file():
        return folder
    return _cached(source, mark)


def _cached(source: Source, mark: str) -> Path | None:
    """The part in the hub library's own cache; its location follows that library's variables (HF_HOME …)."""
    from huggingface_hub import try_to_load_from_cache

    assert source.repository is not None
    name = f"{source.folder}/{mark}" if source.folder else mark
    found = try_to_load_from_cache(source.repository, name)
    return Path(found).parent if isinstance(found, str) else None
