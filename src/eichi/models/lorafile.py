"""LoRA files as they come from trainers, read into one form without torch.

A file changes layers of a model; how a change is made up stands in `loraforms`, how its tensors are named in
`loranames`, where its strength is said in `lorasettings`, which models it fits is for `loramatch`. Only the header,
alphas and settings are read: what a file is is known before any time is spent. A kind that cannot be merged is refused
by its name. Nothing is unpickled.
"""

import hashlib
import os
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from math import isfinite
from pathlib import Path

from eichi.errors import LoraError
from eichi.files import digest
from eichi.models.header import Entry, Header, HeaderError, OtherKind, few, read_header, short
from eichi.models.layers import ORIGINAL, flat
from eichi.models.loraforms import TYPES, Misshapen, Size, by_columns, measure
from eichi.models.loranames import Tensor, other_kind, read_name, split_prefix
from eichi.models.lorasettings import config_beside, read_settings
from eichi.text import shorten

WEIGHT, BIAS = ".weight", ".bias"
PIECE = re.compile(r"-(\d{5})-of-(\d{5})$", re.ASCII)  # as libraries name them


@dataclass(frozen=True)
class Layer:
    """A change of one layer: its kind, the keys of its tensors by what they are to it, its rank and alpha.

    A layer without a rank has no alpha either; alpha is None where the file does not say any. `split` is the number of
    the part where a fused layer is changed part by part, `columns` whether magnitudes are those of columns.
    """

    name: str
    kind: str
    parts: tuple[tuple[str, str], ...]
    size: Size
    alpha: float | None = None
    split: int | None = None
    columns: bool = False

    @property
    def keys(self) -> dict[str, str]:
        """The keys of its tensors by what they are to it."""
        return dict(self.parts)

    @property
    def factor(self) -> float:
        """What the change is multiplied by, beside the strength that it is wanted at."""
        return self.alpha / self.size.rank if self.alpha is not None and self.size.rank else 1.0

    @property
    def label(self) -> str:
        """What people call it."""
        return ("DoRA, " if "magnitude" in self.keys else "") + LABELS[self.kind]


LABELS = {"lora": "LoRA", "loha": "LoHa", "lokr": "LoKr", "diff": "diff", "bias": "bias"}


@dataclass(frozen=True)
class LoraFile:
    """What a file holds: changes of layers, `rest` being keys of anything else."""

    path: Path
    format: str
    layers: tuple[Layer, ...]
    rest: tuple[str, ...]
    base: str | None
    architecture: str | None

    @property
    def original(self) -> bool:
        """Whether layers have the names of the original HunyuanVideo."""
        return any(layer.name.startswith(ORIGINAL) for layer in self.layers)

    @property
    def piece(self) -> tuple[int, int] | None:
        """Its number and that of all where a LoRA lies in several files, by its name; None where it is whole."""
        found = PIECE.search(self.path.stem)
        return (int(found[1]), int(found[2])) if found and int(found[2]) > 1 else None

    @property
    def foreign(self) -> bool:
        """Whether the file says that it was made for a model of another family. Sizes alone cannot tell Flux's."""
        said = (self.architecture or "").lower()
        return bool(said) and not any(name in said for name in ("hunyuan", "framepack"))


def read_lora(path: Path) -> LoraFile:
    """What a LoRA file holds, from its header. Raises LoraError for a file that is none or that cannot be merged."""
    header = _header(path)
    drafts, rest = _drafts(header)
    layers = [layer for draft in drafts for layer in draft.layers(rest)]
    if not layers:
        raise _nothing(header)
    silent = {layer.name: layer.size.rank for layer in layers if layer.alpha is None and layer.size.rank}
    said = read_settings(header, set(silent.values())).alphas(silent) if silent else {}
    finished = [replace(layer, alpha=said.get(layer.name, layer.alpha)) for layer in layers]
    forms = Counter(split_prefix(draft.name)[1] for draft in drafts)
    form = max(forms, key=lambda name: (forms[name], name))
    return LoraFile(path, form, tuple(finished), tuple(sorted(rest)), *_base(header.told))


