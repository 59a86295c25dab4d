"""A request meets the machine: the model is found, the pictures are opened, the folder is tried, the plan is made.

Everything that can be wrong with a request is found out here, before any time is spent and without torch. The command
line, the page and the store all start a job by this one call. `models` is where this machine has its models.
"""

import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from eichi.catalog import Entry, ModelFolders, find
from eichi.errors import FolderError, LoraError, OptionError
from eichi.events import Adjusted, Values
from eichi.models.found import named
from eichi.models.gpus import check_gpus
from eichi.models.header import few
from eichi.models.locate import locate, locate_part
from eichi.models.lorafile import read_lora
from eichi.models.loramatch import match_lora
from eichi.models.lorasize import Changes, changes
from eichi.models.shapes import kept_in_eight, shapes_at
from eichi.models.tokens import Reading, find_meter
from eichi.options import MADE, FillOptions, FrameOptions, VideoOptions, WeightsOptions
from eichi.plan.fill import FillPlan
from eichi.plan.fill import make_fill_plan as resolve_fill
from eichi.plan.memory import Need
from eichi.plan.oneframe import FramePlan
from eichi.plan.oneframe import make_frame_plan as resolve_frame
from eichi.plan.plan import BEFORE, Plan, sources
from eichi.plan.plan import make_plan as resolve
from eichi.plan.size import size_words, stretched
from eichi.settings import Runtime
from eichi.text import shorten
from eichi.video.clip import Clip, look
from eichi.video.images import load, measure
from eichi.video.join import Around, Join
from eichi.video.latentfile import measure_latents
from eichi.video.sound import kind_of
from eichi.video.splice import model_of, read_source

Drawn = VideoOptions | FrameOptions | FillOptions
Resolved = TypeVar("Resolved", Plan, FramePlan)
Asked = TypeVar("Asked", VideoOptions, FrameOptions)
Made = TypeVar("Made", Plan, FramePlan, FillPlan)


PLENTY = 256  # pixels of either side, at least, of a start picture that is made
STRETCH = 0.05  # of its form: what a video may lose without a word
# Stands for a start picture that is not given yet, in a plan that is only looked at.
ABSENT = Path(MADE)
Size = tuple[int, int]


def make_plan(
    options: VideoOptions, models: ModelFolders, entry: Entry | None = None, size: Size | None = None
) -> Plan:
    """The plan of a request: its model looked up unless given, its pictures measured. Raises InputError.

    With a `size`, (width, height), it can be planned before there is a start picture, as if that had so many pixels. A
    video that is continued or led up to gives its size, the one before counting first, and the one before the picture.
    """
    entry = entry or find(options.model)
    kept = None if options.kept.latents is None else measure_latents(options.kept.latents)
    clips = {path: look(path) for path in sources(options).values()}
    if options.source.sound is not None:
        kind_of(options.source.sound)
    if BEFORE not in sources(options):
        options = _pictured(options, size)
    picture = next(((clip.width, clip.height) for clip in clips.values()), None) or _measured(options, size)
    plan = _examined(resolve(options, entry, picture, kept), models)
    return _joined(replace(plan, notes=(*plan.notes, *_stretch_notes(plan, clips))))


def make_frame_plan(
    options: FrameOptions, models: ModelFolders, entry: Entry | None = None, size: Size | None = None
) -> FramePlan:
    """The plan of a request for one image, as `make_plan` is that of a video. Raises InputError."""
    entry = entry or find(options.model)
    options = _pictured(options, size)
    return _examined(resolve_frame(options, entry, _measured(options, size)), models)


def make_fill_plan(options: FillOptions, models: ModelFolders, entry: Entry | None = None) -> FillPlan:
    """The plan of what lies between two latent files, their headers read. Raises InputError."""
    entry = entry or find(options.model)
    files = (options.before, options.after)
    before, after = (measure_latents(path) for path in files)
    model_of([read_source(path) for path in files], entry.name)
    return _noted(resolve_fill(options, entry, before, after), models)


