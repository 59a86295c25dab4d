"""A new part for a video: what the model sees of it, where decoding begins, how many frames there are, going on."""

import hashlib
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from eichi import VideoOptions, make_plan
from eichi.catalog import Direction, ModelFolders
from eichi.errors import DiskError, InputError
from eichi.events import Adjusted, Event, Finished, FramesReady, SectionDone, Started, Stopped, Whole
from eichi.models.load import Components
from eichi.pipeline import generate as module
from eichi.pipeline.checkpoint import Checkpoint
from eichi.pipeline.context import Ends, read_ends
from eichi.pipeline.decode import Decoder, PartDecoder
from eichi.pipeline.encode import encode
from eichi.pipeline.generate import generate, sample_latents
from eichi.pipeline.originals import fitted
from eichi.pipeline.sections import Denoiser, SectionInputs
from eichi.plan.plan import Plan
from eichi.settings import Runtime
from eichi.video.clip import look, tail
from eichi.video.jobfolder import find
from eichi.video.latentfile import load_latents
from eichi.video.reader import read_frames
from eichi.video.writer import Writer
from tests import small
from tests.clips import clip, greys, tone
from tests.machine import no_file_above

BOTH = pytest.mark.parametrize("name", ["framepack", "framepack-f1"])


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Components]:
    made = {}
    for name in ("framepack", "framepack-f1"):
        folder = small.build(tmp_path_factory.mktemp(name), name)
        made[name] = Components(small.entry(folder), Runtime(ModelFolders(folder), "cpu"))
    return made


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip(tmp_path_factory.mktemp("video") / "in.mp4", 30, sound="aac")


def planned(components: Components, **values: Any) -> Plan:
    """A short request; `values` override it."""
    plain = {"prompt": "a {red} star", "seconds": 0.7, "section_size": 0.5, "seed": 5, "sampling": {"steps": 1}}
    return make_plan(VideoOptions.parse(plain | values), components.entry)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[SectionInputs]:
    """What sections are drawn from; nothing is drawn."""
    found: list[SectionInputs] = []

    def draw(
        components: Components, denoiser: Denoiser, noise: Tensor, *rest: Any, **more: Any
    ) -> Generator[Event, None, Tensor]:
        found.append(denoiser.section)
        yield from ()
        return noise

    monkeypatch.setattr(module, "denoise_section", draw)
    return found


@pytest.mark.parametrize(("frames", "known"), [(1, 1), (4, 1), (5, 2), (30, 8), (90, 19)])
def test_f1_sees_the_end_of_a_video_in_the_place_of_its_history(
    models: dict[str, Components], seen: list[SectionInputs], tmp_path: Path, frames: int, known: int
) -> None:
    components = models["framepack-f1"]
    path = clip(tmp_path / "in.mp4", frames)
    plan = planned(components, source={"before": path})
    list(sample_latents(plan, components, fitted(plan)))
    last = tail(path, 4 * known - 3, (plan.height, plan.width))
    latents = torch.cat([*encode(components.vae, last)], dim=2)
    context = seen[0].context
    history = torch.cat([context.x4, context.x2, context.clean], dim=2)
    assert torch.equal(history[:, :, -known:], latents)
    assert not history[:, :, :-known].any()
    assert torch.equal(seen[0].image, latents[:, :, -1:])
    assert torch.equal(seen[0].anchor, latents[:, :, :1])


def test_context_is_at_full_resolution(
    models: dict[str, Components], seen: list[SectionInputs], tmp_path: Path
) -> None:
    components = models["framepack-f1"]
    plan = planned(components, source={"before": clip(tmp_path / "in.mp4", 120), "context": 9})
    list(sample_latents(plan, components, fitted(plan)))
    assert [one.context.clean.shape[2] for one in seen] == [9] * len(plan.sections)
    assert all(bool(part.any()) for part in (seen[0].context.x4[:, :, 0], seen[0].context.clean[:, :, 0]))


