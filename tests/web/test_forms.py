"""Every option has a control made from its declaration, and controls give back the request that was put into them."""

from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio.components import Component

from eichi.errors import OptionError
from eichi.options import FrameOptions, VideoOptions
from eichi.web.create import GROUPS, UNUSED
from eichi.web.forms import Form, bounds, control, fields
from eichi.web.i18n import Words
from eichi.words import languages

WORDS = Words("en")
# Made by hand: the model, lengths and sizes are lists of the model's; the timeline edits the tables.
OWN = {"model", "image", "prompt", "seconds", "resolution", "seed", "keyframes.sections", "keyframes.prompts"}


@pytest.fixture
def form() -> Form[VideoOptions]:
    options = fields(VideoOptions)
    return Form(VideoOptions, {key: control(options[key], WORDS) for key in options if not options[key].numbered})


def given(form: Form[Any], **values: Any) -> dict[Component, Any]:
    """What a page would send: the controls' own values, some of them changed."""
    found = {one: getattr(one, "value", None) for one in form.controls.values()}
    return found | {form.controls[key]: value for key, value in values.items()}


def test_every_option_of_a_video_is_on_the_page() -> None:
    grouped = {key for keys in GROUPS.values() for key in keys}
    assert grouped | OWN == set(fields(VideoOptions))
    assert not grouped & OWN
    assert {key for keys in UNUSED.values() for key in keys} <= set(fields(VideoOptions))


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("kind", [VideoOptions, FrameOptions])
def test_a_control_has_words_in_every_language(kind: type[Any], language: str) -> None:
    words = Words(language)
    for key, field in fields(kind).items():
        if field.repeatable or key == "mask":
            continue
        made = control(field, words)
        assert made.label
        assert "." not in str(made.label)


def test_bounds_steps_and_defaults_are_the_fields_own(form: Form[VideoOptions]) -> None:
    steps, strength = form.controls["sampling.steps"], form.controls["sampling.image_strength"]
    assert isinstance(steps, gr.Slider)
    assert (steps.minimum, steps.maximum, steps.step, steps.value) == (1, 100, 1, 25)
    assert isinstance(strength, gr.Slider)
    assert (strength.minimum, strength.maximum) == (1.0, 1.02)
    loop = form.controls["keyframes.loop"]
    assert isinstance(loop, gr.Radio)
    assert [value for _, value in loop.choices] == ["off", "final", "seamless"]
    assert isinstance(form.controls["sampling.padding"], gr.Number)
    assert isinstance(form.controls["kept.latents"], gr.File)
    assert bounds(fields(VideoOptions)["prompt"]) == (None, None)


def test_untouched_controls_are_the_defaults(form: Form[VideoOptions]) -> None:
    assert form.request(given(form), {}) == VideoOptions()


def test_what_is_set_is_asked_for(form: Form[VideoOptions], picture: Path) -> None:
    values = given(form, image=str(picture), seconds="2.5", **{"sampling.padding": 0.3, "output.frames": "all"})
    made = form.request(values, {"keyframes.prompts": {"1": "x"}})
    assert (made.image, made.seconds, made.sampling.padding, made.output.frames) == (picture, 2.5, 0.3, "all")
    assert made.keyframes.prompts == {1: "x"}
    assert form.request(values, {}, unused=("sampling.padding",)).sampling.padding is None


def test_a_wrong_value_is_the_sentence_of_the_option(form: Form[VideoOptions]) -> None:
    with pytest.raises(OptionError, match=r"seconds: 'soon' cannot be used"):
        form.request(given(form, seconds="soon"), {})
    with pytest.raises(OptionError, match=r"sampling.padding: 0.35 is between two steps"):
        form.request(given(form, **{"sampling.padding": 0.35}), {})


def test_a_request_comes_back_as_it_was_shown(form: Form[VideoOptions], video: VideoOptions) -> None:
    shown = form.show(video)
    back = form.request({one: update["value"] for one, update in shown.items()}, {})
    assert back == video