def check_numbers(file: LoraFile) -> None:
    """Read what a file changes weights by, and refuse what is no number. Raises LoraError."""
    header = _header(file.path)
    try:
        bad = next((key for layer in file.layers for _, key in layer.parts if not header.finite(key)), None)
    except OSError as error:
        raise LoraError("error.lora.damaged", path=file.path, reason=error) from error
    if bad is not None:
        raise LoraError("error.lora.numbers", path=file.path, layer=short(bad))


def lora_print(path: Path) -> str:
    """What tells a file from all others: its content, with that of the settings which count. Raises LoraError."""
    try:
        parts = [path, config_beside(path)] if path.is_file() else [path]
        prints = [_content(part.absolute(), *_state(part)) for part in parts if part is not None]
    except (OSError, ValueError) as error:
        raise LoraError("error.lora.missing", path=path) from error
    return hashlib.sha256(" ".join(prints).encode()).hexdigest()[:16]


def _state(path: Path) -> tuple[int, ...]:
    """What is another number wherever a file has another content."""
    stat = path.stat()
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns


@lru_cache(maxsize=256)
def _content(path: Path, *state: int) -> str:
    """The hash of a file, once for every state of it. Raises OSError."""
    return digest(path)


def _header(path: Path) -> Header:
    """The header of a file. Raises LoraError, saying what a file is that is often taken for a LoRA."""
    if not os.path.isfile(path):  # also false for a name that no file can have
        raise LoraError("error.lora.missing", path=path)
    try:
        return read_header(path)
    except OtherKind as error:
        raise LoraError(f"error.lora.{error.kind}", path=path) from error
    except (OSError, HeaderError) as error:
        raise LoraError("error.lora.damaged", path=path, reason=error) from error


