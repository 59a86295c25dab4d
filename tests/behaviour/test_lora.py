"""The example LoRA paints the embedded model's videos blue, the more the stronger it is, and leaves no trace."""

from importlib.resources import files
from pathlib import Path

import pytest

from training.judge import Clip, Judge

pytestmark = pytest.mark.slow

EXAMPLE = Path(str(files("eichi") / "demo" / "blueprint.safetensors"))


def blue(clip: Clip) -> float:
    """How much more blue than red the last frame has."""
    return float((clip[-1, 2] - clip[-1, 0]).mean())


def test_the_example_is_seen_and_taken_off(tmp_path: Path) -> None:
    judge = Judge("tiny", 3, tmp_path)
    for subject in judge.subjects:
        plain, weak, strong, again = (
            judge.clip(
                subject,
                "the {s} moves right",
                seconds=0.5,
                sampling={"steps": 8},
                weights={"loras": [{"file": EXAMPLE, "strength": strength}]},
            )
            for strength in (0.0, 0.4, 0.8, 0.0)
        )
        assert blue(plain) < blue(weak) < blue(strong)
        assert plain.equal(again)
