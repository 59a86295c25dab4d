"""Going on from latents that were made before: redone from a section on, or extended."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eichi import make_plan
from eichi.catalog import ModelFolders
from eichi.errors import InputError
from eichi.events import Event, Finished, SectionDone, Started, Step
from eichi.models.load import Components
from eichi.options import VideoOptions
from eichi.pipeline.checkpoint import Checkpoint
from eichi.pipeline.generate import generate
from eichi.settings import Runtime
from eichi.video.jobfolder import find
from eichi.video.latentfile import load_latents
from tests import small


@pytest.fixture(scope="module", params=["framepack", "framepack-f1"])
def components(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Components:
    folder = small.build(tmp_path_factory.mktemp(request.param), request.param)
    return Components(small.entry(folder), Runtime(ModelFolders(folder), "cpu"))


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "start.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(path)
    return path


def request(picture: Path, **values: Any) -> VideoOptions:
    asked = {"image": picture, "prompt": "a red star", "section_size": 0.5, "seconds": 2, "seed": 1} | values
    return VideoOptions.parse(asked | {"sampling": {"steps": 2}, "output": {"latents": True}})


def run(components: Components, picture: Path, folder: Path, **values: Any) -> tuple[Path, list[Event]]:
    events = list(generate(make_plan(request(picture, **values), components.entry), folder, components))
    assert isinstance(events[-1], Finished)
    return Path(events[-1].video), events


def latents(video: Path) -> np.ndarray:
    return load_latents(video.with_suffix(".safetensors")).values


def test_kept_and_redone(components: Components, start: Path, tmp_path: Path) -> None:
    whole, _ = run(components, start, tmp_path / "whole")
    file = whole.with_suffix(".safetensors")

    same, events = run(components, start, tmp_path / "same", kept={"latents": file, "sections": 1})
    assert np.array_equal(latents(same), latents(whole))
    done = [event for event in events if isinstance(event, SectionDone)]
    assert [event.computed for event in done] == [0, 2, 2]
    assert sum(isinstance(event, Step) for event in events) == 4

    other, _ = run(components, start, tmp_path / "other", prompt="moves left", kept={"latents": file, "sections": 2})
    equal = (latents(other) == latents(whole)).all(axis=(0, 1, 3, 4))
    fresh = slice(1, 6) if components.entry.direction == "reverse" else slice(11, 16)
    assert not equal[fresh].any()
    equal[fresh] = True
    assert equal.all()


def test_extended(components: Components, start: Path, tmp_path: Path) -> None:
    short, _ = run(components, start, tmp_path / "short", seconds=1.4)
    long, _ = run(components, start, tmp_path / "long", kept={"latents": short.with_suffix(".safetensors")})
    before, after = latents(short), latents(long)
    assert (before.shape[2], after.shape[2]) == (11, 16)
    # The standard model adds before the start, F1 behind the end; the start image's latent stays in front.
    kept = after[:, :, 6:] if components.entry.direction == "reverse" else after[:, :, 1:11]
    assert np.array_equal(kept, before[:, :, 1:])


def test_interrupted_before_anything_is_drawn(components: Components, start: Path, tmp_path: Path) -> None:
    whole, _ = run(components, start, tmp_path / "whole")
    kept = {"latents": whole.with_suffix(".safetensors"), "sections": 1}
    again, _ = run(components, start, tmp_path / "again", prompt="moves left", kept=kept)

    out = tmp_path / "interrupted"
    events = generate(make_plan(request(start, prompt="moves left", kept=kept), components.entry), out, components)
    next(event for event in events if isinstance(event, Started))
    events.close()  # type: ignore[attr-defined]
    checkpoint = Checkpoint(find(None, out))
    *_, last = generate(checkpoint.plan(components.entry), out, components, checkpoint=checkpoint)
    assert isinstance(last, Finished)
    assert np.array_equal(latents(Path(last.video)), latents(again))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"section_size": 1.0}, "sections of 9"),
        ({"seconds": 0.5}, "longer or keep fewer"),
        ({"kept": {"sections": 4}}, "3 sections to keep"),
        ({"kept": {"latents": "nowhere.safetensors"}}, "no file nowhere"),
    ],
)
def test_refusals(components: Components, start: Path, tmp_path: Path, values: dict[str, Any], words: str) -> None:
    whole, _ = run(components, start, tmp_path / "whole")
    kept = {"latents": whole.with_suffix(".safetensors")} | values.get("kept", {})
    with pytest.raises(InputError, match=words):
        run(components, start, tmp_path / "again", **(values | {"kept": kept}))
