"""The parts of a checkpoint in memory, each loaded when it is first asked for and given back when it is done with.

One code path for the embedded model, a local folder and the hub's cache. On a CPU everything computes in float32 or,
where that is set, in bfloat16, whatever the files hold; on a GPU in the precision that the catalogue says, for the
published models the transformer in bfloat16 and the rest in float16, as they were made for. Not run on a GPU yet.
"""

import eichi.models.libraries  # noqa: F401  # before they come in one by one

# isort: split
import gc
import hashlib
import json
import logging
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any, cast

import diffusers
import torch
import transformers
from diffusers import AutoencoderKLHunyuanVideo, HunyuanVideoFramepackTransformer3DModel
from safetensors import SafetensorError
from torch import nn
from transformers import AutoTokenizer, CLIPTextModel, LlamaModel, SiglipImageProcessorPil, SiglipVisionModel

from eichi.catalog import BRAIN, FULL, NETWORKS, PARTS, Entry
from eichi.errors import ModelError
from eichi.events import Preparation, Preparing
from eichi.models.allocator import give_back
from eichi.models.casting import cast_layers
from eichi.models.compiled import compile_blocks
from eichi.models.convolution import apply_convolution
from eichi.models.device import empty_cache, measure, neighbours, on_gpu, pick_device
from eichi.models.exactly import repeat
from eichi.models.formats import file_print, read_config
from eichi.models.fp8 import TYPE as EIGHT
from eichi.models.fp8 import check_product, check_stored
from eichi.models.gpus import check_gpus
from eichi.models.kernels import Kernels, Trust
from eichi.models.locate import locate
from eichi.models.merged import Merged
from eichi.models.networks import make_network
from eichi.models.offload import place_encoder, place_transformer, streamed_names, unstream
from eichi.models.source import CPU, Done, FileSource, Source, filling
from eichi.models.steering import Steering
from eichi.models.stepcache import StepCache
from eichi.models.team import Team
from eichi.models.weights import Weights
from eichi.options import WeightsOptions
from eichi.plan.memory import Machine, Need, Placement, choose, copied, lower
from eichi.settings import Runtime

log = logging.getLogger(__name__)

