"""A chain over a video: which frames come when, what is kept, what is said; an interruption leaves no trace."""

import io
import os
from fractions import Fraction
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import av
import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from eichi.errors import EichiError, InputError
from eichi.events import Adjusted, FinishStarted, SectionDone, Step, Stopped
from eichi.finish import filters
from eichi.finish.folder import left_over, new_folder
from eichi.finish.forms import FORMS
from eichi.finish.plan import FinishPlan, make_finish_plan, need
from eichi.finish.run import finish, preview
from eichi.library.restore import restore
from eichi.options import ChainOptions, FinishOptions, VideoOptions
from eichi.settings import Runtime
from eichi.video.metadata import read_record, save_png
from eichi.video.reader import read_frames
from tests.clips import Made, grey
from tests.finish.conftest import COUNT, SIZE, Plans, Runs, ended, greys

FORWARD = [grey(number) for number in range(COUNT)]
BACK = FORWARD[::-1]


@pytest.mark.parametrize(
    ("chain", "shown"),
    [
        ({}, FORWARD),
        ({"reverse": True}, BACK),
        ({"pingpong": True}, FORWARD + BACK[1:-1]),
        ({"reverse": True, "pingpong": True}, BACK + FORWARD[1:-1]),
        ({"speed": 2.0}, FORWARD[::2]),
        ({"speed": 0.5}, [one for one in FORWARD for _ in range(2)]),
        ({"fps": 15.0}, FORWARD[::2]),
        ({"repeat": 3}, FORWARD * 3),
        ({"reverse": True, "repeat": 2, "speed": 2.0}, BACK[::2] * 2),
    ],
)
def test_frames_come_in_their_order(chain: dict[str, Any], shown: list[int], run: Runs, plan_of: Plans) -> None:
    made = run(**chain)
    assert np.allclose(greys(made.video), shown, atol=3)
    assert made.frames == len(shown) and made.seconds == pytest.approx(len(shown) / float(plan_of(**chain).out))


def test_what_is_made_up_lies_in_between(run: Runs) -> None:
    """Motion is estimated in parts, and no part shows where it begins; the pace stays."""
    found = greys(run(fps=60.0).video)
    assert len(found) == 2 * COUNT and np.allclose(found[::2], FORWARD, atol=3)
    assert all(low - 3 <= one <= low + 7 for low, one in zip(FORWARD, found[1::2], strict=True))
    slow = greys(run(fps=30.0, speed=0.5).video)
    assert len(slow) == 2 * COUNT


@pytest.mark.parametrize(("chain", "motion"), [({"denoise": 1.0}, None), ({}, Fraction(50))])
def test_parts_come_out_like_the_whole(chain: dict[str, Any], motion: Fraction | None) -> None:
    down, across = np.mgrid[: SIZE[1], : SIZE[0]]
    drawn = [np.stack([across * 3 + n * 4, down * 4, across + down + n], -1).astype(np.uint8) for n in range(30)]
    steps, rate = filters.before(ChainOptions.parse(chain), motion), Fraction(30)
    around = filters.reach(ChainOptions.parse(chain), motion)
    assert around
    whole = dict(filters.filtered(enumerate(drawn), steps, rate))
    part = dict(filters.filtered(list(enumerate(drawn))[12 - around : 20 + around], steps, rate))
    numbers = range(12, 20) if motion is None else range(20, 33)
    assert all(np.array_equal(whole[number], part[number]) for number in numbers)


def test_uneven_videos_get_an_even_pace(run: Runs, tmp_path: Path, plan_of: Plans) -> None:
    times = [Fraction(one, 30) for one in (0, 1, 4, 5, 9, 10)]
    video = Made(count=6, size=SIZE, times=times, options={"crf": "1"}).write(tmp_path / "uneven.mkv")
    plan = plan_of(video=video)
    assert "note.finish.uneven" in {note.id for note in plan.notes}
    found, shown = greys(run(video=video).video), [grey(n) for n in (0, 1, 1, 1, 2, 3, 3, 3, 3, 4)]
    assert np.allclose(found[: len(shown)], shown, atol=3) and np.allclose(found[len(shown) :], grey(5), atol=2)


