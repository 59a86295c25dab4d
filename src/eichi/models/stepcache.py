"""Step caches: steps whose result is near enough to the last one's reuse what the transformer added then.

Three ways to tell which steps these are, of which the last two need no polynomial fitted to the model:

    tea     how much the first block's input changed since the step before, put through a polynomial that foretells from
            it how much the output will. Foretold changes add up; while the sum is under the threshold, steps reuse
    mag     how much the size of what the transformer adds changes from step to step, which is nearly the same for every
            prompt and was measured beforehand. Deviations from 1 add up in the same way, at most three steps in a row
            reuse, and none of the first fifth
    first   how much what the first block adds changed since the last computed step. The first block is always computed

A step that reuses skips the blocks and adds the residual of the last computed step to the tokens instead. The first and
the last step are always computed. Each guidance branch has its own state: positive and negative tokens differ, and
sharing one residual between them gives wrong pictures. State is per section; `reset` starts a new one. Built on
diffusers' hooks: apply, reset, remove. diffusers' own two caches are what the tests compare with; they count nothing,
have no state per section, and reset themselves only where a section was not interrupted.

Sources: TeaCache (Liu et al., 2024), whose use of block 0's modulated input follows FramePack; MagCache (Ma et al.,
2025); First Block Cache (ParaAttention).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from diffusers import HunyuanVideoFramepackTransformer3DModel
from diffusers.hooks import HookRegistry, ModelHook
from torch import Tensor, nn

NAME = "eichi_stepcache"
MAX_RUN, HEAD = 3, 0.2  # of mag: reused steps in a row, and the share of steps before the first of them

Kind = Literal["tea", "mag", "first"]


@dataclass(frozen=True)
class CacheConfig:
    """What may be reused. `steps` is the number of steps of a section; a threshold of 0 computes everything.

    `coefficients` is tea's polynomial, highest power first; `ratios` are mag's, for any number of steps.
    """

    kind: Kind
    threshold: float
    steps: int
    coefficients: tuple[float, ...] = ()
    ratios: tuple[float, ...] = ()

    def ratio(self, step: int) -> float:
        """The change of size at a step, from the nearest place of the measured ones."""
        if self.steps == 1:
            return self.ratios[-1]
        return self.ratios[int(step * (len(self.ratios) - 1) / (self.steps - 1) + 0.5)]


@dataclass
class CacheState:
    """What one guidance branch remembers inside a section: `signal` is what steps are compared by, `entry` the tokens
    that the residual is counted from.
    """

    step: int = 0
    change: float = 0.0
    scale: float = 1.0
    run: int = 0
    reuse: bool = False
    reused: int = 0
    signal: Tensor | None = None
    entry: Tensor | None = None
    residual: Tensor | None = None


@dataclass
class StepCache:
    """The cache on one transformer. Set `branch` before each call of the transformer.

    Where several processes have a share of the tokens each, `total` adds numbers up over all of them, so that all
    decide alike.
    """

    config: CacheConfig
    branch: str = "positive"
    states: dict[str, CacheState] = field(default_factory=dict)
    total: Callable[[Tensor], Tensor] | None = None

    @property
    def state(self) -> CacheState:
        """The state of the current branch."""
        return self.states.setdefault(self.branch, CacheState())

    @property
    def reused(self) -> int:
        """Evaluations saved since the last reset, over all branches."""
        return sum(state.reused for state in self.states.values())

    def reset(self) -> None:
        """Start a new section: forget every branch."""
        self.states.clear()

    def decide(self, signal: Tensor | None = None) -> bool:
        """Whether this step of the current branch reuses; to be asked once a step. `signal` is None for mag."""
        state = self.state
        near = {"tea": self._tea, "mag": self._mag, "first": self._first}[self.config.kind](state, signal)
        state.reuse = near and 0 < state.step < self.config.steps - 1
        if not state.reuse:
            state.change, state.scale, state.run = 0.0, 1.0, 0
        if self.config.kind == "tea" or not state.reuse:
            state.signal = signal
        state.step += 1
        state.reused += state.reuse
        return state.reuse

    def _tea(self, state: CacheState, signal: Tensor | None) -> bool:
        """Whether the sum of predicted changes since the last computed step is still under the threshold."""
        if state.signal is not None and signal is not None:
            state.change += float(np.polyval(self.config.coefficients, self._change(state.signal, signal)))
        return state.change < self.config.threshold

    def _mag(self, state: CacheState, _: Tensor | None) -> bool:
        """Whether sizes stayed near enough to the last computed step's."""
        if state.step < int(HEAD * self.config.steps + 0.5) or not self.config.threshold:
            return False
        state.scale *= self.config.ratio(state.step)
        state.change += abs(1.0 - state.scale)
        state.run += 1
        return state.change <= self.config.threshold and state.run <= MAX_RUN

    def _first(self, state: CacheState, signal: Tensor | None) -> bool:
        """Whether the first block adds nearly what it added at the last computed step."""
        if state.signal is None or signal is None:
            return False
        return self._change(state.signal, signal) <= self.config.threshold and self.config.threshold > 0

    def _change(self, before: Tensor, after: Tensor) -> float:
        """How much a tensor changed, relative to its size."""
        if self.total is None:
            return float(((after - before).abs().mean() / before.abs().mean()).item())
        changed, whole = self.total(torch.stack([(after - before).abs().sum(), before.abs().sum()]).float()).tolist()
        return changed / whole if whole else float("nan")


class BlockHook(ModelHook):  # type: ignore[misc]  # diffusers is not typed
    """Skips a block while its branch reuses. The first block decides, the last keeps or adds the residual."""

    def __init__(self, cache: StepCache, first: bool, last: bool) -> None:
        super().__init__()
        self.cache = cache
        self.first = first
        self.last = last

    def new_forward(self, module: nn.Module, hidden: Tensor, text: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
        state, kind = self.cache.state, self.cache.config.kind
        if self.first and kind == "first":
            before = hidden
            hidden, text = self.fn_ref.original_forward(hidden, text, *rest)
            if not self.cache.decide(hidden - before):
                state.entry = hidden
            return hidden, text
        if self.first:
            signal = module.norm1(hidden, emb=rest[0])[0] if kind == "tea" else None  # type: ignore[operator]
            if not self.cache.decide(signal):
                state.entry = hidden
        if state.reuse:
            assert state.residual is not None, "the first step of a section is computed"
            return (hidden + state.residual, text) if self.last else (hidden, text)
        hidden, text = self.fn_ref.original_forward(hidden, text, *rest)
        if self.last:
            assert state.entry is not None, "the first block has run"
            state.residual = hidden - state.entry
        return hidden, text


def apply_cache(transformer: HunyuanVideoFramepackTransformer3DModel, config: CacheConfig) -> StepCache:
    """Put a cache on a transformer that has none."""
    cache = StepCache(config)
    blocks = [*transformer.transformer_blocks, *transformer.single_transformer_blocks]
    for i, block in enumerate(blocks):
        hook = BlockHook(cache, first=i == 0, last=i == len(blocks) - 1)
        HookRegistry.check_if_exists_or_initialize(block).register_hook(hook, NAME)
    return cache


def remove_cache(transformer: HunyuanVideoFramepackTransformer3DModel) -> None:
    """Take the cache off; the transformer is as it was. Does nothing where there is none."""
    HookRegistry.check_if_exists_or_initialize(transformer).remove_hook(NAME)
