"""Descriptions of fields say what a page needs to draw them, and can be sent as they are."""

import json

import pytest

from eichi.options import FillOptions, FrameOptions, VideoOptions
from eichi.settings import Settings
from eichi.web.fields import FieldView, fields, grouped

VIDEO, FRAME, SETTINGS = fields(VideoOptions), fields(FrameOptions), fields(Settings)


@pytest.mark.parametrize(
    ("view", "control"),
    [
        (VIDEO["model"], "text"),
        (VIDEO["image"], "picture"),
        (VIDEO["seed"], "number"),
        (VIDEO["section_size"], "choice"),
        (VIDEO["keyframes.loop"], "choice"),
        (VIDEO["keyframes.copies"], "tick"),
        (VIDEO["keyframes.sections"], "table"),
        (VIDEO["sampling.steps"], "slider"),
        (VIDEO["kept.latents"], "latents"),
        (VIDEO["weights.loras"], "list"),
        (FRAME["references"], "list"),
        (FRAME["mask"], "picture"),
        (SETTINGS["outputs"], "folder"),
        (SETTINGS["preserve_gb"], "slider"),
        (SETTINGS["vae_tile"], "number"),
        (SETTINGS["device"], "text"),
    ],
)
def test_controls(view: FieldView, control: str) -> None:
    assert view.control == control


def test_a_description_is_whole_and_survives_json() -> None:
    for kind in (VideoOptions, FrameOptions, FillOptions, Settings):
        for key, view in fields(kind).items():
            assert view.key == key
            assert FieldView.model_validate(json.loads(json.dumps(view.model_dump(mode="json")))) == view
    ids = [view.id for view in VIDEO.values()]
    assert len({*ids}) == len(ids)
    strength = VIDEO["sampling.image_strength"]
    assert (strength.low, strength.high, strength.default, strength.unit) == (100, 102, 100, "unit.percent")
    assert (strength.id, strength.label) == ("sampling-image-strength", "label.sampling.image_strength")
    assert (VIDEO["sampling.padding"].step, VIDEO["sampling.padding"].optional) == (0.1, True)
    assert [choice.label for choice in VIDEO["fit"].choices] == [
        "choice.fit.crop",
        "choice.fit.letterbox",
        "choice.fit.original",
    ]


def test_groups_are_in_the_order_of_the_page_and_fields_in_that_of_declaration() -> None:
    assert [*grouped(VIDEO.values())] == [
        "source",
        "keyframes",
        "motion",
        "sampling",
        "output",
        "finish",
        "weights",
        "kept",
    ]
    assert [*grouped(FRAME.values())] == ["positions", "sampling", "output", "weights"]
    assert [*grouped(SETTINGS.values())] == ["machine", "models", "memory"]
    motion = [view.key for view in grouped(VIDEO.values())["motion"]]
    assert motion == ["section_size", "keyframes.blend", "sampling.padding", "sampling.image_strength"]


def test_lengths_are_offered_by_direction() -> None:
    offered = VIDEO["seconds"].suggestions
    assert offered["reverse"] == (*range(1, 21), 30, 40)
    assert offered["forward"] == (*offered["reverse"], 60, 120)
    assert VIDEO["sampling.steps"].suggestions == {}


def test_a_text_has_one_line_where_it_is_an_address() -> None:
    found = fields(Settings)
    assert [found[key].control for key in ("mirror", "place", "devices", "comfy")] == ["line", "line", "line", "text"]
