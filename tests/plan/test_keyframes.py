"""Key frames reach down to the next picture: generation.md §4.4 and §22."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eichi.errors import OptionError
from eichi.plan.keyframes import START, anchor, check_numbers, section_image


def test_rows_two_and_five() -> None:
    anchors = [anchor(number, {2, 5}) for number in range(8)]
    assert anchors == ["section:2"] * 3 + ["section:5"] * 3 + ["image"] * 2


@given(st.sets(st.integers(0, 20)), st.integers(0, 20))
def test_the_anchor_is_the_nearest_picture_above(images: set[int], number: int) -> None:
    found = anchor(number, images)
    above = [image for image in range(number, 21) if image in images]
    assert found == (section_image(above[0]) if above else START)


@pytest.mark.parametrize(("numbers", "wrong"), [([3], 3), ([0, 7, 4], 4), ([-1], -1)])
def test_a_section_that_is_not_there_is_named(numbers: list[int], wrong: int) -> None:
    with pytest.raises(OptionError) as caught:
        check_numbers("keyframes.prompts", numbers, 3)
    assert caught.value.values["number"] == wrong
    assert "keyframes.prompts" in str(caught.value)
    assert "numbered 0 to 2" in str(caught.value)


def test_sections_that_are_there_pass() -> None:
    check_numbers("keyframes.sections", {0, 1, 2}, 3)
