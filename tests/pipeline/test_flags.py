"""A decoder that fails is seen while the job runs, told at its end, and leaves no trace in the record."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from eichi import make_plan
from eichi.catalog import ModelFolders
from eichi.events import Finished, Flagged
from eichi.models.load import Components
from eichi.options import VideoOptions
from eichi.pipeline.generate import generate
from eichi.settings import Runtime
from eichi.video.metadata import read_record
from tests import small


def run(components: Components, picture: Path, folder: Path) -> tuple[list[Flagged], Finished]:
    request = {"image": picture, "prompt": "a red star", "section_size": 0.5, "seconds": 1.4, "seed": 1}
    options = VideoOptions.parse(request | {"sampling": {"steps": 1}})
    *events, last = generate(make_plan(options, components.entry), folder, components)
    assert isinstance(last, Finished)
    return [event for event in events if isinstance(event, Flagged)], last


def test_a_decoder_that_gives_nothing_makes_black_sections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = small.build(tmp_path / "model")
    components = Components(small.entry(folder), Runtime(ModelFolders(folder), "cpu"))
    picture = tmp_path / "start.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(picture)
    decode = components.vae.decode

    def broken(latents: torch.Tensor, **options: Any) -> tuple[torch.Tensor]:
        return (torch.full_like(decode(latents, **options)[0], -1.0),)

    _, good = run(components, picture, tmp_path / "good")
    monkeypatch.setattr(components.vae, "decode", broken)
    flags, bad = run(components, picture, tmp_path / "bad")
    assert [(flag.number, flag.id) for flag in flags] == [(0, "flag.black"), (1, "flag.black")]
    assert bad.flags == tuple(flags)
    assert read_record(Path(good.video)) == read_record(Path(bad.video))