def test_looks_change_the_pixels_and_the_size(run: Runs) -> None:
    made = run(scale=2.0, brightness=0.2, contrast=1.2, saturation=0.5, sharpen=0.3, vignette=0.8)
    with av.open(made.video) as container:
        frames = [frame.to_ndarray(format="rgb24").astype(float) for frame in container.decode(video=0)]
    assert frames[0].shape == (2 * SIZE[1], 2 * SIZE[0], 3)
    assert frames[0][48, 64].mean() > FORWARD[0] + 10 and frames[-1][0, 0].mean() < frames[-1][48, 64].mean() - 20


def test_grain_is_drawn_the_same_and_denoising_takes_it_away(run: Runs, plan_of: Plans) -> None:
    first, second = (Path(run(grain=0.5, compression=4).video) for _ in range(2))
    assert first.read_bytes() == second.read_bytes()

    def noise(path: str | Path) -> float:
        with av.open(str(path)) as container:
            return float(np.mean([frame.to_ndarray(format="gray").std() for frame in container.decode(video=0)]))

    assert noise(run(video=first, denoise=1.0, compression=4).video) < noise(first) / 4


FORMED = [*FORMS]


@pytest.mark.parametrize("name", FORMED)
def test_every_form_opens_elsewhere(name: str, run: Runs) -> None:
    """By FFmpeg's own program, another version of it than ours, and pictures by Pillow."""
    made = Path(run(format=name, repeat=2).video)
    assert made.suffix == FORMS[name].ending and made.with_suffix(".png").is_file()
    if name == "png":
        with ZipFile(made) as archive:
            assert archive.namelist() == [f"{number:06d}.png" for number in range(2 * COUNT)]
            (first, last) = (np.asarray(Image.open(archive.open(archive.namelist()[at]))) for at in (0, -1))
        assert abs(first.mean() - FORWARD[0]) < 4 and abs(last.mean() - FORWARD[-1]) < 4
    elif name in ("gif", "webp"):
        with Image.open(made) as picture:
            count = int(getattr(picture, "n_frames", 1))
            assert picture.size == SIZE and picture.info["loop"] == 0
            lasting = 0
            for at in range(count):  # like frames are one
                picture.seek(at)
                picture.load()
                lasting += picture.info["duration"]
            assert lasting == pytest.approx(1000 * 2 * COUNT / 30, abs=40)
            assert abs(np.asarray(picture.convert("RGB")).mean() - FORWARD[-1]) < 6
    else:
        assert imageio_ffmpeg.count_frames_and_secs(str(made)) == (2 * COUNT, pytest.approx(2 * COUNT / 30, abs=0.05))


@pytest.mark.parametrize("name", ["mp4", "hevc", "av1", "webm", "gif", "png"])
def test_interrupted_and_gone_on_with_the_bytes_are_the_same(
    name: str, plan_of: Plans, runtime: Runtime, tmp_path: Path
) -> None:
    plan = plan_of(format=name, grain=0.4, denoise=0.4, pingpong=True)
    whole = ended(list(finish(plan, tmp_path / "whole", runtime)))
    out, cut = tmp_path / "cut", 0
    for stops in (1, 2):  # in a part, and between two
        asked = iter([False] * (stops * 3) + [True] * 1000)
        events = list(finish(plan, out, runtime, lambda asked=asked: next(asked), left_over(out, plan)))  # type: ignore[misc]
        assert isinstance(events[-1], Stopped) and not list(out.glob("[!.]*"))
        cut += 1
    place = left_over(out, plan)
    assert cut == 2 and place is not None and list(place.folder.glob("*-*"))
    events = list(finish(plan, out, runtime, place=place))
    assert Path(ended(events).video).read_bytes() == Path(whole.video).read_bytes()
    assert any(isinstance(one, SectionDone) and not one.computed for one in events)
    assert not list(out.glob(".*"))