LARGE = 2**29  # numbers of a transformer whose steps and encoders take a while
MANY = 2**26  # bytes of a part that takes a while to read
SHARE = 0.02
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Components:
    """The parts of one model on one device, loaded on first use, in `precision`."""

    def __init__(
        self,
        entry: Entry,
        runtime: Runtime,
        parts: Collection[str] = PARTS,
        sources: Mapping[str, Source] | None = None,
    ) -> None:
        """Finds these parts where the machine has models, loads none; of those in `sources` nothing is looked for, and
        they are the networks that were published.

        Raises ModelError where a part is missing, DeviceError for a device that is not here.
        """
        give_back()
        self.entry = entry
        self.runtime = runtime
        cache, limit = runtime.cache, int(runtime.merged_gb * 2**30)
        self.merged = None if cache is None or not limit else Merged(cache / "merged", limit)
        self.device = pick_device(runtime.device)
        repeat(self.device, runtime.reproducible)
        slow = BRAIN if runtime.half else FULL
        self.precision = slow if self.device.type == "cpu" else entry.anatomy.precision
        kind = self.transformer_dtype
        self.team = _team(entry, runtime, self.device)
        alone = self.team is None
        self.kernels = Kernels(self.device, kind, runtime.attention, runtime.reproducible, Trust(cache), alone)
        self._together = False  # whether the next job is drawn by several processes
        self.sources = dict(sources or {})
        self.folders = locate(entry, runtime.models, [part for part in parts if part not in self.sources])
        self.placement = Placement("all")
        self.need: Need | None = None  # what the placement was chosen for
        self.limit: float | None = None  # bytes of the GPU, not to go over them; for trying smaller cards
        self._loaded: dict[str, Any] = {}
        self._wanted = WeightsOptions()
        self._made: Weights | None = None  # once they are as wanted

    def want(self, weights: WeightsOptions, together: bool = False) -> None:
        """What the transformer is to be made of from now on; it is made so when it is next asked for.

        `together` is whether the processes that the settings ask for are to share it out. Raises DeviceError for what
        the device cannot do.
        """
        self._together = together and self.team is not None
        if weights.fp8 != "off":
            check_stored(self.device)
            if weights.fp8_math:
                check_product(self.device)
        self._wanted, self._made = weights, None

    @property
    def gpus(self) -> int:
        """How many processes draw the next job."""
        return self.runtime.gpus if self._together else 1

    def shared(self, cache: StepCache | None, steering: Steering) -> AbstractContextManager[None]:
        """For the time of a job, the transformer is called by all processes that draw it, which are ready."""
        if self.team is None or not self._together:
            return nullcontext()
        return self.team.sharing(self.transformer, cache, self.kernels, steering)

    @property
    def dtype(self) -> torch.dtype:
        """What all parts but the transformer compute in."""
        return _DTYPES[self.precision.others]

    @property
    def transformer_dtype(self) -> torch.dtype:
        return _DTYPES[self.precision.transformer]

    @property
    def transformer(self) -> HunyuanVideoFramepackTransformer3DModel:
        """Merged and rounded as was last wanted; only what differs from before is read. Raises LoraError."""
        return self.weights.transformer

    @property
    def weights(self) -> Weights:
        """The transformer with the account of what it is made of."""
        for _ in self.bring("transformer"):
            pass
        weights: Weights = self._loaded["transformer"]
        return weights

    def bring(self, *names: str) -> Generator[Preparing, None, None]:
        """Load parts, with a word every now and then where that takes a while; it may be ended between two words.

        A part that was not brought is loaded when it is first asked for, without a word.
        """
        for name in names:
            if name not in self._loaded:
                yield from self._load(name)
            if name == "transformer" and self._made is not self._loaded[name]:
                team = self.team if self._together else None
                if team is not None:
                    team.want(self._wanted, self.need)
                yield from self._make(self._loaded[name])
                if team is not None:
                    team.ready()

    @cached_property
    def large(self) -> bool:
        """Whether the model takes a while with whatever it does; not where there is no transformer."""
        known = "transformer" in self.folders or "transformer" in self.sources
        return known and sum(map(prod, self._source("transformer").shapes.values())) >= LARGE

    def announce(self, what: Preparation) -> Iterator[Preparing]:
        """A word on what is begun, where the model is one that takes a while with it."""
        if self.large:
            yield Preparing(what)

    def _make(self, weights: Weights) -> Iterator[Preparing]:
        """Make the transformer what is wanted of it."""
        network, placement = weights.transformer, self.placement
        unstream(network)
        with _boundary(self.entry.name, "transformer"):
            names = streamed_names(network, placement)
            # In float32 a CPU has memory enough, and files that change meanwhile, as in training, are not to be seen.
            mapped = (not placement.pinned or placement.loose > 0) and self.precision != FULL
            yield from _words("transformer", weights.changing(self._wanted, names, mapped))
            place_transformer(network, placement, self.device)
        if self.runtime.compiled:
            compile_blocks(network)
        self._made = weights

    @property
    def vae(self) -> AutoencoderKLHunyuanVideo:
        model: AutoencoderKLHunyuanVideo = self._part("vae")
        set_tiles(model, self.runtime.tile)
        return model

    @property
    def text_encoder(self) -> LlamaModel:
        model: LlamaModel = self._part("text_encoder")
        return model

    @property
    def text_encoder_2(self) -> CLIPTextModel:
        model: CLIPTextModel = self._part("text_encoder_2")
        return model

    @property
    def image_encoder(self) -> SiglipVisionModel:
        model: SiglipVisionModel = self._part("image_encoder")
        return model

    @property
    def tokenizer(self) -> Any:
        return self._part("tokenizer")

    @property
    def tokenizer_2(self) -> Any:
        return self._part("tokenizer_2")

    @property
    def feature_extractor(self) -> SiglipImageProcessorPil:
        model: SiglipImageProcessorPil = self._part("feature_extractor")
        return model

    @property
    def in_eight(self) -> bool:
        """Whether the transformer is in eight bits where it comes from. Raises ModelError."""
        with _boundary(self.entry.name, "transformer"):
            source = self._source("transformer")
            return any(source.dtype(name) == EIGHT for name in source.shapes)

    @property
    def fingerprint(self) -> dict[str, str]:
        """What tells these weights from others: every part's files by name, size and date.

        Hashing forty gigabytes would take longer than most videos.
        """
        given = {part: _hash([source.mark(name) for name in source.shapes]) for part, source in self.sources.items()}
        return dict(sorted(({part: _fingerprint(place) for part, place in self.folders.items()} | given).items()))

    def release(self, *names: str) -> None:
        """Give the memory of parts back; they are loaded again if they are asked for again."""
        if "transformer" in names:
            self.close()
        held = sum(_size(part) + _size(part, CPU) for name, part in self._networks.items() if name in names)
        for name in names:
            self._loaded.pop(name, None)
        self._made = self._loaded.get("transformer") and self._made
        # A network with hooks is in a circle with them, and keeps its memory until somebody looks for circles; that
        # takes a fifth of a second, for which a small one may wait.
        if held >= MANY:
            gc.collect()
        empty_cache(self.device)

    def close(self) -> None:
        """Let the processes go that drew with this one."""
        if self.team is not None:
            self.team.close()

    def leave(self, *names: str) -> None:
        """As `release`, unless the placement has room for everything at once."""
        if self.need is None or self.placement.level != "all":
            self.release(*names)

    def _part(self, name: str) -> Any:
        for _ in self.bring(name):
            pass
        return self._loaded[name]

    def _load(self, name: str) -> Iterator[Preparing]:
        """Load a part. Of the transformer nothing is read yet: what is wanted of it decides what is."""
        log.debug("loading %s from %s", name, self.folders.get(name, "what was given"))
        with _boundary(self.entry.name, name):
            part: Any
            if name not in NETWORKS:
                part = _TOOLS[name](self.folders[name])
            elif name == "transformer":
                source = self._source(name)
                dtype, device = self.transformer_dtype, self.device
                part = Weights(self.entry.name, source, self._config(name), dtype, device, self.merged)
            else:
                part = make_network(name, self._config(name))
                yield from self._fill(name, part)
                self._place(name, part)
        self._loaded[name] = part

    @property
    def machine(self) -> Machine:
        """What is free for all parts now: what is loaded already counts as free, since it can move."""
        now, networks = measure(self.device, self.runtime.preserve_gb, self.runtime.half), self._networks
        now = replace(now, kernel=self.kernels.planned)
        if now.gpu is None:
            return now
        here = sum(_size(part) for part in networks.values())
        own = 0.0
        if "transformer" in networks and self.need is not None:
            own = _size(networks["transformer"], CPU) * copied(self.entry.anatomy, self.need, self.placement)
        limit = float("inf") if self.limit is None else self.limit
        return replace(now, gpu=min(now.gpu + here, limit), ram=now.ram + own)

    def arrange(self, need: Need, machine: Machine) -> None:
        """Choose where the weights lie for a request; what is loaded already moves there."""
        self._settle(need, choose(self.entry.anatomy, need, machine))

    def step_down(self) -> Placement | None:
        """Go to the next smaller placement because memory ran out; None where there is none, or not for this process
        alone to take.
        """
        if self.need is None or self._together:
            return None
        placement = lower(self.entry.anatomy, self.need, self.placement)
        if placement is not None:
            self._settle(self.need, placement)
            self.release()
        return placement

    @property
    def _networks(self) -> dict[str, nn.Module]:
        """The loaded parts that have weights."""
        parts = {name: part.transformer if name == "transformer" else part for name, part in self._loaded.items()}
        return {name: part for name, part in parts.items() if isinstance(part, nn.Module)}

    def _config(self, name: str) -> Mapping[str, Any]:
        """What a network is made by."""
        config = self.entry.published[name].config
        return read_config(self.folders[name], config) if name in self.folders else config

    def _fill(self, name: str, network: nn.Module) -> Iterator[Preparing]:
        """Give a network its weights, and what belongs to it here."""
        device = self.device if name != "text_encoder" or self.placement.whole else CPU
        # What is larger than all else on a CPU is not copied.
        turns = isinstance(network, LlamaModel) and self.device.type == "cpu"
        yield from _words(name, filling(network, self._source(name), None if turns else self.dtype, device))
        if isinstance(network, LlamaModel) and turns:
            cast_layers(network, self.dtype)
        if isinstance(network, AutoencoderKLHunyuanVideo):
            # The temporal grids are walked by pipeline.decode and .encode, over the whole clip; their tiles go at once.
            network.use_framewise_decoding = network.use_framewise_encoding = False
            apply_convolution(network)

    def _source(self, name: str) -> Source:
        """Where the weights of a part come from."""
        return self.sources[name] if name in self.sources else FileSource(name, self.folders[name])

    def _settle(self, need: Need, placement: Placement) -> None:
        """Put a placement into effect. A transformer that is not as it is wanted yet gives way, and is placed later."""
        self.need, self.placement = need, placement
        if placement.level != "all":
            self.release("text_encoder", "text_encoder_2", "image_encoder")
        for name, part in self._networks.items():
            if name != "transformer" or self._made is not None:
                self._place(name, part)
            else:
                unstream(part)
                self._loaded[name].give_way(streamed_names(part, placement), self._wanted.fp8)

    def _place(self, name: str, part: nn.Module) -> None:
        """A part onto its target; hooks of a placement before go."""
        if name == "transformer":
            place_transformer(part, self.placement, self.device)
        elif name == "text_encoder":
            place_encoder(part, self.placement, self.device)
        else:
            part.to(self.device)


