"""`python -m eichi.finish.look`: one frame of a finished video, for a process that has no torch.

Reads what it is asked for as JSON, and answers with one line: the same again where the picture is there, or the error.
Knows no server.
"""

import sys

from eichi.console import console
from eichi.errors import EichiError
from eichi.finish.plan import Look, finish_record, make_finish_plan
from eichi.finish.run import preview
from eichi.said import Refusal, say_last
from eichi.settings import load_settings
from eichi.video.metadata import save_png
from eichi.video.writer import writing


def look(asked: Look) -> None:
    """Write the frame. Raises InputError, RunError."""
    settings = load_settings()
    plan = make_finish_plan(asked.options, settings.model_folders, settings.cache)
    pixels = preview(plan, asked.second, settings.runtime)
    with writing(asked.file):
        save_png(asked.file, pixels, finish_record(plan))


def main() -> None:
    asked = Look.model_validate_json(sys.stdin.read())
    with console():
        try:
            look(asked)
            say_last(asked)
        except EichiError as error:
            say_last(Refusal.of(error))


if __name__ == "__main__":
    main()
