"""Where on this machine ComfyUI keeps models, and other programs the hub library's cache. Without torch.

A folder of ComfyUI has its models below `models`, in folders by kind, and may name further ones in a list of its own,
`extra_model_paths.yaml`; the desktop version keeps such a list among its settings. The folders that are named in our
settings come first, then the places where people usually have them: beside this program, in the home folder, in the
documents. Nothing of the environment is asked for it. Whatever cannot be read is as if it were not there.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from itertools import product
from pathlib import Path

import yaml

from eichi.catalog import WEIGHTS, ModelFolders
from eichi.files import read_file
from eichi.reading import decode
from eichi.reasons import Reason, Unfit, because
from eichi.text import encodable
from eichi.yamltext import LIMIT, parse_yaml

# Where below its models a folder of ComfyUI has parts of ours: in its own words and those of the nodes for FramePack.
KINDS = ("diffusion_models", "unet", "text_encoders", "clip", "clip_vision", "vae", "diffusers", "LLM")
# Below the folder of ComfyUI itself: tokenizers that it ships.
SHIPPED = ("comfy/text_encoders/llama_tokenizer", "comfy/sd1_tokenizer")
LISTS = ("extra_model_paths.yaml", "extra_models_config.yaml")
UNREADABLE = (OSError, ValueError, yaml.YAMLError)  # what a list may raise that is none
# What such folders are called, below the places where they are looked for.
COMFY = (
    "ComfyUI",
    "comfyui",
    "ComfyUI_windows_portable/ComfyUI",
    "ComfyUI_windows_portable_nvidia/ComfyUI_windows_portable/ComfyUI",
    "AppData/Local/Programs/@comfyorgcomfyui-electron/resources/ComfyUI",
    "Applications/ComfyUI.app/Contents/Resources/ComfyUI",
)
DESKTOP = ("AppData/Roaming/ComfyUI", ".config/ComfyUI", "Library/Application Support/ComfyUI")
FRAMEPACK = ("FramePack", "FramePack-eichi", "FramePack-Studio", "framepack_cu126_torch26")
CACHES = ("webui/hf_download/hub", "hf_download/hub")


def comfy_places(models: ModelFolders) -> tuple[Path, ...]:
    """The folders of ComfyUI, and the lists of further folders, that there are."""
    places = dict.fromkeys((*models.comfy, *(_usual(bases())[0] if models.usual else ())))
    return tuple(filter(encodable, places))  # of a name that is no text nobody could be told


def hub_caches(models: ModelFolders) -> tuple[Path, ...]:
    """Caches of the hub library beside its own."""
    return models.hubs + (_usual(bases())[1] if models.usual else ())


def bases() -> tuple[Path, ...]:
    """The folders below which other programs are looked for."""
    program = Path(sys.prefix).parent  # a virtual environment lies in the program's folder
    try:
        home = Path.home()
    except RuntimeError:  # a user without one
        home = program
    near = [program, program.parent]
    with suppress(OSError):  # a folder that is gone
        near += [Path.cwd(), Path.cwd().parent]
    return tuple(dict.fromkeys((*near, home, home / "Documents", Path(home.anchor), Path(program.anchor))))


def folders(place: Path, kinds: Sequence[str] = KINDS) -> Iterator[Path]:
    """The folders with models of some kinds of one place that `comfy_places` gives, or that a user names."""
    if os.path.isfile(place):
        yield from _listed(place, kinds)
        return
    whole = os.path.isdir(place / "models")
    models = place / "models" if whole else place
    there = [models / kind for kind in kinds if os.path.isdir(models / kind)]
    root = place if whole or not there else place.parent  # the folder of models may be named itself
    if there:
        yield from there
    elif not whole and os.path.isdir(place):  # files of the user's, in a folder as it pleases
        yield place
    yield from (found for shipped in SHIPPED if os.path.isdir(found := root / shipped))
    for name in LISTS:
        yield from _listed(root / name, kinds)


def troubles(models: ModelFolders) -> Iterator[tuple[Path, Reason]]:
    """What of the folders and lists that are looked through cannot be, and why."""
    for place in comfy_places(models):
        try:
            if os.path.isdir(place):
                os.scandir(place).close()
            elif place.suffix != WEIGHTS:
                os.stat(place)
        except (OSError, ValueError) as error:  # the second for a name that no file can have
            yield place, because(error) if isinstance(error, OSError) else {"reason": "reason.os.name"}
            continue
        root = place.parent if place.name == "models" else place
        for path in (root / name for name in LISTS) if os.path.isdir(place) else (place,):
            if os.path.isfile(path) and path.suffix != WEIGHTS:
                yield from ((path, reason) for reason in _wrong(path))


def _wrong(path: Path) -> Iterator[Reason]:
    """What is wrong with a list: none of ours, or it names nothing that there is."""
    try:
        named = list(_read(path))
    except UNREADABLE as error:
        yield because(error)
        return
    if named and not any(map(os.path.isdir, named)):
        yield {"reason": "reason.nowhere"}


@cache
def _usual(bases: tuple[Path, ...]) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """The folders of ComfyUI, or lists, and the caches that lie below these; looked for once in a process."""
    comfy = [base / name for base, name in product(bases, COMFY) if os.path.isdir(base / name)]
    lists = [base / name / LISTS[1] for base, name in product(bases, DESKTOP)]
    caches = [base / name / cache for base, name, cache in product(bases, FRAMEPACK, CACHES)]
    return (*comfy, *filter(os.path.isfile, lists)), tuple(filter(os.path.isdir, caches))


def _listed(path: Path, kinds: Sequence[str]) -> Iterator[Path]:
    """The folders that a list of ComfyUI's names, those that there are."""
    with suppress(*UNREADABLE):
        yield from filter(os.path.isdir, _read(path, kinds))


def _read(path: Path, kinds: Sequence[str] = KINDS) -> Iterator[Path]:
    """What a list names: in groups, each with a folder that the others are relative to. Raises `UNREADABLE`."""
    groups = parse_yaml(decode(read_file(path, LIMIT))[0], Unfit("reason.form"))
    if groups is not None and not isinstance(groups, dict):
        raise Unfit("reason.table")
    for group in (groups or {}).values():
        if isinstance(group, dict):
            yield from _grouped(group, path.parent, kinds)


def _grouped(group: Mapping[str, object], beside: Path, kinds: Sequence[str]) -> Iterator[Path]:
    """The folders of one group of a list that lies in `beside`; a line of a text names one."""
    base = _path(beside, str(group.get("base_path") or ""))
    for kind in kinds:
        named = group.get(kind)
        yield from (_path(base, line.strip()) for line in str(named or "").splitlines() if line.strip())
        if str(group.get("all_model_folders")).lower() == "true":
            yield base / kind
    if group.get("base_path"):
        yield from (base / shipped for shipped in SHIPPED)


def _path(base: Path, text: str) -> Path:
    """A path as ComfyUI reads it: with variables and the home folder, relative to another."""
    return base / os.path.expanduser(os.path.expandvars(text))
