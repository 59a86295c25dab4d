"""Jobs that finish a video: what their plans come to for people, and where they work. Without torch."""

from pathlib import Path
from typing import Self

from eichi.events import Adjusted
from eichi.finish.folder import FinishFolder
from eichi.finish.forms import FORMS
from eichi.finish.plan import FinishPlan, need
from eichi.jobs.schema import Job
from eichi.jobs.view import View
from eichi.options import FinishOptions


class FinishPlanView(View):
    """What finishing a video comes to. `rate` is frames a second, `parts` are done one after the other; `memory` and
    `disk` are the bytes that it takes meanwhile.
    """

    video: Path
    format: str
    upscaler: str | None
    width: int
    height: int
    frames: int
    seconds: float
    rate: float
    parts: int
    memory: int
    disk: int
    notes: tuple[Adjusted, ...]

    @classmethod
    def of(cls, plan: FinishPlan) -> Self:
        needed = need(plan)
        return cls(
            video=plan.options.video,
            format=plan.form.name,
            upscaler=None if plan.upscaler is None else plan.upscaler.name,
            width=plan.width,
            height=plan.height,
            frames=plan.frames,
            seconds=round(plan.seconds, 3),
            rate=round(float(plan.out), 3),
            parts=plan.parts,
            memory=needed.memory,
            disk=needed.disk,
            notes=plan.notes,
        )


def folder_of(job: Job) -> FinishFolder | None:
    """The folder in which a job of this kind works, None where it has none yet."""
    options = job.options
    if job.checkpoint is None or not isinstance(options, FinishOptions):
        return None
    return FinishFolder(Path(job.checkpoint), FORMS[options.finish.format].ending)
