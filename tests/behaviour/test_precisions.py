"""In the precisions of a card the embedded model does what it does in float32: nothing is black, words are obeyed."""

import pytest
import torch

from eichi.catalog import HALF, PARTS, Precision
from training.decoder import decibels
from training.judge import LEAST, Clip, Judge

pytestmark = pytest.mark.slow

WORD = "the {s} moves right"
QUICK = {"seconds": 0.5, "section_size": 0.5, "sampling": {"steps": 6}}  # a section of five latents
LIKE = 22.0  # decibels: bfloat16 draws the same scene, not the same grey levels
VISIBLE = 0.05  # standard deviation of pixels in -1..1


def made(model: str, precision: Precision | None, folder: pytest.TempPathFactory) -> tuple[Judge, Clip]:
    """A judge whose program computes in a precision, and the frames of its video of one picture."""
    judge = Judge(model, 1, folder.mktemp("judge"))
    if precision is not None:
        judge.components.precision = precision
        judge.components.release(*PARTS)
    return judge, judge.clip(judge.subjects[0], WORD, **QUICK)


@pytest.mark.parametrize("model", ["tiny", "tiny-f1"])
def test_a_card_draws_what_a_processor_draws(model: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    _, whole = made(model, None, tmp_path_factory)
    judge, clip = made(model, HALF, tmp_path_factory)
    assert judge.components.vae.dtype == torch.float16
    assert judge.components.transformer.dtype == torch.bfloat16
    assert (clip.flatten(1).std(1) > VISIBLE).all()
    assert judge.went(judge.subjects[0], clip[::4], "right") > LEAST
    assert decibels(clip, whole) > LIKE
