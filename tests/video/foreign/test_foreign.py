"""What other programs' texts say, whatever their form; and no text takes longer than its length is worth."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from eichi.video.foreign import LIMIT, read_text, read_texts

CAT = {"prompt": "a cat", "negative": "dog", "seed": "5", "sampling.steps": "20"}
GUIDED = CAT | {"sampling.cfg": "7.0"}
SWARM = {"sui_image_params": {"prompt": "a cat", "negativeprompt": "dog", "seed": 5, "steps": 20, "cfgscale": 7.0}}
NOVEL = {"prompt": "a cat", "uc": "dog", "seed": 5, "steps": 20, "scale": 7.0, "sampler": "k_euler"}
INVOKE = {"positive_prompt": "a cat", "negative_prompt": "dog", "seed": 5, "steps": 20, "cfg_scale": 7.0}
OLD_INVOKE = {"image": {"prompt": [{"prompt": "a cat", "weight": 1}], "seed": 5, "steps": 20, "cfg_scale": 7.0}}
STUDIO = {"prompt": "a cat", "negative_prompt": "dog", "seed": 5, "steps": 20, "cfg": 1.0, "gs": 10.0, "rs": 0.0}
WAN = {"prompt": "a cat", "negative_prompt": "dog", "seed": 5, "num_inference_steps": 20, "guidance_scale": 7.0}
TENSOR = {"prompt": "a cat", "negativePrompt": "dog", "seed": "5", "steps": 20, "cfgScale": 7.0}
KOHYA = {"prompt": "a cat", "negative-prompt": "dog", "seed": "5", "steps": "20", "scale": "7.0"}
DRAW = {"c": "a cat", "uc": "dog", "seed": 5, "steps": 20, "scale": 7.0, "sampler": "Euler A"}
GRAPH = {
    "3": {"class_type": "KSampler", "inputs": {"seed": 5, "steps": 20, "positive": ["6", 0], "negative": ["7", 0]}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat"}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "dog"}},
}


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ({"parameters": SWARM}, GUIDED),
        ({"usercomment": SWARM}, GUIDED),
        ({"title": "AI generated image", "software": "NovelAI", "description": "a cat", "comment": NOVEL}, GUIDED),
        ({"invokeai_metadata": INVOKE, "invokeai_graph": {"nodes": {}}}, GUIDED),
        ({"sd-metadata": OLD_INVOKE}, {key: GUIDED[key] for key in GUIDED if key != "negative"}),
        (
            {"parameters": STUDIO, "prompt": "a cat", "seed": "5"},
            {"sampling.guidance": "10.0", "sampling.rescale": "0.0"},
        ),
        ({"parameters": {"prompt": "a cat", "seed": 5, "total_second_length": 3}}, {"prompt": "a cat", "seconds": "3"}),
        ({"comment": WAN}, GUIDED),
        ({"generation_data": json.dumps(TENSOR) + "\0"}, GUIDED),
        (KOHYA, GUIDED),
        ({"prompt": "a cat", "negative_prompt": "dog", "seed": "5", "num_inference_steps": "20"}, CAT),
        ({"usercomment": DRAW}, GUIDED),
        ({"prompt": GRAPH, "workflow": {"nodes": []}}, CAT),
        ({"comment": {"prompt": json.dumps(GRAPH), "workflow": {}}}, CAT),
        ({"usercomment": GRAPH | {"extra": {}, "extraMetadata": json.dumps(TENSOR)}}, GUIDED),
        ({"prompt": GRAPH, "parameters": "a bird\nSteps: 9, Seed: 1"}, {"prompt": "a bird", "sampling.steps": "9"}),
        ({"prompt": GRAPH, "parameters": {"a": 1}}, CAT),
    ],
)
def test_every_form(texts: dict[str, Any], expected: dict[str, str]) -> None:
    written = {name: text if isinstance(text, str) else json.dumps(text) for name, text in texts.items()}
    assert expected.items() <= read_texts(written).items()


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}',
        "[1, 2]",
        "[[[]]]",
        '["a cat"]',
        '{"prompt": {"a": 1}}',
        '{"prompt": "{\\"a\\": 1}"}',
        '{"prompt": "a cat", "seed',
        '{"seed": 5, "steps": 20}',
        "[" * 100_000,
        "[" * 100_000 + "]" * 100_000,
        '{"a":' * 100_000,
        '{"seed": ' + "9" * 10_000 + ', "prompt": 5}',
        "",
        "\0",
    ],
    ids=range(14),
)
def test_json_that_says_nothing_is_no_prompt(text: str) -> None:
    assert read_text(text) == {}


@pytest.mark.parametrize(
    "text", ["{a|b} cat", "[cat:dog:0.5]", "[[cat]]", "{{{cat}}}", "42", '"quoted"', "{red, blue}"]
)
def test_brackets_of_prompts_are_no_json(text: str) -> None:
    assert read_text(text) == {"prompt": text}


def test_words_elsewhere_are_no_prompt() -> None:
    for name in ("comment", "usercomment", "description", "software", "title"):
        assert read_texts({name: "Created with GIMP"}) == {}
        assert read_texts({name: "a cat\nSteps: 20, Seed: 5"})["prompt"] == "a cat"


def test_what_is_too_long_says_nothing() -> None:
    assert read_texts({"parameters": "x" * (LIMIT + 1)}) == {}
    assert read_texts({"workflow": "x" * (LIMIT + 1), "parameters": "a cat\nSeed: 5"})["prompt"] == "a cat"


@contextmanager
def counted() -> Iterator[list[int]]:
    """How many lines of Python are gone through meanwhile."""
    steps = [0]

    def count(_frame: FrameType, event: str, _argument: object) -> Callable[..., Any]:
        steps[0] += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        yield steps
    finally:
        sys.settrace(before)


def steps(text: str) -> int:
    with counted() as number:
        read_texts({"parameters": text, "comment": text, "prompt": text})
    return number[0]


def nodes(count: int) -> str:
    """A graph whose nodes are linked in a row, each a sampler too."""
    made = {
        str(at): {
            "class_type": "KSampler",
            "inputs": {"seed": 1, "positive": [str(at + 1), 0], "noise": [str(at + 1), 0]},
        }
        for at in range(count)
    }
    return json.dumps(made)


PATTERNS = {
    "letters": "A",
    "names": "Aa: b, ",
    "colons": ":",
    "commas": ",",
    "lines": "\n",
    "spaces": " ",
    "steps": "Steps: 20, ",
    "step lines": "Steps: 20, Seed\n",
    "seed lines": "Seed: 5x\n",
    "negatives": "Negative prompt: ",
    "quotes": 'a: "b, ',
    "escapes": 'a: "\\',
    "brackets": 'a:[0,{"x":',
    "digits": "Steps: 1111",
    "dashes": "\n-",
    "open": "[",
    "objects": '{"',
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_long_text_is_read_in_few_steps(pattern: str) -> None:
    """A hundred lines of Python for each place that is looked at, and places are few, whatever the length."""
    part = PATTERNS[pattern]
    assert steps("a cat\n" + part * (2**20 // len(part) - 10)) < 300_000


def test_a_large_graph_is_read_in_few_steps() -> None:
    small, large = steps(nodes(200)), steps(nodes(2000))
    assert large < 11 * small
