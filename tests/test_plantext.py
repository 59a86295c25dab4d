"""A drawn plan shows everything in the order of time and never leaves its width."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from eichi.catalog import find
from eichi.jobs.view import FramePlanView, PlanView
from eichi.options import MAX_INDEX, FrameOptions, VideoOptions
from eichi.plan.oneframe import PROFILES, make_frame_plan
from eichi.plan.plan import make_plan
from eichi.plantext import frame_lines, plan_lines
from eichi.words import languages


def described(**values: Any) -> PlanView:
    options = VideoOptions.parse({"image": "a.png", "model": "framepack", "prompt": "walks\non", **values})
    return PlanView.of(make_plan(options, find("framepack"), (640, 640)))


def test_four_sections() -> None:
    lines = plan_lines(described(seconds=5), 41, "en")
    assert lines[1] == "│    3    │    2    │    1    │    0    │"
    assert lines[2] == "0.0       1.2       2.4       3.6     4.8"
    assert [line.split(":")[0].strip() for line in lines[3:]] == [f"section {n}" for n in (3, 2, 1, 0)]
    assert lines[3].startswith("  section 3: 0.00-1.23 s, generated as n")


def test_too_many_for_an_axis() -> None:
    lines = plan_lines(described(seconds=120), 80, "en")
    assert len(lines) == 1 + 100


@given(st.floats(0.1, 120), st.integers(40, 200), st.sampled_from(languages()))
def test_never_wider(seconds: float, width: int, language: str) -> None:
    summary, *lines = plan_lines(described(seconds=seconds, section_size=0.5), width, language)
    assert summary
    assert all(cell_len(line) <= width for line in lines)


def image(*references: str, **values: Any) -> FramePlanView:
    request = {"image": "a.png", "model": "framepack", "seed": 5, "references": references, **values}
    return FramePlanView.of(make_frame_plan(FrameOptions.parse(request), find("framepack"), (640, 640)))


def test_an_image_and_its_pictures() -> None:
    assert frame_lines(image("b.png:10:m.png", target=4), 32, "en") == [
        "framepack: single frame, 640x640, profile kisekae, target index 4, seed 5",
        "●───────────○─────────────────●",
        "0           4                 10",
        "  ● 0: start image a.png",
        "  ○ 4: the frame being generated",
        "  ● 10: reference 1 b.png, mask…",
    ]


def test_what_is_empty_is_shown() -> None:
    _, bar, ruler, *lines = frame_lines(image("b.png", profile="musubi", target=5), 59, "en")
    assert bar == "●─────────○─────────·─·─·─●─·──·─·─·─·─·─·─·─·─·─·─·─·─·─·"
    assert ruler.split() == ["0", "5", "10", "13", "28"]
    assert [line.split(":")[0] for line in lines] == ["  ● 0", "  ○ 5", "  · 10", "  · 11-12", "  ● 13", "  · 13-28"]


def test_what_is_drawn_hides_nothing_from_the_lines() -> None:
    lines = frame_lines(image("b.png", profile="oichi"), 80, "en")
    assert [line for line in lines if " 1: " in line] == ["  ○ 1: the frame being generated", "  · 1: empty 4x latents"]
    assert lines[1].count("○") == 1


@given(st.sampled_from(sorted(PROFILES)), st.integers(1, MAX_INDEX), st.integers(20, 200), st.sampled_from(languages()))
def test_an_image_is_never_wider(profile: str, window: int, width: int, language: str) -> None:
    summary, *lines = frame_lines(image("b.png:63", profile=profile, window=window), width, language)
    assert summary
    assert all(cell_len(line) <= width for line in lines)


def test_pieces_of_the_prompt_and_what_is_blended_are_told() -> None:
    plan = described(seconds=3.6, prompt="a girl [1.2s: waves]", keyframes={"blend": 1, "prompts": {0: "own"}})
    lines = plan_lines(plan, 120, "en")
    assert "  common prompt: “a girl”" in lines
    assert [line.rpartition(", ")[2] for line in lines[-3:]] == [
        "“a girl”",
        "“50 % waves / a girl”",
        "“50 % own / waves”",
    ]
    assert [(piece.text, piece.prompt, piece.sections) for piece in plan.pieces] == [("waves", "a girl waves", (1,))]
