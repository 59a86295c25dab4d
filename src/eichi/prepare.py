"""A request meets the machine: the model is found, the pictures are opened, the folder is tried, the plan is made.

Everything that can be wrong with a request is found out here, before any time is spent and without torch. The command
line, the page and the store all start a job by this one call.
"""

import tempfile
from pathlib import Path

from eichi.catalog import Entry, find
from eichi.errors import FolderError, OptionError
from eichi.models.locate import locate
from eichi.options import VideoOptions
from eichi.plan.plan import Plan
from eichi.plan.plan import make_plan as resolve
from eichi.settings import load_settings
from eichi.video.images import measure


def make_plan(options: VideoOptions, entry: Entry | None = None) -> Plan:
    """The plan of a request: its model looked up unless given, its pictures measured. Raises InputError."""
    entry = entry or find(options.model)
    if options.image is None:
        raise OptionError("error.image.required", flag="--image")
    plan = resolve(options, entry, measure(options.image))
    for path in plan.images.values():
        measure(path)
    return plan


def check_run(plan: Plan, folder: Path, models: Path | None = None) -> None:
    """Refuse a plan that this machine cannot run: parts of the model missing, folder not writable."""
    locate(plan.entry, models or load_settings().models)
    check_folder(folder)


def check_folder(folder: Path) -> None:
    """Make sure that files can be written to a folder, which is made if it is not there. Raises FolderError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise FolderError("error.folder.write", folder=folder, reason=error.strerror or error) from error
