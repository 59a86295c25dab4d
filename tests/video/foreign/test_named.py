"""Every name that programs have for a value, and what is none."""

from typing import Any

import pytest

from eichi.video.foreign.named import read_named, read_values


@pytest.mark.parametrize("name", ["prompt", "Prompt", "positive_prompt", "positivePrompt", "Positive prompt"])
def test_names_of_a_prompt(name: str) -> None:
    assert read_named({name: " a cat\n"}) == {"prompt": "a cat"}


@pytest.mark.parametrize(
    "name", ["negative_prompt", "negativePrompt", "Negative prompt", "negative-prompt", "negative"]
)
def test_names_of_what_is_unwanted(name: str) -> None:
    assert read_named({"prompt": "a cat", name: "dog"}) == {"prompt": "a cat", "negative": "dog"}


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Seed", "seed"),
        ("noise_seed", "seed"),
        ("steps", "sampling.steps"),
        ("num_inference_steps", "sampling.steps"),  # diffusers
        ("infer_steps", "sampling.steps"),  # HunyuanVideo, musubi
        ("cfg", "sampling.cfg"),  # ComfyUI
        ("CFG scale", "sampling.cfg"),  # A1111
        ("cfgScale", "sampling.cfg"),  # Civitai
        ("guidance_scale", "sampling.cfg"),
        ("scale", "sampling.cfg"),  # kohya
        ("gs", "sampling.guidance"),  # FramePack Studio
        ("guidance", "sampling.guidance"),
        ("Distilled CFG", "sampling.guidance"),
        ("Distilled CFG Scale", "sampling.guidance"),  # Forge
        ("embedded_guidance_scale", "sampling.guidance"),
        ("flux_guidance_scale", "sampling.guidance"),
        ("rs", "sampling.rescale"),
        ("total_second_length", "seconds"),
    ],
)
@pytest.mark.parametrize("value", [7, "7", " 7 "])
def test_names_of_numbers(name: str, key: str, value: Any) -> None:
    assert read_named({"prompt": "a cat", name: value}) == {"prompt": "a cat", key: "7"}
    assert read_named({name: value}) == {}  # something else that happens to have one
    assert read_values({name: value}) == {key: "7"}


def test_draw_things_has_short_names_which_are_one_beside_the_other_alone() -> None:
    assert read_named({"c": "a cat", "uc": "dog"}) == {"prompt": "a cat", "negative": "dog"}
    assert read_named({"c": "a cat"}) == {}


def test_guidance_beside_a_scale_of_another_name_is_the_distilled_one() -> None:
    values = {"prompt": "a cat", "guidance_scale": 10, "cfg": 1}
    assert read_named(values) == {"prompt": "a cat", "sampling.guidance": "10", "sampling.cfg": "1"}


def test_a_prompt_in_parts() -> None:
    parts = [{"prompt": "a cat", "weight": 1}, "on a mat", {"weight": 2}, 5]
    assert read_named({"prompt": parts}) == {"prompt": "a cat, on a mat"}


def test_a_comma_is_a_point_and_what_is_no_number_is_told() -> None:
    assert read_values({"cfg": "7,5", "seed": True, "steps": [20]}) == {"sampling.cfg": "7.5", "sampling.steps": "[20]"}
