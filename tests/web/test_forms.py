"""Every option has a control made from its description, and controls give back the request that was put into them."""

import re
from pathlib import Path
from typing import Any

import pytest
from gradio.components import Component
from gradio.data_classes import ImageData

from eichi.errors import OptionError, PictureError
from eichi.options import FrameOptions, VideoOptions
from eichi.settings import Settings
from eichi.video.images import measure
from eichi.web.fields import fields, grouped, unused
from eichi.web.fieldset import FieldSet
from eichi.web.forms import Form, control, picture
from eichi.web.i18n import Words
from eichi.words import languages

WORDS = Words("en")
# What has a control of its own: lists of the model's, pictures; the timeline edits the tables and the end.
OWN = ("model", "image", "prompt", "seconds", "resolution", "seed")
DRAWN = {"keyframes.sections", "keyframes.prompts", "keyframes.final", "weights.loras"}


@pytest.fixture
def form() -> Form[VideoOptions]:
    options = fields(VideoOptions)
    rest = FieldSet(options.values(), WORDS)
    return Form(VideoOptions, {key: control(options[key], WORDS) for key in OWN}, (rest,))


def given(form: Form[Any], **values: Any) -> dict[Component, Any]:
    """What a page would send: the controls' own values, some of them changed."""
    found: dict[Component, Any] = {one: getattr(one, "value", None) for one in form.controls.values()}
    for one in form.sets:
        found[one.html] = one.defaults | {key: value for key, value in values.items() if key in one.fields}
    return found | {form.controls[key]: value for key, value in values.items() if key in form.controls}


def test_every_option_is_on_the_page() -> None:
    own = {"model", "image", "prompt", "resolution", "seed", "references", "mask", "weights.loras"}
    for kind, others in ((VideoOptions, {*OWN, *DRAWN}), (FrameOptions, own)):
        rest = FieldSet(fields(kind).values(), WORDS)
        assert rest.fields.keys() | others == fields(kind).keys()
        assert not rest.fields.keys() & others


@pytest.mark.parametrize("language", languages())
def test_a_set_has_words_and_names_in_every_language(language: str) -> None:
    words = Words(language)
    for kind in (VideoOptions, FrameOptions, Settings):
        views = fields(kind).values()
        html = FieldSet(views, words).html.html_template
        named = re.findall(r'<(?:input|select|textarea)[^>]* id="([^"]+)" name="([^"]+)"', html)
        assert [key for _, key in named] == [view.key for inside in grouped(views).values() for view in inside]
        assert all(f'id="{id}-help"' in html for id, _ in named)
        assert "{" not in html
        assert "`" not in html


def test_bounds_steps_and_choices_are_the_fields_own(form: Form[VideoOptions]) -> None:
    html = form.sets[0].html.html_template
    assert 'name="sampling.steps" aria-describedby="option-sampling-steps-help" min="1" max="100" step="1"' in html
    assert 'min="100" max="102" step="0.01"' in html
    assert re.findall(r'<option value="(\w+)">', html)[:3] == ["off", "final", "seamless"]
    assert re.search(r'data-shown="weights.fp8" data-unless="&quot;off&quot;">.{,99}name="weights.fp8_math"', html)
    assert html.count('data-only="forward"') == len(unused(fields(VideoOptions).values(), "reverse"))


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


def test_what_is_given_as_a_picture_is_left_to_us(tmp_path: Path) -> None:
    """Pillow would open this, and ask Ghostscript what it looks like."""
    path = tmp_path / "ok.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n{} loop\n")
    made = picture()
    assert made.preprocess(ImageData(path=str(path), orig_name="ok.png")) == str(path)
    assert made.preprocess(None) is None
    with pytest.raises(PictureError):
        measure(path)
