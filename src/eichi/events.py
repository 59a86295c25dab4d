"""What a running job says, as small frozen messages of plain values, told apart by `kind`.

The generator of `pipeline.generate` yields them; the command line, the page, the store and the writer follow.
`FramesReady`, `LatentsReady` and `Preview` carry arrays, which never leave the process: as a message, they say only
where they belong. `Message` is what a store keeps and a program reads: one union with a schema of its own.
"""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue, NonNegativeInt, PositiveInt, TypeAdapter
from pydantic.dataclasses import dataclass

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Values = Mapping[str, JsonValue]  # what fills a sentence
# The parts of a model that are loaded; then prompts and pictures that are read, and the first step.
Preparation = Literal[
    "transformer", "vae", "text_encoder", "text_encoder_2", "image_encoder", "prompts", "pictures", "drawing"
]
Json = dict[str, JsonValue]  # an object of JSON, as it is written and read
# What is written of a message is all of it, its kind too: a program that reads it by the schema can rely on that.
SAID = ConfigDict(json_schema_serialization_defaults_required=True)


@dataclass(frozen=True, config=SAID)
class Whole:
    """A new part and the videos around it, as one video."""

    frames: int
    seconds: float


@dataclass(frozen=True, config=SAID)
class Started:
    """Weights are loaded and the first section begins. `whole` is the video with what is around the new part."""

    model: str
    seed: int
    device: str
    width: int
    height: int
    frames: int
    seconds: float
    sections: int
    whole: Whole | None = None
    kind: Literal["started"] = "started"


@dataclass(frozen=True, config=SAID)
class FrameStarted:
    """Weights are loaded and a single image begins. `positions` are the time positions of what it is drawn from."""

    model: str
    seed: int
    device: str
    width: int
    height: int
    positions: dict[str, list[int]]
    kind: Literal["frame_started"] = "frame_started"


@dataclass(frozen=True, config=SAID)
class FinishStarted:
    """A video begins to be finished: `seconds` of `frames` frames in parts that are done one after the other.

    `upscaler` is what enlarges it, None where nothing does; `device` is where.
    """

    video: str
    upscaler: str | None
    device: str
    width: int
    height: int
    frames: int
    seconds: float
    sections: int
    kind: Literal["finish_started"] = "finish_started"


@dataclass(frozen=True, config=SAID)
class Preparing:
    """What a job does before its first step, for models that take a while: `done` of `total` bytes of a part's weights.

    For the transformer it is said while its weights are merged and rounded, too. Of prompts it is layers that are
    done; `total` is 0 where nobody knows it.
    """

    what: Preparation
    done: NonNegativeInt = 0
    total: NonNegativeInt = 0
    kind: Literal["preparing"] = "preparing"

    @property
    def fraction(self) -> float | None:
        """The share that is done, 0-1, None where nobody knows it."""
        return self.done / self.total if self.total else None


@dataclass(frozen=True, config=SAID)
class Adjusted:
    """Something was done otherwise than asked, or deserves a word; `id` names the sentence, `values` fill it."""

    id: str
    values: Values
    kind: Literal["adjusted"] = "adjusted"


@dataclass(frozen=True, config=SAID)
class Step:
    """One sampling step of a section is done. `order` counts sections as they are generated, from 0."""

    order: NonNegativeInt
    sections: PositiveInt
    step: NonNegativeInt
    steps: PositiveInt
    kind: Literal["step"] = "step"

    @property
    def fraction(self) -> float:
        """Share of all steps of the job that are done, 0-1."""
        return (self.order * self.steps + self.step) / (self.sections * self.steps)


@dataclass(frozen=True, config=SAID)
class Converted:
    """So many frames of `total` have gone from a video to latents or back; `total` is 0 where nobody knows it."""

    done: int
    total: int
    kind: Literal["converted"] = "converted"


@dataclass(frozen=True, config=SAID)
class PreviewMade:
    """A section can be looked at as it is after a step; the picture lies elsewhere."""

    order: int
    step: int
    kind: Literal["preview"] = "preview"


@dataclasses.dataclass(frozen=True)
class Preview:
    """How a section looks so far, small and rough: uint8 [window, height/8, width/8, 3], in the order of time."""

    order: int
    step: int
    pixels: "NDArray[np.uint8]"

    @property
    def told(self) -> PreviewMade:
        return PreviewMade(self.order, self.step)


@dataclass(frozen=True, config=SAID)
class SectionDone:
    """A section's latents are final. `computed` and `reused` count evaluations of the transformer."""

    number: int
    order: int
    sections: int
    computed: int
    reused: int
    kind: Literal["section_done"] = "section_done"


