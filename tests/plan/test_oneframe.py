"""Every vector that the programs with a one-frame mode were found to use, and what a request for one may not say."""

import re
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eichi.catalog import find
from eichi.declare import field_of
from eichi.errors import OptionError
from eichi.options import MAX_INDEX, MAX_SEED, FrameOptions
from eichi.plan.layout import Layout
from eichi.plan.oneframe import PROFILES, FrameLayout, FramePlan, make_frame_plan, sweep
from eichi.plan.request import drawn
from eichi.words import languages

MUSUBI_X4 = list(range(13, 29))


def planned(*indices: int | None, model: str = "framepack", **values: Any) -> FramePlan:
    """The plan of a request with references at the given indices, None leaving one to the profile."""
    references = [{"image": f"{number}.png", "index": index} for number, index in enumerate(indices)]
    request = {"model": model, "image": "start.png", "prompt": "p", "references": references, **values}
    return make_frame_plan(FrameOptions.parse(request), find(model), (640, 480))


def positions(*indices: int | None, **values: Any) -> dict[str, list[int]]:
    return planned(*indices, **values).layout.describe()


def ids(plan: FramePlan) -> list[str]:
    return [note.id for note in plan.notes]


@pytest.mark.parametrize(
    ("indices", "values", "target", "clean", "x2", "x4"),
    [
        ([], {}, 8, [0], [11], [13]),
        ([], {"window": 1}, 0, [0], [3], [5]),
        ([], {"window": 4}, 3, [0], [6], [8]),
        ([], {"window": 64}, 63, [0], [66], [68]),
        ([None], {}, 1, [0, 16], [12], [1]),
        ([16], {"target": 1}, 1, [0, 16], [12], [1]),
        ([10], {"target": 5}, 5, [0, 10], [12], [5]),
        ([16], {"target": 8, "window": 5}, 4, [0, 16], [8], [4]),
        ([16], {"target": 1, "window": 10}, 1, [0, 16], [13], [1]),
        ([16], {"target": 1, "window": 20}, 1, [0, 16], [23], [1]),
        ([16], {"target": 1, "zeros": {"x2": False, "x4": False}}, 1, [0, 16], [], []),
    ],
)
def test_oichi_to_the_index(
    indices: list[int | None], values: dict[str, Any], target: int, clean: list[int], x2: list[int], x4: list[int]
) -> None:
    found = positions(*indices, profile="oichi", **values)
    assert found == {"target": [target], "clean": clean, "post": [], "x2": x2, "x4": x4}


@pytest.mark.parametrize(
    ("profile", "indices", "values", "expected"),
    [
        ("kisekae", [], {}, ([9], [0], [], [], [])),
        ("kisekae", [None], {}, ([1], [0, 10], [], [], [])),
        ("kisekae", [13], {"target": 5}, ([5], [0, 13], [], [], [])),
        ("kisekae", [None, None, None], {}, ([1], [0, 10, 11, 12], [], [], [])),
        ("kisekae", [None, 10, None], {}, ([1], [0, 11, 10, 12], [], [], [])),
        ("musubi", [], {}, ([9], [0], [10], [11, 12], MUSUBI_X4)),
        ("musubi", [None], {"target": 5}, ([5], [0, 13], [10], [11, 12], MUSUBI_X4)),
        ("musubi", [], {"window": 5}, ([5], [0], [6], [7, 8], list(range(9, 25)))),
        ("musubi", [None, None], {"window": 12}, ([12], [0, 14, 15], [13], [14, 15], list(range(16, 32)))),
        ("musubi", [], {"zeros": {"x2": False, "x4": False}}, ([9], [0], [10], [], [])),
        (
            "musubi",
            [10],
            {"target": 1, "zeros": dict.fromkeys(["post", "x2", "x4"], False)},
            ([1], [0, 10], [], [], []),
        ),
        ("1f-mc", [None], {}, ([9], [0, 1], [10], [], [])),
        ("comfy", [], {}, ([8], [0], [], [], [])),
        ("comfy", [], {"target": 3}, ([3], [0], [], [], [])),
        ("comfy", [None], {}, ([1], [0, 13], [], [], [])),
        ("comfy", [7], {"target": 30}, ([30], [0, 7], [], [], [])),
    ],
)
def test_profiles(profile: str, indices: list[int | None], values: dict[str, Any], expected: tuple[list[int]]) -> None:
    found = positions(*indices, profile=profile, **values)
    assert found == dict(zip(["target", "clean", "post", "x2", "x4"], expected, strict=True))


def test_profiles_are_those_that_can_be_asked_for() -> None:
    assert field_of(FrameOptions, "profile").choices == tuple(PROFILES)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_flag_moves_nothing_but_its_own_latents(profile: str) -> None:
    indices = [None] if PROFILES[profile].alone is None else []
    whole = positions(*indices, profile=profile)
    for post, x2, x4 in product([True, False], repeat=3):
        zeros = {"post": post, "x2": x2, "x4": x4}
        kept = {name: at if zeros.get(name, True) else [] for name, at in whole.items()}
        assert positions(*indices, profile=profile, zeros=zeros) == kept


