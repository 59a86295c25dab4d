"""Prompt presets: saved as typed, a blank name for the start-up prompt, built-in ones fixed."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eichi.errors import InputError, OptionError
from eichi.events import Adjusted
from eichi.library.prompts import BUILT_IN, PromptPresets
from eichi.words import languages, say


def prompts(home: Path) -> PromptPresets:
    notes: list[Adjusted] = []
    return PromptPresets(home, notes.append)


def own(home: Path) -> dict[str, str]:
    return {preset.name: preset.text for preset in prompts(home).list() if not preset.built_in}


def test_built_in_presets_come_first_and_have_names_in_every_language(home: Path) -> None:
    listed = prompts(home).list()
    assert [(preset.name, preset.built_in) for preset in listed] == [(id, True) for id in BUILT_IN]
    assert all(say(id, language) for id in BUILT_IN for language in languages())
    assert prompts(home).apply("preset.calm") == BUILT_IN["preset.calm"]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=100))
def test_a_text_is_kept_as_it_was_typed(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    home = tmp_path_factory.mktemp("home")
    prompts(home).save("mine", text)
    prompts(home).save("", text)
    assert (prompts(home).apply("mine"), prompts(home).startup) == (text, text)


def test_eichi_would_have_cut_this(home: Path) -> None:
    text = "A character walks. A character runs! Then stops.\r\n\ttabs  "
    prompts(home).save(" walk ", text)
    assert own(home) == {"walk": text}


def test_saving_again_replaces_in_place(home: Path) -> None:
    for name, text in (("a", "1"), ("b", "2"), ("a", "3")):
        prompts(home).save(name, text)
    assert list(own(home).items()) == [("a", "3"), ("b", "2")]


@pytest.mark.parametrize("name", ["", "  ", "\t"])
def test_a_blank_name_sets_and_removes_the_startup_prompt(home: Path, name: str) -> None:
    assert prompts(home).startup == ""
    prompts(home).save(name, "start")
    assert (prompts(home).startup, own(home)) == ("start", {})
    prompts(home).delete(name)
    assert prompts(home).startup == ""


@pytest.mark.parametrize("id", BUILT_IN)
def test_built_in_presets_stay(home: Path, id: str) -> None:
    with pytest.raises(OptionError, match="built in"):
        prompts(home).delete(id)
    with pytest.raises(OptionError, match="built in"):
        prompts(home).save(id, "x")
    assert prompts(home).apply(id) == BUILT_IN[id]


def test_deleting_and_clearing(home: Path) -> None:
    for name in ("a", "b", ""):
        prompts(home).save(name, "x")
    prompts(home).delete("a")
    assert list(own(home)) == ["b"]
    prompts(home).clear()
    assert (own(home), prompts(home).startup, len(prompts(home).list())) == ({}, "", len(BUILT_IN))


@pytest.mark.parametrize("act", ["apply", "delete"])
def test_an_unknown_name_is_one_sentence(home: Path, act: str) -> None:
    with pytest.raises(InputError, match="no prompt preset “nope”"):
        getattr(prompts(home), act)("nope")


def test_a_prompt_that_no_request_takes_is_not_kept(home: Path) -> None:
    with pytest.raises(OptionError, match="prompt"):
        prompts(home).save("long", "x" * 20_001)
    assert own(home) == {}
