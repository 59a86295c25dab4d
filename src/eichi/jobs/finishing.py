"""Jobs that finish a video: what their plans come to for people, and the one that follows a video with a chain.

A chain that is part of a request for a video is a job of its own, added when the video is made: so each has its record
and can be gone on with, and a chain that fails costs no video. Knows no step of a chain.
"""

from pathlib import Path
from typing import Self

from eichi.events import Adjusted
from eichi.finish.plan import FinishPlan, need
from eichi.jobs.view import View


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
