"""What is known is taken, the rest is said."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eichi.declare import walk
from eichi.errors import InputError
from eichi.library.outside import kind_of, left_out, over, read_request_from, sift
from eichi.options import FrameOptions, VideoOptions
from eichi.text import encodable

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(["prompt", "seed", "seconds", "keyframes", "sampling", "references", "zeros", "output", "nope"])
inner_names = st.sampled_from(["steps", "sections", "prompts", "final", "frames", "x2", "image", "nope", "0", "1"])


def test_what_is_right_is_taken_as_it_is() -> None:
    values = VideoOptions.parse({"prompt": "p", "keyframes": {"sections": {"1": "a.png"}}}).dump()
    request, left = read_request_from(VideoOptions, values)
    assert (request.dump(), left) == (values, ())


@pytest.mark.parametrize(
    ("values", "key", "id"),
    [
        ({"nope": 1}, "nope", "note.option.unknown"),
        ({"sampling": {"nope": 1}}, "sampling.nope", "note.option.unknown"),
        ({"sampling": {"steps": 500}}, "sampling.steps", "note.option.unfit"),
        ({"sampling": 3}, "sampling", "note.option.unfit"),
        ({"output": {"frames": "some"}}, "output.frames", "note.option.unfit"),
        ({"sampling": {"padding": 0.55}}, "sampling.padding", "note.option.unfit"),
        ({"keyframes": {"sections": {"x": "a.png"}}}, "keyframes.sections.x", "note.option.unfit"),
        ({"keyframes": {"sections": {"0": 3}}}, "keyframes.sections.0", "note.option.unfit"),
        ({"keyframes": {"sections": ["a.png"]}}, "keyframes.sections", "note.option.unfit"),
    ],
)
def test_only_what_is_wrong_is_left_out(values: dict[str, Any], key: str, id: str) -> None:
    request, left = read_request_from(VideoOptions, over({"prompt": "p", "seed": 3}, values))
    assert [(note.id, note.values["key"]) for note in left] == [(id, key)]
    assert request == VideoOptions(prompt="p", seed=3)


def test_a_bad_reference_leaves_the_good_ones() -> None:
    request, left = read_request_from(
        FrameOptions, {"references": [{"index": 3}, "a.png:9", {"image": "b.png", "index": 99}, ""]}
    )
    assert [str(reference.image) for reference in request.references] == ["a.png", "b.png"]
    assert [reference.index for reference in request.references] == [9, None]
    assert len(left) == 3


@pytest.mark.parametrize("kind", [VideoOptions, FrameOptions])
@given(values=st.dictionaries(names, plain | st.dictionaries(inner_names, plain, max_size=3), max_size=5))
def test_any_values_make_a_request(kind: type[VideoOptions | FrameOptions], values: dict[str, Any]) -> None:
    before = repr(values)
    request, left = read_request_from(kind, values)
    assert repr(values) == before
    assert isinstance(request, kind)
    known, again = sift(kind, values)
    assert again == left
    assert sift(kind, known) == (known, ())
    assert kind.parse(known) == request


def test_every_option_survives_beside_a_wrong_one() -> None:
    for field in walk(VideoOptions):
        values = VideoOptions(prompt="p", seconds=3, seed=1).dump()
        request, left = read_request_from(VideoOptions, over(values, {"nope": field.key}))
        assert request.dump() == values
        assert len(left) == 1


def test_layers_merge_tables_and_replace_the_rest() -> None:
    below = {"a": {"x": 1, "y": 2}, "b": [1], "c": 1}
    assert over(below, {"a": {"x": 3}, "b": [], "d": {"e": 1}}) == {
        "a": {"x": 3, "y": 2},
        "b": [],
        "c": 1,
        "d": {"e": 1},
    }
    assert below["a"] == {"x": 1, "y": 2}


def test_kinds_have_names() -> None:
    assert (kind_of("video"), kind_of("frame")) == (VideoOptions, FrameOptions)
    with pytest.raises(InputError, match="film"):
        kind_of("film")


def test_what_is_left_out_is_told_in_few_words() -> None:
    note = left_out("k" * 500 + "\ud800", {"a": "\ud800" * 500})
    assert all(len(str(value)) <= 60 and encodable(value) for value in note.values.values())
    _, told = sift(VideoOptions, {f"unknown{number}": 1 for number in range(5000)})
    assert (len(told), told[-1].id, told[-1].values) == (21, "note.more", {"count": 4980})