def test_what_was_left_behind_a_whole_result_goes(plan_of: Plans, runtime: Runtime, tmp_path: Path) -> None:
    plan, place = plan_of(), new_folder(tmp_path, ".mp4")
    place.begin(plan)
    place.result.touch()
    assert left_over(tmp_path, plan) == place  # its picture is still to be made
    place.poster.touch()
    assert left_over(tmp_path, plan) is None and not place.folder.exists()


def test_what_is_left_of_another_video_is_not_gone_on_with(
    clip: Path, plan_of: Plans, runtime: Runtime, tmp_path: Path
) -> None:
    video = tmp_path / "video.mp4"
    video.write_bytes(clip.read_bytes())
    asked = iter([False] * 4 + [True] * 9)
    list(finish(plan_of(video=video), tmp_path / "out", runtime, lambda: next(asked)))
    place = left_over(tmp_path / "out", plan_of(video=video))
    assert place is not None and left_over(tmp_path / "out", plan_of(video=video, grain=0.1)) is None
    Made(count=COUNT, size=SIZE, first=7).write(video)
    events = list(finish(plan_of(video=video), tmp_path / "out", runtime, place=place))
    assert Adjusted("note.finish.anew", {}) in events
    assert np.allclose(greys(ended(events).video)[0], grey(7), atol=2)


def sound_of(path: str) -> tuple[str, float]:
    """The codec and the seconds of a file's sound."""
    with av.open(path) as container:
        stream = container.streams.audio[0]
        samples = sum(frame.samples for frame in container.decode(stream))
        return stream.codec_context.codec.canonical_name, samples / (stream.rate or 1)


def test_sound_goes_with_the_pictures(run: Runs, plan_of: Plans) -> None:
    second = COUNT / 30
    wanted: tuple[tuple[dict[str, Any], str, float], ...] = (
        ({}, "aac", second),
        ({"speed": 2.0}, "aac", second / 2),
        ({"speed": 0.25}, "aac", second * 4),
        ({"repeat": 2}, "aac", second * 2),
        ({"format": "webm"}, "opus", second),
        ({"format": "prores"}, "aac", second),
    )
    for chain, codec, seconds in wanted:
        found = sound_of(run(**chain).video)
        assert found[0] == codec and found[1] == pytest.approx(seconds, abs=0.05), chain
    silent: tuple[tuple[dict[str, Any], str], ...] = (
        ({"reverse": True}, "note.finish.silent_order"),
        ({"format": "gif"}, "note.finish.silent"),
    )
    for chain, note in silent:
        assert note in {one.id for one in plan_of(**chain).notes}
        with av.open(run(**chain).video) as container:
            assert not container.streams.audio


@pytest.mark.parametrize("name", ["mp4", "prores", "webm", "gif", "webp", "png"])
def test_the_record_says_what_was_done_and_to_what(name: str, run: Runs) -> None:
    first = run(grain=0.2)
    made = run(video=Path(first.video), format=name, speed=2.0)
    files: list[Path] = [Path(made.poster), *([] if name == "png" else [Path(made.video)])]
    for path in files:
        values = read_record(path)
        assert values["kind"] == "finish" and values["request"]["finish"]["speed"] == 2.0
        assert values["request"]["video"] == Path(first.video).name  # and no folder
        (source,) = values["sources"]
        assert source["request"]["finish"]["grain"] == 0.2 and source["sources"] == [None]
    if name == "png":
        with ZipFile(made.video) as archive, Image.open(io.BytesIO(archive.read("000003.png"))) as picture:
            assert '"frame": 3' in str(picture.info["eichi"]) or '"frame":3' in str(picture.info["eichi"])


