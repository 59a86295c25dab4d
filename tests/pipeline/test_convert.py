"""Latent files to videos and back, and what lies between two of them, by a small checkpoint of the real classes."""

import shutil
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from av.container import OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from eichi.catalog import CARD, ModelFolders
from eichi.errors import DeviceError, InputError, ModelError
from eichi.events import Adjusted, Converted, Event, FileFinished, SectionDone, Step, Stopped
from eichi.models.load import Components
from eichi.options import FillOptions
from eichi.pipeline import convert as tools
from eichi.plan.continued import Shape
from eichi.plan.fill import make_fill_plan
from eichi.settings import Runtime
from eichi.video import splice
from eichi.video.latentfile import Latents, load_latents, measure_latents, save_latents
from eichi.video.metadata import model_name, read_record
from eichi.video.reader import measure_video, read_frames
from eichi.video.writer import Writer
from tests import small
from tests.recording import recorded


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.build(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def components(folder: Path) -> Components:
    return Components(small.entry(folder), Runtime(ModelFolders(folder), "cpu"))


@pytest.fixture(scope="module")
def decoder(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Components:
    """A machine that has the VAE and nothing else."""
    alone = tmp_path_factory.mktemp("vae")
    shutil.copytree(folder / "vae", alone / "vae")
    shutil.copy(folder / CARD, alone)
    with pytest.raises(ModelError):
        Components(small.entry(alone), Runtime(ModelFolders(alone), "cpu"))
    return Components(small.entry(alone), Runtime(ModelFolders(alone), "cpu"), parts=("vae",))


def noise(count: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((1, 16, count, 4, 6)).astype(np.float32)


def write(path: Path, latents: Latents) -> Path:
    save_latents(path, latents, {})
    return path


def frames(components: Components, latents: Latents) -> NDArray[np.uint8]:
    runs = list(tools.decode(components.vae, latents))
    assert [run.first for run in runs] == np.cumsum([0, *(len(run.frames) for run in runs[:-1])]).tolist()
    return np.concatenate([run.frames for run in runs])


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 9, 10, 11, 18, 19, 28])
def test_four_frames_a_latent_but_one_for_the_first(decoder: Components, count: int) -> None:
    assert len(frames(decoder, Latents(noise(count), 0))) == 4 * count - 3


@pytest.mark.parametrize("counts", [(10, 10), (1, 1), (5, 1, 7), (10, 2), (4, 19)])
def test_a_joined_clip_looks_as_its_clips_do_alone(
    decoder: Components, tmp_path: Path, counts: tuple[int, ...]
) -> None:
    """Every frame of every clip, the second one's first among them, once and unchanged."""
    clips = [Latents(noise(count, seed), 0) for seed, count in enumerate(counts)]
    paths = [write(tmp_path / f"{number}.safetensors", clip) for number, clip in enumerate(clips)]
    splice.join_latents(paths, tmp_path / "joined.safetensors")
    made = frames(decoder, load_latents(tmp_path / "joined.safetensors"))
    assert np.array_equal(made, np.concatenate([frames(decoder, clip) for clip in clips]))


@torch.inference_mode()
def test_without_the_joint_there_are_more_frames_and_others(decoder: Components) -> None:
    """What joining without a memory does: three frames too many, and the second clip is not what it was."""
    one, two = noise(5, 1), noise(5, 2)
    whole = frames(decoder, Latents(np.concatenate([one, two], axis=2), 0))
    alone = frames(decoder, Latents(two, 0))
    assert len(whole) == 17 + 17 + 3
    assert np.abs(whole[17 + 3 :].astype(int) - alone).max() > 2


def test_cut_apart_and_joined_decodes_as_before(decoder: Components, tmp_path: Path) -> None:
    whole = write(tmp_path / "a.safetensors", Latents(noise(19), 0))
    splice.trim_latents(whole, tmp_path / "b.safetensors", 0, 12)
    splice.trim_latents(whole, tmp_path / "c.safetensors", 7, 0)
    splice.join_latents([tmp_path / "b.safetensors", tmp_path / "c.safetensors"], tmp_path / "d.safetensors")
    again = frames(decoder, load_latents(tmp_path / "d.safetensors"))
    assert np.array_equal(again, frames(decoder, load_latents(whole)))
    assert len(frames(decoder, load_latents(tmp_path / "c.safetensors"))) == 4 * 12 - 3


def test_each_latent_is_decoded_about_once(decoder: Components, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, decode = [], decoder.vae.decode

    def counted(latents: torch.Tensor, **options: Any) -> Any:
        seen.append(latents.shape[2])
        return decode(latents, **options)

    monkeypatch.setattr(decoder.vae, "decode", counted)
    frames(decoder, Latents(noise(60), 0, (30,)))
    assert sum(seen) <= 5 / 3 * 60
    assert max(seen) == 5


def convert(path: Path, target: Path, components: Components, **options: Any) -> list[Event]:
    return list(tools.to_mp4(path, target, components, options.pop("crf", 16), **options))


def test_to_a_video(decoder: Components, tmp_path: Path) -> None:
    path = write(tmp_path / "a.safetensors", Latents(noise(21), 0, (10,)))
    events = convert(path, tmp_path / "a.mp4", decoder, crf=1)
    assert events[-1] == FileFinished(str(tmp_path / "a.mp4"), 21, 78, 2.6, 48, 32)
    done = [event.done for event in events if isinstance(event, Converted)]
    assert done == sorted(done)
    assert done[-1] == 78
    read = np.stack([frame.pixels for frame in read_frames(tmp_path / "a.mp4")])
    assert read.shape == (78, 32, 48, 3)
    record = read_record(tmp_path / "a.mp4")
    assert (record["request"]["tool"], record["clips"], record["frames"]) == ("to-mp4", 2, 78)
    convert(path, tmp_path / "b.mp4", decoder, crf=1)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.mp4", "a.safetensors", "b.mp4"]


def test_what_nobody_could_play_is_said(decoder: Components, tmp_path: Path) -> None:
    path = write(tmp_path / "a.safetensors", Latents(noise(2), 0))
    events = convert(path, tmp_path / "a.mp4", decoder, crf=0)
    assert events[0] == Adjusted("note.crf", {"asked": 0, "used": 1})


def test_stopped_on_the_way_nothing_is_left(decoder: Components, tmp_path: Path) -> None:
    path = write(tmp_path / "a.safetensors", Latents(noise(30), 0))
    events = convert(path, tmp_path / "a.mp4", decoder, stop=lambda: True)
    assert events[-1] == Stopped(None, 0, 0, 0)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.safetensors"]


def test_latents_of_another_kind_are_refused(decoder: Components, tmp_path: Path) -> None:
    path = write(tmp_path / "a.safetensors", Latents(noise(3)[:, :8], 0))
    with pytest.raises(InputError, match="8 channels"):
        convert(path, tmp_path / "a.mp4", decoder)


def test_memory_that_is_not_there_is_said(decoder: Components, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(latents: torch.Tensor, **options: Any) -> None:
        raise torch.OutOfMemoryError

    path = write(tmp_path / "a.safetensors", Latents(noise(3), 0))
    monkeypatch.setattr(decoder.vae, "decode", full)
    with pytest.raises(DeviceError, match="VAE"):
        convert(path, tmp_path / "a.mp4", decoder)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.safetensors"]


def video(path: Path, count: int) -> Path:
    """A grey picture whose light changes slowly."""
    levels = np.linspace(60, 190, count).round().astype(np.uint8)
    with Writer(path, 48, 32, 1) as writer:
        writer.add(0, np.broadcast_to(levels[:, None, None, None], (count, 32, 48, 3)))
        writer.publish({})
    return path


@pytest.mark.parametrize(("count", "latents", "repeated"), [(1, 1, 0), (37, 10, 0), (38, 11, 3), (40, 11, 1)])
def test_from_a_video(decoder: Components, tmp_path: Path, count: int, latents: int, repeated: int) -> None:
    path = video(tmp_path / "v.mp4", count)
    events = list(tools.from_mp4(path, tmp_path / "v.safetensors", decoder, (32, 48)))
    last = events[-1]
    assert isinstance(last, FileFinished)
    assert (last.latents, last.frames, last.width, last.height) == (latents, 4 * latents - 3, 48, 32)
    notes = [event for event in events if isinstance(event, Adjusted)]
    assert notes == ([Adjusted("note.video.repeated", {"count": repeated})] if repeated else [])
    found = measure_latents(tmp_path / "v.safetensors")
    assert found == Shape(16, latents, 4, 6)
    record = read_record(tmp_path / "v.safetensors")
    assert record["request"] == {"tool": "from-mp4", "sources": ["v.mp4"], "model": model_name(decoder.entry.name)}
    assert record["model"] == model_name(decoder.entry.name)


def test_a_video_of_another_size_is_fitted_as_pictures_are(decoder: Components, tmp_path: Path) -> None:
    path = video(tmp_path / "v.mp4", 5)
    events = list(tools.from_mp4(path, tmp_path / "v.safetensors", decoder, (64, 64)))
    assert events[0] == Adjusted("note.video.fit", {"width": 64, "height": 64})
    assert measure_latents(tmp_path / "v.safetensors") == Shape(16, 2, 8, 8)


def test_a_video_that_is_stopped_leaves_no_file(decoder: Components, tmp_path: Path) -> None:
    path = video(tmp_path / "v.mp4", 40)
    *_, last = tools.from_mp4(path, tmp_path / "v.safetensors", decoder, (32, 48), stop=lambda: True)
    assert last == Stopped(None, 0, 0, 0)
    assert [entry.name for entry in tmp_path.iterdir()] == ["v.mp4"]


def fill(components: Components, folder: Path, before: Path, after: Path, **values: Any) -> list[Event]:
    request = {"before": before, "after": after, "prompt": "a red star", "length": 5, "seed": 1} | values
    options = FillOptions.parse(request | {"sampling": {"steps": 2}})
    plan = make_fill_plan(options, components.entry, measure_latents(before), measure_latents(after))
    return list(tools.fill(plan, folder / "filled.safetensors", components))


def test_filled(components: Components, tmp_path: Path) -> None:
    one, two = Latents(noise(6, 1), 0), Latents(noise(4, 2), 0)
    paths = [write(tmp_path / f"{name}.safetensors", clip) for name, clip in (("a", one), ("b", two))]
    events = fill(components, tmp_path, *paths)
    assert events[-1] == FileFinished(str(tmp_path / "filled.safetensors"), 15, 54, 1.8, 48, 32)
    assert [event.step for event in events if isinstance(event, Step)] == [1, 2]
    assert [event.computed for event in events if isinstance(event, SectionDone)] == [2]
    made = load_latents(tmp_path / "filled.safetensors")
    assert (made.first, made.joints) == (0, (11,))
    assert np.array_equal(made.values[:, :, :6], one.values)
    assert np.array_equal(made.values[:, :, 11:], two.values)
    assert np.isfinite(made.values).all()
    record = read_record(tmp_path / "filled.safetensors")
    assert (record["kind"], record["seed"], record["request"]["prompt"]) == ("fill", 1, "a red star")
    # The first and the last clip look as they do alone.
    whole = frames(components, made)
    assert np.array_equal(whole[-13:], frames(components, two))
    assert len(whole) == 54
    first = (tmp_path / "filled.safetensors").read_bytes()
    (tmp_path / "filled.safetensors").unlink()
    fill(components, tmp_path, *paths)
    assert (tmp_path / "filled.safetensors").read_bytes() == first


def test_what_is_filled_behind_a_cut_begins_where_the_cut_does(components: Components, tmp_path: Path) -> None:
    one, two = Latents(noise(6, 1), 3), Latents(noise(4, 2), 0)
    paths = [write(tmp_path / f"{name}.safetensors", clip) for name, clip in (("a", one), ("b", two))]
    fill(components, tmp_path, *paths)
    assert load_latents(tmp_path / "filled.safetensors").first == 3


def test_both_ends_reach_the_model(components: Components, tmp_path: Path) -> None:
    one, other = (write(tmp_path / f"{seed}.safetensors", Latents(noise(6, seed), 0)) for seed in (1, 2))
    made = []
    for pair in ((one, one), (one, other), (other, one)):
        fill(components, tmp_path, *pair)
        made.append(load_latents(tmp_path / "filled.safetensors").values[:, :, 6:11])
    assert all(not np.allclose(a, b) for a, b in pairwise((*made, made[0])))


def test_the_frame_before_the_gap(components: Components) -> None:
    for count in (1, 4, 12):
        clip = Latents(noise(count), 0)
        assert tools.last_frame(components.vae, clip).shape == (32, 48, 3)
    short = Latents(noise(5), 0)
    assert np.array_equal(tools.last_frame(components.vae, short), frames(components, short)[-1])


def test_filling_that_is_stopped_leaves_no_file(components: Components, tmp_path: Path) -> None:
    path = write(tmp_path / "a.safetensors", Latents(noise(4), 0))
    options = FillOptions.parse({"before": path, "after": path, "prompt": "p", "length": 2})
    plan = make_fill_plan(options, components.entry, measure_latents(path), measure_latents(path))
    *_, last = tools.fill(plan, tmp_path / "b.safetensors", components, stop=lambda: True)
    assert last == Stopped(None, plan.seed, 0, 0)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.safetensors"]


def test_a_file_that_was_cut_says_how_much_could_be_read(decoder: Components, tmp_path: Path) -> None:
    path = video(tmp_path / "v.mp4", 40)
    assert measure_video(path).frames == 40
    path.write_bytes(path.read_bytes()[:-30])
    try:
        events = list(tools.from_mp4(path, tmp_path / "v.safetensors", decoder, (32, 48)))
    except InputError:
        return
    notes = [event.id for event in events if isinstance(event, Adjusted)]
    assert "note.video.short" in notes


@torch.inference_mode()
def test_a_gap_is_drawn_from_what_lies_beside_it(components: Components, tmp_path: Path) -> None:
    """The latent before it is its anchor, those behind it its history; without guidance there is one evaluation."""
    one, two = Latents(noise(6, 1), 0), Latents(noise(4, 2), 0)
    paths = [write(tmp_path / f"{name}.safetensors", clip) for name, clip in (("a", one), ("b", two))]
    with recorded(components.transformer) as seen:
        fill(components, tmp_path, *paths)
    assert len(seen) == 2
    assert seen[0]["timestep"].item() == 1000.0
    beside = [one.values[:, :, -1:], two.values[:, :, :1]]
    assert torch.equal(seen[0]["latents_clean"], torch.from_numpy(np.concatenate(beside, axis=2)))
    assert torch.equal(seen[0]["latents_history_2x"], torch.from_numpy(two.values[:, :, 1:3]))


def encode_black(container: OutputContainer, stream: VideoStream, times: Iterable[int]) -> None:
    for time in times:
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 48, 3), dtype=np.uint8), format="rgb24")
        frame.pts = time
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


@pytest.mark.parametrize(
    ("times", "transfer", "id", "values"),
    [((0, 1, 2, 6, 7), 1, "note.video.uneven", {"fps": 30}), (range(5), 16, "note.video.bright", {})],
)
def test_a_video_that_is_read_in_another_way_is_said(
    decoder: Components, tmp_path: Path, times: Iterable[int], transfer: int, id: str, values: dict[str, int]
) -> None:
    path = tmp_path / "v.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        stream.codec_context.color_trc = transfer
        encode_black(container, stream, times)
    events = list(tools.from_mp4(path, tmp_path / "v.safetensors", decoder, (32, 48)))
    said = [event for event in events if isinstance(event, Adjusted)]
    assert said == [Adjusted(id, {"path": str(path), **values})]


def test_a_video_of_another_rate_is_said(decoder: Components, tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        encode_black(container, stream, range(5))
    events = list(tools.from_mp4(path, tmp_path / "v.safetensors", decoder, (32, 48)))
    assert events[0] == Adjusted("note.video.rate", {"path": str(path), "rate": 24.0, "fps": 30})
