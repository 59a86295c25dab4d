"""A video without a picture: it begins with one that is made, is gone on with, and is taken for what it is."""

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eichi.catalog import ModelFolders, find
from eichi.errors import OptionError
from eichi.events import Adjusted, Event, Finished, Flagged, FramesReady, SectionDone
from eichi.models.load import Components
from eichi.options import VideoOptions
from eichi.pipeline.checkpoint import Checkpoint
from eichi.pipeline.generate import generate
from eichi.pipeline.originals import fitted
from eichi.plan.plan import Plan
from eichi.prepare import make_plan
from eichi.settings import Runtime
from eichi.video.jobfolder import unfinished


def planned(tmp_path: Path, **values: Any) -> Plan:
    request = {"prompt": "a star", "seconds": 1, "section_size": 0.5, "seed": 3, "resolution": 64}
    request |= {"sampling": {"steps": 1}} | values
    return make_plan(VideoOptions.parse(request), ModelFolders(tmp_path))


@pytest.mark.parametrize(("kind", "level"), [("black", 0), ("grey", 128), ("white", 255)])
def test_a_start_of_one_colour(tmp_path: Path, kind: str, level: int) -> None:
    plan = planned(tmp_path, start=kind, aspect="9:16", keyframes={"loop": "final"})
    pixels = fitted(plan)
    assert pixels.keys() == {"image", "final"}
    assert pixels["image"].shape == (80, 48, 3)
    assert set(np.unique(pixels["image"])) == {level} == set(np.unique(pixels["final"]))
    assert plan.files == ()


def test_noise_follows_the_seed(tmp_path: Path) -> None:
    one, same, other = (fitted(planned(tmp_path, start="noise", seed=seed))["image"] for seed in (3, 3, 4))
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    assert 50 < one.std() < 100


def test_a_picture_is_not_needed_and_one_that_is_given_is_not_used(tmp_path: Path, picture: Path) -> None:
    with pytest.raises(OptionError, match="--image"):
        planned(tmp_path)
    assert Adjusted("note.start.image", {}) not in planned(tmp_path, start="black").notes
    assert Adjusted("note.start.image", {}) in planned(tmp_path, start="black", image=picture).notes
    assert Adjusted("note.start.colour", {}) in planned(tmp_path, start="black", output={"colour": 0.5}).notes


@pytest.mark.parametrize("model", ["tiny", "tiny-f1"])
def test_one_that_is_gone_on_with_is_the_same(tmp_path: Path, model: str) -> None:
    components = Components(find(model), Runtime(ModelFolders(tmp_path), "cpu"))
    plan = planned(tmp_path, start="grey", model=model)
    whole = list(generate(plan, tmp_path / "whole", components))
    with closing(generate(plan, tmp_path / "parts", components)) as events:  # type: ignore[type-var]
        next(event for event in events if isinstance(event, SectionDone))
    (checkpoint,) = map(Checkpoint, unfinished(tmp_path / "parts"))
    rest = list(generate(checkpoint.plan(plan.entry), tmp_path / "parts", components, checkpoint=checkpoint))
    assert isinstance(rest[-1], Finished)
    assert np.array_equal(frames(whole), frames(rest))
    assert not any(isinstance(event, Flagged) and event.id == "flag.drift" for event in whole)


def frames(events: list[Event]) -> np.ndarray:
    runs = sorted((event.first, event.frames) for event in events if isinstance(event, FramesReady))
    return np.concatenate([run for _, run in runs])
