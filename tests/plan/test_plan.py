"""A request becomes a plan that is whole and consistent, or is refused in a sentence."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eichi.catalog import find
from eichi.declare import field_of, walk
from eichi.errors import OptionError
from eichi.jobs.view import PlanView
from eichi.options import MAX_SEED, VideoOptions, place
from eichi.plan.plan import Plan, make_plan
from eichi.plan.size import usual
from eichi.plan.timeline import WINDOWS, paddings


def planned(model: str = "framepack", size: tuple[int, int] = (640, 480), **values: Any) -> Plan:
    options = VideoOptions.parse({"model": model, "image": "start.png", "prompt": "p", **values})
    return make_plan(options, find(model), size)


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    reverse = draw(st.booleans())
    values: dict[str, Any] = {
        "model": draw(st.sampled_from(["tiny", "framepack"] if reverse else ["tiny-f1", "framepack-f1"])),
        "seconds": draw(st.integers(1, 300)) / 10,
        "section_size": draw(st.sampled_from([1.0, 0.5])),
        "seed": draw(st.none() | st.integers(0, MAX_SEED)),
        "size": draw(st.tuples(st.integers(1, 4000), st.integers(1, 4000))),
    }
    if draw(st.booleans()):
        values["source"] = {"before": "v.mp4"}
    if reverse:
        padding = draw(st.none() | st.integers(0, 30).map(lambda tenths: tenths / 10))
        values["sampling"] = {"padding": padding}
    return values


@given(requests(), st.data())
def test_a_plan_is_consistent(values: dict[str, Any], data: st.DataObject) -> None:
    count = len(planned(**values).sections)
    numbers = st.integers(0, count - 1)
    prompts = data.draw(st.dictionaries(numbers, st.sampled_from(["", " ", "own"])))
    values["keyframes"] = {"prompts": prompts}
    reverse = "f1" not in values["model"]
    images = data.draw(st.sets(numbers)) if reverse else set()
    values["keyframes"] |= {"sections": {number: f"{number}.png" for number in images}}
    plan = planned(**values)
    window = WINDOWS[values["section_size"]]
    own = 0 if "source" in values else 1

    assert plan.latents == window * count + 1
    assert plan.frames == 4 * window * count + own
    assert [section.order for section in plan.sections] == list(range(count))
    assert (plan.height, plan.width) in plan.entry.sizes[usual(plan.entry, values["size"])]
    # Every frame and every made latent belongs to exactly one section; the standard model makes the last one first.
    in_time = plan.sections[::-1] if reverse else plan.sections
    frames = [frame for section in in_time for frame in range(section.start_frame, section.end_frame)]
    assert frames == list(range(plan.frames))
    assert [section.first for section in in_time] == [1 + window * place for place in range(count)]
    # All Padding replaces the schedule, the section beside the start picture keeps none.
    padding = values["sampling"]["padding"] if reverse else None
    if padding is not None:
        expected = [*[round(padding * 10) * window // 10] * (count - 1), 0]
    else:
        expected = [window * size for size in paddings(count)] if reverse else [0] * count
    assert [section.padding for section in plan.sections] == expected
    for section in plan.sections:
        assert section.number == section.order
        assert section.prompt == ("own" if prompts.get(section.number) == "own" else "p")
        assert len(section.layout.window) == window
        assert section.layout.window[0] == (1 + section.padding if reverse else 20)
        above = [number for number in images if number >= section.number]
        assert section.anchor == (f"section:{min(above)}" if above else "image")
        assert section.anchor in plan.images


@pytest.mark.parametrize(
    ("model", "size", "spans"),
    [
        ("framepack", 1.0, [(73, 109), (37, 73), (0, 37)]),
        ("framepack-f1", 1.0, [(0, 37), (37, 73), (73, 109)]),
        ("framepack", 0.5, [(21, 41), (0, 21)]),
        ("framepack-f1", 0.5, [(0, 21), (21, 41)]),
    ],
)
def test_frames_of_the_sections(model: str, size: float, spans: list[tuple[int, int]]) -> None:
    plan = planned(model, section_size=size, seconds=3.5 if size == 1.0 else 1.5)
    assert [(section.start_frame, section.end_frame) for section in plan.sections] == spans


def test_five_sections_of_the_worked_example() -> None:
    plan = planned(seconds=6)
    assert [section.padding for section in plan.sections] == [27, 18, 18, 9, 0]
    assert [section.layout.window[0] for section in plan.sections] == [28, 19, 19, 10, 1]
    assert [section.layout.clean[0] for section in plan.sections] == [37, 28, 28, 19, 10]
    assert [section.layout.x4[-1] for section in plan.sections] == [55, 46, 46, 37, 28]


def test_key_frames_two_and_five() -> None:
    plan = planned(seconds=9.6, keyframes={"final": "end.png", "sections": {5: "b.png", 2: "a.png"}})
    assert [section.anchor for section in plan.sections] == ["section:2"] * 3 + ["section:5"] * 3 + ["image"] * 2
    names = {"image": "start.png", "final": "end.png", "section:2": "a.png", "section:5": "b.png"}
    assert plan.images == {name: Path(path) for name, path in names.items()}


@pytest.mark.parametrize(
    ("keyframes", "meets"),
    [
        ({"loop": "final", "final_strength": 0.5}, [0.5, 0.0, 0.0]),
        ({"loop": "final", "final": "other.png"}, [0.0, 0.0, 0.0]),
        ({"loop": "seamless"}, [0.0, 0.0, 1.0]),
        ({"final": "other.png"}, [0.0, 0.0, 0.0]),
    ],
)
def test_a_loop_meets_its_start(keyframes: dict[str, Any], meets: list[float]) -> None:
    assert [section.meets for section in planned(seconds=3.6, keyframes=keyframes).sections] == meets


def test_a_plan_tells_every_position() -> None:
    plan = planned(seconds=2)
    for section, view in zip(plan.sections, PlanView.of(plan).sections, strict=True):
        layout = section.layout
        parts = (layout.start, layout.window, layout.clean, layout.x2, layout.x4)
        told = view.positions
        assert (told.start, told.window, told.clean, told.x2, told.x4) == parts


@pytest.mark.parametrize("model", ["framepack", "framepack-f1"])
def test_a_video_that_is_continued_has_no_frame_of_its_own(model: str) -> None:
    """Wishes are of the new part, which has the frames of its sections alone."""
    plan = planned(model, image=None, seconds=2.4, source={"before": "v.mp4"})
    assert (plan.frames, plan.latents, plan.seconds) == (72, 19, 2.4)
    spans = sorted((section.start_frame, section.end_frame) for section in plan.sections)
    assert spans == [(0, 36), (36, 72)]
    assert plan.images == {"image": Path("v.mp4")}
    assert plan.files == ()
    assert plan.sources == {"before": Path("v.mp4")}


def test_f1_sees_more_of_a_video_where_that_is_asked_for() -> None:
    one, other = (planned("framepack-f1", source={"before": "v.mp4", "context": c}) for c in (1, 9))
    assert one.sections[0].layout == planned("framepack-f1").sections[0].layout
    layout = other.sections[-1].layout
    assert (layout.x4, layout.x2, layout.clean) == (tuple(range(1, 17)), (17, 18), tuple(range(19, 28)))
    assert layout.window == tuple(range(28, 37))
    assert other.need.tokens - one.need.tokens == 8 * 44 * 34
    unused = planned("framepack-f1", source={"context": 9})
    assert unused.sections[0].layout == one.sections[0].layout
    assert "note.option.unused" in {note.id for note in unused.notes}


def test_what_is_kept_of_nothing_is_refused() -> None:
    with pytest.raises(OptionError, match="--keep"):
        planned(kept={"sections": 1})


def test_a_seed_is_drawn_and_recorded() -> None:
    plans = [planned() for _ in range(8)]
    assert len({plan.seed for plan in plans}) > 1
    for plan in plans:
        assert plan.options.seed == plan.seed
        assert 0 <= plan.seed <= MAX_SEED
    assert planned(seed=0).seed == 0


def test_a_plan_planned_again_is_the_same() -> None:
    plan = planned(keyframes={"prompts": {0: "x"}}, sampling={"padding": 0.7})
    assert make_plan(plan.options, plan.entry, (640, 480)) == plan


@pytest.mark.parametrize(
    ("model", "values", "words"),
    [
        ("framepack", {"image": None}, ["--image"]),
        ("framepack", {"resolution": 650}, ["resolution", "650", "384, 512, 640"]),
        ("tiny", {"resolution": 640}, ["resolution", "640", "Use one of: 64, 128."]),
        ("framepack", {"sampling": {"image_strength": 1.01}}, ["sampling.image_strength", "choose an F1 model"]),
        ("framepack-f1", {"keyframes": {"final": "e.png"}}, ["keyframes.final", "choose a standard model"]),
        ("framepack-f1", {"keyframes": {"sections": {0: "e.png"}}}, ["keyframes.sections", "choose a standard model"]),
        ("framepack", {"source": {"before": "v.mp4"}, "keyframes": {"loop": "final"}}, ["--loop"]),
        ("framepack", {"source": {"after": "v.mp4"}, "keyframes": {"final": "e.png"}}, ["--lead-to", "--final"]),
        ("framepack", {"image": None, "source": {"after": "v.mp4"}}, ["--image"]),
        ("framepack-f1", {"sampling": {"padding": 0.0}}, ["sampling.padding", "choose a standard model"]),
        ("framepack", {"seconds": 2, "keyframes": {"sections": {2: "e.png"}}}, ["keyframes.sections", "0 to 1"]),
        ("framepack-f1", {"seconds": 2, "keyframes": {"prompts": {9: "x"}}}, ["keyframes.prompts", "section 9"]),
    ],
)
def test_refusals_name_the_option_and_the_remedy(model: str, values: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(OptionError) as caught:
        planned(model, **values)
    sentence = str(caught.value)
    assert all(word in sentence for word in words), sentence
    assert "\n" not in sentence


ONE_SIDED: dict[str, tuple[str, Any]] = {
    "source.after": ("framepack-f1", "e.mp4"),
    "source.context": ("framepack", 2),
    "keyframes.final": ("framepack-f1", "e.png"),
    "keyframes.final_strength": ("framepack-f1", 0.5),
    "keyframes.sections": ("framepack-f1", {0: "e.png"}),
    "keyframes.copies": ("framepack-f1", True),
    "keyframes.loop": ("framepack-f1", "final"),
    "sampling.padding": ("framepack-f1", 1.0),
    "sampling.image_strength": ("framepack", 101.0),
}


def test_no_option_of_the_other_direction_is_ignored() -> None:
    assert ONE_SIDED.keys() == {field.key for field in walk(VideoOptions) if field.only}
    for key, (model, value) in ONE_SIDED.items():
        values: dict[str, Any] = {}
        place(values, key, value)
        with pytest.raises(OptionError, match=key):
            planned(model, **values)
        place(values, key, field_of(VideoOptions, key).info.default)
        assert planned(model, **values)


@pytest.mark.parametrize(
    ("values", "note"),
    [
        ({"prompt": " "}, "note.prompt.empty"),
        ({"negative": "n"}, "note.option.unused"),
        ({"negative": " "}, None),
        ({"sampling": {"rescale": 0.5}}, "note.option.unused"),
        ({"sampling": {"rescale": 0.5, "cfg": 2.0}}, None),
        ({"sampling": {"teacache": False, "threshold": 0.1}}, "note.option.unused"),
        ({"sampling": {"teacache": False, "cache": "mag"}}, "note.option.unused"),
        ({"weights": {"fp8_math": True}}, "note.option.unused"),
        ({"weights": {"fp8_math": True, "fp8": "row"}}, None),
        ({"keyframes": {"prompts": {"99": "  "}}}, None),
        ({"negative": "n", "sampling": {"cfg": 2.0}}, None),
        ({"keyframes": {"final_strength": 0.5}}, "note.final.strength"),
        ({"keyframes": {"final_strength": 0.5, "final": "e.png"}}, None),
        ({"keyframes": {"loop": "final", "final": "e.png"}}, "note.final.loop"),
        ({"keyframes": {"loop": "final"}}, None),
        ({"seconds": 2.0}, "note.seconds"),
        ({"output": {"crf": 0}}, "note.crf"),
        ({"output": {"crf": 52}}, "note.crf"),
        ({"output": {"crf": 51}}, None),
        ({"source": {"before": "v.mp4"}, "seconds": 1.2}, "note.source.image"),
        ({}, None),
    ],
)
def test_what_differs_from_the_wish_is_said(values: dict[str, Any], note: str | None) -> None:
    plan = planned(**{"seconds": 1.23} | values)
    assert [said.id for said in plan.notes] == ([note] if note else [])
