"""One MP4 out of runs of frames in any order: complete, in order, playable everywhere, or not there at all."""

import os
import struct
import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.encodes import clip, litter
from eichi.errors import RunError
from eichi.video.form import BT709, LIMITED
from eichi.video.reader import read_frames
from eichi.video.writer import X264, Writer
from tests.processor import plain

WIDTH, HEIGHT = 64, 48
FORWARD = [(0, 13), (13, 12), (25, 12)]
ONE_BY_ONE = [(0, 1), (1, 1), (2, 35)]
REVERSE = [(25, 12), (13, 12), (0, 13)]
PARTS = [(29, 8), (21, 4), (25, 4), (0, 9), (9, 12)]


def level(index: int) -> int:
    return 30 + 5 * index


def run(first: int, count: int) -> NDArray[np.uint8]:
    """Grey frames, each a little brighter than the one before."""
    levels = np.array([level(first + place) for place in range(count)], dtype=np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (count, HEIGHT, WIDTH, 3))


def write(path: Path, runs: list[tuple[int, int]], crf: int = 16, tags: dict[str, str] | None = None) -> int:
    with Writer(path, WIDTH, HEIGHT, crf) as writer:
        for first, count in runs:
            writer.add(first, run(first, count))
        frames = writer.publish(tags or {})
        assert writer.encoded == frames
    return frames


def boxes(path: Path) -> list[str]:
    """Names of the top-level boxes of an MP4, in their order in the file."""
    data, at, names = path.read_bytes(), 0, []
    while at < len(data):
        size, name = struct.unpack(">I4s", data[at : at + 8])
        names.append(name.decode())
        at += size
    return names


def missing(folder: Path) -> bool:
    """Whether nothing was left in a folder, not even something hidden."""
    return not folder.exists() or list(folder.iterdir()) == []


@pytest.mark.parametrize("runs", [FORWARD, ONE_BY_ONE, REVERSE, PARTS], ids=["forward", "one", "reverse", "parts"])
def test_frames_come_out_in_order_and_on_time(tmp_path: Path, runs: list[tuple[int, int]]) -> None:
    path = tmp_path / "out" / "v.mp4"
    assert write(path, runs) == 37
    assert [entry.name for entry in path.parent.iterdir()] == ["v.mp4"]
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.frames) == (WIDTH, HEIGHT, 37)
        assert stream.average_rate == 30
        assert stream.duration is not None
        assert stream.time_base is not None
        assert stream.duration * stream.time_base == Fraction(37, 30)
        frames = list(container.decode(stream))
    assert [frame.time for frame in frames] == pytest.approx([index / 30 for index in range(37)], abs=1e-4)
    means = [frame.to_ndarray(format="rgb24").mean() for frame in frames]
    assert means == pytest.approx([level(index) for index in range(37)], abs=2.4)


def test_a_file_holds_as_many_packets_as_frames(tmp_path: Path) -> None:
    write(tmp_path / "v.mp4", REVERSE)
    with av.open(str(tmp_path / "v.mp4")) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert len(packets) == 37
    times = [packet.dts for packet in packets if packet.dts is not None]
    assert times == sorted(set(times))


