"""The axis is the plan: its sections in the order of time, at their widths, with what they come from."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from eichi.catalog import find
from eichi.jobs.view import PlanView
from eichi.options import VideoOptions
from eichi.plan.plan import make_plan
from eichi.web.i18n import Words
from eichi.web.timeline import END, render_timeline

WORDS = Words("en")


class Sections(HTMLParser):
    """The sections that were drawn, in order, as their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []
        self.tags: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        values = dict(attrs)
        if "data-section" in values:
            self.found.append(values)


def plan(seconds: float, model: str = "tiny", **keyframes: Any) -> PlanView:
    values = {"model": model, "image": Path("a.png"), "seconds": seconds, "seed": 1, "keyframes": keyframes}
    return PlanView.of(make_plan(VideoOptions.parse(values), find(model), (96, 64)))


@pytest.mark.parametrize(("seconds", "size"), [(1, "cards"), (5, "cards"), (20, "bars"), (120, "lines")])
def test_any_number_of_sections_is_one_axis(seconds: float, size: str) -> None:
    made = plan(seconds)
    html = render_timeline(made, WORDS, {})
    found = Sections(html).found
    assert f'class="axis {size}"' in html
    *found, end = found
    assert int(str(end["data-section"])) == END
    assert [int(str(one["data-section"])) for one in found] == list(reversed(range(len(made.sections))))
    widths = [int(re.findall(r"flex-grow:(\d+)", str(one["style"]))[0]) for one in found]
    assert sum(widths) == made.frames


def test_f1_counts_from_the_start() -> None:
    assert [one["data-section"] for one in Sections(render_timeline(plan(4, "tiny-f1"), WORDS, {})).found] == [
        "0",
        "1",
        "2",
    ]


def test_copies_are_red_and_blue() -> None:
    made = plan(6, sections={0: "r.png", 1: "b.png"}, copies=True)
    marks = {
        one["data-section"]: str(one["class"]).split()
        for one in Sections(render_timeline(made, WORDS, {}, copies=True)).found
    }
    assert "red" in marks["0"]
    assert "blue" in marks["1"]
    assert "from-red" in marks["2"]
    assert "from-blue" in marks["3"]
    without = render_timeline(plan(6, sections={0: "r.png"}), WORDS, {})
    assert "red" not in without


def test_sources_times_and_the_chosen_section_are_said() -> None:
    html = render_timeline(plan(5, sections={2: "k.png"}), WORDS, {"image": "/x?a=1&b=2", "section:2": "/k"}, chosen=2)
    by_number = {one["data-section"]: one for one in Sections(html).found}
    assert "own picture" in str(by_number["2"]["title"])
    assert "chosen" in str(by_number["2"]["class"])
    assert "from section 2" in str(by_number["0"]["title"])
    assert "from Image" in str(by_number["3"]["title"])
    assert "0.0–1.2 s" in str(by_number["3"]["title"])
    assert 'src="/x?a=1&amp;b=2"' in html


def test_the_seamless_loop_has_its_connecting_section_last() -> None:
    found = Sections(render_timeline(plan(5, loop="seamless"), WORDS, {})).found
    assert found[-2]["data-section"] == "-1"
    assert "Connecting section" in str(found[-2]["title"])


def test_what_people_wrote_is_text() -> None:
    html = render_timeline(
        plan(5, prompts={0: '"><script>alert(1)</script>'}), WORDS, {"image": '"><img src=x onerror=alert(1)>'}
    )
    assert Sections(html).tags == {"div", "button", "span", "b", "i", "img"}
    assert not [one for one in Sections(html).found if "onerror" in one]
    assert "<script" not in html