def _team(entry: Entry, runtime: Runtime, device: torch.device) -> Team | None:
    """The other processes that draw a video with this one, not started yet. Raises OptionError, DeviceError."""
    if runtime.gpus == 1:
        return None
    check_gpus(entry, runtime)
    return Team(entry, runtime, neighbours(device, runtime.gpus))


def _words(name: str, progress: Done) -> Iterator[Preparing]:
    """A word on a part's progress where it has many bytes, at every fiftieth of them."""
    said = -1
    for done, total in progress:
        if total >= MANY and (said < 0 or done - said >= total * SHARE or said < done == total):
            yield Preparing(cast(Preparation, name), done, total)
            said = done


def _size(part: nn.Module, device: torch.device | None = None) -> int:
    """Bytes of a part that are on a device, by default on a GPU."""
    tensors = (*part.parameters(), *part.buffers())
    return sum(tensor.nbytes for tensor in tensors if (tensor.device == device if device else on_gpu(tensor.device)))


def _fingerprint(place: Path) -> str:
    return _hash(file_print(place))


def _hash(told: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def set_tiles(vae: AutoencoderKLHunyuanVideo, side: int) -> None:
    """Bound the VAE's memory: pictures larger than `side` pixels go through in squares that overlap by a quarter.

    0 takes every picture whole. Neighbours are blended, so the pixels change a little. The library's other setting,
    slicing, works on several videos at once and would do nothing here.
    """
    vae.use_tiling = side > 0
    if side:
        stride = side * 3 // 4
        vae.enable_tiling(side, side, tile_sample_stride_height=stride, tile_sample_stride_width=stride)


@contextmanager
def exactly(vae: AutoencoderKLHunyuanVideo) -> Iterator[None]:
    """The VAE in float32 for a while; its weights come back as they were, since float32 holds every half."""
    before = vae.dtype
    nn.Module.to(vae, torch.float32)  # the library's own warns of parts to be kept in float32, of which there are none
    try:
        yield
    finally:
        nn.Module.to(vae, before)


_TOOLS: dict[str, Callable[[Path], Any]] = {
    "tokenizer": AutoTokenizer.from_pretrained,
    "tokenizer_2": AutoTokenizer.from_pretrained,
    "feature_extractor": SiglipImageProcessorPil.from_pretrained,
}


@contextmanager
def _boundary(model: str, part: str) -> Iterator[None]:
    """The one place where the libraries' complaints about weights become ours; their chatter is kept down."""
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    try:
        yield
    except torch.OutOfMemoryError:
        raise  # whoever runs the job can try again with less
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise ModelError("error.model.damaged", model=model, part=part, reason=error) from error