def test_the_standard_model_begins_at_a_video_and_knows_the_one_after_it(
    models: dict[str, Components], seen: list[SectionInputs], video: Path, tmp_path: Path
) -> None:
    components = models["framepack"]
    after = clip(tmp_path / "after.mp4", 90, first=30)
    plan = planned(components, source={"before": video, "after": after})
    list(sample_latents(plan, components, fitted(plan)))
    ends = read_ends(plan, components.vae, plan.sources)
    assert ends.before is not None
    assert ends.after is not None
    assert all(torch.equal(one.anchor, ends.before[:, :, -1:]) for one in seen)
    context = seen[0].context
    assert torch.equal(torch.cat([context.clean, context.x2, context.x4], dim=2), ends.after)
    alone = planned(components, source={"after": after}, image=_picture(tmp_path))
    assert alone.frames == plan.frames + 1


def _picture(folder: Path) -> Path:
    from PIL import Image

    path = folder / "start.png"
    Image.linear_gradient("L").resize((64, 64)).convert("RGB").save(path)
    return path


@pytest.mark.parametrize("direction", ["reverse", "forward"])
def test_new_frames_are_those_of_one_decode_of_both(models: dict[str, Components], direction: Direction) -> None:
    vae = models["framepack"].vae
    before, new = torch.randn((1, 16, 2, 8, 8)), torch.randn((1, 16, 10, 8, 8))
    whole = Decoder(vae, 12, "forward").push(0, torch.cat([before, new], dim=2))
    part = PartDecoder(vae, 11, direction)
    runs = {1: new[:, :, :5], 6: new[:, :, 5:]}
    backward = {6: runs[6], -1: torch.cat([before, runs[1]], dim=2)}
    runs = backward if direction == "reverse" else {-1: before, **runs}
    made = [part.push(first, run) for first, run in runs.items()]
    frames = np.concatenate([run[1] for run in sorted((run for run in made if run), key=lambda run: run[0])])
    assert whole is not None
    assert len(frames) == 4 * 10
    assert np.array_equal(frames, whole[1][5:])


def test_a_video_of_one_latent_leads_itself() -> None:
    one, two = torch.ones((1, 16, 1, 2, 2)), torch.cat([torch.zeros((1, 16, 1, 2, 2)), torch.ones((1, 16, 1, 2, 2))], 2)
    assert torch.equal(Ends(one).lead, one)
    assert torch.equal(Ends(two).lead, two[:, :, :1])


@BOTH
def test_the_result_has_the_video_and_every_new_frame(
    models: dict[str, Components], name: str, video: Path, tmp_path: Path
) -> None:
    components = models[name]
    plan = planned(components, source={"before": video})
    events = [event for event in generate(plan, tmp_path / "out", components) if not isinstance(event, Adjusted)]
    made = sorted(index for one in events if isinstance(one, FramesReady) for index in _indices(one))
    assert made == list(range(20 * len(plan.sections))) == list(range(plan.frames))
    last = events[-1]
    assert isinstance(last, Finished)
    assert (last.frames, last.seconds) == (plan.frames, plan.seconds)
    assert last.whole == plan.whole == Whole(30 + plan.frames, round(1 + plan.seconds, 3))
    whole = [frame.pixels for frame in read_frames(Path(last.video))]
    assert len(whole) == 30 + plan.frames
    assert all(np.array_equal(a, b.pixels) for a, b in zip(whole[:30], read_frames(video), strict=True))
    assert look(Path(last.video)).sound == "aac"


def _indices(event: FramesReady) -> range:
    return range(event.first, event.first + len(event.frames))


@BOTH
def test_going_on_needs_nothing_from_outside(models: dict[str, Components], name: str, tmp_path: Path) -> None:
    components = models[name]
    source = clip(tmp_path / "in.mp4", 12)
    sound = _sound(tmp_path / "sound.wav")
    plan = planned(components, source={"before": source, "sound": sound})
    whole = _digest(list(generate(plan, tmp_path / "whole", components))[-1])
    events = generate(plan, tmp_path / "out", components)
    next(event for event in events if isinstance(event, SectionDone))
    events.close()  # type: ignore[attr-defined]
    source.unlink()
    sound.unlink()
    checkpoint = Checkpoint(find(None, tmp_path / "out"))
    assert set(checkpoint.around(plan)) == {"before", "sound"}
    again = checkpoint.plan(components.entry)
    assert _digest(list(generate(again, tmp_path / "out", components, checkpoint=checkpoint))[-1]) == whole


