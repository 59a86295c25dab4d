"""Chains as a worker runs them: the job that finishes a video, and the one that follows a video which asks for it.

A chain that is part of a request for a video is a job of its own, added when the video is made: so each has its record
and can be gone on with, and a chain that fails costs no video. Knows no step of a chain.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from eichi.events import Event, Finished
from eichi.finish.folder import FinishFolder, new_folder
from eichi.finish.plan import FinishPlan, make_finish_plan
from eichi.finish.run import finish
from eichi.jobs.draft import draft
from eichi.jobs.finishing import folder_of
from eichi.jobs.schema import Draft, Job
from eichi.options import FinishOptions, VideoOptions
from eichi.settings import Settings


def begin(
    here: Job, settings: Settings, stop: Callable[[], bool], make_room: Callable[[], object]
) -> tuple[FinishPlan, FinishFolder, Iterator[Event]]:
    """The plan of a job by the paths of this machine, its folder and its events; it goes on from what lies there by the
    time it is asked for the first of them. There is to be room for an upscaler. Raises InputError, DiskError.
    """
    options = here.options
    assert isinstance(options, FinishOptions), f"no chain: {here.kind}"
    plan = make_finish_plan(options, settings.model_folders, settings.cache)
    if plan.upscaler is not None:
        make_room()
    place = folder_of(here) or new_folder(Path(here.folder), plan.form.ending)
    return plan, place, finish(plan, Path(here.folder), settings.runtime, stop, place)


def follow_up(
    job: Job, made: Finished, told: Finished, settings: Settings, bring: Callable[[FinishOptions], dict[str, str]]
) -> Draft | None:
    """The job of the chain that a request for a video asks for, once the video is made; None where it asks for none.

    `made` names it by its path here, `told` by that of its home; `bring` puts it where other machines find it, and says
    what is in it by its path here. Raises InputError, DiskError for a chain that cannot be run any more.
    """
    options = job.options
    if not isinstance(options, VideoOptions) or not options.finish.asked:
        return None
    asked = FinishOptions(video=Path(made.video), finish=options.finish)
    found = draft(asked, Path(made.video).parent, settings.model_folders, cache=settings.cache)
    whole = FinishOptions.parse(found.request)
    brought = [*bring(whole).values()]
    inputs = {told.video: brought[0]} if brought else None
    request = found.request | {"video": told.video}
    return replace(found, request=request, folder=job.folder, node=job.node, inputs=inputs)
