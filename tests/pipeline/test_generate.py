"""The whole way from a request to a file, on a small random checkpoint: what every run must keep to."""

import hashlib
import json
import threading
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from eichi import make_plan
from eichi.catalog import ModelFolders
from eichi.errors import RunError
from eichi.events import (
    Adjusted,
    Event,
    Finished,
    FramesReady,
    LatentsReady,
    Preview,
    SectionDone,
    Started,
    Step,
    Stopped,
)
from eichi.library.whereabouts import marks_of
from eichi.models.load import Components
from eichi.options import VideoOptions
from eichi.pipeline.conditioning import PromptStates, blend, encode_prompt
from eichi.pipeline.decode import Decoder
from eichi.pipeline.generate import generate, sample_latents
from eichi.pipeline.originals import fitted
from eichi.pipeline.preview import draw_preview
from eichi.pipeline.sections import Denoiser, SectionInputs
from eichi.plan.plan import Plan
from eichi.settings import Runtime
from eichi.video.metadata import portable, read_record
from tests import small
from tests.recording import recorded


@pytest.fixture(scope="module")
def components(tmp_path_factory: pytest.TempPathFactory) -> Components:
    folder = small.build(tmp_path_factory.mktemp("framepack"))
    return Components(small.entry(folder), Runtime(ModelFolders(folder), "cpu"))


