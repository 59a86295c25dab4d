"""Every option has a control made from its declaration, and controls give back the request that was put into them."""

import re
from pathlib import Path
from typing import Any

import pytest
from gradio.components import Component

from eichi.errors import OptionError
from eichi.options import FrameOptions, VideoOptions
from eichi.web import oneframe
from eichi.web.create import GROUPS, ONLY, UNUSED
from eichi.web.fieldset import FieldSet
from eichi.web.forms import Form, bounds, control, fields
from eichi.web.i18n import Words
from eichi.words import languages

WORDS = Words("en")
# What has a control of its own: lists of the model's, pictures; the timeline edits the tables and the end.
OWN = ("model", "image", "prompt", "seconds", "resolution", "seed")
DRAWN = {"keyframes.sections", "keyframes.prompts", "keyframes.final", "weights.loras"}


@pytest.fixture
def form() -> Form[VideoOptions]:
    options = fields(VideoOptions)
    rest = FieldSet(list(options.values()), GROUPS, WORDS, ONLY)
    return Form(VideoOptions, {key: control(options[key], WORDS) for key in OWN}, (rest,))


def given(form: Form[Any], **values: Any) -> dict[Component, Any]:
    """What a page would send: the controls' own values, some of them changed."""
    found: dict[Component, Any] = {one: getattr(one, "value", None) for one in form.controls.values()}
    for one in form.sets:
        found[one.html] = one.defaults | {key: value for key, value in values.items() if key in one.keys}
    return found | {form.controls[key]: value for key, value in values.items() if key in form.controls}


def test_every_option_is_on_the_page() -> None:
    grouped = {key for keys in GROUPS.values() for key in keys}
    assert grouped | set(OWN) | DRAWN == set(fields(VideoOptions))
    assert not grouped & set(OWN)
    assert set(ONLY) <= set(fields(VideoOptions))
    grouped = {key for keys in oneframe.GROUPS.values() for key in keys}
    own = {"model", "image", "prompt", "resolution", "seed", "references", "mask", "weights.loras"}
    assert grouped | own == set(fields(FrameOptions))


@pytest.mark.parametrize("language", languages())
def test_a_set_has_words_and_names_in_every_language(language: str) -> None:
    words = Words(language)
    for kind, groups in ((VideoOptions, GROUPS), (FrameOptions, oneframe.GROUPS)):
        html = FieldSet(list(fields(kind).values()), groups, words).html.html_template
        named = re.findall(r'<(?:input|select|textarea)[^>]* id="([^"]+)" name="([^"]+)"', html)
        assert [key for _, key in named] == [key for keys in groups.values() for key in keys]
        assert all(f'id="{id}-help"' in html for id, _ in named)
        assert "{" not in html
        assert "`" not in html


def test_bounds_steps_and_choices_are_the_fields_own(form: Form[VideoOptions]) -> None:
    html = form.sets[0].html.html_template
    assert 'name="sampling.steps" aria-describedby="option-sampling-steps-help" min="1" max="100" step="1"' in html
    assert 'min="1.0" max="1.02" step="0.01"' in html
    assert re.findall(r'<option value="(\w+)">', html)[:3] == ["off", "final", "seamless"]
    assert bounds(fields(VideoOptions)["prompt"]) == (None, None)
    assert {ONLY[key] for key in UNUSED["reverse"]} == {"forward"}


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
    assert not any(isinstance(value, Path) for value in shown[form.sets[0].html]["value"].values())
