"""One section's latents, whoever asks for them: a word after every step, begun anew with less memory where it ran out,
and with torch's own attention where another kernel gave no numbers.

Knows nothing of plans, files or frames.
"""

from collections.abc import Generator

import torch
from torch import Tensor

from eichi.errors import RunError
from eichi.events import Adjusted, Preview, Step
from eichi.models.load import Components
from eichi.pipeline.job import retry_steps
from eichi.pipeline.preview import draw_preview
from eichi.pipeline.sections import Denoiser, sample_section

Drawing = Generator[Step | Preview | Adjusted, None, Tensor]


def denoise_section(
    components: Components,
    denoiser: Denoiser,
    noise: Tensor,
    spoilt: RunError,
    place: tuple[int, int] = (0, 1),
    *,
    previews: int = 0,
    factor: float | None = None,
) -> Drawing:
    """The latents [1, c, n, h, w] of a section, on the CPU; `place` is (which in order, of how many).

    `spoilt` is raised where they are no numbers; `factor` is the schedule's shift where it is not FramePack's own.
    """

    def attempt() -> Generator[Step | Preview, None, Tensor]:
        made = noise
        denoiser.restart()
        for step, prediction in enumerate(sample_section(denoiser, noise, factor), start=1):
            made = prediction.cpu()
            if not _good(made) and components.kernels.foreign:
                return made  # no more steps of it
            yield Step(*place, step, denoiser.options.steps)
            if previews and step % previews == 0:
                yield Preview(place[0], step, draw_preview(made, components.entry.preview))
        return made

    made = yield from retry_steps(attempt, components)
    gone = None if _good(made) else components.kernels.fall_back()
    if gone is not None:
        yield Adjusted("note.attention.nan", {"kernel": gone})
        made = yield from retry_steps(attempt, components)
        if _good(made):  # so it was the kernel, not a LoRA or the like
            components.kernels.condemn(gone)
    if not _good(made):
        raise spoilt
    return made


def _good(made: Tensor) -> bool:
    """Whether latents are numbers, all of them."""
    return bool(torch.isfinite(made).all())
