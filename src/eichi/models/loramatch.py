"""A LoRA file and a model: which weights it changes, what of it fits nothing, and whose it is where all does not.

Layers have FramePack's names or the original HunyuanVideo's (`layers`); a layer of the original has the rows of several
weights. Works on names and shapes, so that a file is judged before the model is here. Knows no torch.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod

from eichi.catalog import Shapes
from eichi.errors import LoraError
from eichi.models.header import few, short
from eichi.models.layers import aliases, flat
from eichi.models.lorafile import Layer, LoraFile
from eichi.models.loraforms import Size
from eichi.models.loranames import is_flux, other_family

WEIGHT, BIAS = ".weight", ".bias"


@dataclass(frozen=True)
class Share:
    """What one layer adds to one weight: rows [first, first + rows) of its change."""

    layer: Layer
    first: int
    rows: int


@dataclass(frozen=True)
class Odd:
    """A layer whose change has another size than the model's, both as rows and columns."""

    layer: str
    theirs: str
    ours: str

    def __str__(self) -> str:
        return f"{self.layer} {self.theirs} ≠ {self.ours}"


@dataclass(frozen=True)
class Match:
    """A file and a model: `shares` by name of the model's weights, `unmatched` keys of the file, `odd` layers."""

    file: LoraFile
    model: str
    shares: dict[str, Share]
    unmatched: tuple[str, ...]
    odd: tuple[Odd, ...]

    @property
    def foreign(self) -> bool:
        """Whether the file says that it was made for a model of another family."""
        return self.file.foreign

    @property
    def used(self) -> set[Layer]:
        """The changes that the model gets."""
        return {share.layer for share in self.shares.values()}

    @property
    def silent(self) -> int:
        """How many of them would have an alpha, and have none."""
        return len({layer.name for layer in self.used if layer.alpha is None and layer.size.rank})

    @property
    def report(self) -> "LoraReport":
        """What is to be told of it."""
        ranked = [layer for layer in self.used if layer.size.rank]
        return LoraReport(
            file=str(self.file.path),
            format=self.file.format,
            kinds=tuple(sorted({layer.label for layer in self.used})),
            names="hunyuanvideo" if self.file.original else "framepack",
            base=self.file.base,
            model=self.model,
            layers=len({layer.name for layer in self.file.layers}),
            matched=len({layer.name for layer in self.used}),
            weights=tuple(sorted(self.shares)),
            unmatched=self.unmatched,
            odd=self.odd,
            rank=tuple(sorted({layer.size.rank for layer in ranked})),
            alpha=tuple(sorted({layer.factor * layer.size.rank for layer in ranked})),
            silent=self.silent,
            piece=self.file.piece,
        )

    @property
    def figures(self) -> dict[str, str]:
        """The file's part in a sentence."""
        report = self.report
        ranks, alphas = (", ".join(f"{number:g}" for number in row) or "–" for row in (report.rank, report.alpha))
        return {"path": report.file, "format": report.format, "rank": ranks, "alpha": alphas}


@dataclass(frozen=True)
class LoraReport:
    """A file and a model that it fits. `weights` are the names of what it changes, `unmatched` keys that it does not.

    `kinds` are those of its changes, `names` the layers' names, `base` the model that the file names, `rank` and
    `alpha` those of its layers, `silent` of how many layers the file says no alpha, `piece` its number and that of all
    where it is one file of several.
    """

    file: str
    format: str
    kinds: tuple[str, ...]
    names: str
    base: str | None
    model: str
    layers: int
    matched: int
    weights: tuple[str, ...]
    unmatched: tuple[str, ...]
    odd: tuple[Odd, ...]
    rank: tuple[int, ...]
    alpha: tuple[float, ...]
    silent: int
    piece: tuple[int, int] | None


def match_lora(file: LoraFile, shapes: Shapes, model: str) -> Match:
    """Which weights of a model a file changes. Raises LoraError for a file that fits none or is another model's."""
    names = [flat(layer.name) for layer in file.layers]
    if is_flux(names) or (file.foreign and _family(file) and not _certain(names)):
        raise _foreign(file, model)
    known = aliases(shapes)
    shares: dict[str, Share] = {}
    unmatched, odd, fused = list(file.rest), [], []
    for layer in file.layers:
        weights = _weights(layer, known, shapes)
        if layer.columns and len(weights) > 1:
            fused.append(layer)
        if not weights or shares.keys() & weights or (layer.columns and len(weights) > 1):
            unmatched += [key for _, key in layer.parts]
            continue
        ours = Size(sum(shapes[weight][0] for weight in weights), prod(shapes[weights[0]][1:]), layer.size.rank)
        if layer.size != ours:
            theirs = f"{layer.size.outputs}x{layer.size.inputs}"
            odd.append(Odd(short(layer.name), theirs, f"{ours.outputs}x{ours.inputs}"))
            continue
        first = 0
        for weight in weights:
            shares[weight] = Share(layer, first, shapes[weight][0])
            first += shapes[weight][0]
    if odd and len(odd) >= len({share.layer for share in shares.values()}):
        raise LoraError("error.lora.shape", path=file.path, model=model, **vars(odd[0]))
    if not shares and fused:
        raise LoraError("error.lora.fused", path=file.path, model=model, layer=short(fused[0].name))
    if not shares:
        raise _foreign(file, model)
    return Match(file, model, shares, tuple(sorted(unmatched)), tuple(odd))


def _weights(layer: Layer, known: Mapping[str, tuple[str, ...]], shapes: Shapes) -> tuple[str, ...]:
    """The weights that a change is of, none where the model has no such layer."""
    weights = known.get(flat(layer.name), ())
    if layer.kind == "bias":
        weights = tuple(weight.removesuffix(WEIGHT) + BIAS for weight in weights)
    if layer.split is not None:
        weights = weights[layer.split : layer.split + 1]
    return weights if all(weight in shapes for weight in weights) else ()


def _foreign(file: LoraFile, model: str) -> LoraError:
    """Why a file changes nothing in a model."""
    family = _family(file)
    if family is not None:
        return LoraError("error.lora.family", path=file.path, model=model, family=family)
    keys = few(layer.name for layer in file.layers)
    if file.base is None:
        return LoraError("error.lora.layers", path=file.path, model=model, keys=keys)
    return LoraError("error.lora.other", path=file.path, model=model, keys=keys, base=short(file.base))


# How families are called in headers, by the beginning of what is said there.
SAID = {
    "flux": "Flux",
    "wan": "Wan",
    "stable-diffusion": "Stable Diffusion / SDXL",
    "sd3": "Stable Diffusion 3",
    "sd": "Stable Diffusion / SDXL",
    "qwen": "Qwen-Image",
    "ltx": "LTX-Video",
    "hidream": "HiDream",
    "zimage": "Z-Image",
    "z-image": "Z-Image",
}


def _family(file: LoraFile) -> str | None:
    """The other family that a file was made for, by its layers or by what it says."""
    found = other_family(flat(layer.name) for layer in file.layers)
    said = (file.architecture or "").lower()
    told = (name for word, name in SAID.items() if said.startswith(word))
    return found or (next(told, None) if file.foreign else None)


def _certain(layers: Iterable[str]) -> bool:
    """Whether layers are HunyuanVideo's beyond doubt, whatever the file says: no other has its token refiner."""
    return any("token_refiner" in layer for layer in layers)