def test_a_copy_that_is_written_into_is_said(models: dict[str, Components], tmp_path: Path) -> None:
    components = models["framepack-f1"]
    source = clip(tmp_path / "in.mp4", 12)
    checkpoint = _begun(planned(components, source={"before": source}), tmp_path / "out", components)
    with source.open("r+b") as file:  # another name of the same file
        file.write(b"other")
    with pytest.raises(InputError, match=r"in\.mp4"):
        list(generate(checkpoint.plan(components.entry), tmp_path / "out", components, checkpoint=checkpoint))


def test_what_is_written_into_while_a_job_runs_is_in_no_result(models: dict[str, Components], tmp_path: Path) -> None:
    components = models["framepack-f1"]
    source = clip(tmp_path / "in.mp4", 12)
    whole = source.read_bytes()
    plan = planned(components, source={"before": source})
    events = generate(plan, tmp_path / "out", components)
    next(event for event in events if isinstance(event, SectionDone))
    with source.open("r+b") as file:  # another name of the same file
        file.write(b"other")
    with pytest.raises(InputError, match=r"in\.mp4"):
        list(events)
    assert not list((tmp_path / "out").glob("*.mp4"))
    source.unlink()
    source.write_bytes(whole)
    checkpoint = Checkpoint(find(None, tmp_path / "out"))
    again = checkpoint.plan(components.entry)
    events = generate(again, tmp_path / "out", components, checkpoint=checkpoint)
    assert isinstance(list(events)[-1], Finished)


def test_elsewhere_a_job_takes_what_was_fetched(models: dict[str, Components], tmp_path: Path) -> None:
    components = models["framepack-f1"]
    source = clip(tmp_path / "in.mp4", 12)
    plan = planned(components, source={"before": source})
    checkpoint = _begun(plan, tmp_path / "out", components)
    (copy,) = checkpoint.folder.glob("source-before*")
    assert checkpoint.around(plan) == {"before": copy}
    copy.unlink()
    assert checkpoint.around(plan) == {"before": source}


def _begun(plan: Plan, folder: Path, components: Components) -> Checkpoint:
    """A job that was abandoned after its first section."""
    events = generate(plan, folder, components)
    next(event for event in events if isinstance(event, SectionDone))
    events.close()  # type: ignore[attr-defined]
    return Checkpoint(find(None, folder))


def _digest(last: Event) -> str:
    assert isinstance(last, Finished)
    return hashlib.sha256(Path(last.video).read_bytes()).hexdigest()


def _sound(path: Path) -> Path:
    import av

    with av.open(str(path), "w") as container:
        voice = container.add_stream("pcm_s16le", rate=48_000)
        for block in tone(0.3):
            container.mux(voice.encode(block))
        container.mux(voice.encode(None))
    return path


@BOTH
def test_sections_of_a_continuation_are_taken_over(models: dict[str, Components], name: str, tmp_path: Path) -> None:
    """So that a section can be drawn once more: the rest of the request, the video too, stays."""
    components = models[name]
    source = {"before": clip(tmp_path / "in.mp4", 12)}
    first = _finished(planned(components, source=source, output={"latents": True}), tmp_path / "one", components)
    latents = Path(first.video).with_suffix(".safetensors")
    more = {"kept": {"latents": latents}, "output": {"latents": True}}
    events = list(generate(planned(components, source=source, seconds=1.3, **more), tmp_path / "two", components))
    assert [event.computed > 0 for event in events if isinstance(event, SectionDone)] == [False, True]
    last = events[-1]
    assert isinstance(last, Finished)
    assert look(Path(last.video)).frames == 12 + 40
    one, two = (load_latents(Path(video).with_suffix(".safetensors")) for video in (first.video, last.video))
    assert (one.shape.first, one.shape.made, two.shape.made) == (0, 5, 10)
    place = two.shape.place(0, 5, components.entry.direction)
    assert np.array_equal(one.values[:, :, 1:], two.values[:, :, place : place + 5])


