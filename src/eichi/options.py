"""What a user can ask for. Every option is declared here, once.

All that is known of an option stands on its field (`declare` says what that can be); its words in `locales/` have the
ids `option.…` and `label.…`, from the class that declares it, so that requests which inherit a field share its words.
Flags, page controls, the HTTP schema, presets, metadata and the reference page are all derived from these fields.
A request is frozen and serialisable and holds no tensor. Whether it fits a model is for the plan to say.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeAlias

from pydantic import ConfigDict, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from eichi.declare import Optioned, OptionField, Plain, explain, option, shown, unless
from eichi.errors import OptionError
from eichi.reasons import Unfit
from eichi.text import decimal, encodable, figures

MAX_SEED = 2**32 - 1
LATEST = 1e6  # the last second of a result whose frame may be asked for
# The highest time position of a single image; the rotary code takes any, the models make little sense of later ones.
MAX_INDEX = 64
LENGTHS = (*range(1, 21), 30, 40)  # seconds that are offered for both kinds of model
STRENGTHS = 100.0, 102.0  # of the image, in per cent

# What counts with real CFG only, and what only with a step cache.
GUIDED, CACHING = unless("sampling.cfg", 1.0), unless("sampling.teacache", False)
NEGATED, NAGGING = unless("sampling.cfg", 1.0, "sampling.nag"), unless("sampling.nag", 1.0)


class Options(Optioned):
    """Base of all option groups: frozen, unknown keys refused, defaults checked like everything else."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def chosen(cls, value: Any, info: ValidationInfo) -> Any:
        """A value must be among the field's choices and on its steps, where it has any; a path must be text."""
        assert info.field_name is not None
        field = OptionField(info.field_name, "", cls.model_fields[info.field_name])
        choices, step = field.fact("choices"), field.fact("step")
        if choices and value not in choices:
            raise Unfit("reason.choice", choices=", ".join(map(str, choices)))
        if step is not None and value is not None and Fraction(str(value)) % Fraction(str(step)):
            raise PydanticCustomError("step", "not a multiple of {step}", {"step": step})
        if not all(encodable(one) for one in (value.values() if isinstance(value, dict) else (value,))):
            raise PydanticCustomError("coding", "not text in UTF-8")
        return value

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Options from nested plain values, as a preset, a file or a flag gives them.

        Raises OptionError with one sentence for the first thing that is wrong.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise explain(error, cls) from error

    def dump(self) -> Plain:
        """Nested plain values, JSON-ready, that `parse` turns back into an equal request."""
        return self.model_dump(mode="json")


class KeyframeOptions(Options):
    """Pictures and prompts that hold for a part of the video."""

    words = "option.keyframes"

    final: Path | None = option(None, "--final", only="reverse")
    final_strength: float = option(1.0, "--final-strength", group="keyframes", only="reverse", ge=0.01, le=1.0)
    sections: dict[int, Path] = option({}, "--section", only="reverse")
    prompts: dict[int, str] = option({}, "--section-prompt")
    # Sections over which the later prompt comes in after a change.
    blend: int = option(0, "--blend", group="motion", ge=0, le=10)
    copies: bool = option(False, "--copy-keyframes", group="keyframes", only="reverse")
    loop: Literal["off", "final", "seamless"] = option("off", "--loop", group="keyframes", only="reverse")


