"""The keys of eichi 1.9 by the application that saved them: what one of them has no use for is not carried on."""

from typing import Any

import pytest

from eichi.library.eichi19 import FORWARD, STANDARD, video

SAVED = {"use_all_padding": True, "all_padding_value": 0.7, "end_frame_strength": 0.5, "image_strength": 1.01}


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (STANDARD, {"sampling": {"padding": 0.7}, "keyframes": {"final_strength": 0.5}}),
        (FORWARD, {"sampling": {"image_strength": 1.01}}),
    ],
)
def test_each_model_gets_what_it_can_use(model: str, expected: dict[str, Any]) -> None:
    _, values, notes = video(SAVED, model)
    assert values == {"model": model, **expected}
    assert notes == []


def test_padding_that_is_switched_off_is_none() -> None:
    _, values, _ = video(SAVED | {"use_all_padding": False}, STANDARD)
    assert "sampling" not in values
