"""Key frames reach down to the next picture: generation.md §4.4 and §22."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eichi.errors import OptionError
from eichi.plan.keyframes import START, anchor, check_numbers, section_image, spread


def test_rows_two_and_five() -> None:
    carried = spread({2, 5}, 8, copies=False)
    anchors = [anchor(number, carried) for number in range(8)]
    assert anchors == ["section:2"] * 3 + ["section:5"] * 3 + ["image"] * 2


@given(st.sets(st.integers(0, 20)), st.integers(0, 20))
def test_the_anchor_is_the_nearest_picture_above(images: set[int], number: int) -> None:
    found = anchor(number, spread(images, 21, copies=False))
    above = [image for image in range(number, 21) if image in images]
    assert found == (section_image(above[0]) if above else START)


@pytest.mark.parametrize(("numbers", "wrong"), [([3], 3), ([0, 7, 4], 4), ([-1], -1)])
def test_a_section_that_is_not_there_is_named(numbers: list[int], wrong: int) -> None:
    with pytest.raises(OptionError) as caught:
        check_numbers("keyframes.prompts", numbers, 3)
    assert caught.value.values["number"] == wrong
    assert "keyframes.prompts" in str(caught.value)
    assert "3 sections, numbered 0 to 2" in str(caught.value)


def test_sections_that_are_there_pass() -> None:
    check_numbers("keyframes.sections", {0, 1, 2}, 3)


@given(st.sets(st.integers(0, 20)), st.integers(1, 21))
def test_red_fills_even_and_blue_odd_sections(images: set[int], sections: int) -> None:
    images = {image for image in images if image < sections}
    carried = spread(images, sections, copies=True)
    for number in range(sections):
        own = {number: number} if number in images else {}
        copy = {number: number % 2} if number % 2 in images else {}
        assert {k: v for k, v in carried.items() if k == number} == (own or copy)
    assert set(carried) <= set(range(sections))
