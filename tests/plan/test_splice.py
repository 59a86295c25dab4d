"""Clips in one run of latents: every frame counted once, whatever is cut and joined in whatever order."""

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eichi.errors import OptionError
from eichi.plan.continued import Shape, kept_sections
from eichi.plan.splice import frame_total, joined, stretches, trimmed

clips = st.builds(lambda count, first: Shape(16, count, 8, 8, first), st.integers(1, 40), st.sampled_from([0, 0, 10]))
shapes = st.lists(clips, min_size=1, max_size=4).map(lambda parts: reduce(joined, parts))


@given(st.integers(1, 500))
def test_a_clip_has_four_frames_a_latent_but_one_for_the_first(count: int) -> None:
    assert frame_total(Shape(16, count, 8, 8)) == 4 * count - 3
    assert frame_total(Shape(16, count, 8, 8, first=5)) == 4 * count - 3


@given(shapes, shapes)
def test_no_frame_is_lost_and_none_is_added(one: Shape, other: Shape) -> None:
    both = joined(one, other)
    # A clip that lost its start picture gives one frame for its first latent alone, and four behind another clip.
    gained = 0 if other.first == 0 else 3
    assert both.count == one.count + other.count
    assert frame_total(both) == frame_total(one) + frame_total(other) + gained


@given(shapes)
def test_stretches_cover_every_latent_once(shape: Shape) -> None:
    assert [place for stretch in stretches(shape) for place in stretch] == list(range(shape.count))
    assert all(len(stretch) for stretch in stretches(shape))


@given(shapes, shapes, shapes)
def test_the_order_of_joining_does_not_matter(one: Shape, two: Shape, three: Shape) -> None:
    assert joined(joined(one, two), three) == joined(one, joined(two, three))


@given(shapes, st.data())
def test_what_is_cut_apart_and_joined_is_what_it_was(shape: Shape, data: st.DataObject) -> None:
    if shape.count < 2:
        return
    at = data.draw(st.integers(1, shape.count - 1))
    head, tail = trimmed(shape, 0, shape.count - at), trimmed(shape, at, 0)
    assert joined(head, tail) == shape


def test_a_cut_at_a_joint_leaves_whole_clips() -> None:
    shape = joined(Shape(16, 10, 8, 8, first=10), Shape(16, 19, 8, 8))
    assert shape.joints == (10,)
    assert trimmed(shape, 10, 0) == Shape(16, 19, 8, 8)
    assert trimmed(shape, 0, 19) == Shape(16, 10, 8, 8, first=10)
    assert trimmed(shape, 11, 0).first == 21


@pytest.mark.parametrize(
    ("start", "end", "words"), [(0, 0, "nothing to trim"), (10, 0, "at least one"), (5, 5, "10 latents and 10")]
)
def test_a_cut_that_cannot_be(start: int, end: int, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        trimmed(Shape(16, 10, 8, 8), start, end)


@pytest.mark.parametrize("other", [Shape(16, 5, 8, 6), Shape(16, 5, 6, 8), Shape(8, 5, 8, 8)])
def test_clips_of_other_sizes_are_not_joined(other: Shape) -> None:
    with pytest.raises(OptionError, match="64x64x16 and"):
        joined(Shape(16, 10, 8, 8), other)


def test_a_joined_file_has_no_sections_to_keep() -> None:
    shape = joined(Shape(16, 10, 8, 8), Shape(16, 9, 8, 8))
    with pytest.raises(OptionError, match="2 clips"):
        kept_sections(None, shape, 9, (64, 64), 4)