@dataclass(frozen=True, config=SAID)
class Flagged:
    """A section, by the user's number, looks wrong; `id` names the sentence, `values` fill it. Nothing is changed."""

    number: int
    id: str
    values: Values
    kind: Literal["flagged"] = "flagged"


@dataclass(frozen=True, config=SAID)
class FrameDrawn:
    """A single image's latent is final. `computed` and `reused` count evaluations of the transformer."""

    computed: int
    reused: int
    kind: Literal["frame_drawn"] = "frame_drawn"


@dataclass(frozen=True, config=SAID)
class FramesMade:
    """`frames` frames, the first at index `first`, will not change any more."""

    first: int
    frames: int
    kind: Literal["frames_ready"] = "frames_ready"


@dataclasses.dataclass(frozen=True)
class FramesReady:
    """A run of frames that will not change any more: uint8 [n, height, width, 3], the first at index `first`."""

    first: int
    frames: "NDArray[np.uint8]"

    @property
    def told(self) -> FramesMade:
        return FramesMade(self.first, len(self.frames))


@dataclass(frozen=True, config=SAID)
class LatentsMade:
    """`latents` latents, the first at place `first`, are final."""

    first: int
    latents: int
    kind: Literal["latents_ready"] = "latents_ready"


@dataclasses.dataclass(frozen=True)
class LatentsReady:
    """A run of final latents, scaled, float32 [1, 16, n, height/8, width/8], the first at place `first`.

    `order` is that of the section that made the last of them, None for the start image's alone. Before place 0, which
    is the start image's, or the last one of a video that is continued, lies what only decoding begins with.
    """

    order: int | None
    first: int
    latents: "NDArray[np.float32]"

    @property
    def told(self) -> LatentsMade:
        return LatentsMade(self.first, self.latents.shape[2])


@dataclass(frozen=True, config=SAID)
class Finished:
    """The file is in its place: `frames` and `seconds` are what was made, `whole` is all of it where it holds other
    videos, too. `flags` are what was said of its sections.
    """

    video: str
    poster: str
    seed: int
    frames: int
    seconds: float
    sections: int
    flags: tuple[Flagged, ...] = ()
    whole: Whole | None = None
    kind: Literal["finished"] = "finished"


@dataclass(frozen=True, config=SAID)
class FrameFinished:
    """The picture of a single image is in its place."""

    image: str
    seed: int
    positions: dict[str, list[int]]
    kind: Literal["frame_finished"] = "frame_finished"


@dataclass(frozen=True, config=SAID)
class FileFinished:
    """A file of latents, or a video made of one, is in its place."""

    file: str
    latents: int
    frames: int
    seconds: float
    width: int
    height: int
    kind: Literal["file_finished"] = "file_finished"


@dataclass(frozen=True, config=SAID)
class Stopped:
    """The user stopped the job. `video` is a playable file of what is finished, None where nothing is; `whole` is all
    of it where it holds other videos, too.
    """

    video: str | None
    seed: int
    frames: int
    sections: int
    whole: Whole | None = None
    kind: Literal["stopped"] = "stopped"


@dataclass(frozen=True, config=SAID)
class Failed:
    """The job ended with an error; `id` names the sentence, `values` fill it."""

    id: str
    values: Values
    kind: Literal["failed"] = "failed"


@dataclass(frozen=True, config=SAID)
class Changed:
    """A job of the queue is in another state."""

    status: str
    kind: Literal["changed"] = "changed"


_Bare = (
    Started
    | FrameStarted
    | FinishStarted
    | Preparing
    | Adjusted
    | Step
    | Converted
    | SectionDone
    | Flagged
    | FrameDrawn
    | Finished
    | FrameFinished
    | FileFinished
    | Stopped
    | Failed
    | Changed
)
# How far a job is; of these only the latest is kept.
Progress = Annotated[Step | Preparing, Field(discriminator="kind")]
Event = _Bare | FramesReady | LatentsReady | Preview
Message = Annotated[_Bare | FramesMade | LatentsMade | PreviewMade, Field(discriminator="kind")]
# What a job ends with when it ended well, or was stopped.
Result = Annotated[Finished | FrameFinished | FileFinished | Stopped, Field(discriminator="kind")]

_MESSAGES: TypeAdapter[Message] = TypeAdapter(Message)


def message(event: Event | Message) -> Message:
    """An event as a message: itself, unless it carries arrays."""
    return event.told if isinstance(event, FramesReady | LatentsReady | Preview) else event


def dump(event: Event | Message) -> Json:
    """The message of an event as it is written."""
    values: Json = _MESSAGES.dump_python(message(event), mode="json")
    return values


def read_message(values: Mapping[str, object]) -> Message:
    """The message of such values. Raises ValueError for what is none."""
    return _MESSAGES.validate_python(values)
