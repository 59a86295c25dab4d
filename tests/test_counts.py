"""Work grows in a straight line with the length of a video, and nothing is done twice; counted from outside."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.counts import count, straightness
from eichi import make_plan
from eichi.catalog import ModelFolders
from eichi.models.load import Components
from eichi.options import VideoOptions
from eichi.settings import Runtime
from tests import small

STEPS = 2
LENGTHS = (1, 2, 4, 7)


@pytest.mark.parametrize("like", ["framepack", "framepack-f1"])
def test_work_is_linear(tmp_path: Path, like: str) -> None:
    components = Components(small.entry(small.build(tmp_path / "model", like)), Runtime(ModelFolders(tmp_path), "cpu"))
    picture = tmp_path / "start.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (80, 48, 3), dtype=np.uint8)).save(picture)
    rows = []
    for sections in LENGTHS:
        values = {"image": picture, "seconds": (20 * sections + 1) / 30, "section_size": 0.5, "seed": 1}
        values["sampling"] = {"steps": STEPS, "teacache": False}
        plan = make_plan(VideoOptions.parse(values), components.entry)
        rows.append(count(plan, components, tmp_path / "out"))
    assert [row.sections for row in rows] == list(LENGTHS)
    assert all(row.encoded == row.frames == 20 * row.sections + 1 for row in rows)
    assert all(row.evaluations == STEPS * row.sections for row in rows)
    assert all(row.latents <= row.decoded <= 1.7 * row.latents for row in rows)
    for name in ("evaluations", "encoded", "decoded"):
        assert straightness(LENGTHS, [getattr(row, name) for row in rows]) >= 0.99


def test_a_bend_is_seen() -> None:
    assert straightness(LENGTHS, [3 * length + 1 for length in LENGTHS]) == pytest.approx(1.0)
    assert straightness(LENGTHS, [length**3 for length in LENGTHS]) < 0.99
