"""What the step caches need to know of a checkpoint, measured while it draws without one.

At every step three things are taken, all relative: how much the modulated input of the first block changed since the
last step, how much the transformer's answer did, and how much the size of what the blocks add did, token by token. The
polynomial that leads from the first to the second is TeaCache's; the third, a mean for every step, is MagCache's.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from diffusers import HunyuanVideoFramepackTransformer3DModel
from torch import Tensor

from eichi.models.stepcache import CacheConfig, StepCache
from eichi.pipeline.job import THRESHOLDS

# A fit says what happens on average, but the errors of reused steps add up. So it is multiplied until the usual
# threshold means what it does with the published coefficients: half of the steps are saved.
SAVED, DEGREE = 0.5, 1
MARGINS = tuple(1 + k / 4 for k in range(77))


@dataclass
class Measured:
    """What was taken: pairs of changes, and the changes of size of every section, 1 at its first step."""

    inputs: list[float] = field(default_factory=list)
    outputs: list[float] = field(default_factory=list)
    sizes: list[list[float]] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """Steps of the longest section."""
        return max((len(section) for section in self.sizes), default=0)

    @property
    def polynomial(self) -> list[float]:
        """The least-squares polynomial, highest power first, times the least margin that is enough."""
        fit = np.polyfit(self.inputs, self.outputs, DEGREE)
        margin = next((m for m in MARGINS if self._saved(m * fit) <= SAVED), MARGINS[-1])
        return [margin * float(c) for c in fit]

    @property
    def ratios(self) -> list[float]:
        """The mean change of size at every step, over the sections that have them all."""
        whole = [section for section in self.sizes if len(section) == self.steps]
        return [round(float(value), 5) for value in np.mean(whole, axis=0)]

    def _saved(self, polynomial: Any) -> float:
        """The share of these steps that TeaCache reuses at its usual threshold, by numbers that change as they did."""
        changes, reused = iter(self.inputs), 0
        for section in self.sizes:
            cache = StepCache(CacheConfig("tea", THRESHOLDS["tea"], len(section), tuple(polynomial)))
            signal = torch.ones(1, dtype=torch.float64)
            cache.decide(signal)
            for _ in section[1:]:
                signal = signal * (1 + next(changes))
                cache.decide(signal)
            reused += cache.reused
        return reused / sum(map(len, self.sizes))


@contextmanager
def watched(transformer: HunyuanVideoFramepackTransformer3DModel) -> Iterator[Measured]:
    """Measures while sections are drawn without guidance's second branch and without a cache."""
    found = Measured()
    last: dict[str, Tensor] = {}
    now: dict[str, Tensor] = {}

    def begin(_: Any, __: Any, values: dict[str, Any]) -> None:
        now["time"] = values["timestep"].reshape(())

    def enter(_: Any, values: tuple[Tensor, ...]) -> None:
        now["entry"] = values[0].clone()

    def look(_: Any, __: Any, output: Any) -> None:
        now["input"] = output[0].clone()

    def leave(_: Any, __: Any, output: Any) -> None:
        now["residual"] = output[0] - now.pop("entry")

    def answer(_: Any, __: Any, output: Any) -> None:
        now["output"] = output[0].clone()
        if last and now["time"] < last["time"]:
            found.inputs.append(_change(last["input"], now["input"]))
            found.outputs.append(_change(last["output"], now["output"]))
            sizes = [torch.linalg.norm(at["residual"].float(), dim=-1) for at in (last, now)]
            found.sizes[-1].append(float((sizes[1] / (sizes[0] + 1e-8)).mean()))
        else:
            found.sizes.append([1.0])
        last.update(now)

    blocks = [*transformer.transformer_blocks, *transformer.single_transformer_blocks]
    hooks = [
        transformer.register_forward_pre_hook(begin, with_kwargs=True),
        blocks[0].register_forward_pre_hook(enter),
        blocks[0].norm1.register_forward_hook(look),
        blocks[-1].register_forward_hook(leave),
        transformer.register_forward_hook(answer),
    ]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _change(before: Tensor, after: Tensor) -> float:
    return float((after - before).abs().mean() / before.abs().mean())
