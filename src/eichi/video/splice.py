"""The tools on latent files that need no model: look into one, join several, cut one.

What comes out is a latent file like any other, with a record of what it was made from: the tool, its sources by
their names, and the sources' own records, so that nothing of where the latents come from is lost. How clips lie in one
file, and why a joint is remembered, stands in `plan.splice`.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np

from eichi.catalog import find
from eichi.errors import InputError, ModelError, OptionError
from eichi.events import Adjusted, FileFinished
from eichi.options import FillOptions
from eichi.plan.continued import Shape
from eichi.plan.fill import FillPlan
from eichi.plan.splice import frame_total, joined, stretches, trimmed
from eichi.plan.timeline import frame_count, real_seconds
from eichi.video.latentfile import Latents, load_latents, measure_latents, save_latents
from eichi.video.metadata import Marks, Record, ancestry, model_name, portable, read_record, versions, without_folders

KIND = "latents"


@dataclass(frozen=True)
class ToolSource:
    """A file that a tool reads: its name as it was given and its record, None where it has none."""

    path: Path
    record: Record | None

    @property
    def model(self) -> str | None:
        """The model that the latents are for, None where the file does not say."""
        return None if self.record is None else self.record.get("model")

    @property
    def of_tool(self) -> bool:
        """Whether no job has made it by a request that could be gone on with."""
        return self.record is not None and self.record["kind"] in (KIND, FillOptions.kind)


def read_source(path: Path) -> ToolSource:
    """A file's record, if it carries one. Raises InputError where there is no file."""
    try:
        return ToolSource(path, read_record(path))
    except InputError as error:
        if error.id != "error.file.record":
            raise
        return ToolSource(path, None)


def model_of(sources: Sequence[ToolSource], asked: str | None = None) -> str:
    """The model whose latents these are. Raises OptionError where the files do not say or do not agree.

    Latents of one model are noise to another's decoder; models that share a decoder agree.
    """
    said = {source.path: source.model for source in sources if source.model is not None}
    model = asked or next(iter(said.values()), None)
    if model is None:
        raise OptionError("error.latents.model", path=sources[0].path, flag="--model")
    for path, theirs in said.items():
        if model_name(theirs) != model_name(model) and _decoder(theirs) != _decoder(model):
            raise OptionError("error.latents.models", path=path, theirs=theirs, ours=model)
    return model


@dataclass(frozen=True)
class Clip:
    """One clip of a latent file, from its place on."""

    first: int
    latents: int
    frames: int


@dataclass(frozen=True)
class LatentsReport:
    """What is in a latent file: sizes in latents, frames, seconds and pixels, its clips, the record that it carries.

    `first` is the place of its first latent in the video that it is from; `model` is None where the file does not say.
    """

    file: str
    model: str | None
    latents: int
    frames: int
    seconds: float
    width: int
    height: int
    first: int
    clips: tuple[Clip, ...]
    record: Record | None


def report(path: Path) -> LatentsReport:
    """What is in a latent file, from its header alone. Raises InputError."""
    shape, source = measure_latents(path), read_source(path)
    clips = tuple(Clip(stretch.start, len(stretch), frame_count(len(stretch))) for stretch in stretches(shape))
    return LatentsReport(
        file=str(path),
        model=source.model,
        **figures(shape),
        first=shape.first,
        clips=clips,
        record=source.record,
    )


def join_latents(paths: Sequence[Path], target: Path) -> FileFinished:
    """Write one latent file of several, in their order. Raises OptionError where they do not fit together."""
    sources = [read_source(path) for path in paths]
    shapes = [measure_latents(path) for path in paths]
    shape = reduce(joined, shapes)
    model = model_of(sources) if any(source.model for source in sources) else None
    values = np.concatenate([load_latents(path).values for path in paths], axis=2)
    return save(target, Latents(values, shape.first, shape.joints), tool_record("join", sources, shape, model))


def trim_latents(path: Path, target: Path, start: int, end: int) -> FileFinished:
    """Write a latent file without the first `start` and the last `end` latents of another. Raises OptionError."""
    source = read_source(path)
    shape = trimmed(measure_latents(path), start, end)
    values = load_latents(path).values[:, :, start : start + shape.count]
    cut = Latents(np.ascontiguousarray(values), shape.first, shape.joints)
    return save(target, cut, tool_record("trim", [source], shape, source.model, {"start": start, "end": end}))


def lengthen(before: Path, made: Path) -> Adjusted | None:
    """Put the latents that a video was continued from in front of those of its new part, `made`, of which the first
    stands for the last of them.

    A word where they are of another size, and stay apart. Raises InputError, DiskError.
    """
    one, other = load_latents(before), load_latents(made)
    if one.shape.size != other.shape.size:
        theirs, ours = (f"{shape.width * 8}x{shape.height * 8}" for shape in (one.shape, other.shape))
        return Adjusted("note.latents.apart", {"path": str(before), "theirs": theirs, "ours": ours})
    sources = [read_source(before), read_source(made)]
    whole = Latents(np.concatenate([one.values, other.values[:, :, 1:]], axis=2), one.first, one.joints)
    save(made, whole, tool_record("extend", sources, whole.shape, model_of(sources)))
    return None


def save(target: Path, latents: Latents, values: Mapping[str, Any]) -> FileFinished:
    """Write what a tool made, with its record."""
    save_latents(target, latents, values)
    return FileFinished(str(target), **figures(latents.shape))


def tool_record(
    tool: str, sources: Sequence[ToolSource], shape: Shape, model: str | None, told: Mapping[str, Any] | None = None
) -> Record:
    """The record of a tool's result; `told` is what the tool was told beside its sources."""
    request = without_folders({"tool": tool, "sources": [str(source.path) for source in sources], **(told or {})})
    return {"kind": KIND, "request": request, "model": model and model_name(model), **_made(shape, sources)}


def fill_record(plan: FillPlan, sources: Sequence[ToolSource], marks: Marks | None = None) -> Record:
    """The record of two files with what was made between them; `marks` as those of `metadata.record`."""
    request = plan.options
    return {
        "kind": request.kind,
        "request": portable(request),
        "files": dict(marks or {}),
        "model": model_name(plan.entry.name),
        "seed": plan.seed,
        **_made(plan.shape, sources),
    }


def _made(shape: Shape, sources: Sequence[ToolSource]) -> Record:
    """What every result of a tool carries."""
    return {
        **figures(shape),
        "clips": len(stretches(shape)),
        "sources": ancestry([source.record for source in sources]),
        "versions": versions(),
    }


def figures(shape: Shape) -> Record:
    """What every tool says of its result."""
    frames = frame_total(shape)
    seconds = round(real_seconds(frames), 3)
    size = {"width": shape.width * 8, "height": shape.height * 8}
    return {"latents": shape.count, "frames": frames, "seconds": seconds, **size}


def free_name(folder: Path, source: Path, word: str, suffix: str) -> Path:
    """A name after a tool's source that nothing in the folder has yet."""
    path, number = folder / f"{source.stem}_{word}{suffix}", 1
    while os.path.exists(path):  # also false for a name that no file can have
        number += 1
        path = folder / f"{source.stem}_{word}_{number}{suffix}"
    return path


def _decoder(model: str) -> object:
    """What tells one model's latents from another's: where its VAE lies."""
    try:
        entry = find(model)
    except ModelError:
        return model
    return entry.root, entry.parts["vae"]