class StepOptions(Options):
    """How latents are drawn."""

    words = "option.sampling"

    steps: int = option(25, "--steps", group="sampling", costs=("time",), ge=1, le=100)
    guidance: float = option(10.0, "--guidance", group="sampling", ge=1.0, le=32.0)
    cfg: float = option(1.0, "--cfg", group="sampling", costs=("time", "memory"), ge=1.0, le=32.0)
    rescale: float = option(0.0, group="sampling", shown=GUIDED, ge=0.0, le=1.0)
    teacache: bool = option(True, "--teacache", group="sampling", costs=("time", "memory"))
    cache: Literal["tea", "mag", "first"] = option("tea", "--cache", group="sampling", shown=CACHING, costs=("time",))
    threshold: float | None = option(None, group="sampling", shown=CACHING, costs=("time",), ge=0.0, le=1.0)
    nag: float = option(1.0, "--nag", group="sampling", costs=("time", "memory"), ge=1.0, le=20.0)
    nag_alpha: float = option(0.5, group="sampling", shown=NAGGING, ge=0.0, le=1.0)
    nag_tau: float = option(1.5, group="sampling", shown=NAGGING, ge=1.0, le=10.0)
    vision: float = option(1.0, "--vision-strength", group="sampling", ge=0.0, le=2.0)
    rope: float = option(1.0, "--rope", group="sampling", ge=0.1, le=1.0)
    rope_from: int = option(800, group="sampling", shown=unless("sampling.rope", 1.0), ge=0, le=1000)

    @property
    def negated(self) -> bool:
        """Whether the negative prompt counts."""
        return self.cfg != 1.0 or self.nag != 1.0


class SamplingOptions(StepOptions):
    """How the latents of a section are drawn."""

    padding: float | None = option(None, "--padding", group="motion", only="reverse", step=0.1, ge=0.0, le=3.0)
    image_strength: float = option(
        100.0, "--image-strength", group="motion", only="forward", unit="percent", ge=STRENGTHS[0], le=STRENGTHS[1]
    )

    @field_validator("image_strength", mode="before")
    @classmethod
    def in_per_cent(cls, value: Any) -> Any:
        """A strength in per cent, also where it is given as the factor that eichi and our first records have.

        What is out of range as both stays as it was given, so that it is named so.
        """
        if isinstance(value, bool):
            raise Unfit("reason.number")
        text = decimal(figures(value).strip().removesuffix("%")) if isinstance(value, str) else value
        try:
            strength = float(text)
        except (TypeError, ValueError, OverflowError):
            return value
        low, high = STRENGTHS
        return round(100 * strength, 9) if low <= round(100 * strength, 9) <= high else strength


class FrameStepOptions(StepOptions):
    """How the latent of a single image is drawn."""

    shift: float | None = option(None, "--shift", group="sampling", ge=0.1, le=100.0)


class SourceOptions(Options):
    """Videos that a new part is made for: the one that it follows, the one that it leads up to, or both."""

    words = "option.source"

    before: Path | None = option(None, "--continue", group="source", kind="video")
    after: Path | None = option(None, "--lead-to", group="source", only="reverse", kind="video")
    context: int = option(
        1,
        "--context",
        group="source",
        only="forward",
        shown=unless("source.before", None),
        costs=("time", "memory"),
        ge=1,
        le=9,
    )
    sound: Path | None = option(None, "--sound", group="source", kind="sound")


class KeptOptions(Options):
    """What is taken over from a video that was made before, in the order of generation."""

    words = "option.kept"

    latents: Path | None = option(None, "--keep", group="kept", kind="latents")
    sections: int | None = option(None, "--keep-sections", group="kept", shown=unless("kept.latents", None), ge=0)


class ResultOptions(Options):
    """What is kept of a run."""

    words = "option.output"

    latents: bool = option(False, "--latents", group="output")


class OutputOptions(ResultOptions):
    """What is kept of a video, and how the file is made."""

    crf: int = option(16, "--crf", group="output", ge=0, le=100)
    colour: float = option(0.0, "--colour", group="output", ge=0.0, le=1.0)
    segments: bool = option(False, group="output")
    stills: bool = option(False, "--stills", group="output")
    frames: Literal["none", "last", "all"] = option("none", "--frames", group="output")


