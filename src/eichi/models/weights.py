"""The transformer's weights as a request wants them: read, merged with LoRAs, rounded, placed, one tensor at a time.

The network is first made without memory. Every tensor has a recipe (which LoRAs change it and how strongly, whether it
goes into fp8), and whatever is not yet as its recipe says is made anew from the checkpoint: all of them at first, later
only those that another LoRA, another strength or another precision concerns. So beside the result there is never more
in memory than one tensor and its LoRA, going back to the original is exact, and a failure half-way leaves nothing
wrong behind: what was not made is still to be made.

Files are opened for one tensor and closed again, so that a mapped checkpoint does not count as memory. Only weights
that lie in RAM, unchanged and in the type of the file, stay mapped: those that come from there to a GPU in their turn,
and on a CPU all of them. The system keeps as much of them as it has room for.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from diffusers import HunyuanVideoFramepackTransformer3DModel
from torch import Tensor

from eichi.errors import LoraError
from eichi.models import fp8
from eichi.models.head import apply_head, kept_in
from eichi.models.lora import Lora, merge, open_loras
from eichi.models.lorafile import lora_print
from eichi.models.merged import Found, Merged, merged_key
from eichi.models.networks import make_network, put
from eichi.models.source import CPU, Done, Source, check, finite
from eichi.options import WeightsOptions
from eichi.reasons import Unfit

log = logging.getLogger(__name__)

SAMPLE = 16  # every so many rows tell what rounding costs; all of them would cost as much time as rounding


@dataclass(frozen=True)
class Recipe:
    """What is done to one tensor: LoRAs by what tells them from others, with their strengths; fp8 or not."""

    loras: tuple[tuple[str, float], ...] = ()
    fp8: str = "off"


class Weights:
    """A transformer and what its tensors were made of. `made` counts the tensors of the last change."""

    def __init__(
        self,
        model: str,
        source: Source,
        config: Mapping[str, Any],
        dtype: torch.dtype,
        device: torch.device,
        merged: Merged | None = None,
    ) -> None:
        """Makes the network; no weight is read yet.

        `merged` is where weights with LoRAs in them are kept. Raises ValueError for a source that does not fit.
        """
        self.merged = merged
        self.name, self.dtype, self.device = model, dtype, device
        self._away: tuple[str, ...] = ()
        self._mapped = False
        network = make_network("transformer", config)
        assert isinstance(network, HunyuanVideoFramepackTransformer3DModel), "what a transformer is made of"
        self.transformer = network
        apply_head(network)
        self.source, self.shapes = source, source.shapes
        self._names = check(network, source)
        if unused := self.shapes.keys() - self._names.keys():
            log.warning("%s: %d tensors belong to no layer and are not read", model, len(unused))
        self.recipes: dict[str, Recipe] = {}
        self.losses: dict[str, fp8.Loss] = {}
        self._left: set[str] = set()  # what lies in the source's own memory
        self.made = 0
        self._done: tuple[WeightsOptions, tuple[str, ...]] | None = None

    @property
    def loss(self) -> fp8.Loss:
        """What fp8 cost, over a sample of all tensors that are in it."""
        return sum(self.losses.values(), fp8.Loss())

    def change(self, options: WeightsOptions, away: tuple[str, ...] = (), mapped: bool = False) -> None:
        """Make the weights what the options say, as `changing` does."""
        for _ in self.changing(options, away, mapped):
            pass

    def changing(self, options: WeightsOptions, away: tuple[str, ...] = (), mapped: bool = False) -> Done:
        """Make the weights what the options say, one after the other; those whose names begin as in `away` are put into
        RAM.

        `mapped` leaves what lies in RAM in its files where it is as it is there. Raises LoraError, and OSError,
        ValueError or SafetensorError for a damaged checkpoint.
        """
        self._away, self._mapped = away, mapped
        wanted = options, tuple(lora_print(lora.file) for lora in options.loras)
        if wanted == self._done:
            return
        self._done = None
        yield from self._change(options)
        self._done = wanted

    def give_way(self, away: tuple[str, ...], kind: str = "off") -> None:
        """Put into RAM what will lie there, and bring nothing: for the time until the weights are changed.

        What will be rounded to eight bits of some `kind` goes: it is read again then, and is twice as large until then.
        """
        self._away = away
        gone = [name for name, recipe in self.recipes.items() if recipe.fp8 == "off" != self._later(name, kind)]
        with _plainly():
            for name in gone:
                del self.recipes[name]
                self._done = None
                put(self.transformer, name, torch.empty(self._names[name], dtype=self.dtype, device="meta"))
            self._leave(self.recipes)

    def _later(self, name: str, kind: str) -> str:
        """How a tensor will be kept where LoRAs do not matter."""
        return self._kept(name, self._names[name], kind, False)

    def _change(self, options: WeightsOptions) -> Done:
        loras = open_loras(options.loras, self.shapes, self.name)
        self.made = 0
        wanted: dict[str, tuple[Recipe, list[Lora]]] = {}
        for name in sorted(self._names, key=lambda name: self._target(name) == self.device):
            used = [lora for lora in loras if name in lora.match.shares]
            kept = self._kept(name, self._names[name], options.fp8, bool(used))
            recipe = Recipe(tuple((lora.print, lora.strength) for lora in used), kept)
            if self.recipes.get(name) != recipe:
                wanted[name] = recipe, used
        same = self.recipes.keys() - wanted.keys()
        # What leaves the device goes first, so that there is room for what comes; and what is made anew does not come.
        with _plainly():
            self._leave(same)
        sizes = {name: prod(self._names[name]) * self.source.dtype(name).itemsize for name in wanted}
        done, total = 0, sum(sizes.values())
        yield done, total
        for name, (recipe, used) in wanted.items():
            with _plainly():
                self._make(name, recipe, used)
            done += sizes[name]
            yield done, total
        with _plainly():
            for name in same:
                if self._target(name) == self.device:
                    self._send(name)
        for layer in self.transformer.modules():
            if isinstance(layer, fp8.Fp8Linear):
                layer.product = options.fp8_math
        if self.merged is not None:
            self.merged.tidy()
        log.debug("%d of %d tensors of %s made", self.made, len(self._names), self.name)

    def _kept(self, name: str, shape: tuple[int, ...], asked: str, changed: bool) -> str:
        """How a tensor is kept in eight bits. What is so in the file stays so where it can, asked for or not: there is
        no more to it than eight bits, until a LoRA is in it, which is rounded in the finer way then.
        """
        if not fp8.eligible(name, len(shape)):
            return "off"
        if asked == "off" and self.source.dtype(name) == fp8.TYPE:
            return "row" if changed else "tensor"
        return asked

    def _make(self, name: str, recipe: Recipe, loras: list[Lora]) -> None:
        """Make one tensor and put it in its place."""
        self.recipes.pop(name, None)
        kept = self.merged if loras else None
        key = merged_key(self.source.mark(name), recipe, kept_in(name, self.dtype)) if kept is not None else ""
        found = None if kept is None else kept.find(key)
        if found is None:
            if recipe.fp8 != "off" and not loras and self.source.dtype(name) == fp8.TYPE:
                found = self._raw(name, recipe)
            else:
                found = self._rounded(self._read(name, recipe, loras), recipe.fp8)
            if kept is not None:
                kept.keep(key, found)
        self._place(name, found, self._stays(name, recipe))
        self.recipes[name] = recipe
        self.made += 1

    def _read(self, name: str, recipe: Recipe, loras: list[Lora]) -> Tensor:
        """A tensor of the checkpoint with its LoRAs. Raises ValueError or LoraError for what is no number."""
        dtype = kept_in(name, self.dtype)
        read = self.source.read(name)
        if loras:
            whole = torch.empty(read.shape, dtype=dtype, device=self.device)
            merge(read, whole, name, loras)
        elif recipe.fp8 != "off":  # a copy is made of it anyway
            whole = read.to(self.device, dtype)
        else:
            whole = read if self._stays(name, recipe) else read.to(self.device, dtype, copy=True)
        if not finite(whole):
            if loras and finite(read):
                raise LoraError("error.lora.strong", path=loras[-1].path, layer=name)
            raise Unfit("reason.nan_in", name=name)
        return whole

    def _raw(self, name: str, recipe: Recipe) -> Found:
        """A tensor that is in eight bits already, as it stands: to round it again would cost once more."""
        read = self.source.read(name)
        if not finite(read):
            raise Unfit("reason.nan_in", name=name)
        values = read if self._stays(name, recipe) else read.to(self.device, copy=True)
        scale = torch.ones(len(values) if recipe.fp8 == "row" else 1, 1, device=values.device)
        return Found(None, fp8.Rounded(values, scale))

    def _rounded(self, whole: Tensor, kind: str) -> Found:
        """A tensor as it is kept."""
        if kind == "off":
            return Found(whole)
        rounded = fp8.quantise(whole, rows=kind == "row")
        return Found(None, rounded, fp8.loss(whole[::SAMPLE], rounded.rows(SAMPLE)))

    def _stays(self, name: str, recipe: Recipe) -> bool:
        """Whether a tensor that is made by a recipe is what the source gives, and left there."""
        if not self._mapped or recipe.loras or self._target(name).type != "cpu":
            return False
        return self.source.dtype(name) == (kept_in(name, self.dtype) if recipe.fp8 == "off" else fp8.TYPE)

    def _place(self, name: str, found: Found, stays: bool) -> None:
        """Put a tensor into the network; one that `stays` in its source is not to be written to later."""
        layer, _, attribute = name.rpartition(".")
        target = self._target(name)
        self.losses.pop(name, None)
        if found.rounded is not None:
            if found.loss.weights:  # else it was so in its file
                self.losses[name] = found.loss
            fp8.put(self.transformer, layer, found.rounded.to(target), anew=stays or name in self._left)
            (self._left.add if stays else self._left.discard)(name)
            return
        whole = found.whole
        assert whole is not None, "what is not rounded is whole"
        if attribute == "weight":
            fp8.lift(self.transformer, layer)
        owner = self.transformer.get_submodule(layer)
        before = getattr(owner, attribute)
        if before.is_meta or before.device != target or stays or name in self._left:
            put(self.transformer, name, whole.to(target))
            (self._left.add if stays else self._left.discard)(name)
        else:  # the same memory again: new one for every change would leave holes
            before.copy_(whole)

    def _target(self, name: str) -> torch.device:
        """Where a tensor lies between its turns."""
        return CPU if self._away and name.startswith(self._away) else self.device

    def _leave(self, names: Iterable[str]) -> None:
        """Send to RAM what lies there now, of these."""
        for name in names:
            if self._target(name) != self.device:
                self._send(name)

    def _send(self, name: str) -> None:
        """Bring a tensor that is made already to where it lies now, with what belongs to it."""
        owner = self.transformer.get_submodule(name.rpartition(".")[0])
        target = self._target(name)
        if getattr(owner, name.rpartition(".")[2]).device == target:
            return
        for attribute, tensor in (*owner.named_parameters(recurse=False), *owner.named_buffers(recurse=False)):
            if not tensor.is_meta:
                put(owner, attribute, tensor.to(target))


@contextmanager
def _plainly() -> Iterator[None]:
    """A job runs in inference mode, whose tensors cannot be written to outside of it: here it is left for a while."""
    with torch.inference_mode(False), torch.no_grad():
        yield