@pytest.mark.parametrize("profile", [name for name in PROFILES if name != "oichi"])
def test_the_target_moves_nothing_else(profile: str) -> None:
    one, two = (positions(14, profile=profile, target=target) for target in (2, 7))
    assert one.pop("target") != two.pop("target")
    assert one == two


def test_oichi_is_named_for_its_quirk() -> None:
    assert "note.frame.oichi" in ids(planned(None, profile="oichi"))
    assert "note.frame.oichi" not in ids(planned(None, profile="oichi", zeros={"x4": False}))
    assert "note.frame.oichi" not in ids(planned(profile="oichi"))


def test_the_layout_of_a_section_of_one_latent() -> None:
    layout = FrameLayout(target=9, clean=(0, 5, 1), post=(10,), x2=(11,), x4=(13, 14))
    assert layout.section == Layout(start=(0,), window=(9,), clean=(5, 1, 10), x2=(11,), x4=(13, 14))


def test_the_plan_is_resolved() -> None:
    plan = planned(None, mask="m.png", seed=7)
    assert (plan.height, plan.width) == (544, 704)
    assert plan.options == FrameOptions.parse({**plan.options.dump(), "resolution": 640})
    assert [str(path) for path in plan.files] == ["start.png", "m.png", "0.png"]
    assert (plan.seed, plan.options.profile) == (7, "kisekae")
    assert plan.layout.describe() == {"target": [1], "clean": [0, 10], "post": [], "x2": [], "x4": []}
    assert 0 <= planned().seed <= MAX_SEED


REFUSED: list[tuple[list[int | None], dict[str, Any], list[str]]] = [
    ([], {"model": "framepack-f1"}, ["FramePack F1", "standard model"]),
    ([], {"image": None}, ["start image", "--image"]),
    ([], {"resolution": 641}, ["resolution", "641", "640"]),
    ([10, 10], {}, ["index 10", "--reference", "11"]),
    ([0], {}, ["index 0", "--reference"]),
    ([10], {"profile": "musubi"}, ["index 10", "11"]),
    ([], {"vision": 0.3}, ["SigLIP", "--vision", "--reference"]),
    ([None, None], {"profile": "oichi"}, ["oichi", "at most 1", "2"]),
    ([None, None], {"profile": "comfy"}, ["comfy", "at most 1"]),
    ([None, None], {"profile": "1f-mc"}, ["1f-mc", "at most 1"]),
    ([], {"profile": "1f-mc"}, ["1f-mc", "--reference"]),
    ([], {"profile": "oichi", "target": 3}, ["target", "oichi"]),
    ([], {"profile": "eichi"}, ["profile", "kisekae, oichi, musubi, 1f-mc, comfy"]),
    ([], {"sampling": {"padding": 1.0}}, ["no option", "sampling.padding"]),
    ([], {"sampling": {"image_strength": 1.01}}, ["no option", "sampling.image_strength"]),
    ([], {"seconds": 2}, ["no option", "seconds"]),
]


