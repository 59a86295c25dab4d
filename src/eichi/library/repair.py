"""The settings file, put in order before anything is read from it.

It is written by the page, by hand and by other versions, so it may be cut short or hold what is not known here. What
can be read stays in force; the file as it was stays beside it. A wrong environment variable is not mended but refused,
where settings are loaded.
"""

import json
import shutil

from eichi.errors import FolderError
from eichi.events import Adjusted
from eichi.files import aside, read_file, tighten
from eichi.library.salvage import salvage
from eichi.library.store import DAMAGE, Tell, free_path
from eichi.settings import Settings, settings_file
from eichi.text import json_text

NONE = "\0"  # no variable begins so


def repair_settings(tell: Tell) -> None:
    """Leave out what cannot be read of the settings file, and tell of it. Raises FolderError."""
    path = settings_file()
    try:
        values = json.loads(read_file(path))
    except OSError:  # said by what loads the settings, if there is something to say
        return
    except DAMAGE:
        values = None
    known = values if isinstance(values, dict) else {}
    _, kept, lost = salvage(lambda keys: Settings(**{"home": path.parent, **keys, "_env_prefix": NONE}), known)
    if kept == values:
        return
    copy = free_path(path.with_suffix(".damaged.json"))
    try:
        shutil.copyfile(path, copy)
        tighten(copy)
        with aside(path, private=True) as draft:
            draft.write_text(json_text(kept, indent=1), encoding="utf-8")
    except OSError as error:
        raise FolderError("error.folder.write", folder=path.parent, reason=error) from error
    tell(Adjusted("note.library.damaged", {"file": str(path), "kept": str(copy)}))
    for one in lost:
        tell(Adjusted("note.library.lost", {"file": str(path), "key": one.key}))
