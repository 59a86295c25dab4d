"""The document's advice, whole and in every language."""

import re
from collections.abc import Iterator

import pytest

from eichi.declare import walk
from eichi.library.advice import ADVICE, AdviceSection, Example, Row, Table, at, shown
from eichi.library.prompts import BUILT_IN
from eichi.options import VideoOptions
from eichi.words import languages, say, table


def tables() -> Iterator[Table]:
    for section in ADVICE:
        yield from (block for block in section.blocks if isinstance(block, Table))


def ids(section: AdviceSection) -> list[str]:
    """The words of a section."""
    return re.findall(r"'(advice\.[a-z_.]+)'", repr(section))


def test_every_word_of_the_advice_is_shown() -> None:
    shown = {id for section in ADVICE for id in ids(section)}
    heads = {"advice.case", "advice.effect", *(f"advice.value.{key}" for one in tables() for key in one.options)}
    assert shown | heads == {id for id in table("en") if id.startswith("advice.")}
    assert all(len(ids(section)) > 1 for section in ADVICE)


@pytest.mark.parametrize("language", [code for code in languages() if code != "en"])
def test_nothing_is_left_in_english(language: str) -> None:
    assert [id for section in ADVICE for id in ids(section) if say(id, language) == say(id)] == []


def test_recommended_values_can_be_used() -> None:
    known = {field.key for field in walk(VideoOptions)}
    for one in tables():
        assert set(one.options) <= known
        for row in one.rows:
            assert len(row.ranges) == len(one.options)
            for key, span in zip(one.options, row.ranges, strict=True):
                for value in span or ():
                    group, name = key.split(".")
                    VideoOptions.parse({group: {name: value}})


def test_the_tables_are_those_of_the_document() -> None:
    values = [[row.ranges for row in one.rows] for one in tables()]
    assert values == [
        [((0.3, 0.6),), ((0.5, 0.8),), ((0.8, 1.0),), ((0.7, 0.8),), ((0.3, 0.5),)],
        [((1.5, 2.0),), ((1.0, 1.0),), ((0.5, 0.7),), ((0.2, 0.4),)],
        [
            ((0.5, 0.5), (0.5, 0.5)),
            ((0.3, 0.3), None),
            ((0.8, 0.8), None),
            ((0.01, 0.1), None),
            ((0.5, 0.5), (2.0, 3.0)),
        ],
    ]


def test_examples_are_presets_where_they_say_so() -> None:
    examples = [block for section in ADVICE for block in section.blocks if isinstance(block, Example)]
    assert {example.preset for example in examples} - {None} == set(BUILT_IN)
    for example in examples:
        assert example.preset is None or example.text in BUILT_IN[example.preset]


def test_advice_is_found_where_it_is_needed() -> None:
    assert {section.place for section in ADVICE} == {"prompt", "section", "keyframe", "motion", "model"}
    assert [section.id for section in at("prompt")] == ["advice.prompt", "advice.parts"]
    assert at("model", "prompt") == (*at("prompt"), *at("model"))
    assert at("nowhere") == ()


def test_values_as_text() -> None:
    row = Row("advice.final.large", "advice.final.large_effect", ((0.01, 0.1), (1.0, 1.0), None))
    assert [shown(span, "en") for span in row.ranges] == ["0.01–0.1", "1.0", "–"]
    assert shown((0.3, 0.6), "ru") == "0,3–0,6"
