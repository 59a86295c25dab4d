"""What a user can ask for. Every option is declared here, once.

Name, type, default, bounds and command-line flag stand on the field; its words are `option.<key>` in `locales/`.
Flags, page controls, the HTTP schema, presets, metadata and the reference page are all derived from these fields.
A request is frozen and serialisable and holds no tensor. Whether it fits a model is for the plan to say.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo

from eichi.errors import OptionError

MAX_SEED = 2**32 - 1


def option(default: Any, flag: str | None = None, choices: tuple[Any, ...] = (), **bounds: Any) -> Any:
    """A field that is an option: `flag` is its everyday flag; without one it is set by `--set key=value`."""
    return Field(default, json_schema_extra={"flag": flag, "choices": list(choices)}, **bounds)


@dataclass(frozen=True)
class OptionField:
    """One option as the surfaces see it: its dotted key, its declaration, its flag."""

    key: str
    info: FieldInfo

    @property
    def id(self) -> str:
        """Id of the option's words."""
        return f"option.{self.key}"

    @property
    def flag(self) -> str | None:
        flag = self._extra("flag")
        return flag if isinstance(flag, str) else None

    @property
    def repeatable(self) -> bool:
        """Whether the option is a table of section number to value."""
        return get_origin(self.info.annotation) is dict

    @property
    def choices(self) -> tuple[Any, ...]:
        """The allowed values, empty where any value of the type is allowed."""
        choices = self._extra("choices")
        return tuple(choices) if isinstance(choices, list) else ()

    def _extra(self, name: str) -> object:
        extra = self.info.json_schema_extra
        return extra.get(name) if isinstance(extra, dict) else None


class Options(BaseModel):
    """Base of all option groups: frozen, unknown keys refused, defaults checked like everything else."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def chosen(cls, value: Any, info: ValidationInfo) -> Any:
        """A value must be among the field's choices, where it has any."""
        assert info.field_name is not None
        choices = OptionField(info.field_name, cls.model_fields[info.field_name]).choices
        if choices and value not in choices:
            raise ValueError("not among the choices")
        return value


class KeyframeOptions(Options):
    """Pictures and prompts that hold for a part of the video."""

    final: Path | None = option(None, "--final")
    final_strength: float = option(1.0, "--final-strength", ge=0.01, le=1.0)
    sections: dict[int, Path] = option({}, "--section")
    prompts: dict[int, str] = option({}, "--section-prompt")


class SamplingOptions(Options):
    """How the latents of a section are drawn."""

    steps: int = option(25, "--steps", ge=1, le=100)
    guidance: float = option(10.0, "--guidance", ge=1.0, le=32.0)
    cfg: float = option(1.0, "--cfg", ge=1.0, le=32.0)
    rescale: float = option(0.0, ge=0.0, le=1.0)
    teacache: bool = option(True, "--teacache")
    threshold: float = option(0.15, ge=0.0, le=1.0)
    padding: float | None = option(None, "--padding", ge=0.0, le=3.0)
    image_strength: float = option(1.0, "--image-strength", ge=1.0, le=1.02)


class OutputOptions(Options):
    """What is kept of a run, and how the file is made."""

    crf: int = option(16, "--crf", ge=0, le=100)


class VideoOptions(Options):
    """A request for one video."""

    model: str = option("tiny", "--model", min_length=1)
    image: Path | None = option(None, "--image")
    prompt: str = option("", "--prompt", max_length=20_000)
    negative: str = option("", "--negative", max_length=20_000)
    seconds: float = option(5.0, "--seconds", gt=0.0, le=120.0)
    section_size: float = option(1.0, "--section-size", choices=(1.0, 0.5))
    resolution: int | None = option(None, "--resolution", ge=16)
    fit: Literal["crop", "letterbox"] = option("crop", choices=("crop", "letterbox"))
    seed: int | None = option(None, "--seed", ge=0, le=MAX_SEED)
    keyframes: KeyframeOptions = KeyframeOptions()
    sampling: SamplingOptions = SamplingOptions()
    output: OutputOptions = OutputOptions()

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


def quality(crf: int) -> int:
    """x264's CRF for a user's 0-100: x264 knows 0-51, and its 0 is lossless in a profile many players show as black."""
    return min(max(crf, 1), 51)


def walk(model: type[Options], prefix: str = "") -> Iterator[OptionField]:
    """All options of a request, groups opened, in the order of their declaration."""
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, Options):
            yield from walk(info.annotation, f"{prefix}{name}.")
        else:
            yield OptionField(f"{prefix}{name}", info)


def place(values: dict[str, Any], key: str, value: Any) -> None:
    """Put a value at a dotted key of nested values, making the groups on the way."""
    *groups, name = key.split(".")
    for group in groups:
        values = values.setdefault(group, {})
    values[name] = value


def _explain(error: ValidationError, model: type[Options]) -> OptionError:
    """The first complaint of a validation as one sentence."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    value, context = first["input"], first.get("ctx", {})
    known = {field.key: field for field in walk(model)}
    if first["type"] == "extra_forbidden":
        return OptionError("error.option.unknown", key=key, known=", ".join(sorted(known)))
    field = known.get(key)
    if field is not None and field.choices:
        return OptionError("error.option.choice", key=key, value=value, choices=", ".join(map(str, field.choices)))
    if field is not None and {"ge", "gt", "le", "lt"} & context.keys():
        low, high = _bounds(field)
        return OptionError("error.option.range", key=key, value=value, low=low, high=high)
    return OptionError("error.option.value", key=key, value=repr(value), reason=first["msg"])


def _bounds(field: OptionField) -> tuple[object, object]:
    """The lowest and the highest value of a number, `…` for an open end."""
    low: object = "…"
    high: object = "…"
    for rule in field.info.metadata:
        low = next((value for name in ("ge", "gt") if (value := getattr(rule, name, None)) is not None), low)
        high = next((value for name in ("le", "lt") if (value := getattr(rule, name, None)) is not None), high)
    return low, high
