"""`eichi plan`: its contract for programs, and what it says to people."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eichi import VideoOptions, make_plan
from eichi.video.metadata import record, save_png
from eichi.words import languages
from tests.program import Run

PLAN_KEYS = {"model", "direction", "seconds", "frames", "width", "height", "sections"}
SECTION_KEYS = ["number", "order", "padding", "start_frame", "end_frame", "prompt", "anchor", "positions"]
SECTION_KEYS += ["piece", "earlier", "share"]


def planned(eichi: Run, picture: Path, *words: object) -> dict[str, Any]:
    result = eichi("plan", "--image", picture, "--prompt", "p", "--json", *words)
    assert result.code == 0, result.err
    values: dict[str, Any] = json.loads(result.out.splitlines()[-1])
    return values


def test_the_plan_contract(eichi: Run, picture: Path) -> None:
    plan = planned(eichi, picture, "--seconds", 2, "--seed", 3)
    assert plan.keys() >= PLAN_KEYS
    more = {"latents", "seed", "images", "kept", "notes", "tokens", "sources", "pieces", "common", "whole"}
    assert plan.keys() - PLAN_KEYS == more
    assert (plan["model"], plan["direction"], plan["frames"], plan["seconds"]) == ("tiny", "reverse", 73, 2.433)
    assert (plan["width"], plan["height"], plan["seed"], plan["images"]) == (80, 48, 3, {"image": str(picture)})
    assert [list(section) for section in plan["sections"]] == [SECTION_KEYS] * 2
    assert plan["sections"][0] == {
        "number": 0,
        "order": 0,
        "padding": 9,
        "start_frame": 37,
        "end_frame": 73,
        "prompt": "p",
        "anchor": "image",
        "positions": {
            "start": [0],
            "window": list(range(10, 19)),
            "clean": [19],
            "x2": [20, 21],
            "x4": list(range(22, 38)),
        },
        "piece": None,
        "earlier": None,
        "share": 1.0,
    }


def test_a_plan_of_everything(eichi: Run, picture: Path) -> None:
    words = ["--model", "framepack", "--seconds", 4, "--final", picture, "--section", f"1:{picture}"]
    words += ["--section-prompt", "0:end", "--padding", "0.5", "--resolution", 384, "--set", "section_size=0.5"]
    plan = planned(eichi, picture, *words)
    sections = plan["sections"]
    assert (plan["height"], plan["width"]) == (320, 448)
    assert [section["padding"] for section in sections] == [2, 2, 2, 2, 2, 0]
    assert [section["anchor"] for section in sections] == ["section:1"] * 2 + ["image"] * 4
    assert [section["prompt"] for section in sections] == ["end"] + ["p"] * 5
    assert set(plan["images"]) == {"image", "final", "section:1"}


def test_forward_sections_count_from_the_start(eichi: Run, picture: Path) -> None:
    sections = planned(eichi, picture, "--model", "tiny-f1", "--seconds", 2)["sections"]
    assert [(section["number"], section["start_frame"]) for section in sections] == [(0, 0), (1, 37)]
    assert sections[0]["positions"] == sections[1]["positions"]


@pytest.mark.parametrize("language", languages())
def test_a_plan_in_words(eichi: Run, picture: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    monkeypatch.setenv("EICHI_LANGUAGE", language)
    result = eichi("plan", "--image", picture, "--seconds", 2)
    assert result.code == 0
    assert len(result.out.splitlines()) == 5
    assert "80x48" in result.out
    assert len(result.err.splitlines()) == 2  # the prompt is empty, the length is another
    assert ("The prompt is empty" in result.err) == (language == "en")


def test_wildcards_are_drawn_for_a_plan_and_told_by_a_result(eichi: Run, tmp_path: Path, picture: Path) -> None:
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "colour.txt").write_text("red\ngreen\n")
    asked = ["plan", "--image", str(picture), "--seconds", "2.4", "--seed", "1"]
    prompt = "a __colour__ ball [0s: goes {left|right}]"
    refused_ = eichi(*asked, "--prompt", prompt)
    assert refused_.code == 2
    assert "no list “colour”" in refused_.err
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EICHI_WILDCARDS", str(lists))
        patch.setenv("COLUMNS", "200")  # or texts are cut
        shown = eichi(*asked, "--prompt", prompt)
        again = eichi(*asked, "--prompt", prompt, "--json")
        plan = make_plan(VideoOptions(image=picture, prompt=prompt, seconds=2.4, seed=1))
    assert re.search("common prompt: “a (red|green) ball”", shown.out)
    assert len(re.findall("“goes (?:left|right)”", shown.out)) == 2
    assert json.loads(again.out)["pieces"][0]["prompt"] == plan.sections[0].prompt
    assert json.loads(again.out)["tokens"][0]["text"] == plan.sections[0].prompt
    save_png(tmp_path / "v.png", np.zeros((48, 64, 3), dtype=np.uint8), record(plan))
    told = eichi("inspect", "v.png").out.splitlines()
    assert f"  prompt = {plan.options.prompt}" in told
    assert f"  written.prompt = {prompt}" in told