@pytest.fixture(scope="module")
def forward(tmp_path_factory: pytest.TempPathFactory) -> Components:
    folder = small.build(tmp_path_factory.mktemp("framepack-f1"), "framepack-f1")
    return Components(small.entry(folder), Runtime(ModelFolders(folder), "cpu"))


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "start.png"
    pixels = np.random.default_rng(0).integers(0, 255, (60, 100, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def plan_of(components: Components, picture: Path, **values: Any) -> Plan:
    """A short request; `values` override it."""
    sampling = {"steps": 2} | values.pop("sampling", {})
    values = {"image": picture, "prompt": "a {red} star", "seconds": 2, "seed": 5} | values
    return make_plan(VideoOptions.parse(values | {"sampling": sampling}), components.entry)


def run(plan: Plan, folder: Path, components: Components) -> Finished:
    last = list(generate(plan, folder, components))[-1]
    assert isinstance(last, Finished)
    return last


def frames_of(path: str) -> list[np.ndarray]:
    with av.open(path) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


@pytest.mark.parametrize("seconds", [1, 2, 4])
def test_events_tell_the_plan(components: Components, plain: Path, tmp_path: Path, seconds: int) -> None:
    plan = plan_of(components, plain, seconds=seconds)
    events = list(generate(plan, tmp_path / "out", components))
    kinds = [type(event) for event in events if not isinstance(event, Adjusted)]
    drawn = [LatentsReady, SectionDone]
    # The frames of a section come half way through the next one.
    between = [Step, FramesReady, Step, *drawn] * (len(plan.sections) - 1)
    assert kinds == [Started, Step, Step, *drawn, *between, FramesReady, Finished]
    steps = [event.fraction for event in events if isinstance(event, Step)]
    assert steps == sorted(steps)
    assert steps[-1] == 1.0
    covered = np.concatenate(
        [np.arange(e.first, e.first + len(e.frames)) for e in events if isinstance(e, FramesReady)]
    )
    assert sorted(covered) == list(range(plan.frames))


def test_previews_are_small_pictures_of_the_section(components: Components, plain: Path, tmp_path: Path) -> None:
    plan = plan_of(components, plain, sampling={"steps": 5})
    events = list(generate(plan, tmp_path / "out", components, previews=2))
    seen = [event for event in events if isinstance(event, Preview)]
    assert [(event.order, event.step) for event in seen] == [(0, 2), (0, 4), (1, 2), (1, 4)]
    assert {event.pixels.shape for event in seen} == {(plan.window, plan.height // 8, plan.width // 8, 3)}
    assert not np.array_equal(seen[0].pixels, seen[1].pixels)
    ready = {event.order: event.latents for event in events if isinstance(event, LatentsReady)}
    last = draw_preview(torch.from_numpy(ready[0]), plan.entry.preview)
    assert not np.array_equal(last, seen[1].pixels)  # one step more


def test_file_is_what_was_planned(components: Components, forward: Components, plain: Path, tmp_path: Path) -> None:
    for model in (components, forward):
        plan = plan_of(model, plain, section_size=0.5)
        done = run(plan, tmp_path / model.entry.direction, model)
        frames = frames_of(done.video)
        assert len(frames) == plan.frames == done.frames == 61
        assert frames[0].shape == (plan.height, plan.width, 3) == (48, 80, 3)
        assert sorted(path.suffix for path in Path(done.video).parent.iterdir()) == [".mp4", ".png"]


def test_same_request_same_bytes(components: Components, forward: Components, plain: Path, tmp_path: Path) -> None:
    for model in (components, forward):
        one, two = (run(plan_of(model, plain), tmp_path / "out", model) for _ in range(2))
        assert one.video != two.video
        assert digest(one.video) == digest(two.video)
        assert digest(one.poster) == digest(two.poster)
        other = run(plan_of(model, plain, seed=6), tmp_path / "out", model)
        assert digest(other.video) != digest(one.video)


def test_results_carry_the_request(components: Components, plain: Path, tmp_path: Path) -> None:
    plan = plan_of(components, plain, seed=None)
    done = run(plan, tmp_path / "out", components)
    for path in (done.video, done.poster):
        record = read_record(Path(path))
        assert record["request"] == portable(plan.options)
        assert record["files"] == marks_of(plan.options)
        assert record["seed"] == done.seed == plan.options.seed
        assert record["frames"] == done.frames
        assert "torch" in record["versions"]
    again = run(plan_of(components, plain, seed=done.seed), tmp_path / "again", components)
    assert digest(again.video) == digest(done.video)


def test_conditions_reach_the_model(components: Components, plain: Path, tmp_path: Path) -> None:
    """Each of these must change the latents; on random weights no more can be asked."""
    other = tmp_path / "other.png"
    Image.new("RGB", (100, 60), "red").save(other)
    plain_bytes = _frames(generate(plan_of(components, plain), tmp_path, components))
    for values in (
        {"prompt": "star star moves"},
        {"keyframes": {"final": other}},
        {"keyframes": {"sections": {0: other}}},
        {"keyframes": {"prompts": {0: "moves left"}}},
        {"sampling": {"guidance": 3.0}},
        {"sampling": {"cfg": 3.0}},
        {"sampling": {"padding": 0.3}},
    ):
        changed = _frames(generate(plan_of(components, plain, **values), tmp_path, components))
        assert not np.array_equal(changed, plain_bytes), values


def test_image_strength_reaches_f1(forward: Components, plain: Path, tmp_path: Path) -> None:
    one = _frames(generate(plan_of(forward, plain), tmp_path, forward))
    two = _frames(generate(plan_of(forward, plain, sampling={"image_strength": 1.02}), tmp_path, forward))
    assert not np.array_equal(one, two)


def _frames(events: "Any") -> np.ndarray:
    """The frames of a run in the order of the video."""
    runs = {event.first: event.frames for event in events if isinstance(event, FramesReady)}
    return np.concatenate([runs[first] for first in sorted(runs)])


def test_stopped_keeps_what_is_finished(
    components: Components, forward: Components, plain: Path, tmp_path: Path
) -> None:
    for model in (components, forward):
        folder = tmp_path / model.entry.direction
        plan = plan_of(model, plain, seconds=4)
        asked = threading.Event()
        for event in generate(plan, folder, model, stop=asked.is_set):
            last: Event = event
            if isinstance(event, FramesReady):
                asked.set()
        assert isinstance(last, Stopped)
        assert last.video is not None
        assert last.sections == 1
        assert 0 < last.frames < plan.frames
        assert len(frames_of(last.video)) == last.frames
        assert [path.name for path in folder.glob("[!.]*")] == [Path(last.video).name]


def test_a_stop_waits_for_what_is_being_decoded(components: Components, plain: Path, tmp_path: Path) -> None:
    seen: list[Event] = []
    plan = plan_of(components, plain)
    for event in generate(plan, tmp_path, components, stop=lambda: isinstance(seen[-1], SectionDone)):
        seen.append(event)
    *_, done, frames, last = seen
    assert isinstance(done, SectionDone)
    assert isinstance(frames, FramesReady)
    assert isinstance(last, Stopped)
    assert (last.sections, last.frames) == (1, len(frames.frames))


def test_a_stop_after_the_last_section_is_too_late(components: Components, plain: Path, tmp_path: Path) -> None:
    plan = plan_of(components, plain, seconds=1)
    seen: list[Event] = []
    for event in generate(plan, tmp_path, components, stop=lambda: isinstance(seen[-1], SectionDone)):
        seen.append(event)
    assert isinstance(seen[-1], Finished)


def test_stopped_at_once_leaves_nothing(components: Components, plain: Path, tmp_path: Path) -> None:
    last = list(generate(plan_of(components, plain), tmp_path / "out", components, stop=lambda: True))[-1]
    assert last == Stopped(None, 5, 0, 0)
    assert list((tmp_path / "out").iterdir()) == []


def test_nan_is_said_and_leaves_nothing(tmp_path: Path, plain: Path) -> None:
    folder = small.build(tmp_path / "broken")
    model = Components(small.entry(folder), Runtime(ModelFolders(folder), "cpu"))
    torch.nn.init.constant_(model.transformer.proj_out.bias, float("nan"))
    with pytest.raises(RunError, match="Section 0"):
        list(generate(plan_of(model, plain), tmp_path / "out", model))
    assert list((tmp_path / "out").iterdir()) == []


def test_teacache_counts(components: Components, plain: Path, tmp_path: Path) -> None:
    on = {"steps": 6, "threshold": 1.0}
    events = list(generate(plan_of(components, plain, seconds=1, sampling=on), tmp_path, components))
    (done,) = (event for event in events if isinstance(event, SectionDone))
    assert (done.computed, done.reused) == (2, 4)
    both = on | {"cfg": 2.0}
    events = list(generate(plan_of(components, plain, seconds=1, sampling=both), tmp_path, components))
    (done,) = (event for event in events if isinstance(event, SectionDone))
    assert (done.computed, done.reused) == (4, 8)


def test_letterbox_keeps_the_whole_picture(components: Components, tmp_path: Path) -> None:
    tall = tmp_path / "tall.png"
    Image.new("RGB", (20, 90), "white").save(tall)
    done = run(plan_of(components, tall, seconds=1, fit="letterbox"), tmp_path / "out", components)
    poster = np.asarray(Image.open(done.poster))
    assert poster[:, 0].max() == 0
    assert poster[:, poster.shape[1] // 2].min() == 255


def test_request_survives_json(components: Components, plain: Path) -> None:
    plan = plan_of(components, plain, keyframes={"sections": {"1": str(plain)}, "prompts": {0: "left"}})
    assert VideoOptions.parse(json.loads(json.dumps(plan.options.dump()))) == plan.options


def test_image_strength_is_the_first_sections_alone(forward: Components, plain: Path) -> None:
    """Sampling starts from less noise there, and from nothing else afterwards."""
    plan = plan_of(forward, plain, seconds=4, sampling={"steps": 1, "image_strength": 1.02})
    with recorded(forward.transformer) as seen:
        list(sample_latents(plan, forward, fitted(plan)))
    assert [call["timestep"].item() / 1000 for call in seen] == pytest.approx([1 / 1.02, 1.0, 1.0])


def test_final_strength_is_the_final_images_share(components: Components, plain: Path, tmp_path: Path) -> None:
    Image.new("RGB", (100, 60), "red").save(tmp_path / "final.png")
    shown = []
    for strength in (1.0, 0.25):
        keys = {"final": tmp_path / "final.png", "final_strength": strength}
        plan = plan_of(components, plain, seconds=1, sampling={"steps": 1}, keyframes=keys)
        with recorded(components.transformer) as seen:
            list(sample_latents(plan, components, fitted(plan)))
        (call,) = seen
        shown.append(call["latents_clean"][:, :, 1])
    assert shown[0].abs().max() > 0
    assert torch.allclose(shown[1], 0.25 * shown[0])


class Doubles(TorchDispatchMode):
    """What is computed in 64 bits."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: set[str] = set()

    def __torch_dispatch__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = call(*args, **(kwargs or {}))
        if any(isinstance(one, torch.Tensor) and one.dtype == torch.float64 for one in tree_iter((args, made))):
            self.seen.add(str(call))
        return made


def test_nothing_needs_numbers_that_a_gpu_may_not_have(components: Components, plain: Path) -> None:
    """Apple's has none of 64 bits."""
    plan = plan_of(components, plain, seconds=1, sampling={"steps": 4, "cfg": 2.0})
    with Doubles() as doubles:
        for event in sample_latents(plan, components, fitted(plan)):
            if isinstance(event, LatentsReady):
                Decoder(components.vae, event.latents.shape[2], "reverse").push(0, torch.as_tensor(event.latents))
    assert doubles.seen == set()


@pytest.mark.parametrize("direction", ["reverse", "forward"])
@pytest.mark.parametrize("sampling", [{}, {"cfg": 3.0}, {"teacache": False}, {"nag": 4.0}])
def test_a_section_is_drawn_from_its_piece_and_what_it_is_blended_with(
    direction: str, sampling: dict[str, Any], request: pytest.FixtureRequest, plain: Path, monkeypatch: Any
) -> None:
    components = request.getfixturevalue("components" if direction == "reverse" else "forward")
    seen: list[tuple[PromptStates, PromptStates | None]] = []

    def watched(transformer: Any, section: SectionInputs, *rest: Any) -> Denoiser:
        seen.append((section.positive, section.negative))
        return Denoiser(transformer, section, *rest)

    monkeypatch.setattr("eichi.pipeline.generate.Denoiser", watched)
    values = {"prompt": r"a \{star\} [50%: moves left]", "seconds": 3.6, "negative": "dark", "sampling": sampling}
    plan = plan_of(components, plain, keyframes={"blend": 1}, **values)
    list(sample_latents(plan, components, fitted(plan)))
    early, late, dark = (encode_prompt(components, text) for text in ("a {star}", "a {star} moves left", "dark"))
    expected = [early, blend(early, late, 0.5), late]
    for section, (positive, negative) in zip(plan.sections, seen, strict=True):
        wanted = expected[(section.start_frame + 1) // 36]
        for one, other in zip(vars(positive).values(), vars(wanted).values(), strict=True):
            assert torch.equal(one, other)
        assert (negative is not None) == bool({"cfg", "nag"} & sampling.keys())
        assert negative is None or torch.equal(negative.states, dark.states)
