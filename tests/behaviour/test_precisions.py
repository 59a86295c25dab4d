"""In the precisions of a card the embedded model does what it does in float32: nothing is black, controls are obeyed.

One picture for each control: how surely a control works is for the other tests, here it is that it works at all.
"""

from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import torch

from eichi.catalog import HALF, PARTS
from training.decoder import decibels
from training.judge import LEAST, Clip, Judge, Subject

pytestmark = pytest.mark.slow

QUICK: dict[str, Any] = {"seconds": 0.5, "section_size": 0.5, "sampling": {"steps": 6}}  # a section of five latents
EXAMPLE = Path(str(files("eichi") / "demo" / "blueprint.safetensors"))
LIKE = 22.0  # decibels: bfloat16 draws the same scene, not the same grey levels
VISIBLE = 0.05  # standard deviation of pixels in -1..1


def card(judge: Judge) -> Judge:
    """The same judge, whose program computes as on a card from here on."""
    judge.components.precision = HALF
    judge.components.release(*PARTS)
    assert judge.components.vae.dtype == torch.float16
    assert judge.components.transformer.dtype == torch.bfloat16
    return judge


def ends(judge: Judge, subject: Subject, said: str, **options: Any) -> Clip:
    """The first and the last picture of a video."""
    shots = judge.shots(judge.drawn(subject, said, **{**QUICK, **options})[0][[0, -1]])
    assert (shots.flatten(1).std(1) > VISIBLE).all()
    return shots


@pytest.mark.parametrize("model", ["tiny", "tiny-f1"])
def test_a_card_draws_what_a_processor_draws(model: str, tmp_path: Path) -> None:
    judge = Judge(model, 1, tmp_path)
    (subject,) = judge.subjects
    said = "the {s} moves right"
    whole = ends(judge, subject, said, seconds=1.0, section_size=1.0)
    half = ends(card(judge), subject, said, seconds=1.0, section_size=1.0)
    assert judge.went(subject, half, "right") > LEAST
    assert decibels(half, whole) > LIKE


def test_controls_work_on_a_card(tmp_path: Path) -> None:
    judge = card(Judge("tiny", 1, tmp_path))
    (subject,) = judge.subjects
    goal = judge.alone(subject.last)
    free = ends(judge, subject, "")
    held = ends(judge, subject, "", keyframes={"final": subject.last})
    assert decibels(held[1:], goal) > decibels(free[1:], goal)
    blue = ends(judge, subject, "", weights={"loras": [{"file": EXAMPLE, "strength": 0.8}]})
    assert (blue[1, 2] - blue[1, 0]).mean() > (free[1, 2] - free[1, 0]).mean()
    image = judge.image(subject, "the {s} moves right", target=9, sampling={"steps": 4})
    assert image.std() > VISIBLE
