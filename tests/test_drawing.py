"""The drawn plan shows every section in the order of time and never leaves its width."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from eichi.catalog import find
from eichi.drawing import draw
from eichi.options import VideoOptions
from eichi.plan.plan import make_plan
from eichi.words import languages


def described(**values: Any) -> dict[str, Any]:
    options = VideoOptions.parse({"image": "a.png", "model": "framepack", "prompt": "walks\non", **values})
    return make_plan(options, find("framepack"), (640, 640)).describe()


def test_four_sections() -> None:
    lines = draw(described(seconds=5), 41, "en")
    assert lines[1] == "│    3    │    2    │    1    │    0    │"
    assert lines[2] == "0.0       1.2       2.4       3.6     4.8"
    assert [line.split(":")[0].strip() for line in lines[3:]] == [f"section {n}" for n in (3, 2, 1, 0)]
    assert lines[3].startswith("  section 3: 0.00-1.23 s, made as no. 4")


def test_too_many_for_an_axis() -> None:
    lines = draw(described(seconds=120), 80, "en")
    assert len(lines) == 1 + 100


@given(st.floats(0.1, 120), st.integers(40, 200), st.sampled_from(languages()))
def test_never_wider(seconds: float, width: int, language: str) -> None:
    summary, *lines = draw(described(seconds=seconds, section_size=0.5), width, language)
    assert summary
    assert all(cell_len(line) <= width for line in lines)
