"""What a user can ask for. Every option is declared here, once.

Name, type, default, bounds and command-line flag stand on the field; its words in `locales/` have the id
`<words>.<name>`, `words` being of the class that declares it, so that requests which inherit a field share its words.
Flags, page controls, the HTTP schema, presets, metadata and the reference page are all derived from these fields.
A request is frozen and serialisable and holds no tensor. Whether it fits a model is for the plan to say.
"""

import re
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from fractions import Fraction
from inspect import get_annotations
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from eichi.errors import OptionError
from eichi.text import encodable

MAX_SEED = 2**32 - 1
# The highest time position of a single image; the rotary code takes any, the models make little sense of later ones.
MAX_INDEX = 64


def option(
    default: Any,
    flag: str | None = None,
    *,
    choices: tuple[Any, ...] = (),
    step: float | None = None,
    form: str | None = None,
    **bounds: Any,
) -> Any:
    """A field that is an option: `flag` is its everyday flag; without one it is set by `--set key=value`.

    A value is one of `choices`, where there are any, and a multiple of `step`; `form` is how it is written, where that
    needs showing.
    """
    extra: dict[str, Any] = {"flag": flag, "choices": list(choices), "step": step, "form": form}
    return Field(default, json_schema_extra=extra, **bounds)


def _extra(info: FieldInfo, name: str) -> Any:
    """What `option` put on a field."""
    extra = info.json_schema_extra
    return extra.get(name) if isinstance(extra, dict) else None


@dataclass(frozen=True)
class OptionField:
    """One option as the surfaces see it: its dotted key, the id of its words, its declaration, its flag."""

    key: str
    id: str
    info: FieldInfo

    @property
    def flag(self) -> str | None:
        flag: str | None = _extra(self.info, "flag")
        return flag

    @property
    def numbered(self) -> bool:
        """Whether the option is a table of section number to value."""
        return get_origin(self.info.annotation) is dict

    @property
    def repeatable(self) -> bool:
        """Whether the option takes more than one value."""
        return get_origin(self.info.annotation) in (dict, tuple)

    @property
    def form(self) -> str:
        """How one value is written."""
        form: str | None = _extra(self.info, "form")
        if form is not None:
            return form
        return "N:VALUE" if self.numbered else "|".join(map(str, self.choices)) or "VALUE"

    @property
    def choices(self) -> tuple[Any, ...]:
        """The allowed values, empty where any value of the type is allowed."""
        return tuple(_extra(self.info, "choices") or ())


class Options(BaseModel):
    """Base of all option groups: frozen, unknown keys refused, defaults checked like everything else."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    # Where the words of the fields stand that this class declares.
    words: ClassVar[str] = "option"

    @field_validator("*")
    @classmethod
    def chosen(cls, value: Any, info: ValidationInfo) -> Any:
        """A value must be among the field's choices and on its steps, where it has any; a path must be text."""
        assert info.field_name is not None
        field = cls.model_fields[info.field_name]
        choices, step = _extra(field, "choices"), _extra(field, "step")
        if choices and value not in choices:
            raise ValueError("not among the choices")
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
            raise _explain(error, cls) from error

    def dump(self) -> dict[str, Any]:
        """Nested plain values, JSON-ready, that `parse` turns back into an equal request."""
        return self.model_dump(mode="json")


class KeyframeOptions(Options):
    """Pictures and prompts that hold for a part of the video."""

    words = "option.keyframes"

    final: Path | None = option(None, "--final")
    final_strength: float = option(1.0, "--final-strength", ge=0.01, le=1.0)
    sections: dict[int, Path] = option({}, "--section")
    prompts: dict[int, str] = option({}, "--section-prompt")
    copies: bool = option(False, "--copy-keyframes")
    loop: Literal["off", "final", "seamless"] = option("off", "--loop", choices=("off", "final", "seamless"))


class StepOptions(Options):
    """How latents are drawn."""

    words = "option.sampling"

    steps: int = option(25, "--steps", ge=1, le=100)
    guidance: float = option(10.0, "--guidance", ge=1.0, le=32.0)
    cfg: float = option(1.0, "--cfg", ge=1.0, le=32.0)
    rescale: float = option(0.0, ge=0.0, le=1.0)
    teacache: bool = option(True, "--teacache")
    cache: Literal["tea", "mag", "first"] = option("tea", "--cache", choices=("tea", "mag", "first"))
    threshold: float | None = option(None, ge=0.0, le=1.0)


