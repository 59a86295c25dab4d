"""The document's advice, whole and in every language."""

import re
from collections.abc import Iterator

import pytest

from eichi.declare import GROUPS, walk
from eichi.library.advice import ADVICE, AdviceSection, Example, Points, Row, Table, at, shown
from eichi.library.prompts import BUILT_IN
from eichi.options import VideoOptions
from eichi.words import languages, say, table


def tables() -> Iterator[Table]:
    for section in ADVICE:
        yield from (block for block in section.blocks if isinstance(block, Table))


def ids(section: AdviceSection) -> list[str]:
    """The words of a section."""
    return re.findall(r"'(advice\.[a-z0-9_.]+)'", repr(section))


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
    groups = {"keyframes", "motion", "sampling", "output", "weights"}
    assert {section.place for section in ADVICE} == {"prompt", "section", "model"} | groups
    assert groups <= set(GROUPS)
    assert [section.id for section in at("prompt")] == ["advice.prompt", "advice.parts", "advice.pieces"]
    assert at("model", "prompt") == (*at("prompt"), *at("model"))
    assert at("nowhere") == ()


def numbers(text: str) -> list[str]:
    """The numbers in a sentence, with a point and a plain stroke whatever its language writes."""
    return re.findall(r"\d+(?:\.\d+)?", re.sub(r"(?<=\d),(?=\d)", ".", text))


# What the document advises, the ids that say it here, and the numbers that each of them must have in every language.
DOCUMENT: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "20 to 30 steps": (("option.sampling.steps", "advice.sampling.steps"), ("20", "30", "15")),
    "20 steps are often as good": (("advice.sampling.steps",), ("20",)),
    "TeaCache and hands": (("option.sampling.teacache", "advice.sampling.cache"), ("15", "20")),
    "distilled CFG stays at 10": (("advice.sampling.guidance",), ("10",)),
    "distilled CFG, low and high": (("option.sampling.guidance", "advice.sampling.guidance"), ()),
    "a seed repeats, another prompt does not": (("option.seed", "advice.sampling.seed"), ()),
    "CRF to keep and for the web": (("option.output.crf", "advice.output.crf"), ("0", "10", "16", "30")),
    "CRF against black": (("option.output.crf", "advice.output.black"), ("16",)),
    "section stills, section videos": (("option.output.stills", "option.output.segments", "advice.output.stills"), ()),
    "latents for later": (("option.output.latents", "advice.output.latents"), ()),
    "LoRA strengths": (("option.weights.loras", "advice.weights.strength"), ("0.1", "0.3", "0.5", "0.8")),
    "LoRA and prompt": (("advice.weights.prompt",), ()),
    "LoRA takes time": (("advice.weights.wait",), ()),
    "FP8 is normally off": (("option.weights.fp8", "advice.weights.fp8"), ("8",)),
    "FP8 on RTX 40": (("option.weights.fp8_math",), ("40",)),
    "everything on the GPU": (("advice.weights.resident",), ()),
    "preserved memory by card": (("option.setting.preserve_gb",), ("8", "7", "12", "6", "16")),
    "loops have limits": (("advice.loops.limits",), ()),
    "the pose of a loop": (("advice.loops.pose",), ()),
    "a loop joined": (("option.keyframes.loop", "advice.loops.seamless"), ()),
    "8 seconds are smoother than 6": (("advice.loops.length",), ("8", "6")),
    "FramePackLoop": (("advice.loops.other",), ()),
    "sections count from the end": (("option.keyframes.sections", "advice.keys.order"), ("0",)),
    "what a section without a picture takes": (("advice.keys.between",), ()),
    "a picture on the last section before Image": (("advice.keys.first",), ()),
    "pictures on all sections": (("advice.keys.all",), ()),
    "red and blue": (("option.keyframes.copies",), ("0", "1")),
    "copying saves work, off for complex videos": (("advice.keys.copies",), ("10",)),
    "more difference, more motion": (("advice.keys.difference",), ()),
    "differences, small and large": (("advice.pictures.small", "advice.pictures.large", "advice.pictures.ideal"), ()),
    "mirrored pictures": (("advice.pictures.mirror",), ()),
    "the same background": (("advice.pictures.background",), ()),
    "variations of a generator": (("advice.pictures.variations", "advice.pictures.generate"), ()),
    "try": (("advice.pictures.try",), ()),
    "short modes": (("advice.time.short",), ("1", "4")),
    "sections of half a second": (("option.section_size", "advice.time.half"), ("0.5",)),
    "EndFrame influence": (("option.keyframes.final_strength",), ("0.3", "0.6", "0.8", "1")),
    "EndFrame influence as a share": (("advice.motion.share",), ("0.5", "0.3")),
    "All Padding": (("option.sampling.padding",), ("1",)),
    "All Padding, how it works": (("advice.motion.padding",), ("1.5", "0.5")),
    "the last padding is 0": (("advice.motion.last",), ("0",)),
    "image strength of F1": (("advice.models.strength",), ("100.0", "101.0", "102.0")),
    "prompts of F1": (("advice.models.prompt",), ()),
    "F1 or standard": (("advice.models.standard_who", "advice.models.forward_who"), ()),
    "subject, motion, the rest": (("option.prompt", "advice.prompt.order"), ()),
    "no prompt, no motion": (("note.prompt.empty", "advice.prompt.none"), ()),
    "large words": (("advice.prompt.careful",), ()),
    "LLaMA and CLIP": (("advice.parts.llama",), ("256", "1000", "1300")),
    "the visual part": (("advice.parts.visual",), ("300", "400")),
    "the story": (("advice.parts.story",), ("600", "900")),
    "section prompts, short and subtle": (("advice.sections.short", "advice.sections.subtle"), ()),
    "the start-up prompt": (("shelf.startup", "shelf.startup_set"), ()),
    "another port, other machines": (("cli.ui.port", "cli.ui.server"), ()),
}


@pytest.mark.parametrize("piece", DOCUMENT)
def test_every_piece_of_the_document_is_said_with_its_numbers(piece: str) -> None:
    ids, figures = DOCUMENT[piece]
    for language in languages():
        for id in ids:
            text = table(language)[id]
            assert set(figures) <= set(numbers(text)), (language, id, text)


def test_no_advice_is_without_its_piece_of_the_document() -> None:
    """Titles, tables and examples aside, whose values are compared above."""
    points = {id for section in ADVICE for block in section.blocks if isinstance(block, Points) for id in block.ids}
    told = {id for ids, _ in DOCUMENT.values() for id in ids}
    groups = ("keys", "loops", "time", "sampling", "output", "weights")
    assert {id for id in points if id.split(".")[1] in groups} <= told


def test_values_as_text() -> None:
    row = Row("advice.final.large", "advice.final.large_effect", ((0.01, 0.1), (1.0, 1.0), None))
    assert [shown(span, "en") for span in row.ranges] == ["0.01–0.1", "1.0", "–"]
    assert shown((0.3, 0.6), "ru") == "0,3–0,6"