class ChainOptions(Options):
    """What is done to a finished video, in the order of the fields but for its time, which comes first; its form."""

    words = "option.finish"

    upscale: str | None = option(None, "--upscale", group="finish", costs=("time", "memory"), kind="line", min_length=1)
    scale: float | None = option(None, "--scale", group="finish", costs=("time", "memory"), ge=0.1, le=8.0)
    denoise: float = option(0.0, "--reduce-noise", group="finish", costs=("time",), ge=0.0, le=1.0)
    brightness: float = option(0.0, "--brightness", group="finish", ge=-1.0, le=1.0)
    contrast: float = option(1.0, "--contrast", group="finish", ge=0.0, le=2.0)
    saturation: float = option(1.0, "--saturation", group="finish", ge=0.0, le=3.0)
    sharpen: float = option(0.0, "--sharpen", group="finish", ge=0.0, le=1.0)
    grain: float = option(0.0, "--grain", group="finish", ge=0.0, le=1.0)
    vignette: float = option(0.0, "--vignette", group="finish", ge=0.0, le=1.0)
    speed: float = option(1.0, "--speed", group="finish", ge=0.1, le=10.0)
    # Frames a second; more than the video has are made up in between.
    fps: float | None = option(None, "--fps", group="finish", costs=("time",), ge=1.0, le=120.0)
    reverse: bool = option(False, "--reverse", group="finish")
    pingpong: bool = option(False, "--ping-pong", group="finish")
    repeat: int = option(1, "--repeat", group="finish", ge=1, le=100)
    format: Literal["mp4", "hevc", "av1", "prores", "webm", "gif", "webp", "png"] = option(
        "mp4", "--format", group="finish", costs=("time",)
    )
    compression: int = option(16, "--compression", group="finish", ge=0, le=100)

    @property
    def asked(self) -> bool:
        """Whether there is anything to do."""
        return self != ChainOptions()


class LoraOptions(Options):
    """A LoRA that is merged into the model; also written `FILE[:STRENGTH]`."""

    words = ""

    file: Path = option(..., kind="lora")
    strength: float = option(0.8, ge=-2.0, le=2.0)

    @model_validator(mode="before")
    @classmethod
    def short(cls, value: Any) -> Any:
        """The short form. Only a number after the last colon is a strength, so that `C:\\a.pt` is read right."""
        if isinstance(value, Path):
            return {"file": value}
        if not isinstance(value, str):
            return value
        found = re.fullmatch(r"(.+?)(?::([-+]?(?:\d+[.,]?\d*|[.,]\d+)))?", value, re.DOTALL)
        if found is None:
            raise Unfit("reason.file")
        file, strength = found.groups()
        return {"file": file} if strength is None else {"file": file, "strength": strength}


class WeightsOptions(Options):
    """What is done to the model's weights before anything is drawn with them."""

    words = "option.weights"

    loras: tuple[LoraOptions, ...] = option((), "--lora", form="FILE[:STRENGTH]", costs=("memory",))
    fp8: Literal["off", "tensor", "row"] = option("off", "--fp8", group="weights", costs=("time", "memory"))
    fp8_math: bool = option(False, group="weights", shown=unless("weights.fp8", "off"), costs=("time",))


class WrittenOptions(Options):
    """What of a request's prompts was written otherwise, with wildcards, before it was drawn by the seed."""

    words = ""

    prompt: str | None = option(None, max_length=20_000)
    negative: str | None = option(None, max_length=20_000)
    sections: dict[int, str] = option({})


class Request(Options):
    """What every request says: a model, a picture, a prompt, a size, a seed, a way to treat the weights."""

    # What a result of this request is called in its record.
    kind: ClassVar[str]

    model: str = option("tiny", "--model", costs=("time", "memory"), min_length=1)
    image: Path | None = option(None, "--image")
    prompt: str = option("", "--prompt", max_length=20_000)
    negative: str = option("", "--negative", group="sampling", shown=NEGATED, max_length=20_000)
    resolution: int | None = option(None, "--resolution", costs=("time", "memory"), unit="pixels", ge=16)
    fit: Literal["crop", "letterbox", "original"] = option("crop", group="output")
    seed: int | None = option(None, "--seed", ge=0, le=MAX_SEED)
    weights: WeightsOptions = WeightsOptions()
    written: WrittenOptions = WrittenOptions()