@pytest.mark.parametrize(("indices", "values", "words"), REFUSED)
def test_refusals_are_one_sentence(indices: list[int | None], values: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(OptionError) as caught:
        planned(*indices, **values)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    for language in languages():
        assert "\n" not in caught.value.say(language)


@pytest.mark.parametrize(
    ("indices", "values", "expected"),
    [
        ([None], {}, []),
        ([1], {}, ["note.frame.same"]),
        ([], {"target": 0}, ["note.frame.same"]),
        ([], {"profile": "musubi", "target": 10}, ["note.frame.same"]),
        ([9], {"profile": "1f-mc"}, ["note.frame.same"]),
        ([1], {"target": 2}, ["note.frame.index"]),
        ([3, 12], {"target": 4}, ["note.frame.index"]),
        ([None], {"profile": "1f-mc"}, []),
        ([None], {"profile": "oichi", "target": 12}, ["note.frame.target", "note.frame.oichi"]),
        ([None], {"window": 4}, ["note.frame.window"]),
        ([], {"window": 4}, []),
        ([], {"prompt": " ", "negative": "x"}, ["note.prompt.empty", "note.option.unused"]),
    ],
)
def test_what_deserves_a_word(indices: list[int | None], values: dict[str, Any], expected: list[str]) -> None:
    plan = planned(*indices, **values)
    assert ids(plan) == expected
    for note in plan.notes:
        assert OptionError(note.id, **note.values).say()


def test_a_sweep_is_a_batch_of_requests() -> None:
    request = planned(profile="oichi", window=3, seed=4).options
    swept = sweep(request, windows=range(3, 6))
    assert [one.window for one in swept] == [3, 4, 5]
    layouts = [make_frame_plan(one, find("framepack"), (640, 480)).layout for one in swept]
    assert [(layout.target, *layout.x2, *layout.x4) for layout in layouts] == [(2, 5, 7), (3, 6, 8), (4, 7, 9)]
    assert all(one.model_copy(update={"window": 3}) == request for one in swept)
    both = sweep(planned(None).options, windows=(8, 9), targets=(1, 2))
    assert [(one.window, one.target) for one in both] == [(8, 1), (8, 2), (9, 1), (9, 2)]
    assert sweep(request) == (request,)
    assert len({one.seed for one in sweep(FrameOptions(), targets=range(9))} - {None}) == 1
    with pytest.raises(OptionError, match="window: 65"):
        sweep(request, windows=[65])


def test_with_a_reference_oichis_window_moves_its_2x_latent_alone() -> None:
    swept = sweep(planned(None, profile="oichi").options, windows=range(9, 12))
    layouts = [make_frame_plan(one, find("framepack"), (640, 480)).layout for one in swept]
    assert [layout.x2 for layout in layouts] == [(12,), (13,), (14,)]
    assert len({replace(layout, x2=()) for layout in layouts}) == 1


def test_seeds_count_up() -> None:
    request = planned(seed=4).options
    swept = sweep(request, targets=(1, 2), seeds=3)
    assert [(one.target, one.seed) for one in swept] == [(1, 4), (1, 5), (1, 6), (2, 4), (2, 5), (2, 6)]
    assert all(one.model_copy(update={"target": None, "seed": 4}) == request for one in swept)
    seeds = [one.seed for one in sweep(FrameOptions(), seeds=100)]
    assert seeds[0] is not None
    assert seeds == list(range(seeds[0], seeds[0] + 100))
    with pytest.raises(OptionError, match=f"seed: {MAX_SEED + 1}"):
        sweep(request.model_copy(update={"seed": MAX_SEED}), seeds=2)


def test_a_drawn_seed_leaves_room_to_count_up() -> None:
    assert drawn(None, MAX_SEED + 1) == 0
    assert drawn(3, MAX_SEED + 1) == 3


def test_texts_are_what_the_encoders_read() -> None:
    assert planned(negative="n").texts == ("p",)
    assert planned(negative="n", sampling={"cfg": 2.0}).texts == ("p", "n")


@given(
    st.sampled_from(sorted(PROFILES)),
    st.integers(1, MAX_INDEX),
    st.none() | st.integers(0, MAX_INDEX),
    st.lists(st.none() | st.integers(0, MAX_INDEX), max_size=5),
    st.fixed_dictionaries({}, optional=dict.fromkeys(["post", "x2", "x4"], st.booleans())),
)
def test_any_request_is_planned_as_asked_or_refused(
    profile: str, window: int, target: int | None, indices: list[int | None], zeros: dict[str, bool]
) -> None:
    try:
        plan = planned(*indices, profile=profile, window=window, target=target, zeros=zeros)
    except OptionError as error:
        sentence = error.say()
        assert re.match(r".*(reference|target).*[^.]\. .*\.$", sentence), sentence
        return
    layout = plan.layout
    given = (*layout.clean, *layout.post)
    assert len(set(given)) == len(given)
    assert layout.clean[0] == 0
    assert all(asked in (None, got) for asked, got in zip(indices, layout.clean[1:], strict=True))
    assert (layout.target == target) or target is None or "note.frame.target" in ids(plan)
    assert (layout.target in given) == ("note.frame.same" in ids(plan))
    for name in ("post", "x2", "x4"):
        places = getattr(layout, name)
        assert list(places) == list(range(places[0], places[0] + len(places))) if places else True
        assert not places or zeros.get(name, True)


@given(st.sampled_from(sorted(PROFILES)), st.data())
def test_any_plan_is_consistent(profile: str, data: st.DataObject) -> None:
    known = PROFILES[profile]
    count = data.draw(st.integers(0 if known.alone else 1, known.most or 6))
    indices = data.draw(st.lists(st.none() | st.integers(20, MAX_INDEX), min_size=count, max_size=count, unique=True))
    window = data.draw(st.integers(1, 15))
    target = data.draw(st.none() | st.integers(0, MAX_INDEX)) if profile != "oichi" or count else None
    plan = planned(*indices, profile=profile, window=window, target=target)
    clean = (*plan.layout.clean, *plan.layout.post)
    assert len(set(clean)) == len(clean)
    assert len(plan.pictures) == len(plan.layout.clean) == count + 1
    assert all(asked in (None, got) for asked, got in zip(indices, plan.layout.clean[1:], strict=True))
    assert (plan.layout.target == target) or target is None or "note.frame.target" in ids(plan)
    assert plan.pictures[0].image == Path("start.png")
