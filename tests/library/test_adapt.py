"""What came with a file and the rest of a request cannot use is left out; what was typed is for the plan to refuse."""

from typing import Any

import pytest

from eichi.errors import OptionError
from eichi.library.adapt import adapt
from eichi.library.whereabouts import covers
from eichi.options import FrameOptions, VideoOptions
from eichi.prepare import make_plan
from eichi.settings import load_settings
from tests.pictures import encoded

SECTIONED = {
    "image": "start.png",
    "seconds": 6,
    "sampling": {"padding": 0.5},
    "keyframes": {
        "final": "start.png",
        "final_strength": 0.5,
        "copies": True,
        "sections": {0: "start.png", 3: "start.png", 4: "start.png"},
        "prompts": {0: "a", 4: "b"},
    },
}


def told(asked: VideoOptions, *typed: str) -> tuple[VideoOptions, list[tuple[str, Any]]]:
    adapted, notes = adapt(asked, covers(typed))
    return adapted, [
        (note.id.removeprefix("note.from."), note.values.get("number", note.values.get("key"))) for note in notes
    ]


def test_a_file_that_fits_stays_as_it_is() -> None:
    asked = VideoOptions.parse(SECTIONED)
    assert told(asked) == (asked, [])
    frame = FrameOptions.parse({"image": "start.png"})
    assert adapt(frame, covers(())) == (frame, ())


def test_shorter() -> None:
    adapted, notes = told(VideoOptions.parse({**SECTIONED, "seconds": 2}))
    assert notes == [("section", 3), ("section", 4), ("section", 4)]
    assert (list(adapted.keyframes.sections), adapted.keyframes.prompts) == ([0], {0: "a"})
    assert adapted.keyframes.final is not None


def test_shorter_as_a_loop() -> None:
    loop = {"keyframes": {"loop": "seamless", "prompts": {0: "a", 1: "b"}}, "seconds": 2.4}
    adapted, notes = told(VideoOptions.parse(loop))
    assert (adapted.keyframes.prompts, notes) == ({0: "a"}, [("section", 1)])


def test_what_was_typed_is_refused_by_the_plan(tmp_path: Any) -> None:
    (tmp_path / "start.png").write_bytes(encoded("PNG"))
    for typed in ("keyframes.sections.3", "keyframes.sections", "keyframes"):
        adapted, _ = told(VideoOptions.parse({**SECTIONED, "seconds": 2}), typed)
        assert 3 in adapted.keyframes.sections
        with pytest.raises(OptionError, match="no section 3"):
            make_plan(adapted, load_settings().model_folders)


def test_the_other_direction() -> None:
    adapted, notes = told(VideoOptions.parse({**SECTIONED, "model": "tiny-f1"}))
    gone = ["keyframes.final", "keyframes.final_strength", "keyframes.sections", "keyframes.copies", "sampling.padding"]
    assert notes == [("forward", key) for key in gone]
    assert adapted == VideoOptions.parse(
        {"model": "tiny-f1", "image": "start.png", "seconds": 6, "keyframes": {"prompts": {0: "a", 4: "b"}}}
    )
    back, notes = told(VideoOptions.parse({"sampling": {"image_strength": 101}}))
    assert (back, notes) == (VideoOptions(), [("reverse", "sampling.image_strength")])


def test_the_other_direction_with_something_typed() -> None:
    adapted, notes = told(
        VideoOptions.parse({**SECTIONED, "model": "tiny-f1"}), "keyframes.final", "keyframes.sections.3"
    )
    assert adapted.keyframes.final is not None
    assert adapted.keyframes.sections.keys() == {3}
    assert ("forward", "keyframes.sections") in notes


def test_the_size_of_another_model() -> None:
    asked = VideoOptions.parse({"resolution": 640})
    adapted, (note,) = adapt(asked, covers(()))
    assert (adapted.resolution, note.id, note.values["value"]) == (None, "note.from.resolution", 640)
    assert adapt(asked, covers(["resolution"])) == (asked, ())


def test_a_model_that_is_not_known_is_for_the_plan() -> None:
    asked = VideoOptions.parse({"model": "nope", "resolution": 100})
    assert adapt(asked, covers(())) == (asked, ())