def _joined(plan: Plan) -> Plan:
    """A plan with how long the whole video is, and a word on what is done to the videos and the sound around the new
    part. Raises InputError for what cannot be joined.
    """
    if not plan.around:
        return plan
    join = Join(Around(**plan.around), plan.frames, (plan.width, plan.height))
    return replace(plan, notes=(*plan.notes, *join.notes), whole=join.whole)


def _stretch_notes(plan: Plan, clips: Mapping[Path, Clip]) -> Iterator[Adjusted]:
    """A word on every video whose form is another than that of what is made: it is stretched, so that nothing jumps
    where the two meet.
    """
    for path, clip in clips.items():
        share = stretched((clip.width, clip.height), (plan.width, plan.height))
        if share > STRETCH:
            theirs, ours = size_words(clip.width, clip.height), size_words(plan.width, plan.height)
            values: Values = {"path": str(path), "theirs": theirs, "ours": ours, "percent": round(100 * share)}
            yield Adjusted("note.source.stretch", values)


def _pictured(options: Asked, size: Size | None) -> Asked:
    """A request with a start picture, or with one that is made. Raises OptionError where it has none, unless there is a
    size without one.
    """
    begin = begin_of(options)
    if begin is None and size is None:
        raise OptionError("error.image.required", flag="--image")
    return options.model_copy(update={"image": ABSENT}) if begin is None else options


def begin_of(options: VideoOptions | FrameOptions) -> Path | None:
    """The start picture of a request: a file, what stands for one that is made, or none."""
    return options.begin if isinstance(options, VideoOptions) else options.image


def _measured(options: Asked, size: Size | None) -> Size:
    """The (width, height) of the start picture, or what stands for it. Raises PictureError."""
    if isinstance(options, VideoOptions) and options.start != "picture":
        width, height = options.form
        return PLENTY * width, PLENTY * height  # it is made as large as is asked for
    if options.image == ABSENT and size is not None:
        return size
    assert options.image is not None
    return measure(options.image)


def _examined(plan: Resolved, models: ModelFolders) -> Resolved:
    """A plan whose pictures and LoRAs are all there and fit."""
    for path in plan.files:
        if path != ABSENT:
            measure(path)
    return _noted(plan, models)


def _noted(plan: Made, models: ModelFolders) -> Made:
    """A plan with a word on texts that are too long and on LoRAs."""
    about: list[Adjusted] = [*cut_notes(plan.entry, plan.texts, models)]
    about += weights_notes(plan.entry, plan.options.weights, models)
    return replace(plan, notes=(*plan.notes, *about))


def cut_notes(entry: Entry, texts: Iterable[str], models: ModelFolders) -> Iterator[Adjusted]:
    """A word on every text that is too long for LLaMA, with what is cut; none where the tokenizers are not here."""
    for reading in read_tokens(entry, texts, models):
        if reading.cut.strip():
            yield Adjusted("note.prompt.cut", {"limit": reading.llama_limit, "cut": shorten(reading.cut, 80)})


def read_tokens(entry: Entry, texts: Iterable[str], models: ModelFolders) -> tuple[Reading, ...]:
    """How each text is read; nothing where the tokenizers are not here, which does not keep a plan from being made."""
    meter = find_meter(entry, models)
    return () if meter is None else tuple(map(meter.read, texts))


