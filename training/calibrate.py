"""What the step caches know of the embedded model: TeaCache's polynomial and MagCache's ratios (`pipeline.calibrate`).

Measured through the program itself, on held-out pictures that are told to go different ways.
"""

import json
import logging
import tempfile
from pathlib import Path
from typing import Any

from eichi.files import aside
from eichi.pipeline.calibrate import Measured, watched
from training.judge import Judge

log = logging.getLogger(__name__)

MODELS = ("tiny", "tiny-f1")
PICTURES, STEPS = 6, 25
TEA, MAG = "teacache.json", "magcache.json"


def calibrate(target: Path, side: int) -> dict[str, list[float]]:
    """Measure both models on pictures of `side` pixels and write what was found beside the weights."""
    found = {model: measure(model, side) for model in MODELS}
    polynomials = {model: measured.polynomial for model, measured in found.items()}
    _write(target / TEA, polynomials)
    _write(target / MAG, {model: {str(measured.steps): measured.ratios} for model, measured in found.items()})
    return polynomials


def measure(model: str, side: int) -> Measured:
    """All steps of some clips."""
    with tempfile.TemporaryDirectory() as folder:
        judge = Judge(model, PICTURES, Path(folder), side)
        with watched(judge.components.transformer) as measured:
            for subject, word in zip(judge.subjects, ("right", "left", "up", "down", "right", "up"), strict=True):
                judge.clip(subject, f"the {{s}} moves {word}", sampling={"steps": STEPS, "teacache": False})
    log.info("%s: %d steps, polynomial %s", model, len(measured.inputs), measured.polynomial)
    return measured


def _write(path: Path, values: dict[str, Any]) -> None:
    with aside(path) as draft:
        draft.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
