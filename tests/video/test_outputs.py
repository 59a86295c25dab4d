"""What a job leaves behind beside the video: stills, frames, segments, latents."""

import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from eichi.catalog import find
from eichi.events import Flagged, FramesReady, LatentsReady, SectionDone, Stopped
from eichi.options import VideoOptions
from eichi.plan.plan import Plan, make_plan
from eichi.video.join import Around
from eichi.video.latentfile import load_latents
from eichi.video.metadata import read_record, record
from eichi.video.outputs import Outputs
from tests.clips import clip


def plan(model: str = "tiny", **output: Any) -> Plan:
    values = {"model": model, "image": "start.png", "seconds": 2, "seed": 1, "output": output}
    return make_plan(VideoOptions.parse(values), find(model), (64, 64))


def shade(index: int) -> int:
    """Brightness of a frame, so that a picture tells which frame it is."""
    return 20 + 3 * index


def run(made: Plan, path: Path, stop_after: int | None = None) -> list[str]:
    """Play a job of grey frames through the outputs; returns the names of the files."""
    outputs = Outputs(made, record(made), path, path.parent / ".parts")
    for section in made.sections[:stop_after]:
        index = range(section.start_frame, section.end_frame)
        frames = np.stack([np.full((64, 64, 3), shade(i), dtype=np.uint8) for i in index])
        first = 0 if section.start_frame == 0 else section.first
        count = made.window + (first == 0)
        outputs.take(
            LatentsReady(section.order, first, np.full((1, 16, count, 8, 8), section.number, dtype=np.float32))
        )
        outputs.take(SectionDone(section.number, section.order, len(made.sections), 1, 0))
        outputs.take(FramesReady(section.start_frame, frames))
    if stop_after is None:
        outputs.finish(np.zeros((64, 64, 3), dtype=np.uint8))
    else:
        outputs.stop()
    return sorted(
        str(file.relative_to(path.parent))
        for file in path.parent.rglob("*")
        if file.is_file() and ".parts" not in file.parts
    )


def test_nothing_more_than_asked(tmp_path: Path) -> None:
    assert run(plan(), tmp_path / "job.mp4") == ["job.mp4", "job.png"]


def test_stills_are_of_the_right_section(tmp_path: Path) -> None:
    """eichi saves the end of the section before; here section 0 is the end of the video."""
    names = run(plan(stills=True), tmp_path / "job.mp4")
    assert names == ["job.mp4", "job.png", "job_section0.png", "job_section1.png"]
    for number, last in ((0, 72), (1, 36)):
        path = tmp_path / f"job_section{number}.png"
        assert np.asarray(Image.open(path))[0, 0, 0] == shade(last)
        assert read_record(path)["frame"] == last


@pytest.mark.parametrize(
    ("model", "choice", "expected"),
    [("tiny", "all", range(73)), ("tiny", "last", range(37)), ("tiny-f1", "last", range(37, 73))],
)
def test_frames_once_each(tmp_path: Path, model: str, choice: str, expected: range) -> None:
    run(plan(model, frames=choice), tmp_path / "job.mp4")
    files = sorted((tmp_path / "job_frames").iterdir())
    assert [int(file.stem) for file in files] == list(expected)
    assert np.asarray(Image.open(files[0]))[0, 0, 0] == shade(expected[0])


def test_latents_in_order_with_the_request(tmp_path: Path) -> None:
    run(plan(latents=True), tmp_path / "job.mp4")
    latents = load_latents(tmp_path / "job.safetensors")
    assert latents.first == 0
    assert latents.values.shape == (1, 16, 19, 8, 8)
    assert latents.values[0, 0, :, 0, 0].tolist() == [1.0] * 10 + [0.0] * 9
    assert read_record(tmp_path / "job.safetensors")["request"]["image"] == "start.png"


@pytest.mark.skipif(sys.platform == "win32", reason="no such rights")
def test_who_may_read_the_video_may_read_its_latents(tmp_path: Path) -> None:
    run(plan(latents=True), tmp_path / "clip.mp4")
    video, latents = ((tmp_path / f"clip.{end}").stat().st_mode for end in ("mp4", "safetensors"))
    assert video == latents


def test_a_stopped_job_says_where_its_latents_begin(tmp_path: Path) -> None:
    names = run(plan(latents=True), tmp_path / "job.mp4", stop_after=1)
    assert names == ["job.safetensors", "job_stopped.mp4"]
    assert load_latents(tmp_path / "job.safetensors").first == 10


def shades(path: Path) -> list[int]:
    """The brightness of a video's frames."""
    with av.open(str(path)) as container:
        return [int(frame.to_ndarray(format="gray")[0, 0]) for frame in container.decode(video=0)]


def brightness(made: Plan, runs: list[tuple[int, int]], path: Path, finish: bool = True) -> Outputs:
    """Frames in runs as the decoder makes them final, which end in the middle of sections."""
    outputs = Outputs(made, record(made), path, path.parent / ".parts")
    for first, end in runs:
        grey = [np.full((64, 64, 3), 2 * index, dtype=np.uint8) for index in range(first, end)]
        outputs.take(FramesReady(first, np.stack(grey)))
    outputs.finish(np.zeros((64, 64, 3), dtype=np.uint8)) if finish else outputs.stop()
    return outputs