@pytest.mark.parametrize("name", ["gif", "webp"])
def test_a_record_in_a_picture_that_moves_hurts_no_reader(name: str, run: Runs) -> None:
    made = run(format=name)
    frames = [*read_frames(Path(made.video))]  # a WebP shows frames that are alike as one
    with Image.open(made.video) as picture:
        picture.load()
        assert getattr(picture, "n_frames", 1) == len(frames) > 10 and picture.info["loop"] == 0
    assert frames[-1].time < made.seconds
    if name == "gif":
        assert imageio_ffmpeg.count_frames_and_secs(made.video)[0] == len(frames) == made.frames


@pytest.mark.parametrize("name", ["mp4", "gif", "webp"])
def test_a_finished_video_gives_the_options_of_the_one_it_was_made_from(name: str, run: Runs, tmp_path: Path) -> None:
    """Here of one frame, of which a WebP has no place for texts of its own."""
    values = {"kind": "video", "request": {"prompt": "猫", "seconds": 2.0}, "model": "tiny", "seed": 4}
    save_png(tmp_path / "made.png", np.zeros((48, 64, 3), dtype=np.uint8), {**values, "versions": {}})
    made = run(video=tmp_path / "made.png", format=name)
    found = restore(Path(made.video))
    assert (found.kind, found.values["prompt"], found.whole) == (VideoOptions, "猫", True)
    with pytest.raises(InputError):
        restore(Path(run(format=name).video), VideoOptions)  # of a video of somebody's


def test_one_frame_can_be_looked_at_before(plan_of: Plans, runtime: Runtime, run: Runs) -> None:
    chain = {"scale": 2.0, "fps": 60.0, "denoise": 0.5, "pingpong": True, "vignette": 0.5}
    plan = plan_of(**chain)
    frame = preview(plan, 0.5, runtime)
    with av.open(run(**chain, compression=1).video) as container:
        shown = [one.to_ndarray(format="rgb24") for one in container.decode(video=0)][30]
    assert np.abs(frame.astype(int) - shown.astype(int)).mean() < 3


def test_frames_are_enlarged_and_the_record_says_by_what(plan_of: Plans, run: Runs, runtime: Runtime) -> None:
    made = run(upscale="compact2x", scale=1.5, fps=10.0)
    with av.open(made.video) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert frames[0].shape == (72, 96, 3) and np.allclose([one[20:-20].mean() for one in frames], FORWARD[::3], atol=3)
    assert read_record(Path(made.video))["upscaler"] == {"name": "compact2x", "architecture": "RealESRGAN Compact"}
    assert preview(plan_of(upscale="compact2x"), 0.1, runtime).shape == (96, 128, 3)


def test_what_cannot_be_is_said_before(plan_of: Plans, tmp_path: Path, runtime: Runtime) -> None:
    for chain, id in (
        ({"scale": 0.1}, "error.finish.small"),
        ({"upscale": "nothing"}, "error.upscaler.unknown"),
    ):
        with pytest.raises(EichiError) as caught:
            plan_of(**chain)
        assert caught.value.id == id
    with pytest.raises(InputError):
        make_finish_plan(FinishOptions(video=tmp_path / "none.mp4"), runtime.models)
    notes = {note.id for note in plan_of(format="gif", fps=100.0, compression=80).notes}
    assert {"note.finish.gif_rate", "note.finish.plan"} <= notes
    assert need(plan_of(reverse=True)).disk > need(plan_of()).disk


