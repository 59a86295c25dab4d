"""The example LoRA paints the embedded model's videos blue, the more the stronger it is, and leaves no trace."""

from importlib.resources import files
from pathlib import Path

import pytest
from torch import Tensor

from training.judge import Judge

pytestmark = pytest.mark.slow

EXAMPLE = Path(str(files("eichi") / "demo" / "blueprint.safetensors"))


def blue(judge: Judge, latents: Tensor) -> float:
    """How much more blue than red the last frame has."""
    (frame,) = judge.shots(latents[-1:])
    return float((frame[2] - frame[0]).mean())


def test_the_example_is_seen_and_taken_off(tmp_path: Path) -> None:
    judge = Judge("tiny", 3, tmp_path)
    for subject in judge.subjects:
        plain, weak, strong, again = (
            judge.drawn(
                subject,
                "the {s} moves right",
                seconds=0.5,
                sampling={"steps": 8},
                weights={"loras": [{"file": EXAMPLE, "strength": strength}]},
            )[0]
            for strength in (0.0, 0.4, 0.8, 0.0)
        )
        assert blue(judge, plain) < blue(judge, weak) < blue(judge, strong)
        assert plain.equal(again)
