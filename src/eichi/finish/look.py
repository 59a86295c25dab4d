"""`python -m eichi.finish.look`: one frame of a finished video, for a process that has no torch.

Reads a request, a second and a file to write as JSON, and answers with one line: nothing where the picture is there,
or the error. Knows no server.
"""

import json
import sys
from pathlib import Path
from typing import Any

from eichi.console import console
from eichi.errors import EichiError
from eichi.finish.plan import finish_record, make_finish_plan
from eichi.finish.run import preview
from eichi.options import FinishOptions
from eichi.settings import load_settings
from eichi.video.metadata import save_png
from eichi.video.writer import writing


def look(asked: dict[str, Any]) -> None:
    """Write the frame. Raises InputError, RunError."""
    settings, target = load_settings(), Path(asked["file"])
    plan = make_finish_plan(FinishOptions.parse(asked["options"]), settings.model_folders, settings.cache)
    pixels = preview(plan, float(asked["second"]), settings.runtime)
    with writing(target):
        save_png(target, pixels, finish_record(plan))


def main() -> None:
    answer: dict[str, Any] = {}
    with console():
        try:
            look(json.load(sys.stdin))
        except EichiError as error:
            answer = {"error": error.id, "values": error.plain}
        sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
