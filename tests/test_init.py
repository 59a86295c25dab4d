"""The calls from Python: everything that is not given is as the settings of the machine have it at the call."""

from pathlib import Path

import pytest

from eichi import (
    FinishOptions,
    FrameOptions,
    VideoOptions,
    finish_video,
    generate,
    generate_frame,
    make_finish_plan,
    make_frame_plan,
    make_plan,
)
from eichi.catalog import ModelFolders
from eichi.errors import DeviceError, OptionError
from eichi.events import Finished, FrameFinished
from eichi.models.load import Components
from eichi.settings import Runtime
from tests.clips import Made


@pytest.fixture
def video(picture: Path) -> VideoOptions:
    values = {"image": picture, "prompt": "p", "seconds": 0.5, "section_size": 0.5, "sampling": {"steps": 1}}
    return VideoOptions.parse(values)


@pytest.fixture
def frame(picture: Path) -> FrameOptions:
    return FrameOptions.parse({"image": picture, "prompt": "p", "sampling": {"steps": 1}})


def test_a_request_and_a_folder_are_enough(video: VideoOptions, frame: FrameOptions, home: Path) -> None:
    *_, last = generate(make_plan(video))
    assert isinstance(last, Finished) and Path(last.video).parent == Path("outputs")
    *_, last = generate_frame(make_frame_plan(frame))
    assert isinstance(last, FrameFinished) and Path(last.image).parent == Path("outputs")
    assert list((home / "cache").rglob("*.safetensors"))  # the prompt


def test_a_video_is_finished(tmp_path: Path) -> None:
    video = Made(count=6, size=(64, 48)).write(tmp_path / "clip.mp4")
    plan = make_finish_plan(FinishOptions.parse({"video": video, "finish": {"format": "gif", "scale": 0.5}}))
    *_, last = finish_video(plan, tmp_path / "out")
    assert isinstance(last, Finished) and Path(last.video).suffix == ".gif" and last.frames == 6


def test_the_settings_are_those_at_the_call(
    video: VideoOptions, frame: FrameOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = make_plan(video), make_frame_plan(frame)
    monkeypatch.setenv("EICHI_DEVICE", "nowhere")
    for events in (generate(plans[0], tmp_path), generate_frame(plans[1], tmp_path)):
        with pytest.raises(DeviceError, match="nowhere"):
            next(iter(events))
    monkeypatch.setenv("EICHI_VAE_TILE", "none")
    for make in (lambda: make_plan(video), lambda: make_frame_plan(frame)):
        with pytest.raises(OptionError, match="vae_tile"):
            make()
    own = Components(plans[0].entry, Runtime(ModelFolders(tmp_path), "cpu"))
    *_, last = generate_frame(plans[1], tmp_path, own)
    assert isinstance(last, FrameFinished)