def test_every_player_takes_it(tmp_path: Path) -> None:
    write(tmp_path / "v.mp4", REVERSE, crf=0)
    names = boxes(tmp_path / "v.mp4")
    assert names[0] == "ftyp"
    assert names.index("moov") < names.index("mdat")
    with av.open(str(tmp_path / "v.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt, context.profile) == ("h264", "yuv420p", "High")
        assert (context.color_primaries, context.color_trc, context.colorspace) == (BT709, BT709, BT709)
        assert context.color_range == LIMITED
        frame = next(container.decode(video=0))
        assert (int(frame.colorspace), int(frame.color_range)) == (BT709, LIMITED)


@pytest.mark.parametrize("color", [(255, 0, 0), (0, 255, 0), (20, 60, 200)])
def test_colours_survive(tmp_path: Path, color: tuple[int, int, int]) -> None:
    pixels = np.broadcast_to(np.array(color, dtype=np.uint8), (2, HEIGHT, WIDTH, 3))
    with Writer(tmp_path / "v.mp4", WIDTH, HEIGHT, 1) as writer:
        writer.add(0, pixels)
        writer.publish({})
    with av.open(str(tmp_path / "v.mp4")) as container:
        seen = next(container.decode(video=0)).to_ndarray(format="rgb24")[24, 32]
    assert seen.tolist() == pytest.approx(color, abs=4)


@pytest.mark.parametrize("runs", [FORWARD, REVERSE])
def test_same_frames_same_bytes(tmp_path: Path, runs: list[tuple[int, int]]) -> None:
    for name in ("a.mp4", "b.mp4"):
        write(tmp_path / name, runs, tags={"eichi": "{}", "comment": "x"})
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def encoded(path: Path, frames: NDArray[np.uint8], crf: int = 16) -> bytes:
    """The file that frames become in two segments."""
    with Writer(path, frames.shape[2], frames.shape[1], crf) as writer:
        writer.add(0, frames[:12])
        writer.add(12, frames[12:])
        writer.publish({})
    return path.read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="libraries are not found through each other")
def test_the_processor_does_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = clip()
    here = encoded(tmp_path / "here.mp4", frames)
    monkeypatch.setattr("eichi.video.writer.X264", f"{X264}:asm=0")
    with plain():
        assert encoded(tmp_path / "plain.mp4", frames) == here


@pytest.mark.skipif(sys.platform != "linux", reason="other systems leave no cores out")
def test_the_cores_do_not_show(tmp_path: Path) -> None:
    if sys.platform == "linux":  # said once more for the type checker
        frames, cores = clip(), os.sched_getaffinity(0)
        all_of_them = encoded(tmp_path / "all.mp4", frames)
        try:
            os.sched_setaffinity(0, list(cores)[:1])
            assert encoded(tmp_path / "one.mp4", frames) == all_of_them
        finally:
            os.sched_setaffinity(0, cores)


def test_what_lay_in_memory_does_not_show(tmp_path: Path) -> None:
    frames, chance, files = clip(), np.random.default_rng(0), set()
    for _ in range(4):
        kept = litter(chance)
        files.add(encoded(tmp_path / "v.mp4", frames))
        del kept
    assert len(files) == 1


def test_another_quality_is_another_stream(tmp_path: Path) -> None:
    """The higher the number, the smaller the file and the farther its frames from what they were."""
    frames = clip(24)
    sizes, errors = [], []
    for crf in (1, 10, 16, 22, 40, 51):
        path = tmp_path / f"{crf}.mp4"
        sizes.append(len(encoded(path, frames, crf)))
        seen = np.stack([frame.pixels for frame in read_frames(path)]).astype(np.float64)
        errors.append(((seen - frames) ** 2).mean())
    assert all(more > 1.2 * less for more, less in pairwise(sizes)), sizes
    assert all(less < more for less, more in pairwise(errors)), errors
    # x264's own 0 is a profile that many players do not show, and it knows nothing above 51.
    for beyond, crf in ((0, 1), (100, 51)):
        assert encoded(tmp_path / "v.mp4", frames, beyond) == (tmp_path / f"{crf}.mp4").read_bytes()


def test_a_stopped_job_keeps_what_it_has_under_another_name(tmp_path: Path) -> None:
    with Writer(tmp_path / "v.mp4", WIDTH, HEIGHT, 16) as writer:
        writer.add(25, run(25, 12))
        assert writer.publish({}, tmp_path / "v_stopped.mp4") == 12
    assert [entry.name for entry in tmp_path.iterdir()] == ["v_stopped.mp4"]


def test_publishing_nothing_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RunError), Writer(tmp_path / "out" / "v.mp4", WIDTH, HEIGHT, 16) as writer:
        writer.publish({})
    assert missing(tmp_path / "out")


def test_what_is_not_published_leaves_nothing(tmp_path: Path) -> None:
    with Writer(tmp_path / "out" / "v.mp4", WIDTH, HEIGHT, 16) as writer:
        writer.add(0, run(0, 5))
    assert missing(tmp_path / "out")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_on_the_way_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), Writer(tmp_path / "out" / "v.mp4", WIDTH, HEIGHT, 16) as writer:
        for first, count in REVERSE[:2]:
            writer.add(first, run(first, count))
        raise error
    assert missing(tmp_path / "out")


@pytest.mark.parametrize("runs", [[(0, 3), (5, 3)], [(0, 3), (2, 3)]], ids=["gap", "overlap"])
def test_segments_that_do_not_meet_are_not_published(tmp_path: Path, runs: list[tuple[int, int]]) -> None:
    with pytest.raises((RunError, AssertionError)):
        write(tmp_path / "out" / "v.mp4", runs)
    assert missing(tmp_path / "out")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "v.mp4"
    with pytest.raises(RunError) as caught, Writer(path, WIDTH, HEIGHT, 16) as writer:
        writer.add(0, run(0, 2))
    assert str(path) in str(caught.value)
    assert "a part of the path is not a folder" in str(caught.value)


def test_a_target_that_is_a_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "v.mp4" / "mine").mkdir(parents=True)
    with pytest.raises(RunError):
        write(tmp_path / "v.mp4", FORWARD)
    assert [entry.name for entry in tmp_path.iterdir()] == ["v.mp4"]


def test_a_second_reader_takes_it(tmp_path: Path) -> None:
    """The ffmpeg program, which shares no process with us, counts the frames and their rate."""
    path = tmp_path / "v.mp4"
    write(path, [(9, 7), (0, 9)])
    frames, seconds = imageio_ffmpeg.count_frames_and_secs(str(path))
    assert frames == 16
    assert seconds == pytest.approx(16 / 30, abs=0.01)