# Stands in the place of a file for the start picture that a request has made, behind what is in no name on Windows.
MADE = "?"


class VideoOptions(Request):
    """A request for one video."""

    kind = "video"

    start: Literal["picture", "black", "white", "grey", "noise"] = option("picture", "--start", group="keyframes")
    aspect: Literal["16:9", "3:2", "4:3", "1:1", "3:4", "2:3", "9:16"] = option(
        "16:9", "--aspect", group="keyframes", shown=unless("start", "picture"), costs=("time", "memory")
    )

    seconds: float = option(
        5.0,
        "--seconds",
        unit="seconds",
        suggestions={"reverse": LENGTHS, "forward": (*LENGTHS, 60, 120)},
        ge=0.1,
        le=120.0,
    )
    section_size: float = option(
        1.0, "--section-size", group="motion", costs=("time", "memory"), unit="seconds", choices=(1.0, 0.5)
    )
    source: SourceOptions = SourceOptions()
    keyframes: KeyframeOptions = KeyframeOptions()
    sampling: SamplingOptions = SamplingOptions()
    kept: KeptOptions = KeptOptions()
    output: OutputOptions = OutputOptions()
    # Of the video when it is made, as a job of its own.
    finish: ChainOptions = ChainOptions()

    @property
    def begin(self) -> Path | None:
        """Where the start picture comes from: a video that is continued, a picture, what stands for one that is made,
        or nothing.
        """
        if self.source.before is not None or self.start == "picture":
            return self.source.before or self.image
        return Path(f"{MADE}{self.start}")

    @property
    def form(self) -> tuple[int, int]:
        """The form of a start picture that is made: how wide it is to how high."""
        width, height = self.aspect.split(":")
        return int(width), int(height)


class ReferenceOptions(Options):
    """A reference picture of a single image; also written `FILE[:INDEX[:MASK]]`."""

    words = ""

    image: Path = option(...)
    index: int | None = option(None, ge=0, le=MAX_INDEX)
    mask: Path | None = option(None)

    @model_validator(mode="before")
    @classmethod
    def short(cls, value: Any) -> Any:
        """The short form. The first `:NUMBER` or `::` ends the picture's name, so that `C:\\a.png:10` is read right."""
        if isinstance(value, Path):
            return {"image": value}
        if not isinstance(value, str):
            return value
        found = re.fullmatch(r"(.+?)(?::(\d*)(?::(.*))?)?", value, re.DOTALL)
        if found is None:
            raise Unfit("reason.file")
        image, index, mask = found.groups()
        return {"image": image, "index": index or None, "mask": mask or None}


class ZeroOptions(Options):
    """Which of a profile's zero latents are fed; a profile that has none is not given any."""

    words = "option.zeros"

    post: bool = option(True, group="positions", costs=("time",))
    x2: bool = option(True, group="positions", costs=("time",))
    x4: bool = option(True, group="positions", costs=("time",))


class FrameOptions(Request):
    """A request for one image."""

    kind = "frame"
    words = "option.frame"

    profile: Literal["kisekae", "oichi", "musubi", "1f-mc", "comfy"] = option(
        "kisekae", "--profile", group="positions", costs=("time",)
    )
    target: int | None = option(None, "--target", group="positions", ge=0, le=MAX_INDEX)
    window: int = option(9, "--window", group="positions", ge=1, le=MAX_INDEX)
    references: tuple[ReferenceOptions, ...] = option(
        (), "--reference", form="FILE[:INDEX[:MASK]]", costs=("time", "memory")
    )
    mask: Path | None = option(None, "--mask")
    vision: float = option(0.0, "--vision", group="positions", ge=0.0, le=1.0)
    denoise: float = option(1.0, "--denoise", group="sampling", ge=0.01, le=1.0)
    zeros: ZeroOptions = ZeroOptions()
    sampling: FrameStepOptions = FrameStepOptions()
    output: ResultOptions = ResultOptions()


