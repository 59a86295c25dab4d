"""The upscaler's training: what it begins with, what it is shown, that it goes on, and what came of it."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from eichi.models.upscale import Upscaler
from eichi.models.upscalers import SHIPPED, SHIPPED_FACTS, UpscalerFile
from training import state, upscaler
from training.rng import stream

SMALL = 8


def test_it_begins_with_straight_lines_between_pixels() -> None:
    picture = torch.rand(1, 3, 12, 14, generator=torch.Generator().manual_seed(0))
    made = upscaler.network()(picture)
    wanted = F.interpolate(picture, scale_factor=2, mode="bilinear", align_corners=False)
    assert torch.allclose(made[..., 2:-2, 2:-2], wanted[..., 2:-2, 2:-2], atol=1e-5)


def test_a_batch_is_the_same_each_time_and_shrunk_from_what_is_to_be_made() -> None:
    small, large = upscaler.batch(3)
    again, _ = upscaler.batch(3)
    assert torch.equal(small, again) and large.shape[2] == 2 * small.shape[2] == 2 * upscaler.SIDE
    assert (F.interpolate(small, scale_factor=2, mode="bilinear") - large).abs().mean() < 0.1


def test_it_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upscaler, "SIDE", SMALL)
    target = tmp_path / "made.safetensors"
    upscaler.train(tmp_path, 0.001, target)
    first = state.load(tmp_path / "upscaler.pt")["step"]
    upscaler.train(tmp_path, 0.003, target)
    assert state.load(tmp_path / "upscaler.pt")["step"] > first >= 1
    assert Upscaler(UpscalerFile("made", target), torch.device("cpu")).scale == 2


def test_what_ships_is_small_and_better_than_bicubic() -> None:
    path = SHIPPED / "compact2x.safetensors"
    assert path.stat().st_size < 2_000_000
    made = Upscaler(UpscalerFile("compact2x", path), torch.device("cpu"))
    assert made.facts == SHIPPED_FACTS
    better = []
    for number in range(4):
        true = upscaler._scene(stream("upscaler-tested", number), "held")
        small = np.asarray(Image.fromarray(true).resize((64, 64), Image.Resampling.BICUBIC))
        coded = upscaler.through_codec(small, 16)
        made_of = upscaler.enlarged(coded), made.enlarge(coded[None])[0]
        off = [np.mean((one.astype(float) - true) ** 2) for one in made_of]
        better.append(10 * np.log10(off[0] / off[1]))
    assert np.mean(better) > 1
