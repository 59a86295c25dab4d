"""Prompts by time: how they are read, which section takes which piece, how neighbours are blended."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eichi.catalog import find
from eichi.errors import OptionError
from eichi.options import VideoOptions
from eichi.plan.plan import Plan, make_plan
from eichi.plan.prompts import read_script, shares
from eichi.plan.timeline import WINDOWS

TEN = Fraction(10)


def planned(prompt: str, model: str = "framepack", **values: Any) -> Plan:
    options = VideoOptions.parse({"model": model, "image": "start.png", "prompt": prompt, **values})
    return make_plan(options, find(model), (640, 480))


@pytest.mark.parametrize(
    ("prompt", "common", "spans"),
    [
        ("a girl", "a girl", []),
        ("  a [red] b\n", "  a [red] b\n", []),
        ("[2sisters: x] [s: x] [2: x] [2m: x] [1234567s: x]", None, []),
        ("a [2s: b]", "a", [(2, 10, "b")]),
        ("[0s: b] [3s: c] a", "a", [(0, 3, "b"), (3, 10, "c")]),
        ("[3s: c][0s: b]", "", [(3, 10, "c"), (0, 3, "b")]),
        ("a [2s-4s: b] z", "a z", [(2, 4, "b")]),
        ("[2-4s: b] [ 2 s - 4 S : b ]", "", [(2, 4, "b")] * 2),
        ("[25%-50%: b][75%: c]", "", [(2.5, 5, "b"), (7.5, 10, "c")]),
        ("[25%-8s: b]", "", [(2.5, 8, "b")]),
        ("[1.5s: b] [2,5s: c] [.5s: d]", "", [(1.5, 2.5, "b"), (2.5, 10, "c"), (0.5, 1.5, "d")]),
        ("[２s－４s：波]", "", [(2, 4, "波")]),
        ("海［２ｓ～４ｓ：波］［75％: 風]", "海", [(2, 4, "波"), (7.5, 10, "風")]),
        ("海［波］［２: 風］", None, []),
        ("[2s:]", "", [(2, 10, "")]),
        ("[12s: b]", "", [(12, 12, "b")]),
        ("[2s: a [red] sign]", "", [(2, 10, "a [red] sign")]),
        (r"[2s: a \] and \[ b]", "", [(2, 10, "a ] and [ b")]),
        (r"\[2s: b] c", "[2s: b] c", []),
        (r"\[2s: b\] c", "[2s: b] c", []),
        ("[[2s: b]] c", "[2s: b] c", []),
        ("[[2s: b] c", "[2s: b] c", []),
        ("[1s: says [[2s: b]] here]", "", [(1, 10, "says [2s: b] here")]),
        (r"a \[b] [[c]] \o/ ]]", None, []),
        ("one\n[2s: two]\nthree", "one three", [(2, 10, "two")]),
    ],
)
def test_prompts_are_taken_apart(prompt: str, common: str | None, spans: list[tuple[float, float, str]]) -> None:
    script = read_script(prompt)
    assert script.common == (prompt if common is None else common)
    assert [(float(span.start), float(span.end), span.text) for span in script.spans(TEN)] == spans
    for span in script.spans(TEN):
        assert span.prompt == f"{script.common} {span.text}".strip()


@pytest.mark.parametrize(
    ("prompt", "line", "column", "reason"),
    [
        ("[2s: b", 1, 7, "close"),
        ("a [2s: b [3s: c]]", 1, 10, "close"),
        ("[2s b]", 1, 5, "dash"),
        ("[2s", 1, 4, "dash"),
        ("a\n [2s-4s b]", 2, 9, "colon"),
        ("[2s-x: b]", 1, 5, "time"),
        ("[2s-4: b]", 1, 5, "time"),
        ("[4s-2s: b]", 1, 5, "order"),
        ("[2s-2s: b]", 1, 5, "order"),
        ("[50%-2s: b]", 1, 6, "order"),
        ("[1s-101%: b]", 1, 5, "share"),
        ("[1s:]" * 201, 1, 1001, "many"),
    ],
)
def test_errors_name_the_place_and_what_is_expected(prompt: str, line: int, column: int, reason: str) -> None:
    with pytest.raises(OptionError) as error:
        read_script(prompt).spans(TEN)
    values = error.value.values
    assert (values["line"], values["column"], values["reason"]) == (line, column, f"reason.prompt.{reason}")
    assert error.value.values["key"] == "prompt"


@given(st.text("ab [](){}|_\\:-.,0123456789\n", max_size=60))
def test_what_has_no_time_is_text(text: str) -> None:
    assert read_script(text).common == text


@given(st.text("s2[]:\\ %-", max_size=40))
def test_anything_is_read_or_refused(text: str) -> None:
    try:
        read_script(text).spans(TEN)
    except OptionError as error:
        assert 1 <= int(str(error.values["column"])) <= len(text) + 1


@given(
    st.sampled_from(["tiny", "framepack", "tiny-f1", "framepack-f1"]),
    st.sampled_from(sorted(WINDOWS)),
    st.integers(1, 400).map(lambda tenths: tenths / 10),
    st.lists(st.tuples(st.integers(0, 400), st.integers(1, 200) | st.none()), min_size=1, max_size=5),
    st.booleans(),
)
def test_a_section_takes_the_piece_at_its_middle(
    model: str, size: float, seconds: float, times: list[tuple[int, int | None]], loop: bool
) -> None:
    written = [f"[{a / 10}s{f'-{(a + b) / 10}s' if b else ''}: p{i}]" for i, (a, b) in enumerate(times)]
    seamless = loop and "f1" not in model
    keys = {"loop": "seamless"} if seamless else {}
    plan = planned("c " + " ".join(written), model, seconds=seconds, section_size=size, keyframes=keys)
    starts = sorted({a for a, _ in times})
    for section in plan.sections:
        middle = (section.start_frame + section.end_frame) / 60
        there = []
        for i, (a, b) in enumerate(times):
            later = min((one for one in starts if one > a), default=10**6)
            if a / 10 <= middle + 1e-9 and middle < ((a + b) if b else later) / 10 - 1e-9:
                there.append((a, i))
        expected = f"c p{max(there)[1]}" if there else "c"
        assert section.prompt == expected
        assert section.piece == (max(there)[1] if there else None)
    late = [note.values["text"] for note in plan.notes if note.id == "note.prompt.late"]
    assert late == [f"p{i}" for i, (a, _) in enumerate(times) if a / 10 >= plan.frames / 30]
    silent = [note.values["text"] for note in plan.notes if note.id in ("note.prompt.late", "note.prompt.unused")]
    assert silent == [f"p{i}" for i in range(len(times)) if f"c p{i}" not in plan.texts]


@pytest.mark.parametrize("model", ["tiny", "tiny-f1"])
def test_a_section_of_its_own_prompt_wins(model: str) -> None:
    plan = planned("c [0s: p]", model, seconds=3.6, keyframes={"prompts": {1: "own [0s: text]"}})
    assert [section.prompt for section in plan.sections] == ["c p", "own [0s: text]", "c p"]
    covered = planned("c [0s-1s: p]", model, seconds=2.4, keyframes={"prompts": {0: "own", 1: "own"}})
    assert "note.prompt.unused" in [note.id for note in covered.notes]


def test_an_end_behind_the_end_is_said() -> None:
    def ids(prompt: str) -> list[str]:
        return [note.id for note in planned(prompt, seconds=5).notes if note.id.startswith("note.prompt")]

    assert ids("[0s-5s: p]") == []  # as long as was asked for, if not as long as the video gets
    assert ids("[0s-6s: p]") == ["note.prompt.end"]


def test_a_blend_without_a_change_is_said() -> None:
    noted = [planned(text, keyframes={"blend": 3}).notes for text in ("a", "[0s: a] [2s: b]")]
    assert [any(note.id == "note.blend.unused" for note in notes) for notes in noted] == [True, False]


@pytest.mark.parametrize("sections", range(11))
def test_shares_after_a_change(sections: int) -> None:
    prompts = ["a"] * 3 + ["b"] * 14
    found = shares(prompts, sections)
    expected = [("a", i / (sections + 1)) for i in range(1, sections + 1)]
    assert found == [None] * 3 + expected + [None] * (14 - sections)


def test_the_latest_change_counts() -> None:
    assert shares(["a", "b", "c", "c", "c"], 2) == [None, ("a", 1 / 3), ("b", 1 / 3), ("b", 2 / 3), None]
    assert shares([], 2) == []


@pytest.mark.parametrize("model", ["tiny", "tiny-f1"])
def test_blending_goes_by_time_whatever_the_direction(model: str) -> None:
    plan = planned("[0s: a] [3.6s: b]", model, seconds=8.4, keyframes={"blend": 2})
    in_time = sorted(plan.sections, key=lambda section: section.first)
    told = [(one.earlier, round(one.share, 3), one.prompt) for one in in_time]
    whole, later = [(None, 1.0, "a")] * 3, [("a", 0.333, "b"), ("a", 0.667, "b")]
    assert told == whole + later + [(None, 1.0, "b")] * 2
    assert set(plan.texts) == {"a", "b"}