class FinishOptions(Options):
    """A request to finish a video that there is: a chain of steps over it, and another form."""

    kind: ClassVar[str] = "finish"

    video: Path = option(..., kind="video")
    finish: ChainOptions = ChainOptions()


# What a job can be asked for, and by which name.
Queued: TypeAlias = VideoOptions | FrameOptions | FinishOptions
QUEUED: dict[str, type[VideoOptions] | type[FrameOptions] | type[FinishOptions]] = {
    one.kind: one for one in (VideoOptions, FrameOptions, FinishOptions)
}


def same(kind: type[Options], name: str) -> Any:
    """The declaration of a field of another class, for one that has the option too and is not of that kind."""
    return copy(kind.model_fields[name])


class FillOptions(Options):
    """A request for the latents between two files of latents."""

    kind: ClassVar[str] = "fill"

    before: Path = option(..., kind="latents")
    after: Path = option(..., kind="latents")
    length: int = option(9, "--length", costs=("time",), ge=1, le=12)
    model: str = same(Request, "model")
    prompt: str = same(Request, "prompt")
    negative: str = same(Request, "negative")
    seed: int | None = same(Request, "seed")
    sampling: StepOptions = StepOptions()
    weights: WeightsOptions = WeightsOptions()
    written: WrittenOptions = WrittenOptions()


def quality(crf: int) -> int:
    """x264's CRF for a user's 0-100: x264 knows 0-51, and its 0 is lossless in a profile many players show as black."""
    return min(max(crf, 1), 51)


def files_of(options: Options) -> dict[str, Path]:
    """Every file that a request names, by its dotted key, with numbers of sections and places in lists."""
    return dict(_paths(options.model_dump()))


def _paths(value: Any, key: str = "") -> Iterator[tuple[str, Path]]:
    if isinstance(value, Path):
        yield key, value
    entries: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        entries = value.items()
    elif isinstance(value, list | tuple):
        entries = enumerate(value)
    for name, inner in entries:
        yield from _paths(inner, f"{key}.{name}" if key else str(name))


def put(values: Plain, key: str, value: Any) -> None:
    """Put another value at a dotted key that nested values have, as `files_of` names it."""
    holder, last = _holder(values, key)
    holder[last] = value


def _holder(values: Plain, key: str) -> tuple[Any, str | int]:
    """The table or list that holds what lies at a dotted key, and where it lies in it."""
    holder: Any = values
    *outer, last = key.split(".")
    for part in outer:
        holder = holder[int(part) if isinstance(holder, list) else part]
    return holder, int(last) if isinstance(holder, list) else last


def has(values: Plain, key: str) -> bool:
    """Whether nested values have something at a dotted key, in a list too."""
    here: Any = values
    for part in key.split("."):
        if isinstance(here, list):
            if not (part.isdecimal() and int(part) < len(here)):
                return False
            here = here[int(part)]
        elif isinstance(here, dict) and part in here:
            here = here[part]
        else:
            return False
    return True


def drop(values: Plain, keys: Iterable[str]) -> None:
    """Take away what nested values have at dotted keys, the later entries of a list first: each is named as it was."""
    for key in sorted(keys, key=_numbers, reverse=True):
        if has(values, key):
            holder, last = _holder(values, key)
            del holder[last]


def _numbers(key: str) -> list[int]:
    return [int(part) if part.isdecimal() else -1 for part in key.split(".")]


def place(values: Plain, key: str, value: Any) -> None:
    """Put a value at a dotted key of nested values, making the groups on the way."""
    *groups, name = key.split(".")
    for group in groups:
        values = values.setdefault(group, {})
        if not isinstance(values, dict):
            raise OptionError("error.option.value", key=group, value=shown(values), reason="reason.group")
    values[name] = value
