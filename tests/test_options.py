"""A request goes through plain values and back; whatever is wrong with it is one sentence."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from eichi.declare import Optioned, Plain, field_of, walk
from eichi.errors import OptionError
from eichi.options import MAX_SEED, FillOptions, FrameOptions, Request, SamplingOptions, VideoOptions, place, quality
from eichi.settings import Settings
from eichi.words import languages, table

FIELDS = {field.key: field for field in walk(VideoOptions)}
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
paths = st.text("abc/. é日", min_size=1).map(Path)
numbers = st.integers(-5, 400)


def between(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False)


requests = st.fixed_dictionaries(
    {},
    optional={
        "model": text.filter(bool),
        "image": st.none() | paths,
        "prompt": text,
        "negative": text,
        "seconds": between(0.1, 120),
        "section_size": st.sampled_from([1.0, 0.5]),
        "resolution": st.none() | st.integers(16, 5000),
        "fit": st.sampled_from(["crop", "letterbox", "original"]),
        "seed": st.none() | st.integers(0, MAX_SEED),
        "keyframes": st.fixed_dictionaries(
            {},
            optional={
                "final": st.none() | paths,
                "final_strength": between(0.01, 1),
                "sections": st.dictionaries(numbers, paths, max_size=3),
                "prompts": st.dictionaries(numbers, text, max_size=3),
            },
        ),
        "sampling": st.fixed_dictionaries(
            {},
            optional={
                "steps": st.integers(1, 100),
                "guidance": between(1, 32),
                "cfg": between(1, 32),
                "rescale": between(0, 1),
                "teacache": st.booleans(),
                "cache": st.sampled_from(["tea", "mag", "first"]),
                "threshold": st.none() | between(0, 1),
                "padding": st.none() | st.integers(0, 30).map(lambda tenths: tenths / 10),
                "image_strength": between(1, 1.02) | between(100, 102),
            },
        ),
        "output": st.fixed_dictionaries({}, optional={"crf": st.integers(0, 100)}),
        "weights": st.fixed_dictionaries(
            {},
            optional={
                "loras": st.lists(st.fixed_dictionaries({"file": paths, "strength": between(-2, 2)}), max_size=3),
                "fp8": st.sampled_from(["off", "tensor", "row"]),
                "fp8_math": st.booleans(),
            },
        ),
    },
)


@given(requests)
def test_a_request_survives_json(values: dict[str, Any]) -> None:
    options = VideoOptions.parse(values)
    dumped = options.dump()
    assert VideoOptions.parse(json.loads(json.dumps(dumped))) == options
    for field in FIELDS.values():  # nothing is left out of what is kept
        at: Any = dumped
        for part in field.key.split("."):
            at = at[part]


def test_defaults_of_the_document() -> None:
    options = VideoOptions()
    assert (options.model, options.seconds, options.section_size, options.seed) == ("tiny", 5.0, 1.0, None)
    sampling = options.sampling
    assert (sampling.steps, sampling.guidance, sampling.cfg, sampling.rescale) == (25, 10.0, 1.0, 0.0)
    assert (sampling.teacache, sampling.threshold, sampling.image_strength) == (True, None, 100.0)
    assert (options.keyframes.final_strength, options.output.crf) == (1.0, 16)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("nope", 1, ["no option", "“nope”", "seconds"]),
        ("sampling.nope", 1, ["no option", "sampling.nope", "sampling.steps"]),
        ("seconds", 0, ["seconds", "120"]),
        ("seconds", 120.01, ["seconds", "120"]),
        ("seconds", float("nan"), ["seconds", "nan"]),
        ("seconds", "soon", ["seconds", "'soon'"]),
        ("section_size", 2, ["section_size", "1.0, 0.5"]),
        ("section_size", "long", ["section_size", "1.0, 0.5"]),
        ("fit", "stretch", ["fit", "crop, letterbox, original"]),
        ("resolution", 15, ["resolution", "16"]),
        ("seed", -1, ["seed", str(MAX_SEED)]),
        ("seed", MAX_SEED + 1, ["seed", str(MAX_SEED)]),
        ("seed", 1.5, ["seed", "1.5"]),
        ("model", "", ["model"]),
        ("prompt", 5, ["prompt", "5"]),
        ("image", 5, ["image", "5"]),
        ("keyframes", 5, ["keyframes", "5"]),
        ("keyframes.final_strength", 0.001, ["keyframes.final_strength", "0.01 to 1"]),
        ("keyframes.sections", {"end": "a.png"}, ["keyframes.sections", "end"]),
        ("sampling.steps", 0, ["sampling.steps", "1 to 100"]),
        ("sampling.steps", 101, ["sampling.steps", "1 to 100"]),
        ("sampling.guidance", 33, ["sampling.guidance", "1 to 32"]),
        ("sampling.cfg", 0.9, ["sampling.cfg", "1 to 32"]),
        ("sampling.rescale", 1.1, ["sampling.rescale", "0 to 1"]),
        ("sampling.teacache", "often", ["sampling.teacache", "'often'"]),
        ("sampling.padding", 3.1, ["sampling.padding", "0 to 3"]),
        ("sampling.image_strength", 1.03, ["sampling.image_strength", "100 to 102"]),
        ("weights.fp8", "e5m2", ["weights.fp8", "off, tensor, row"]),
        ("weights.loras", "", ["weights.loras"]),
        ("weights.loras", ["a.safetensors:2.5"], ["weights.loras.0.strength", "'2.5'"]),
        ("weights.loras", [{"strength": 1}], ["weights.loras.0.file"]),
        ("output.crf", 101, ["output.crf", "0 to 100"]),
        pytest.param("prompt", "x" * 20_001, ["prompt", "20000"]),
        pytest.param("fit", "a\nb", ["fit"]),
    ],
)
def test_a_wrong_value_is_one_sentence(key: str, value: object, words: list[str]) -> None:
    values: dict[str, Any] = {}
    place(values, key, value)
    with pytest.raises(OptionError) as caught:
        VideoOptions.parse(values)
    for language in languages():
        sentence = caught.value.say(language)
        assert "\n" not in sentence
        assert len(sentence) < 700
    assert all(word in str(caught.value) for word in (key, *words)), str(caught.value)


def test_values_may_come_as_text() -> None:
    values = {"seconds": "2", "seed": "7", "sampling": {"teacache": "no"}, "keyframes": {"prompts": {"1": "x"}}}
    options = VideoOptions.parse(values)
    assert (options.seconds, options.seed, options.sampling.teacache) == (2.0, 7, False)
    assert options.keyframes.prompts == {1: "x"}


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (1, 100),
        (1.01, 101),
        ("1.02", 102),
        (100, 100),
        (101.5, 101.5),
        ("102", 102),
        ("101.5 %", 101.5),
        (1.015, 101.5),
    ],
)
def test_image_strength_is_a_factor_or_per_cent_and_kept_in_per_cent(given: object, stored: float) -> None:
    sampling = SamplingOptions.parse({"image_strength": given})
    assert sampling.image_strength == stored
    assert SamplingOptions.parse(sampling.dump()) == sampling


@pytest.mark.parametrize("wrong", [0, 0.99, 1.021, 49, 50, 99.9, 102.1, "1.0.1", "%", "", None, float("nan")])
def test_image_strength_has_bounds(wrong: object) -> None:
    with pytest.raises(OptionError, match="image_strength"):
        SamplingOptions.parse({"image_strength": wrong})


def test_the_lengths_of_the_document_are_offered() -> None:
    both = (*range(1, 21), 30, 40)
    assert FIELDS["seconds"].suggestions("reverse") == both
    assert FIELDS["seconds"].suggestions("forward") == (*both, 60, 120)


@pytest.mark.parametrize("kind", [VideoOptions, FrameOptions, FillOptions, Settings])
@pytest.mark.parametrize("language", languages())
def test_every_option_has_its_words(kind: type[Optioned], language: str) -> None:
    words = table(language)
    for field in walk(kind):
        ids = [field.id, field.label, *([f"group.{field.group}"] if field.group else [])]
        ids += [f"unit.{field.unit}"] if field.unit else []
        if field.key not in ("profile", "aspect"):  # names, figures
            ids += [f"choice.{field.name}.{choice}" for choice in field.choices]
        assert [id for id in ids if id not in words] == [], field.key


@pytest.mark.parametrize("kind", [VideoOptions, FrameOptions, FillOptions])
def test_what_makes_an_option_useless_is_an_option(kind: type[Optioned]) -> None:
    fields = {field.key: field for field in walk(kind)}
    for field in fields.values():
        assert field.flag is None or field.flag.startswith("--")
        assert field.shown is None or field.shown.key in fields
    assert all(not field.info.is_required() for key, field in fields.items() if key not in ("before", "after"))


def test_walk_finds_every_field_and_no_flag_twice() -> None:
    flags = [field.flag for field in FIELDS.values() if field.flag]
    assert len(set(flags)) == len(flags)
    dumped = VideoOptions().dump()
    groups = {name for name, value in dumped.items() if isinstance(value, dict)}
    leaves = {f"{group}.{name}" for group in groups for name in dumped[group]} | (dumped.keys() - groups)
    # How prompts were written before they were drawn is told, and nothing that anybody sets.
    assert {leaf for leaf in leaves if not leaf.startswith("written.")} == FIELDS.keys()
    repeatable = [key for key in FIELDS if FIELDS[key].repeatable]
    assert repeatable == ["weights.loras", "keyframes.sections", "keyframes.prompts"]


@pytest.mark.parametrize(
    ("text", "image", "index", "mask"),
    [
        ("a.png", "a.png", None, None),
        ("a.png:3", "a.png", 3, None),
        ("a.png:3:m.png", "a.png", 3, "m.png"),
        ("a.png::m.png", "a.png", None, "m.png"),
        ("a.png:3:", "a.png", 3, None),
        ("C:\\a.png", "C:\\a.png", None, None),
        ("C:\\a.png:10", "C:\\a.png", 10, None),
        ("C:\\a.png:10:D:\\m.png", "C:\\a.png", 10, "D:\\m.png"),
        ("C:\\a.png::D:\\m.png", "C:\\a.png", None, "D:\\m.png"),
        ("a:b.png:4", "a:b.png", 4, None),
        ("5:4.png", "5:4.png", None, None),
    ],
)
def test_the_short_form_of_a_reference(text: str, image: str, index: int | None, mask: str | None) -> None:
    expected = {"image": image, "index": index, "mask": mask}
    (short,), (long,) = (FrameOptions.parse({"references": [one]}).references for one in (text, expected))
    assert short == long
    assert short.model_dump(mode="json") == expected
    assert FrameOptions.parse({"references": [Path("a.png:3")]}).references[0].image == Path("a.png:3")


@pytest.mark.parametrize(
    ("text", "file", "strength"),
    [
        ("a.safetensors", "a.safetensors", 0.8),
        ("a.safetensors:0.5", "a.safetensors", 0.5),
        ("a.safetensors:-1", "a.safetensors", -1),
        ("a.safetensors:+.25", "a.safetensors", 0.25),
        ("C:\\a.safetensors", "C:\\a.safetensors", 0.8),
        ("C:\\a.safetensors:1.", "C:\\a.safetensors", 1),
        ("a:0.5:0.7", "a:0.5", 0.7),
        ("a.safetensors:", "a.safetensors:", 0.8),
        ("a.safetensors:high", "a.safetensors:high", 0.8),
    ],
)
@pytest.mark.parametrize("kind", [VideoOptions, FrameOptions])
def test_the_short_form_of_a_lora(kind: type[Request], text: str, file: str, strength: float) -> None:
    (lora,) = kind.parse({"weights": {"loras": [text]}}).weights.loras
    assert lora.model_dump(mode="json") == {"file": file, "strength": strength}
    assert kind.parse({"weights": {"loras": [lora.model_dump()]}}).weights.loras == (lora,)
    assert kind.parse({"weights": {"loras": [Path("a:1")]}}).weights.loras[0].file == Path("a:1")


def test_requests_share_the_words_of_what_they_share() -> None:
    frame = {field.key: field.id for field in walk(FrameOptions)}
    assert {FIELDS[key].id for key in FIELDS.keys() & frame.keys()} <= set(frame.values())
    assert frame["seed"] == "option.seed"
    assert frame["sampling.steps"] == "option.sampling.steps"
    assert frame["target"] == "option.frame.target"
    assert all(field.id == f"option.{key}" for key, field in FIELDS.items())
    assert FrameOptions.parse(FrameOptions().dump()) == FrameOptions()


def test_a_request_does_not_change() -> None:
    with pytest.raises(ValidationError):
        VideoOptions().seconds = 3.0  # type: ignore[misc]


@pytest.mark.parametrize(("crf", "used"), [(0, 1), (1, 1), (16, 16), (51, 51), (52, 51), (100, 51)])
def test_quality_stays_in_the_range_that_plays(crf: int, used: int) -> None:
    assert quality(crf) == used


@pytest.mark.parametrize("given", ["49.9", 49.9, "0.9", 1.05, "99.9 %", 103.0])
def test_a_strength_out_of_range_is_named_as_it_was_given(given: object) -> None:
    """A factor or per cent: what is neither is not multiplied."""
    with pytest.raises(OptionError) as caught:
        VideoOptions.parse({"model": "tiny-f1", "sampling": {"image_strength": given}})
    assert str(caught.value.values["value"]) == str(given).removesuffix(" %")


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("seconds", "2,5", 2.5),
        ("section_size", "0,5", 0.5),
        ("keyframes.final_strength", "0,125", 0.125),
        ("sampling.threshold", "0,1", 0.1),
        ("sampling.image_strength", "101,5 %", 101.5),
        ("sampling.image_strength", "1,015", None),
        ("seconds", "\uff12", 2.0),
        ("seed", "\uff14\uff12", 42),
        ("sampling.image_strength", "\uff11\uff10\uff11\uff0e\uff15\uff05", 101.5),
    ],
)
def test_a_decimal_comma_is_read(key: str, text: str, value: float | None) -> None:
    values: Plain = {}
    place(values, key, text)
    if value is None:
        with pytest.raises(OptionError, match=r"it may mean 1\.015 or 1015"):
            VideoOptions.parse(values)
    else:
        assert field_of(VideoOptions, key).of(VideoOptions.parse(values)) == value


@pytest.mark.parametrize(("text", "on"), [("オン", True), ("ВЫКЛ", False), ("вкл.", True), ("關閉", False)])
def test_a_switch_is_read_as_the_page_calls_it(text: str, on: bool) -> None:
    assert VideoOptions.parse({"finish": {"reverse": text}}).finish.reverse is on


def test_a_decimal_comma_is_read_in_the_strength_of_a_lora() -> None:
    loras = VideoOptions.parse({"weights": {"loras": ["a.safetensors:0,5", {"file": "b", "strength": "-1,25"}]}})
    assert [lora.strength for lora in loras.weights.loras] == [0.5, -1.25]
    assert str(loras.weights.loras[0].file) == "a.safetensors"


def test_an_open_end_is_not_said() -> None:
    with pytest.raises(OptionError, match=r"resolution: 3 cannot be used \(it must be at least 16\)"):
        VideoOptions.parse({"resolution": 3})


@pytest.mark.parametrize("sampling", [{}, {"cfg": 2.0}, {"nag": 2.0}, {"cfg": 2.0, "nag": 2.0}])
def test_the_negative_prompt_counts_where_one_of_two_ways_is_on(sampling: dict[str, float]) -> None:
    options = VideoOptions.parse({"negative": "blur", "sampling": sampling})
    assert FIELDS["negative"].used(options) == options.sampling.negated == bool(sampling)
