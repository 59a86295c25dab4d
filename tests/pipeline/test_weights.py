"""What a request wants of the weights reaches what is drawn, is told, is recorded, and ends with the request."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eichi import make_frame_plan, make_plan
from eichi.catalog import ModelFolders
from eichi.errors import InputError, LoraError
from eichi.events import Adjusted, Event, Finished, SectionDone
from eichi.models.load import Components
from eichi.models.weights import Weights
from eichi.options import FrameOptions, VideoOptions
from eichi.pipeline.checkpoint import Checkpoint
from eichi.pipeline.generate import generate
from eichi.pipeline.oneframe import generate_frame
from eichi.settings import Runtime
from eichi.video.jobfolder import find
from eichi.video.metadata import read_record
from eichi.video.reader import read_frames
from tests import loras, small


@pytest.fixture(scope="module")
def components(tmp_path_factory: pytest.TempPathFactory) -> Components:
    folder = small.build(tmp_path_factory.mktemp("framepack"))
    return Components(small.entry(folder), Runtime(ModelFolders(folder), "cpu"))


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    picture = tmp_path_factory.mktemp("pictures") / "start.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(picture)
    return {
        "image": picture,
        "prompt": "star",
        "seconds": 0.5,
        "section_size": 0.5,
        "seed": 3,
        "sampling": {"steps": 2},
    }


@pytest.fixture
def style(components: Components, tmp_path: Path) -> Path:
    """A LoRA strong enough to be seen through random weights."""
    return loras.build(tmp_path / "style.safetensors", "musubi, original", components.weights.shapes)


def run(components: Components, values: dict[str, Any], folder: Path, **weights: object) -> tuple[bytes, list[Event]]:
    plan = make_plan(VideoOptions.parse(values | {"weights": weights}), components.entry)
    events = list(generate(plan, folder, components))
    assert isinstance(events[-1], Finished)
    return Path(events[-1].video).read_bytes(), events


def _frames(events: list[Event]) -> list[bytes]:
    assert isinstance(events[-1], Finished)
    return [frame.pixels.tobytes() for frame in read_frames(Path(events[-1].video))]


def notes(events: list[Event]) -> list[str]:
    return [event.id for event in events if isinstance(event, Adjusted) and event.id.startswith(("note.l", "note.fp8"))]


def test_a_lora_changes_the_video_and_leaves_with_the_request(
    components: Components, values: dict[str, Any], style: Path, tmp_path: Path
) -> None:
    plain, events = run(components, values, tmp_path)
    assert notes(events) == []
    styled, events = run(components, values, tmp_path, loras=[f"{style}:2"])
    assert notes(events) == ["note.lora.used"]
    (used,) = [event for event in events if isinstance(event, Adjusted) and event.id == "note.lora.used"]
    assert used.values == {
        "path": str(style), "format": "musubi", "weights": 40, "rank": "2", "alpha": "3", "strength": 2.0
    }  # fmt: skip
    assert isinstance(events[-1], Finished)
    recorded = read_record(Path(events[-1].video))["request"]["weights"]
    assert recorded["loras"] == [{"file": style.name, "strength": 2.0}]
    again, _ = run(components, values, tmp_path)
    assert (again == plain, styled == plain) == (True, False)
    assert run(components, values, tmp_path, loras=[f"{style}:2"])[0] == styled


def test_eight_bits_are_told_with_their_error(components: Components, values: dict[str, Any], tmp_path: Path) -> None:
    plain, _ = run(components, values, tmp_path)
    for weights in ({"fp8": "tensor"}, {"fp8": "row"}, {"fp8": "row", "fp8_math": True}):
        made, events = run(components, values, tmp_path, **weights)
        (loss,) = [event for event in events if isinstance(event, Adjusted) and event.id == "note.fp8.loss"]
        assert loss.values["layers"] == 34
        assert loss.values["percent"] == pytest.approx(2.75, abs=0.75)
        assert made != plain


def test_one_image(components: Components, values: dict[str, Any], style: Path, tmp_path: Path) -> None:
    request = {key: value for key, value in values.items() if not key.startswith("sec")}

    def draw(**weights: object) -> list[Event]:
        plan = make_frame_plan(FrameOptions.parse(request | {"weights": weights}), components.entry)
        return list(generate_frame(plan, tmp_path, components))

    draw()
    assert notes(draw(loras=[style], fp8="row")) == ["note.lora.used", "note.fp8.loss"]
    draw()
    pictures = [np.asarray(Image.open(path)).tobytes() for path in sorted(tmp_path.glob("*.png"))]
    assert pictures[0] == pictures[2] != pictures[1]


def test_weights_are_read_once_for_a_job_and_not_for_the_next(
    components: Components, values: dict[str, Any], style: Path, tmp_path: Path
) -> None:
    run(components, values, tmp_path, loras=[style])
    made: Weights = components.weights
    made.made = 0
    run(components, values, tmp_path, loras=[style])
    assert made.made == 0
    run(components, values, tmp_path, loras=[f"{style}:0.1"])
    assert made.made == 40


def test_going_on_with_the_same_lora_elsewhere_gives_the_same_frames(
    components: Components, values: dict[str, Any], style: Path, tmp_path: Path
) -> None:
    """Moved into a folder below one of the machine's and touched: what is in the file counts."""
    request = VideoOptions.parse(values | {"seconds": 1, "weights": {"loras": [style]}})
    plan = make_plan(request, components.entry)
    whole = _frames(list(generate(plan, tmp_path, components)))
    events = generate(plan, tmp_path, components)
    assert any(isinstance(event, SectionDone) for event in events)
    events.close()  # type: ignore[attr-defined]
    checkpoint = Checkpoint(find(None, tmp_path))
    moved = tmp_path / "loras" / "styles" / style.name
    moved.parent.mkdir(parents=True)
    moved.write_bytes(style.read_bytes())
    style.unlink()
    plan = checkpoint.located([tmp_path / "loras"], components.entry)
    assert plan.options.weights.loras[0].file == moved
    assert _frames(list(generate(plan, tmp_path, components, checkpoint=checkpoint))) == whole


def test_going_on_with_another_lora_of_the_same_name_is_refused(
    components: Components, values: dict[str, Any], style: Path, tmp_path: Path
) -> None:
    request = VideoOptions.parse(values | {"seconds": 1, "weights": {"loras": [style]}})
    events = generate(make_plan(request, components.entry), tmp_path, components)
    assert any(isinstance(event, SectionDone) for event in events)
    events.close()  # type: ignore[attr-defined]
    checkpoint = Checkpoint(find(None, tmp_path))
    loras.build(style, "musubi", components.weights.shapes)
    plan = checkpoint.plan(components.entry)
    with pytest.raises(InputError, match=r"weights\.lora 1 \w+ → \w+"):
        list(generate(plan, tmp_path, components, checkpoint=checkpoint))
    style.unlink()
    with pytest.raises(LoraError, match="no LoRA file"):
        list(generate(plan, tmp_path, components, checkpoint=checkpoint))
    assert checkpoint.sections()