@pytest.mark.parametrize(
    ("made", "chain", "id"),
    [
        (Made(count=2, size=(17_000, 32), codec="ffv1"), {}, "error.finish.side"),
        (Made(count=2, size=(17_000, 32), codec="ffv1"), {"reverse": True, "scale": 0.5}, "error.finish.side"),
        (Made(count=2, size=(24, 64)), {"fps": 60.0}, "error.finish.narrow"),
        (Made(count=9, rate=480), {"format": "av1"}, "error.finish.rate"),
    ],
)
def test_what_an_encoder_would_refuse_is_said_before(
    made: Made, chain: dict[str, Any], id: str, plan_of: Plans, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        plan_of(made.write(tmp_path / "a.mkv"), **chain)
    assert caught.value.id == id


def test_an_upscaler_makes_no_frames_beyond_measure(plan_of: Plans, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eichi.finish.plan.BUDGET", 16 * 4000)
    plan_of(upscale="compact2x", scale=0.5)
    monkeypatch.setattr("eichi.finish.plan.BUDGET", 16 * 1000)
    with pytest.raises(InputError) as caught:
        plan_of(upscale="compact2x", scale=0.5)
    assert caught.value.id == "error.finish.enlarged"


def test_room_is_reckoned_for_what_is_repeated_and_for_forms_that_are_large(plan_of: Plans) -> None:
    once = need(plan_of()).disk
    assert need(plan_of(repeat=99)).disk == 50 * once
    for chain in ({"format": "prores"}, {"compression": 1}, {"grain": 1.0}):
        assert need(plan_of(**chain)).disk > 5 * once


def test_a_preview_is_of_the_even_pace(plan_of: Plans, runtime: Runtime, tmp_path: Path) -> None:
    video = Made(count=5, times=[Fraction(at) for at in (0, 1, 2, 3, 4)]).write(tmp_path / "uneven.mp4")
    assert make_finish_plan(FinishOptions(video=video), runtime.models).clip.rate is not None
    video = Made(count=5, times=[Fraction(at) for at in (0, 1, 2, 3, 9)]).write(tmp_path / "uneven.mp4")
    plan = plan_of(video)
    seen = [float(preview(plan, at, runtime).mean()) for at in (0.5, 2.5, 6.0)]
    assert seen == pytest.approx([grey(0), grey(2), grey(3)], abs=3)


def test_a_video_that_changes_meanwhile_makes_no_mixture(
    plan_of: Plans, runtime: Runtime, tmp_path: Path, clip: Path
) -> None:
    video = tmp_path / "own.mp4"
    video.write_bytes(clip.read_bytes())
    work = finish(plan_of(video), tmp_path / "out", runtime)
    next(event for event in work if isinstance(event, FinishStarted))
    os.utime(video, ns=(1, 1))
    with pytest.raises(InputError) as caught:
        list(work)
    assert caught.value.id == "error.finish.changed" and not [*(tmp_path / "out").iterdir()]


def test_a_video_that_is_gone_meanwhile_costs_no_work(
    plan_of: Plans, runtime: Runtime, tmp_path: Path, clip: Path, run: Runs
) -> None:
    """It is moved back, and the job goes on."""
    video, out = tmp_path / "own.mp4", tmp_path / "gone"
    video.write_bytes(clip.read_bytes())
    whole = run(video=video, grain=0.2)
    work = finish(plan_of(video, grain=0.2), out, runtime)
    next(event for event in work if isinstance(event, SectionDone))
    video.rename(tmp_path / "moved.mp4")
    with pytest.raises(InputError) as caught:
        list(work)
    assert caught.value.id == "error.file.missing" and str(caught.value.values["path"]) == str(video)
    (tmp_path / "moved.mp4").rename(video)
    place = left_over(out, plan := plan_of(video, grain=0.2))
    assert place is not None and place.made
    assert Path(ended([*finish(plan, out, runtime, place=place)]).video).read_bytes() == Path(whole.video).read_bytes()


def test_a_full_disk_is_said_before(plan_of: Plans, tmp_path: Path, runtime: Runtime, monkeypatch: Any) -> None:
    monkeypatch.setattr("eichi.finish.plan.shutil.disk_usage", lambda folder: type("Usage", (), {"free": 10})())
    with pytest.raises(EichiError) as caught:
        next(finish(plan_of(), tmp_path, runtime))
    assert caught.value.id == "error.finish.room"


def test_how_far_it_is(plan_of: Plans, runtime: Runtime, tmp_path: Path) -> None:
    plan: FinishPlan = plan_of()
    events = list(finish(plan, tmp_path, runtime))
    steps = [one.fraction for one in events if isinstance(one, Step)]
    assert steps == sorted(steps) and steps and 0 < steps[-1] < 1
    assert [one.order for one in events if isinstance(one, SectionDone)] == [0, 1, 2]
