"""The document's advice, whole and in every language."""

from collections.abc import Iterator

import pytest

from eichi.declare import walk
from eichi.library.advice import ADVICE, Example, Row, Table, at, markdown, shown
from eichi.library.prompts import BUILT_IN
from eichi.options import VideoOptions
from eichi.words import languages, say


def tables() -> Iterator[Table]:
    for section in ADVICE:
        yield from (block for block in section.blocks if isinstance(block, Table))


@pytest.mark.parametrize("language", languages())
def test_every_section_can_be_shown(language: str) -> None:
    for section in ADVICE:
        lines = list(markdown(section, language))
        assert lines[0] == f"## {say(section.id, language)}"
        assert len(lines) > 2
        assert not [line for line in lines if "advice." in line]


@pytest.mark.parametrize("language", [code for code in languages() if code != "en"])
def test_nothing_is_left_in_english(language: str) -> None:
    english = {line for section in ADVICE for line in markdown(section, "en") if line.strip(" |-")}
    theirs = {line for section in ADVICE for line in markdown(section, language)}
    assert english & theirs == set()


def test_recommended_values_can_be_used() -> None:
    known = {field.key for field in walk(VideoOptions)}
    for table in tables():
        assert set(table.options) <= known
        for row in table.rows:
            assert len(row.ranges) == len(table.options)
            for key, span in zip(table.options, row.ranges, strict=True):
                for value in span or ():
                    group, name = key.split(".")
                    VideoOptions.parse({group: {name: value}})


def test_the_tables_are_those_of_the_document() -> None:
    values = [[row.ranges for row in table.rows] for table in tables()]
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
    assert at("nowhere") == ()


def test_values_as_text() -> None:
    row = Row("advice.final.large", "advice.final.large_effect", ((0.01, 0.1), (1.0, 1.0), None))
    assert [shown(span, "en") for span in row.ranges] == ["0.01–0.1", "1.0", "–"]
    assert shown((0.3, 0.6), "ru") == "0,3–0,6"
