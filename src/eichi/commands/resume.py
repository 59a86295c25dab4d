"""`eichi resume`: an unfinished job gone on with, a video or one that is finished; and what such a job is.

Thin: what is kept of a job, and how it goes on, is the business of `pipeline.checkpoint` and `finish.folder`. Torch is
loaded for what needs it.
"""

from contextlib import closing
from dataclasses import dataclass
from os.path import isdir
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eichi.commands.run import alone, follow, follow_chain, follow_finish, telling_of
from eichi.errors import EichiError
from eichi.flags import otherwise, setting_flag
from eichi.lines import in_terminal
from eichi.settings import Settings
from eichi.terminal import json_flag, out_flag, reporting, tell
from eichi.usage import Command
from eichi.video.metadata import Record
from eichi.words import say

if TYPE_CHECKING:
    from eichi.finish.folder import FinishFolder
    from eichi.finish.plan import FinishPlan


@dataclass(frozen=True)
class Left:
    """An unfinished job: what its result will carry, and how many of its parts are made."""

    record: Record
    made: int
    sections: int


@click.command(cls=Command, help=say("cli.resume"))
@click.argument("job", required=False)
@setting_flag("gpus")
@out_flag
@json_flag
def resume(job: str | None, gpus: int | None, out: Path | None, as_json: bool) -> None:
    with reporting(as_json) as settings:
        settings = otherwise(settings, gpus=gpus)
        from eichi.video.jobfolder import FINISH, find

        places = [out] if out else [settings.outputs, *_known_places(settings)]
        folder = find(job, *dict.fromkeys(place.absolute() for place in places))
        if (folder / FINISH).is_file():
            _finish(folder, settings, as_json)
        else:
            _generate(folder, settings, as_json)


def left(folder: Path, settings: Settings) -> Left | None:
    """The unfinished job in a folder, None where there is none. Raises InputError for one that cannot be read."""
    from eichi.video.jobfolder import FINISH, JobFolder
    from eichi.video.metadata import record
    from eichi.video.sectionfolder import RECORD

    if (folder / FINISH).is_file():
        from eichi.finish.plan import finish_record

        plan, chain = _chain(folder, settings)
        return Left(finish_record(plan), chain.made, plan.parts)
    place = JobFolder(folder)
    if not place.begun:
        return None
    plan_ = place.plan()
    return Left(place.card().get(RECORD) or record(plan_), place.settled, len(plan_.sections))


def _chain(folder: Path, settings: Settings) -> "tuple[FinishPlan, FinishFolder]":
    """The plan of a chain, and where its parts are. Raises InputError."""
    from eichi.finish.folder import FinishFolder, asked
    from eichi.finish.plan import make_finish_plan

    plan = make_finish_plan(asked(folder), settings.model_folders, settings.cache)
    return plan, FinishFolder(folder, plan.form.ending)


def _finish(folder: Path, settings: Settings, as_json: bool) -> None:
    plan, place = _chain(folder, settings)
    follow_finish(plan, folder.parent, settings, as_json, place)


def _generate(folder: Path, settings: Settings, as_json: bool) -> None:
    from eichi.models.load import Components
    from eichi.pipeline.checkpoint import Checkpoint
    from eichi.pipeline.generate import generate

    checkpoint, beside = Checkpoint(folder), folder.parent
    plan = checkpoint.located(settings.loras)
    with (
        closing(Components(plan.entry, settings.runtime)) as components,
        telling_of(settings, folder, plan.options) as telling,
    ):
        known = telling is not alone
        last = follow(
            lambda stop: telling(generate(plan, beside, components, stop, checkpoint, retire=known)),
            as_json,
            settings,
            beside,
        )
    follow_chain(plan.options, last, beside, settings, as_json)


def _known_places(settings: Settings) -> list[Path]:
    """The folders in which jobs of the store stopped on their way; where the store cannot be read, that is said."""
    from eichi.jobs.store import Store

    try:
        with Store(settings.store) as store:
            told = [str(place) for place in store.column("checkpoint")]
            return list(dict.fromkeys(Path(place).parent for place in told if isdir(place)))
    except EichiError as error:
        tell(in_terminal(error, settings.language))
        return []