@pytest.mark.parametrize(
    ("model", "runs", "numbers"),
    [("tiny", [(49, 73), (0, 49)], (1, 0)), ("tiny-f1", [(0, 25), (25, 61), (61, 73)], (0, 1))],
)
def test_one_video_a_section_on_request(
    tmp_path: Path, model: str, runs: list[tuple[int, int]], numbers: tuple[int, int]
) -> None:
    """In the order of time by their names, and with all frames of the clip between them."""
    outputs = brightness(plan(model, segments=True), runs, tmp_path / "job.mp4")
    names = [f"job_000000-000036_section{numbers[0]}.mp4", f"job_000037-000072_section{numbers[1]}.mp4"]
    assert sorted(path.name for path in tmp_path.glob("job_*")) == names
    whole = shades(tmp_path / "job.mp4")
    parts = [shades(tmp_path / name) for name in names]
    assert [len(part) for part in parts] == [37, 36]
    joined = parts[0] + parts[1]
    assert len(joined) == len(whole) == 73
    assert max(abs(one - other) for one, other in zip(joined, whole, strict=True)) <= 2
    assert [read_record(tmp_path / name)["section"] for name in names] == list(numbers)
    assert len(outputs.writer.segments) == len(runs)


def test_a_stopped_job_keeps_what_there_is_of_its_sections(tmp_path: Path) -> None:
    brightness(plan(segments=True), [(49, 73), (25, 49)], tmp_path / "job.mp4", finish=False)
    lengths = {path.name: len(shades(path)) for path in tmp_path.glob("job_*")}
    assert lengths == {
        "job_000000-000036_section1.mp4": 12,
        "job_000037-000072_section0.mp4": 36,
        "job_stopped.mp4": 48,
    }
    brightness(plan(segments=True), [(49, 73), (25, 49), (0, 25)], tmp_path / "job.mp4")
    lengths = {path.name: len(shades(path)) for path in tmp_path.glob("job_*")}
    assert lengths == {"job_000000-000036_section1.mp4": 37, "job_000037-000072_section0.mp4": 36}


def test_no_section_is_encoded_unasked(tmp_path: Path) -> None:
    brightness(plan(), [(49, 73), (0, 49)], tmp_path / "job.mp4")
    assert sorted(path.name for path in (tmp_path / ".parts").iterdir()) == ["000000-000048.mp4", "000049-000072.mp4"]
    assert list(tmp_path.glob("job_*")) == []


def test_the_connecting_section_of_a_loop_has_a_name(tmp_path: Path) -> None:
    values = {"image": "start.png", "seconds": 2, "seed": 1, "output": {"segments": True}}
    made = make_plan(VideoOptions.parse(values | {"keyframes": {"loop": "seamless"}}), find("tiny"), (64, 64))
    brightness(made, [(0, 60), (60, 73)], tmp_path / "job.mp4")
    names = sorted(path.name for path in tmp_path.glob("job_*"))
    assert names == ["job_000000-000036_section0.mp4", "job_000037-000072_connecting.mp4"]


def test_a_job_without_frames_is_stopped_without_a_video(tmp_path: Path) -> None:
    made = plan()
    outputs = Outputs(made, record(made), tmp_path / "job.mp4", tmp_path / ".parts")
    outputs.take(SectionDone(0, 0, 2, 1, 0))
    assert outputs.stop() == Stopped(None, 1, 0, 1)
    assert list(tmp_path.iterdir()) == []


def test_what_looked_odd_is_told_in_the_end(tmp_path: Path) -> None:
    made = plan(frames="none")
    outputs = Outputs(made, record(made), tmp_path / "job.mp4", tmp_path / ".parts")
    flag = Flagged(0, "flag.black", {})
    outputs.take(flag)
    outputs.take(FramesReady(0, np.zeros((made.frames, 64, 64, 3), dtype=np.uint8)))
    assert outputs.finish(np.zeros((64, 64, 3), dtype=np.uint8)).flags == (flag,)


@pytest.mark.parametrize("sides", ["before", "after"])
@pytest.mark.parametrize("rate", [24, 60])
def test_what_a_job_continues_is_in_its_video_also_when_it_goes_on(tmp_path: Path, sides: str, rate: int) -> None:
    around, made = Around(**{sides: clip(tmp_path / "given.mp4", 10, rate)}), plan()

    def play(path: Path, runs: list[tuple[int, int]]) -> Outputs:
        outputs = Outputs(made, record(made), path, tmp_path / f".{path.stem}", around=around)
        assert outputs.notes == ()
        assert list(outputs.lay()) == []
        for first, end in runs:
            levels = np.array([shade(index) for index in range(first, end)], dtype=np.uint8)
            outputs.take(FramesReady(first, np.broadcast_to(levels[:, None, None, None], (end - first, 64, 64, 3))))
        return outputs

    whole, later = tmp_path / "whole.mp4", tmp_path / "later.mp4"
    play(whole, [(37, 73), (0, 37)]).finish(np.zeros((64, 64, 3), dtype=np.uint8))
    assert not play(later, [(37, 73)]).complete
    outputs = play(later, [(37, 73), (0, 37)])
    assert outputs.complete
    finished = outputs.finish(np.zeros((64, 64, 3), dtype=np.uint8))
    new = round(73 * rate / 30)
    assert (finished.frames, finished.seconds) == (73, made.seconds)  # of the new part
    assert len(shades(whole)) == 10 + new
    assert whole.read_bytes() == later.read_bytes()
    seen = shades(whole)[10:] if sides == "before" else shades(whole)[:new]
    assert (seen[0], seen[-1]) == pytest.approx((shade(0), shade(72)), abs=3)
    assert read_record(whole)["frames"] == 73