@dataclass
class Draft:
    """The tensors of one layer as they are found: by kind, what they are to the change, and adapter."""

    header: Header
    name: str
    tensors: list[Tensor]
    adapter: str

    def layers(self, rest: set[str]) -> list[Layer]:
        """The changes of the layer; keys that are part of none go to the `rest`. Raises LoraError."""
        numbers = {one.adapter for one in self.tensors if one.part == "up" and one.adapter.isdecimal()}
        splits = sorted(numbers, key=int) if len(numbers) > 1 else []
        made: list[Layer] = []
        if not any(one.part == "scale" for one in self.tensors):
            for split in splits or (None,):
                made += self._one(split)
        used = {key for layer in made for _, key in layer.parts}
        if made:  # its alpha is read with it
            used |= {one.key for one in self.tensors if one.part == "alpha"}
        rest |= {one.key for one in self.tensors} - used
        return made

    def _one(self, split: str | None) -> list[Layer]:
        """The changes by the tensors of one adapter, or of one part of a fused layer."""
        wanted = ("",) if split is None and not self.adapter else ("", split or self.adapter)
        kinds: dict[str, dict[str, str]] = defaultdict(dict)
        for one in self.tensors:
            if one.adapter in wanted:
                kinds[one.kind][one.part] = one.key
        common = kinds.pop("", {})
        made = []
        for kind, parts in kinds.items():
            bias = parts.pop("bias", None)
            layer = self._layer(kind, parts, common, split)
            if layer is not None:
                made.append(layer)
            if layer is not None and bias is not None:
                size = Size(self.header.tensors[bias].count, 1, layer.size.rank)
                made.append(Layer(layer.name, "bias", (("diff", bias),), size, layer.alpha, layer.split))
        return made

    def _layer(self, kind: str, parts: dict[str, str], common: Mapping[str, str], split: str | None) -> Layer | None:
        """One change, None where it is not whole or not one that is known."""
        shapes = {part: self._entry(key).shape for part, key in parts.items()}
        try:
            size = measure(kind, shapes)
        except Misshapen as error:
            told = ", ".join(f"{short(parts[part], 80)} {shape}" for part, shape in shapes.items())
            if all(len(shape) < 2 for shape in shapes.values()) and kind != "diff":
                return None  # vectors that have such a name
            raise LoraError("error.lora.damaged", path=self.header.path, reason=shorten(told, 300)) from error
        if size is None:
            return None
        wrong = [key for key in parts.values() if self._entry(key).dtype not in TYPES]
        if wrong:
            raise self._type(wrong[0])
        magnitude = common.get("magnitude") if size.rank or kind == "lokr" else None
        columns = by_columns(self._entry(magnitude).shape, size) if magnitude is not None else False
        if columns is None or (magnitude is not None and split is not None):
            return None
        keys = parts if magnitude is None else {**parts, "magnitude": magnitude}
        alpha = self._alpha(common.get("alpha"), size.rank) if size.rank else None
        place = None if split is None else int(split)
        return Layer(split_prefix(self.name)[0], kind, tuple(sorted(keys.items())), size, alpha, place, columns)

    def _alpha(self, key: str | None, rank: int) -> float | None:
        """The alpha of a tensor; kohya's and LyCORIS' programs read 0 as none. Raises LoraError."""
        if key is None:
            return None
        if self._entry(key).count not in (1, rank):
            raise LoraError("error.lora.alpha", path=self.header.path, value=f"{short(key)} {self._entry(key).shape}")
        try:
            numbers = set(self.header.numbers(key))
        except HeaderError as error:
            raise self._type(key) from error
        except OSError as error:
            raise LoraError("error.lora.damaged", path=self.header.path, reason=error) from error
        if not all(isfinite(number) for number in numbers):
            raise LoraError("error.lora.numbers", path=self.header.path, layer=short(key))
        if len(numbers) > 1:
            raise LoraError("error.lora.alpha", path=self.header.path, value=f"{short(key)}: {len(numbers)}")
        return numbers.pop() or None

    def _entry(self, key: str) -> Entry:
        return self.header.tensors[key]

    def _type(self, key: str) -> LoraError:
        return LoraError("error.lora.type", path=self.header.path, layer=short(key), type=self._entry(key).dtype)


def _drafts(header: Header) -> tuple[list[Draft], set[str]]:
    """The tensors of a file by layers, each layer once, and the keys that are of none."""
    named = [read_name(key) for key in header.tensors]
    tensors = [one for one in named if one is not None]
    rest = header.tensors.keys() - {one.key for one in tensors}
    # Of several adapters in a file the one with the most tensors is meant; the first by name of equals.
    adapters = Counter(one.adapter for one in tensors if one.adapter)
    adapter = min(adapters, key=lambda name: (-adapters[name], name)) if adapters else ""
    by_layer: dict[str, list[Tensor]] = defaultdict(list)
    for one in tensors:
        by_layer[one.layer].append(one)
    drafts: dict[str, Draft] = {}
    for name, found in by_layer.items():
        module = flat(split_prefix(name)[0])
        if module in drafts:  # once with one prefix, once with another
            rest |= {one.key for one in found}
        else:
            drafts[module] = Draft(header, name, found, adapter)
    return list(drafts.values()), set(rest)


def _nothing(header: Header) -> LoraError:
    """Why a file holds no change that can be merged."""
    kind = other_kind(header.tensors)
    if kind is not None:
        return LoraError("error.lora.kind", path=header.path, kind=kind)
    return LoraError("error.lora.nothing", path=header.path, keys=few(header.tensors) or "–")


def _base(told: Mapping[str, str]) -> tuple[str | None, str | None]:
    """The model that a LoRA was made for, as its trainer says, and its family where that is said."""

    def first(*keys: str) -> str | None:
        return next((short(told[key].strip()) for key in keys if told.get(key, "").strip()), None)

    family = first("modelspec.architecture", "ss_base_model_version")
    return family or first("base_model", "ss_sd_model_name"), family