def weights_notes(entry: Entry, weights: WeightsOptions, models: ModelFolders) -> Iterator[Adjusted]:
    """What every LoRA changes and what of it is left out, and what the file of the weights leaves no choice of.

    Raises LoraError for one that does not fit the model.
    """
    place = locate_part(entry, "transformer", models)
    if place is not None and named(place):
        yield Adjusted("note.model.named", {"file": place.name, "direction": entry.direction})
    if kept_in_eight(place):
        merged = any(lora.strength != 0 for lora in weights.loras)
        yield Adjusted("note.fp8.file_lora" if merged else "note.fp8.file", {"model": entry.name})
    shapes = shapes_at(place, entry) if weights.loras else {}
    given: set[Path] = set()
    for lora in weights.loras:
        if lora.file.resolve() in given:
            raise LoraError("error.lora.twice", path=lora.file)
        given.add(lora.file.resolve())
        match = match_lora(read_lora(lora.file), shapes, entry.name)
        if lora.strength == 0:
            yield Adjusted("note.lora.zero", {"path": str(lora.file)})
            continue
        changed = {"strength": lora.strength, "weights": len(match.shares)}
        yield Adjusted("note.lora.used", {**match.figures, **changed})
        if match.file.piece is not None:
            number, count = match.file.piece
            yield Adjusted("note.lora.piece", {"path": str(lora.file), "number": number, "count": count})
        if match.silent:
            yield Adjusted("note.lora.alpha", {"path": str(lora.file), "count": match.silent})
        if match.foreign:
            yield Adjusted("note.lora.base", {"path": str(lora.file), "base": match.file.base})
        if match.unmatched:
            left = few(match.unmatched)
            yield Adjusted("note.lora.unmatched", {"path": str(lora.file), "count": len(match.unmatched), "keys": left})
        if match.odd:
            layers, count = few(map(str, match.odd)), len(match.odd)
            yield Adjusted(
                "note.lora.odd", {"path": str(lora.file), "model": entry.name, "count": count, "layers": layers}
            )


def shared_plan(plan: Plan, runtime: Runtime) -> Plan:
    """A plan with a word on the GPUs that compute it together, where the settings name several. Raises OptionError."""
    check_gpus(plan.entry, runtime)
    gpu = runtime.device != "cpu"
    return plan if runtime.gpus == 1 else replace(plan, notes=(*plan.notes, gpus_note(runtime.gpus, gpu)))


def gpus_note(gpus: int, gpu: bool = True) -> Adjusted:
    """The word on how many GPUs compute a request where the settings name several; `gpu` is whether there are any."""
    id = "note.gpus.one" if gpus == 1 else "note.gpus.shared" if gpu else "note.gpus.cpu"
    return Adjusted(id, {} if gpus == 1 else {"gpus": gpus})


def weigh(need: Need, options: Drawn, in_eight: bool = False, gpus: int = 1) -> Need:
    """The size of a request with what its options add to it; `in_eight` is a transformer that is kept so in its file,
    `gpus` how many compute it.

    Raises LoraError for a file that is not there or that is no LoRA.
    """
    weights = options.weights
    files = {lora.file for lora in weights.loras if lora.strength != 0}
    try:
        lora = sum(file.stat().st_size for file in files)
        changed = sum(map(changes, files), Changes())
    except OSError as error:
        raise LoraError("error.lora.missing", path=error.filename) from error
    sampling = options.sampling
    return replace(
        need,
        branches=1 if sampling.cfg == 1.0 else 2,
        fp8=in_eight or weights.fp8 != "off",
        lora=lora,
        stored=in_eight,
        merged=changed.matrices,
        besides=changed.others,
        product=weights.fp8_math,
        steps=sampling.steps,
        cached=sampling.teacache,
        kept=need.kept if sampling.teacache else 0,
        gpus=gpus,
        nag=sampling.nag != 1.0,
    )


def check_run(plan: Plan | FramePlan, folder: Path, models: ModelFolders, offered: Collection[str] = ()) -> None:
    """Refuse a plan that this machine cannot run: a model incomplete, a picture damaged, a folder not writable.

    Models that are `offered` others have.
    """
    if plan.entry.name not in offered:
        locate(plan.entry, models)
    for path in set(plan.files):
        load(path)
    check_folder(folder)


def check_folder(folder: Path) -> None:
    """Make sure that files can be written to a folder, which is made if it is not there. Raises FolderError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise FolderError("error.folder.write", folder=folder, reason=error) from error