def _finished(plan: Plan, folder: Path, components: Components) -> Finished:
    last = list(generate(plan, folder, components))[-1]
    assert isinstance(last, Finished)
    return last


@pytest.mark.parametrize(
    ("name", "sides", "held", "apart"),
    [
        ("framepack-f1", ("before",), range(12), []),
        ("framepack", ("before",), range(0), ["before"]),
        ("framepack", ("before", "after"), range(20, 32), ["before"]),
    ],
)
def test_a_stopped_video_holds_what_it_meets(
    models: dict[str, Components], tmp_path: Path, name: str, sides: tuple[str, ...], held: range, apart: list[str]
) -> None:
    """The standard model begins at the end: what comes before is not met yet, and that is said."""
    components, first = models[name], {"before": 0, "after": 20}
    source = {side: clip(tmp_path / f"{side}.mp4", 12, first=first[side]) for side in sides}
    plan, seen = planned(components, seconds=2.0, source=source), list[Event]()
    for event in generate(plan, tmp_path / "out", components, lambda: isinstance(seen[-1], FramesReady)):
        seen.append(event)
    last = seen[-1]
    assert isinstance(last, Stopped)
    assert last.video is not None
    said = [note for note in seen if isinstance(note, Adjusted) and note.id == "note.stopped.apart"]
    assert [note.values["path"] for note in said] == [str(source[side]) for side in apart]
    shown = greys(frame.pixels for frame in read_frames(Path(last.video)))
    assert len(shown) == last.frames + len(held) < plan.frames + 12 * len(sides)
    part = shown[: len(held)] if held.start == 0 else shown[-len(held) :]
    assert part == list(held)
    assert last.whole == (Whole(len(shown), round(len(shown) / 30, 3)) if held else None)


@pytest.mark.skipif(sys.platform == "win32", reason="files have no limit there")
def test_a_disk_that_is_full_when_all_is_joined_costs_nothing(models: dict[str, Components], tmp_path: Path) -> None:
    components, frames = models["framepack-f1"], np.random.default_rng(1).integers(0, 255, (6, 96, 160, 3), np.uint8)
    with Writer(tmp_path / "in.mp4", 160, 96, 1) as writer:  # too large to be written once more
        writer.add(0, frames)
        writer.publish({})
    plan = planned(components, source={"before": tmp_path / "in.mp4"})
    with no_file_above(100_000), pytest.raises(DiskError) as full:
        list(generate(plan, tmp_path / "out", components))
    checkpoint = Checkpoint(find(None, tmp_path / "out"))
    assert Path(str(full.value.values["path"])) == checkpoint.result
    assert [path.name for path in (tmp_path / "out").iterdir()] == [checkpoint.folder.name]
    again = list(generate(checkpoint.plan(components.entry), tmp_path / "out", components, checkpoint=checkpoint))
    assert [event.computed for event in again if isinstance(event, SectionDone)] == [0]
    assert isinstance(again[-1], Finished)
    assert look(Path(again[-1].video)).frames == 6 + plan.frames


def test_what_is_encoded_is_said_in_the_plan_and_once(models: dict[str, Components], tmp_path: Path) -> None:
    components = models["framepack-f1"]
    plan = planned(components, source={"before": clip(tmp_path / "in.mov", 12, 25, sound="pcm_s16le", codec="mpeg4")})
    ids = ["note.join.encoded", "note.join.sound"]
    assert [note.id for note in plan.notes if note.id in ids] == ids
    events = generate(plan, tmp_path / "out", components)
    said = []
    for event in events:
        said += [event.id] if isinstance(event, Adjusted) else []
        if isinstance(event, Started):
            assert event.whole == plan.whole == Whole(12 + 17, 1.16)
            break
    events.close()  # type: ignore[attr-defined]
    assert [id for id in said if id in ids] == ids
