"""Prompts that were read before, on disk, so that the text encoders need not be loaded for them again.

An entry is found by everything that its numbers depend on: the exact text, the template, the precision, and the
encoders' files by name, size and date (hashing sixteen gigabytes would cost more than reading the prompt). Entries are
written aside and renamed, with a checksum; a damaged one counts as missing, and a full disk costs the time of reading
it again. The oldest go when the folder grows over its limit.
"""

import hashlib
import json
import logging
import os
from collections.abc import Generator, Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from eichi.events import Preparing
from eichi.files import aside, private, trim
from eichi.models.load import Components
from eichi.pipeline.conditioning import PromptStates, encode_prompt
from eichi.pipeline.telling import Tell, telling

log = logging.getLogger(__name__)

PROMPTS = "prompts"  # the folder in the cache
CHECKSUM = "checksum"
LIMIT = 2**30  # bytes; a prompt of the full model takes about two million


def read_prompts(components: Components, texts: Iterable[str]) -> Generator[Preparing, None, dict[str, PromptStates]]:
    """Every text of a job, read once; the encoders' memory is given back where it is needed."""
    cache = components.runtime.cache
    prompts = PromptCache(components, cache and cache / PROMPTS)
    words: dict[str, PromptStates] = {}
    for text in sorted(texts):
        words[text] = yield from _reading(components, prompts, text)
    components.leave("text_encoder", "text_encoder_2")
    return words


def _reading(components: Components, prompts: "PromptCache", text: str) -> Generator[Preparing, None, PromptStates]:
    """The conditions of a prompt; on a CPU, where a large LLaMA takes a while, with a word after every layer."""
    if prompts.has(text):
        return prompts.read(text)
    yield from components.bring("text_encoder", "text_encoder_2")
    yield from components.announce("prompts")
    if components.device.type != "cpu" or not components.large:
        return prompts.read(text)

    def read(tell: Tell) -> PromptStates:
        layers = components.text_encoder.layers
        hooks = [
            layer.register_forward_hook(lambda *_, place=place: tell(place, len(layers)))
            for place, layer in enumerate(layers, start=1)
        ]
        try:
            return prompts.read(text)
        finally:
            for hook in hooks:
                hook.remove()

    return (yield from telling(read, partial(Preparing, "prompts")))


class PromptCache:
    """Reads prompts for one model, from the folder or by its encoders. Without a folder nothing is kept."""

    def __init__(self, components: Components, folder: Path | None) -> None:
        self.components = components
        self.folder = folder
        self.encoded = 0

    def has(self, text: str) -> bool:
        """Whether the encoders are not needed for a prompt."""
        path = self._path(text)
        return path is not None and self._find(path) is not None

    def read(self, text: str) -> PromptStates:
        """The conditions of one prompt."""
        path = self._path(text)
        found = None if path is None else self._find(path)
        if found is not None:
            return found
        words = _plain(vars(encode_prompt(self.components, text)))
        self.encoded += 1
        if path is not None:
            self._keep(path, words)
        return words

    def _path(self, text: str) -> Path | None:
        return None if self.folder is None else self.folder / f"{self._key(text)}.safetensors"

    def _key(self, text: str) -> str:
        template = self.components.entry.template
        prints = self.components.fingerprint
        encoders = [prints[part] for part in ("text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2")]
        whole = [text, template.text, template.head, template.limit, template.clip_limit, str(self._dtype), encoders]
        return hashlib.sha256(json.dumps(whole, ensure_ascii=False).encode()).hexdigest()

    def _find(self, path: Path) -> PromptStates | None:
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
                checksum = (file.metadata() or {}).get(CHECKSUM)
        except (OSError, SafetensorError):
            return None
        if checksum != _checksum(tensors):
            return None
        tensors = {name: tensor.to(self.components.device) for name, tensor in tensors.items()}
        with suppress(OSError):  # another process may have just removed it
            os.utime(path)  # used again: among the last to go
        return _plain(tensors)

    def _keep(self, path: Path, words: PromptStates) -> None:
        try:
            private(path.parent)
            # Two jobs may read the same prompt at once: each has a draft of its own.
            with TemporaryDirectory(dir=path.parent) as own, aside(path, Path(own), lasting=False) as draft:
                save_file(vars(words), draft, {CHECKSUM: _checksum(vars(words))})
            trim(path.parent, "*.safetensors", LIMIT)
        except (OSError, SafetensorError) as error:
            log.warning("a prompt is not kept for the next time: %s", error)

    @property
    def _dtype(self) -> object:
        return self.components.transformer_dtype


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    """The checksum of an entry: of its tensors, with their names, kinds and sizes."""
    made = hashlib.blake2b(digest_size=16)
    for name in sorted(tensors):
        tensor = tensors[name].cpu().contiguous()
        made.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        made.update(tensor.view(-1).view(torch.uint8).numpy().data)
    return made.hexdigest()


def _plain(tensors: Mapping[str, Tensor]) -> PromptStates:
    """Words in memory of their own, without gaps.

    Tensors of a file lie anywhere in it, and on a CPU the same numbers at another alignment multiply to other last
    digits: a prompt that is found must not give other bytes than one that is read.
    """
    copies = {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}
    return PromptStates(copies["states"], copies["mask"], copies["pooled"])
