"""Colours are drawn back by a whole run's figures, a little at every frame, and alike when a job is gone on with."""

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from eichi.catalog import ModelFolders, find
from eichi.events import Event, FramesReady, SectionDone
from eichi.models.load import Components
from eichi.options import VideoOptions
from eichi.pipeline.checkpoint import Checkpoint
from eichi.pipeline.colour import Cloud, Colours, mapped
from eichi.pipeline.generate import generate
from eichi.plan.plan import Plan
from eichi.prepare import make_plan
from eichi.settings import Runtime
from eichi.video.jobfolder import unfinished

SIDE, RUN = 64, 20
DRIFT = np.array([[0.8, 0.1, 0.0], [0.0, 0.9, 0.1], [0.05, 0.0, 0.75]])
ADDED = np.array([30.0, 5.0, 20.0])


def scene(seed: int = 0) -> NDArray[np.uint8]:
    """A picture of soft colours that are not grey, with nothing near the ends of the range."""
    small = np.random.default_rng(seed).integers(60, 180, (SIDE // 8, SIDE // 8, 3))
    small[..., 0] = small[..., 0] // 2 + small[..., 1] // 2
    return np.kron(small, np.ones((8, 8, 1))).astype(np.uint8)


def drifted(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return mapped(frame, np.column_stack([DRIFT, ADDED]))


def plan(tmp_path: Path, model: str, picture: Path, **values: Any) -> Plan:
    request = {"model": model, "image": picture, "seconds": 2, "section_size": 0.5, "output": {"colour": 1.0}}
    return make_plan(
        VideoOptions.parse(request | {"seed": 1, "sampling": {"steps": 1}} | values), ModelFolders(tmp_path)
    )


def test_one_cloud_becomes_the_other() -> None:
    one, other = Cloud.of(drifted(scene())[None]), Cloud.of(scene()[None])
    made = Cloud.of(mapped(drifted(scene()), one.towards(other, 1.0))[None])
    assert made.mean == pytest.approx(other.mean, abs=0.5)
    assert made.spread == pytest.approx(other.spread, rel=0.02, abs=10)
    half = Cloud.of(mapped(drifted(scene()), one.towards(other, 0.5))[None])
    assert half.mean == pytest.approx((one.mean + other.mean) / 2, abs=0.5)


def test_a_flat_picture_stays_nearly_flat() -> None:
    flat = np.full((SIDE, SIDE, 3), 90, np.uint8)
    made = mapped(flat, Cloud.of(flat[None]).towards(Cloud.of(scene()[None]), 1.0))
    assert made.std(axis=(0, 1)).max() < 1.0


@pytest.mark.parametrize(("model", "runs"), [("tiny-f1", (0, 1, 2)), ("tiny", (2, 1, 0))])
def test_nothing_jumps(tmp_path: Path, picture: Path, model: str, runs: tuple[int, ...]) -> None:
    """One run is as it should be and the others have drifted: no step, the first frame is what it was, the middle of
    every run is as it should be.
    """
    made = plan(tmp_path, model, picture)
    colours = Colours(made, {"image": scene()})
    still = [np.stack([scene() if run == 0 else drifted(scene())] * RUN) for run in range(len(runs))]
    shown = {run: colours.drawn_back(run * RUN, still[run]) for run in runs}
    clip = np.concatenate([shown[run] for run in sorted(runs)]).astype(int)
    assert np.array_equal(clip[0], scene())
    means = clip.mean(axis=(1, 2))
    jump = np.abs(drifted(scene()).mean(axis=(0, 1)) - scene().mean(axis=(0, 1))).max()
    steps = np.abs(np.diff(means, axis=0)).max(axis=1)
    assert steps[2 * RUN - 1] < 0.2 * jump
    for run in (1, 2):
        assert np.abs(means[run * RUN + RUN // 2] - means[0]).max() < 1.0


def frames(events: list[Event]) -> NDArray[np.uint8]:
    runs = sorted((event.first, event.frames) for event in events if isinstance(event, FramesReady))
    return np.concatenate([run for _, run in runs])


@pytest.mark.parametrize("model", ["tiny", "tiny-f1"])
def test_a_job_that_is_gone_on_with_has_the_same_colours(tmp_path: Path, picture: Path, model: str) -> None:
    components = Components(find(model), Runtime(ModelFolders(tmp_path), "cpu"))
    made, off = (plan(tmp_path, model, picture, seconds=1.2, output={"colour": strength}) for strength in (1.0, 0.0))
    whole = frames(list(generate(made, tmp_path / "whole", components)))
    with closing(generate(made, tmp_path / "parts", components)) as events:  # type: ignore[type-var]
        next(event for event in events if isinstance(event, SectionDone))
    (checkpoint,) = map(Checkpoint, unfinished(tmp_path / "parts"))
    rest = generate(checkpoint.plan(made.entry), tmp_path / "parts", components, checkpoint=checkpoint)
    assert np.array_equal(frames(list(rest)), whole)
    plain = frames(list(generate(off, tmp_path / "off", components)))
    assert np.array_equal(plain[0], whole[0]) and not np.array_equal(plain, whole)