class SamplingOptions(StepOptions):
    """How the latents of a section are drawn."""

    padding: float | None = option(None, "--padding", ge=0.0, le=3.0, step=0.1)
    image_strength: float = option(1.0, "--image-strength", ge=1.0, le=1.02)


class FrameStepOptions(StepOptions):
    """How the latent of a single image is drawn."""

    shift: float | None = option(None, "--shift", ge=0.1, le=100.0)


class KeptOptions(Options):
    """What is taken over from a video that was made before, in the order of generation."""

    words = "option.kept"

    latents: Path | None = option(None, "--keep")
    sections: int | None = option(None, "--keep-sections", ge=0)


class ResultOptions(Options):
    """What is kept of a run."""

    words = "option.output"

    latents: bool = option(False, "--latents")


class OutputOptions(ResultOptions):
    """What is kept of a video, and how the file is made."""

    crf: int = option(16, "--crf", ge=0, le=100)
    segments: bool = option(False)
    stills: bool = option(False, "--stills")
    frames: Literal["none", "last", "all"] = option("none", "--frames", choices=("none", "last", "all"))


class LoraOptions(Options):
    """A LoRA that is merged into the model; also written `FILE[:STRENGTH]`."""

    file: Path = option(...)
    strength: float = option(0.8, ge=-2.0, le=2.0)

    @model_validator(mode="before")
    @classmethod
    def short(cls, value: Any) -> Any:
        """The short form. Only a number after the last colon is a strength, so that `C:\\a.pt` is read right."""
        if isinstance(value, Path):
            return {"file": value}
        if not isinstance(value, str):
            return value
        found = re.fullmatch(r"(.+?)(?::([-+]?(?:\d+\.?\d*|\.\d+)))?", value, re.DOTALL)
        if found is None:
            raise ValueError("a file is missing")
        file, strength = found.groups()
        return {"file": file} if strength is None else {"file": file, "strength": strength}


class WeightsOptions(Options):
    """What is done to the model's weights before anything is drawn with them."""

    words = "option.weights"

    loras: tuple[LoraOptions, ...] = option((), "--lora", form="FILE[:STRENGTH]")
    fp8: Literal["off", "tensor", "row"] = option("off", "--fp8", choices=("off", "tensor", "row"))
    fp8_math: bool = option(False)


class Request(Options):
    """What every request says: a model, a picture, a prompt, a size, a seed, a way to treat the weights."""

    # What a result of this request is called in its record.
    kind: ClassVar[str]

    model: str = option("tiny", "--model", min_length=1)
    image: Path | None = option(None, "--image")
    prompt: str = option("", "--prompt", max_length=20_000)
    negative: str = option("", "--negative", max_length=20_000)
    resolution: int | None = option(None, "--resolution", ge=16)
    fit: Literal["crop", "letterbox"] = option("crop", choices=("crop", "letterbox"))
    seed: int | None = option(None, "--seed", ge=0, le=MAX_SEED)
    weights: WeightsOptions = WeightsOptions()


class VideoOptions(Request):
    """A request for one video."""

    kind = "video"

    seconds: float = option(5.0, "--seconds", ge=0.1, le=120.0)
    section_size: float = option(1.0, "--section-size", choices=(1.0, 0.5))
    keyframes: KeyframeOptions = KeyframeOptions()
    sampling: SamplingOptions = SamplingOptions()
    kept: KeptOptions = KeptOptions()
    output: OutputOptions = OutputOptions()


class ReferenceOptions(Options):
    """A reference picture of a single image; also written `FILE[:INDEX[:MASK]]`."""

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
            raise ValueError("a picture is missing")
        image, index, mask = found.groups()
        return {"image": image, "index": index or None, "mask": mask or None}


class ZeroOptions(Options):
    """Which of a profile's zero latents are fed; a profile that has none is not given any."""

    words = "option.zeros"

    post: bool = option(True)
    x2: bool = option(True)
    x4: bool = option(True)


