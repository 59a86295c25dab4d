"""`eichi memory`: this machine or a described one, in words and as JSON."""

import json
from typing import Any

import pytest

from eichi.words import languages
from tests.commands.test_models import Run, eichi

__all__ = ["eichi"]  # a fixture


def plan(eichi: Run, *words: object) -> dict[str, Any]:
    code, lines, shown = eichi("memory", "--json", *words)
    assert code == 0, shown
    values: dict[str, Any] = json.loads(lines[-1])
    return values


def test_the_contract(eichi: Run) -> None:
    told = plan(eichi, "--free-gb", 24, "--ram-gb", 64)
    assert list(told) == [
        *("model", "height", "width", "placement", "blocks", "gpu", "ram", "lacks"),
        *("phases", "memory", "moved", "mapped", "usable", "free", "fp8", "tokens", "parameters", "speed", "advice"),
    ]
    assert (told["model"], told["height"] * told["width"], told["lacks"]) == ("framepack", 640 * 640, [])
    assert told["placement"]["level"] == "streamed"
    assert told["parameters"]["transformer"] == 12_874_314_816
    assert told["gpu"] <= told["usable"] == 22.0
    for phase in told["phases"].values():
        assert sum(phase.values()) <= told["gpu"] + 0.05


def test_what_changes_the_plan(eichi: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = ("--free-gb", 24, "--ram-gb", 64)
    plain = plan(eichi, *machine)
    assert plan(eichi, *machine, "--fp8")["moved"] < plain["moved"]
    assert plan(eichi, *machine, "--resolution", 960)["tokens"] > plain["tokens"]
    assert plan(eichi, *machine, "--lora-gb", 1)["ram"] == pytest.approx(plain["ram"] + 1)
    assert plan(eichi, *machine, "--preserve-gb", 10)["usable"] == 18.0
    monkeypatch.setenv("EICHI_PRESERVE_GB", "12")
    assert plan(eichi, *machine)["usable"] == 16.0
    assert plan(eichi, "--free-gb", 0, "--ram-gb", 64)["placement"]["level"] == "cpu"
    assert plan(eichi, *machine, "--model", "tiny")["placement"]["level"] == "all"


def test_a_described_card_has_its_speed(eichi: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    told = plan(eichi, "--card", "RTX 4070", "--ram-gb", 20)
    assert told["usable"] == round(12 * 0.96 * 7 / 8, 2)
    speed = told["speed"]
    assert speed["card"] == "RTX 4070"
    assert speed["step"] == pytest.approx(sum(speed["parts"].values()), abs=0.05)
    assert [note["id"] for note in told["advice"]] == ["memory.advice.fp8", "memory.advice.more"]
    assert plan(eichi, "--card", "RTX 4070", "--free-gb", 8, "--ram-gb", 24)["usable"] == 7.0
    assert plan(eichi, "--free-gb", 12, "--ram-gb", 20)["speed"] is None
    parts = plan(eichi, "--card", "RTX 4070", "--ram-gb", 20, "--fp8-math")["speed"]["parts"]
    assert parts["products"] < speed["parts"]["products"]
    monkeypatch.setenv("EICHI_ATTENTION", "sage")
    assert plan(eichi, "--card", "RTX 4070", "--ram-gb", 20)["speed"]["step"] < speed["step"]
    _, lines, shown = eichi("memory", "--card", "RTX 4070", "--ram-gb", 20)
    assert any(line.startswith("RTX 4070: about") and "not measured" in line for line in lines)
    assert "FP8 weights (--fp8) would be faster here" in shown
    _, lines, shown = eichi("memory", "--card", "Voodoo", "--ram-gb", 24)
    assert (lines, "Voodoo" in shown, "RTX 4090" in shown) == ([], True, True)


def test_this_machine(eichi: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EICHI_DEVICE", "cpu")
    assert plan(eichi)["placement"]["level"] == "cpu"


@pytest.mark.parametrize(
    ("machine", "lacks", "sentences"),
    [
        (
            (4, 64),
            ["gpu"],
            ["5.66 GiB are needed and 3.50 GiB can be used. Choose a lower resolution (--resolution) or FP8"],
        ),
        ((4, 64, "--fp8"), ["gpu"], ["GPU memory", "lower resolution, or close other programs that use the GPU"]),
        ((24, 2), ["ram"], ["RAM: ", "and 2.00 GiB are free. Close other programs."]),
        (
            (0, 30),
            ["ram"],
            ["RAM: ", "and 30.00 GiB are free. Set EICHI_CPU_PRECISION=half, choose a lower resolution"],
        ),
        ((4, 2), ["gpu", "ram"], ["Too little GPU memory", "Too little RAM"]),
        ((24, 64), [], []),
    ],
)
def test_what_lacks_is_named_with_what_helps(
    eichi: Run, machine: tuple[object, ...], lacks: list[str], sentences: list[str]
) -> None:
    free, ram, *more = machine
    words = ("--free-gb", free, "--ram-gb", ram, *more)
    assert plan(eichi, *words)["lacks"] == lacks
    _, _, shown = eichi("memory", *words)
    assert all(sentence in shown for sentence in sentences), shown
    assert shown.count("Too little") == len(lacks)
    assert ("FP8" in shown) == ("--fp8" not in more and ("gpu" in lacks or "at every step" in shown))


def test_in_words(eichi: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for language in languages():
        monkeypatch.setenv("EICHI_LANGUAGE", language)
        for free in (0, 6, 24, 32, 80):
            code, lines, shown = eichi("memory", "--free-gb", free, "--ram-gb", 64)
            assert code == 0
            assert any("12,874,314,816" in line for line in lines)
            assert bool(shown) == (free == 6), shown


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--model", "wan"], "no model"),
        (["--resolution", "641"], "641"),
        (["--free-gb", "much"], "--free-gb"),
        (["--preserve-gb", "5"], "--preserve-gb"),
    ],
)
def test_a_wrong_question_is_one_sentence(eichi: Run, words: list[str], sentence: str) -> None:
    code, lines, shown = eichi("memory", "--free-gb", 8, "--ram-gb", 8, *words)
    assert (code, lines) == (2, [])
    assert sentence in shown


def test_several_gpus_are_forecast_and_refused_where_they_do_not_fit(eichi: Run) -> None:
    card = ("--card", "A100", "--ram-gb", 64)
    one, two = plan(eichi, *card), plan(eichi, *card, "--gpus", 2)
    assert two["speed"]["step"] < one["speed"]["step"]
    code, _, shown = eichi("memory", *card, "--gpus", 2)
    assert (code, "2 GPUs" in shown) == (0, True)
    code, _, shown = eichi("memory", "--model", "tiny", "--gpus", 3)
    assert (code, "--gpus" in shown) == (2, True)
