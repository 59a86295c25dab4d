"""The shipped weights: complete, small, and what the catalogue says about them is true."""

from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, SiglipImageProcessorPil

from eichi.catalog import PARTS, find
from training import cache, text, track
from training.export import LIMIT

TINY = Path(__file__).parents[2] / "src" / "eichi" / "models" / "tiny"


def test_every_part_is_there_and_the_whole_is_small() -> None:
    assert all((TINY / part).is_dir() for part in (*PARTS, "transformer_f1"))
    assert sum(p.stat().st_size for p in TINY.rglob("*") if p.is_file()) <= LIMIT


def test_the_shipped_tokenizer_takes_the_template_as_the_catalogue_says() -> None:
    tokenizer = AutoTokenizer.from_pretrained(TINY / "tokenizer")
    template = find("tiny").template
    assert template.text == text.TEMPLATE
    assert len(tokenizer(template.text.split("{}")[0]).input_ids) == template.head == text.CROP


def test_the_vision_processor_does_what_training_did() -> None:
    processor = SiglipImageProcessorPil.from_pretrained(TINY / "feature_extractor")
    picture = torch.randint(0, 256, (1, 3, 48, 80), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    shown = processor(picture[0].permute(1, 2, 0).numpy(), return_tensors="pt").pixel_values
    assert shown.shape == (1, 3, cache.VISION, cache.VISION)
    assert (shown - cache.vision(picture)).abs().mean() < 0.03


@pytest.mark.parametrize("shift", [-0.2, 0.0, 0.15])
def test_the_tracker_reads_a_shift_it_was_given(shift: float) -> None:
    background = torch.zeros(1, 3, 64, 64)
    frames = background.repeat(2, 1, 1, 1)
    frames[0, :, 26:38, 26:38] = 1
    left = 26 + round(shift * 64)
    frames[1, :, 26:38, left : left + 12] = 1
    assert float(track.moved(frames, background)[0]) == pytest.approx(shift, abs=0.01)