class FrameOptions(Request):
    """A request for one image."""

    kind = "frame"
    words = "option.frame"

    profile: str = option("kisekae", "--profile", choices=("kisekae", "oichi", "musubi", "1f-mc", "comfy"))
    target: int | None = option(None, "--target", ge=0, le=MAX_INDEX)
    window: int = option(9, "--window", ge=1, le=MAX_INDEX)
    references: tuple[ReferenceOptions, ...] = option((), "--reference", form="FILE[:INDEX[:MASK]]")
    mask: Path | None = option(None, "--mask")
    vision: float = option(0.0, "--vision", ge=0.0, le=1.0)
    denoise: float = option(1.0, "--denoise", ge=0.01, le=1.0)
    zeros: ZeroOptions = ZeroOptions()
    sampling: FrameStepOptions = FrameStepOptions()
    output: ResultOptions = ResultOptions()


def same(kind: type[Options], name: str) -> Any:
    """The declaration of a field of another class, for one that has the option too and is not of that kind."""
    return copy(kind.model_fields[name])


class FillOptions(Options):
    """A request for the latents between two files of latents."""

    kind: ClassVar[str] = "fill"

    before: Path = option(...)
    after: Path = option(...)
    length: int = option(9, "--length", ge=1, le=12)
    model: str = same(Request, "model")
    prompt: str = same(Request, "prompt")
    negative: str = same(Request, "negative")
    seed: int | None = same(Request, "seed")
    sampling: StepOptions = StepOptions()
    weights: WeightsOptions = WeightsOptions()


def quality(crf: int) -> int:
    """x264's CRF for a user's 0-100: x264 knows 0-51, and its 0 is lossless in a profile many players show as black."""
    return min(max(crf, 1), 51)


def walk(model: type[Options], prefix: str = "") -> Iterator[OptionField]:
    """All options of a request, groups opened, in the order of their declaration."""
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, Options):
            yield from walk(info.annotation, f"{prefix}{name}.")
        else:
            owner = next(base for base in model.__mro__ if issubclass(base, Options) and name in get_annotations(base))
            yield OptionField(f"{prefix}{name}", f"{owner.words}.{name}", info)


def place(values: dict[str, Any], key: str, value: Any) -> None:
    """Put a value at a dotted key of nested values, making the groups on the way."""
    *groups, name = key.split(".")
    for group in groups:
        values = values.setdefault(group, {})
        if not isinstance(values, dict):
            raise OptionError("error.option.value", key=group, value=_shown(values), reason="it is a group")
    values[name] = value


def _explain(error: ValidationError, model: type[Options]) -> OptionError:
    """The first complaint of a validation as one sentence."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    value, context = first["input"], first.get("ctx", {})
    known = {field.key: field for field in walk(model)}
    if first["type"] == "extra_forbidden" or not key:  # a key that is no text has no place
        return OptionError("error.option.unknown", key=key or str(value), known=", ".join(sorted(known)))
    field = known.get(key)
    if field is not None and field.choices:
        choices = ", ".join(map(str, field.choices))
        return OptionError("error.option.choice", key=key, value=_shown(value), choices=choices)
    if key and first["type"] in ("coding", "string_unicode"):
        return OptionError("error.option.coding", key=key, value=_shown(value))
    if first["type"] == "step":
        return OptionError("error.option.step", key=key, value=_shown(value), step=context["step"])
    if field is not None and {"ge", "gt", "le", "lt"} & context.keys():
        low, high = _bounds(field)
        return OptionError("error.option.range", key=key, value=_shown(value), low=low, high=high)
    return OptionError("error.option.value", key=key, value=_shown(value), reason=first["msg"])


def _shown(value: object) -> str:
    """A value in a sentence: numbers as they are, text quoted, on one line and not longer than the sentence."""
    text = repr(value) if isinstance(value, str) else str(value).replace("\n", " ")
    return text if len(text) <= 60 else f"{text[:57]}…"


def _bounds(field: OptionField) -> tuple[object, object]:
    """The lowest and the highest value of a number, `…` for an open end."""
    low: object = "…"
    high: object = "…"
    for rule in field.info.metadata:
        low = next((value for name in ("ge", "gt") if (value := getattr(rule, name, None)) is not None), low)
        high = next((value for name in ("le", "lt") if (value := getattr(rule, name, None)) is not None), high)
    return low, high
