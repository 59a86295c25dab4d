"""TeaCache: steps whose result is near enough to the last one's reuse what the transformer added then.

From one step to the next the input of the first block changes a little or a lot. How much, relative to its size and
put through a polynomial fitted to the model, predicts how much the output will change. These predictions are added
up; while the sum stays under a threshold the blocks are skipped and the residual of the last computed step is added
to the tokens instead. The first and the last step are always computed.

Each guidance branch has its own state: positive and negative tokens differ, and sharing one residual between them
gives wrong pictures. State is per section; `reset` starts a new one. Built on diffusers' hooks: apply, reset, remove.

Source: TeaCache (Liu et al., 2024); the use of block 0's modulated input follows FramePack.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from diffusers import HunyuanVideoFramepackTransformer3DModel
from diffusers.hooks import HookRegistry, ModelHook
from torch import Tensor, nn

NAME = "eichi_teacache"


@dataclass(frozen=True)
class TeaConfig:
    """`threshold` 0.10 saves about a third of the work on the full model, 0.15 about half; 0 computes everything.

    `coefficients` is the polynomial, highest power first; `steps` the number of steps of a section.
    """

    threshold: float
    coefficients: tuple[float, ...]
    steps: int


@dataclass
class TeaState:
    """What one guidance branch remembers inside a section."""

    step: int = 0
    change: float = 0.0
    reuse: bool = False
    reused: int = 0
    modulated: Tensor | None = None
    entry: Tensor | None = None
    residual: Tensor | None = None


@dataclass
class TeaCache:
    """The cache on one transformer. Set `branch` before each call of the transformer."""

    config: TeaConfig
    branch: str = "positive"
    states: dict[str, TeaState] = field(default_factory=dict)

    @property
    def state(self) -> TeaState:
        """The state of the current branch."""
        return self.states.setdefault(self.branch, TeaState())

    @property
    def reused(self) -> int:
        """Evaluations saved since the last reset, over all branches."""
        return sum(state.reused for state in self.states.values())

    def reset(self) -> None:
        """Start a new section: forget every branch."""
        self.states.clear()

    def decide(self, modulated: Tensor) -> bool:
        """Whether this step of the current branch reuses; to be asked once a step, with block 0's modulated input."""
        state = self.state
        state.reuse = self._near(state, modulated)
        state.modulated = modulated
        state.step += 1
        state.reused += state.reuse
        return state.reuse

    def _near(self, state: TeaState, modulated: Tensor) -> bool:
        """Whether the sum of predicted changes since the last computed step is still under the threshold."""
        if state.modulated is not None and state.step < self.config.steps - 1:
            signal = (modulated - state.modulated).abs().mean() / state.modulated.abs().mean()
            state.change += float(np.polyval(self.config.coefficients, signal.item()))
            if state.change < self.config.threshold:
                return True
        state.change = 0.0
        return False


class BlockHook(ModelHook):  # type: ignore[misc]  # diffusers is not typed
    """Skips a block while its branch reuses. The first block decides, the last keeps or adds the residual."""

    def __init__(self, cache: TeaCache, first: bool, last: bool) -> None:
        super().__init__()
        self.cache = cache
        self.first = first
        self.last = last

    def new_forward(self, module: nn.Module, hidden: Tensor, text: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
        state = self.cache.state
        if self.first and not self.cache.decide(module.norm1(hidden, emb=rest[0])[0]):  # type: ignore[operator]
            state.entry = hidden
        if state.reuse:
            assert state.residual is not None, "the first step of a section is computed"
            return (hidden + state.residual, text) if self.last else (hidden, text)
        hidden, text = self.fn_ref.original_forward(hidden, text, *rest)
        if self.last:
            assert state.entry is not None, "the first block has run"
            state.residual = hidden - state.entry
        return hidden, text


def apply_teacache(transformer: HunyuanVideoFramepackTransformer3DModel, config: TeaConfig) -> TeaCache:
    """Put a cache on a transformer that has none."""
    cache = TeaCache(config)
    blocks = [*transformer.transformer_blocks, *transformer.single_transformer_blocks]
    for i, block in enumerate(blocks):
        hook = BlockHook(cache, first=i == 0, last=i == len(blocks) - 1)
        HookRegistry.check_if_exists_or_initialize(block).register_hook(hook, NAME)
    return cache


def remove_teacache(transformer: HunyuanVideoFramepackTransformer3DModel) -> None:
    """Take the cache off; the transformer is as it was. Does nothing where there is none."""
    HookRegistry.check_if_exists_or_initialize(transformer).remove_hook(NAME)
