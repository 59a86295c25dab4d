"""Where the result of a tool goes: a file that was named and is not there yet, or a free name after its source."""

from pathlib import Path

from eichi.errors import InputError
from eichi.settings import Settings

LATENTS = ".safetensors"


def target(out: Path | None, settings: Settings, source: Path, word: str, suffix: str = LATENTS) -> Path:
    """The file for a result: the one named, or a free name after its source in the folder. Raises InputError."""
    from eichi.names import check_name
    from eichi.prepare import check_folder
    from eichi.video.splice import free_name

    named = out is not None and out.suffix == suffix
    folder = out.parent if out is not None and named else out or settings.outputs
    check_folder(folder)
    path = out if out is not None and named else free_name(folder, source, word, suffix)
    check_name(path)
    if path.exists():
        raise InputError("error.latents.exists", path=path)
    return path
