"""The keys that eichi 1.9 saved, and the options they are.

Its settings, favourites and queued configurations are flat tables. What has no option here is named, never dropped
silently: some of it the program decides by itself, some of it was never used by eichi either.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from eichi.declare import Plain
from eichi.events import Adjusted
from eichi.library import labels
from eichi.library.outside import left_out
from eichi.names import leads_away
from eichi.options import FrameOptions, Request, VideoOptions, place
from eichi.text import shorten

# The models of its applications.
STANDARD, FORWARD = "framepack", "framepack-f1"
# The group of a request that names its LoRA files, each as `FILE:STRENGTH`.
WEIGHTS = "weights"
LONGEST = 1000  # signs of a list of keys

SAME = {
    "resolution": "resolution",
    "prompt": "prompt",
    "steps": "sampling.steps",
    "cfg": "sampling.cfg",
    "gs": "sampling.guidance",
    "rs": "sampling.rescale",
    "use_teacache": "sampling.teacache",
}
VIDEO = SAME | {
    "mp4_crf": "output.crf",
    "keep_section_videos": "output.segments",
    "save_section_frames": "output.stills",
    "save_tensor_data": "output.latents",
}
FRAME = SAME | {
    "latent_window_size": "window",
    "use_clean_latents_2x": "zeros.x2",
    "use_clean_latents_4x": "zeros.x4",
    "use_clean_latents_post": "zeros.post",
}
# What the functions below read, and what says nothing about a request.
READ = {
    "all_padding_value",
    "end_frame_strength",
    "frame_save_mode",
    "history_index",
    "image_strength",
    "lora1",
    "lora2",
    "lora3",
    "lora_mode",
    "lora_scales",
    "name",
    "reference_long_edge",
    "seed",
    "target_index",
    "timestamp",
    "use_all_padding",
    "use_lora",
    "use_random_seed",
    "use_reference_image",
}

# Its own prompts, which come back with every installation.
PROMPTS = {
    "A character doing some simple body movements.",
    "A character uses expressive hand gestures and body language.",
    "A character walks leisurely with relaxed movements.",
    "A character performs dynamic movements with energy and flowing motion.",
    "A character moves in unexpected ways, with surprising transitions poses.",
}


def video(settings: Mapping[str, Any], model: str) -> tuple[type[Request], Plain, list[Adjusted]]:
    """The settings of its standard or its F1 application as values of a video, and a word on the rest."""
    values = _named(settings, VIDEO) | {"model": model}
    if settings.get("use_all_padding") and model == STANDARD:
        place(values, "sampling.padding", settings.get("all_padding_value", 1.0))
    if "end_frame_strength" in settings and model == STANDARD:
        place(values, "keyframes.final_strength", settings["end_frame_strength"])
    if "image_strength" in settings and model == FORWARD:
        place(values, "sampling.image_strength", settings["image_strength"])
    if "frame_save_mode" in settings:
        label = settings["frame_save_mode"]
        place(values, "output.frames", labels.FRAMES.get(label, label) if isinstance(label, str) else label)
    return VideoOptions, values, _rest(settings, VIDEO)


def frame(settings: Mapping[str, Any], folder: Path) -> tuple[type[Request], Plain, list[Adjusted]]:
    """The settings or a favourite of its one-frame application as values of an image, and a word on the rest."""
    values = _named(settings, FRAME) | {"model": STANDARD, "profile": "oichi"}
    notes = _rest(settings, FRAME)
    if "seed" in settings:
        values["seed"] = None if settings.get("use_random_seed", True) else settings["seed"]
    if "reference_long_edge" in settings:
        values["fit"] = "letterbox" if settings["reference_long_edge"] else "crop"
    if settings.get("use_reference_image"):
        values["target"] = settings.get("target_index", 1)
        notes.append(Adjusted("note.import.reference", {"index": settings.get("history_index", 16)}))
    names = [settings.get(f"lora{number}") for number in (1, 2, 3)]
    left = lay_loras(values, names, settings.get("lora_scales"), folder, bool(settings.get("use_lora", True)))
    return FrameOptions, values, notes + left


def config(settings: Mapping[str, Any], base: Path) -> tuple[type[Request], Plain, list[Adjusted]]:
    """A queued configuration: picture, prompt and LoRA files, the rest being the page's at the time."""
    values: Plain = {"model": FORWARD, "prompt": settings.get("prompt") or ""}
    notes: list[Adjusted] = []
    stored = settings.get("image_path")
    if stored and not (isinstance(stored, str) and stored.isprintable()):
        notes.append(left_out("image_path", stored))
    elif stored:
        picture = base / stored.replace("\\", "/")
        values["image"] = str(picture)
        if leads_away(str(picture), (base,)) or not picture.is_file():
            notes.append(Adjusted("note.import.picture", {"path": str(picture)}))
    lora = settings.get("lora_settings")
    if isinstance(lora, Mapping):
        names = lora.get("lora_dropdown_files") or lora.get("lora_files") or []
        names = [None if name == "none_option" else name for name in names] if isinstance(names, list) else []
        scales = lora.get("lora_scales")
        notes += lay_loras(values, names, scales, base / "lora", bool(lora.get("use_lora")))
    return VideoOptions, values, notes


def lay_loras(values: Plain, names: list[Any], scales: Any, folder: Path, on: bool) -> list[Adjusted]:
    """Put the LoRA files that are in use into a request, and a word on those that cannot be."""
    if not on:
        return []
    found, notes = labels.loras(names, scales, folder, True)
    if found:
        values[WEIGHTS] = {"loras": [f"{lora.path}:{lora.strength}" for lora in found]}
    missing = [lora.path for lora in found if not lora.path.is_file()]
    return notes + [Adjusted("note.import.lora", {"path": str(path)}) for path in missing]


def _named(settings: Mapping[str, Any], names: Mapping[str, str]) -> Plain:
    values: Plain = {}
    for key, ours in names.items():
        if key in settings:
            place(values, ours, settings[key])
    return values


def _rest(settings: Mapping[str, Any], names: Mapping[str, str]) -> list[Adjusted]:
    rest = settings.keys() - names.keys() - READ
    return [no_place(rest)] if rest else []


def no_place(keys: Iterable[str]) -> Adjusted:
    """A word on keys that are no options here."""
    return Adjusted("note.import.no_place", {"keys": shorten(", ".join(sorted(keys)), LONGEST)})
