"""What a running job says, as small frozen messages of plain values.

The generator of `pipeline.generate` yields them; the command line, the page, the store and the writer follow.
`FramesReady` and `LatentsReady` carry arrays: they never leave the process that made them.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, get_args

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Started:
    """Weights are loaded and the first section begins."""

    model: str
    seed: int
    device: str
    width: int
    height: int
    frames: int
    seconds: float
    sections: int


@dataclass(frozen=True)
class FrameStarted:
    """Weights are loaded and a single image begins. `positions` are the time positions of what it is drawn from."""

    model: str
    seed: int
    device: str
    width: int
    height: int
    positions: dict[str, list[int]]


@dataclass(frozen=True)
class Adjusted:
    """Something was done otherwise than asked, or deserves a word; `id` names the sentence, `values` fill it."""

    id: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Step:
    """One sampling step of a section is done. `order` counts sections as they are generated, from 0."""

    order: int
    sections: int
    step: int
    steps: int

    @property
    def fraction(self) -> float:
        """Share of all steps of the job that are done, 0-1."""
        return (self.order * self.steps + self.step) / (self.sections * self.steps)


@dataclass(frozen=True)
class SectionDone:
    """A section's latents are final. `computed` and `reused` count evaluations of the transformer."""

    number: int
    order: int
    sections: int
    computed: int
    reused: int


@dataclass(frozen=True)
class FrameDrawn:
    """A single image's latent is final. `computed` and `reused` count evaluations of the transformer."""

    computed: int
    reused: int


@dataclass(frozen=True)
class FramesReady:
    """A run of frames that will not change any more: uint8 [n, height, width, 3], the first at index `first`."""

    first: int
    frames: "NDArray[np.uint8]"


@dataclass(frozen=True)
class LatentsReady:
    """A run of final latents, scaled, float32 [1, 16, n, height/8, width/8], the first at place `first`.

    `order` is that of the section that made the last of them, None for the start image's alone.
    """

    order: int | None
    first: int
    latents: "NDArray[np.float32]"


@dataclass(frozen=True)
class Finished:
    """The file is in its place."""

    video: str
    poster: str
    seed: int
    frames: int
    seconds: float
    sections: int


@dataclass(frozen=True)
class FrameFinished:
    """The picture of a single image is in its place."""

    image: str
    seed: int
    positions: dict[str, list[int]]


@dataclass(frozen=True)
class Stopped:
    """The user stopped the job. `video` is a playable file of what is finished, None where nothing is."""

    video: str | None
    seed: int
    frames: int
    sections: int


@dataclass(frozen=True)
class Failed:
    """The job ended with an error; `id` names the sentence, `values` fill it."""

    id: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Changed:
    """A job of the queue is in another state."""

    status: str


Event = (
    Started
    | FrameStarted
    | Adjusted
    | Step
    | SectionDone
    | FrameDrawn
    | FramesReady
    | LatentsReady
    | Finished
    | FrameFinished
    | Stopped
    | Failed
    | Changed
)


def message(event: Event) -> dict[str, Any]:
    """An event as JSON-ready values, its kind under `event`. Pixels are left out: only their place is told."""
    if isinstance(event, FramesReady):
        return {"event": "FramesReady", "first": event.first, "frames": len(event.frames)}
    if isinstance(event, LatentsReady):
        return {"event": "LatentsReady", "first": event.first, "latents": event.latents.shape[2]}
    return {"event": type(event).__name__, **asdict(event)}


def read(values: Mapping[str, Any]) -> Event | None:
    """The event of a message; None for those whose arrays were left out."""
    kinds: dict[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event)}
    rest = dict(values)
    kind = kinds[rest.pop("event")]
    return None if kind in (FramesReady, LatentsReady) else kind(**rest)
