"""TeaCache's polynomial for the embedded model: how far a change of the input foretells a change of the output.

At every step two numbers are taken, both relative: how much the modulated input of the first block changed since the
last step, and how much the transformer's answer did. The polynomial that leads from one to the other is what the step
cache adds up. Measured through the program itself, without the cache.
"""

import json
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import HunyuanVideoFramepackTransformer3DModel
from torch import Tensor

from training.judge import Judge

log = logging.getLogger(__name__)

MODELS = ("tiny", "tiny-f1")
PICTURES, STEPS, DEGREE = 6, 25, 1
# A fit says what happens on average, and the errors of reused steps add up: changes count twice. At the default
# threshold 17 of 25 steps are then reused and clips stay within 35 decibels; without it 20, and some within 29.
MARGIN = 2.0
FILE = "teacache.json"


def calibrate(target: Path) -> dict[str, list[float]]:
    """Fit both models and write the coefficients, highest power first, beside the weights."""
    fitted = {model: fit(*measure(model)) for model in MODELS}
    draft = target / f".{FILE}.part"
    draft.write_text(json.dumps(fitted, indent=1) + "\n", encoding="utf-8")
    draft.replace(target / FILE)
    return fitted


def measure(model: str) -> tuple[np.ndarray, np.ndarray]:
    """Changes of input and output over all steps of some clips."""
    with tempfile.TemporaryDirectory() as folder:
        judge = Judge(model, PICTURES, Path(folder))
        with _watched(judge.components.transformer) as pairs:
            for subject, word in zip(judge.subjects, ("right", "left", "up", "down", "right", "up"), strict=True):
                judge.clip(subject, f"the {{s}} moves {word}", sampling={"steps": STEPS, "teacache": False})
        changes = np.array([pair for pair in pairs if pair is not None])
    log.info("%s: %d steps, input %s, output %s", model, len(changes), *changes.mean(0))
    return changes[:, 0], changes[:, 1]


def fit(inputs: np.ndarray, outputs: np.ndarray) -> list[float]:
    """The least-squares polynomial, on the safe side."""
    return [MARGIN * float(c) for c in np.polyfit(inputs, outputs, DEGREE)]


@contextmanager
def _watched(transformer: HunyuanVideoFramepackTransformer3DModel) -> Iterator[list[tuple[float, float] | None]]:
    """Collects a pair a step; None where a section begins."""
    pairs: list[tuple[float, float] | None] = []
    last: dict[str, Tensor] = {}
    now: dict[str, Any] = {}

    def before(_: Any, __: Any, values: dict[str, Any]) -> None:
        now["time"] = float(values["timestep"])

    def entry(_: Any, __: Any, output: Any) -> None:
        now["input"] = output[0].clone()

    def after(_: Any, __: Any, output: Any) -> None:
        answer = output[0].clone()
        falling = "time" in last and now["time"] < float(last["time"])
        pairs.append((_change(last["input"], now["input"]), _change(last["output"], answer)) if falling else None)
        last.update(input=now["input"], output=answer, time=torch.tensor(now["time"]))

    hooks = [
        transformer.register_forward_pre_hook(before, with_kwargs=True),
        transformer.transformer_blocks[0].norm1.register_forward_hook(entry),
        transformer.register_forward_hook(after),
    ]
    try:
        yield pairs
    finally:
        for hook in hooks:
            hook.remove()


def _change(before: Tensor, after: Tensor) -> float:
    return float((after - before).abs().mean() / before.abs().mean())
