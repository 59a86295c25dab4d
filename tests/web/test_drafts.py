"""Drafts: what is wrong is named and taken out, and the rest is planned all the same."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from eichi.errors import InputError
from eichi.jobs.view import PlanView
from eichi.options import FrameOptions, VideoOptions
from eichi.plan.cards import find_card
from eichi.plan.memory import GIB, Machine
from eichi.web import drafts
from eichi.web.batches import BatchAsked, batch_of
from eichi.web.desk import Desk
from eichi.web.drafts import LONGEST, VALUES, DraftAsked, DraftView, draft_frame, draft_video
from eichi.web.visitor import Visitor
from tests.web.conftest import running

HERE = Visitor("en", local=True)


def drafted(desk: Desk, video: VideoOptions, visitor: Visitor = HERE, **changed: Any) -> DraftView:
    values = video.dump()
    for key, value in changed.items():
        group, _, name = key.rpartition("__")
        (values[group] if group else values)[name] = value
    return draft_video(desk, DraftAsked(options=values), visitor)


def problems(view: DraftView) -> list[tuple[str, str | None]]:
    return [(one.id, one.key) for one in view.problems]


def test_a_good_draft_has_no_problem(desk: Desk, video: VideoOptions) -> None:
    view = drafted(desk, video)
    assert (view.problems, view.jobs, view.total) == ((), 1, None)
    assert isinstance(view.plan, PlanView)
    assert len(view.plan.sections) == 4
    assert view.line == "4.83 s · 145 frames · 4 sections · 80×48"
    assert view.memory is not None and view.memory.fits
    assert view.time is None
    assert any("4.83" in note for note in view.notes)


def test_without_an_image_there_is_a_timeline(desk: Desk, video: VideoOptions) -> None:
    view = drafted(desk, video, image=None)
    assert problems(view) == [("error.image.required", "image")]
    assert isinstance(view.plan, PlanView)
    assert view.plan.images == {}
    assert len(view.plan.sections) == 4
    view = drafted(desk, video, image="nobody.png", keyframes__loop="final")
    assert problems(view) == [("error.picture.missing", "image")]
    assert view.plan is not None
    assert view.plan.images == {}


def test_a_start_that_is_made_needs_no_image(desk: Desk, video: VideoOptions) -> None:
    view = drafted(desk, video, image=None, start="noise", aspect="9:16", keyframes__loop="final")
    assert problems(view) == []
    assert isinstance(view.plan, PlanView)
    assert (view.plan.images, view.plan.width, view.plan.height) == ({}, 96, 160)


def test_every_wrong_item_is_named_and_the_rest_is_planned(desk: Desk, video: VideoOptions, picture: Path) -> None:
    view = drafted(
        desk,
        video,
        seed=-1,
        surprise=1,
        keyframes__sections={"2": "nobody.png", "1": str(picture), "7": str(picture)},
        keyframes__prompts={"9": "late", "0": "last"},
        keyframes__final=str(picture),
        keyframes__loop="seamless",
        sampling__image_strength=101,
    )
    assert sorted(problems(view)) == [
        ("error.direction.reverse", "sampling.image_strength"),
        ("error.loop.final", "keyframes.final"),
        ("error.option.range", "seed"),
        ("error.option.unknown", "surprise"),
        ("error.picture.missing", "keyframes.sections.2"),
        ("error.section.missing", "keyframes.prompts.9"),
        ("error.section.missing", "keyframes.sections.7"),
    ]
    assert view.plan is not None
    assert set(view.plan.images) == {"image", "section:1"}
    assert isinstance(view.plan, PlanView)
    assert [section.prompt for section in view.plan.sections] == ["last", *[video.prompt] * 3]


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"model": "nobody's"}, "model"),
        ({"model": "framepack"}, "model"),  # not on this machine
        ({"resolution": 999}, "resolution"),
        ({"keyframes": "all"}, "keyframes"),
        ({"keyframes": {"sections": {"x": "a.png"}}}, "keyframes.sections.x"),
        ({"keyframes": {"loop": "round"}}, "keyframes.loop"),
        ({"kept": {"sections": 2}}, "kept.sections"),
        ({"kept": {"latents": "no.safetensors"}}, "kept.latents"),
        ({"prompt": None}, "prompt"),
        ({"output": {"crf": "much"}}, "output.crf"),
    ],
)
def test_what_is_wrong_has_its_key(desk: Desk, picture: Path, values: dict[str, Any], key: str) -> None:
    view = draft_video(desk, DraftAsked(options={"image": str(picture)} | values), HERE)
    assert [one.key for one in view.problems] == [key]
    assert view.plan is not None


def test_entries_of_lists_keep_their_numbers(desk: Desk, picture: Path) -> None:
    files = ["a.png", str(picture), "b.png"]
    options = {"image": str(picture), "references": [{"image": file} for file in files]}
    view = draft_frame(desk, DraftAsked(options=options), HERE)
    assert [one.key for one in view.problems] == ["references.0", "references.2"]
    assert view.plan is not None
    assert len(view.plan.images) == 2
    assert "profile" not in view.line and "80×48" in view.line
    view = draft_frame(desk, DraftAsked(options={"vision": 0.5}), HERE)
    assert [one.key for one in view.problems] == ["image", "vision"]
    assert view.plan is not None
    assert not view.plan.images


def test_a_sentence_names_the_option_as_the_page_does(desk: Desk, video: VideoOptions) -> None:
    view = drafted(desk, video, Visitor("ru", local=True), keyframes__loop="round", sampling__steps=0)
    said = [one.message for one in view.problems]
    assert not any(raw in text for raw in ("keyframes", "sampling", "seamless", "steps") for text in said)
    assert any("Количество шагов" in text or "шаг" in text.lower() for text in said)
    assert view.problems[0].values["key"] == view.problems[0].key


def test_a_visitor_names_files_by_ids(desk: Desk, video: VideoOptions) -> None:
    other = Visitor("en", local=False)
    view = drafted(desk, video, other)
    assert problems(view) == [("error.api.path", "image")]
    view = drafted(desk, video, other, image="upload:" + "0" * 32)
    assert problems(view) == [("error.ref.gone", "image")]


def test_texts_are_metered(desk: Desk, video: VideoOptions) -> None:
    tokens = drafted(desk, video, negative="blurred", keyframes__prompts={"1": "a cat", "2": " "}).tokens
    assert set(tokens) == {"", "negative", "keyframes.prompts.1"}
    assert (tokens[""].llama.limit, tokens[""].clip.limit) == (256, 77)
    assert tokens["keyframes.prompts.1"].llama.used > 0
    assert drafted(desk, video, prompt="red " * 300).tokens[""].cut


def test_time_is_what_was_measured(desk: Desk, video: VideoOptions) -> None:
    from eichi.jobs.view import Status

    job = desk.start([video])[0]
    desk.store.end(running(desk, job), Status.DONE, pace=30.0)
    view = drafted(desk, video)
    assert view.time is not None
    assert (view.time.seconds, view.time.measured, view.time.text) == (120.0, True, "about 2 min 0 s")
    asked = DraftAsked(options=video.dump(), batch=BatchAsked(count=3, prompts="a\nb"))
    batch = draft_video(desk, asked, HERE)
    assert (batch.jobs, batch.total) == (6, "6 jobs, about 12 min 0 s in total")


def test_until_then_it_is_what_the_card_promises(
    desk: Desk, video: VideoOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eichi.jobs.view import Status

    machine = Machine(12 * GIB, 64 * GIB, card=find_card("RTX 4070"))
    monkeypatch.setattr(desk.probe, "look", lambda _: machine)
    view = drafted(desk, video, model="framepack", sampling__steps=25)
    assert view.time is not None
    assert view.memory is not None
    assert (view.time.measured, view.memory.fits) == (False, True)
    assert "forecast for RTX 4070, not measured" in view.time.text
    assert view.memory.why is None
    rounded = drafted(desk, video, model="framepack", sampling__steps=25, weights__fp8="row").memory
    assert rounded is not None
    assert "“FP8 weights” saves no time here" in (rounded.why or "")
    shorter = drafted(desk, video, model="framepack", sampling__steps=5).time
    assert shorter is not None
    assert shorter.seconds < view.time.seconds
    job = desk.start([video])[0]
    desk.store.end(running(desk, job), Status.DONE, pace=30.0)
    measured = drafted(desk, video).time
    assert measured is not None
    assert measured.measured


def test_what_several_gpus_cannot_share_is_said(
    desk: Desk, video: VideoOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "settings", desk.settings.model_copy(update={"gpus": 3}))
    view = drafted(desk, video)
    assert problems(view) == [("error.gpus.heads", None)]
    assert view.plan is not None
    monkeypatch.setattr(desk, "settings", desk.settings.model_copy(update={"gpus": 2}))
    view = drafted(desk, video)
    assert not view.problems
    assert "2 GPUs compute this video together." in view.notes


def test_a_batch_is_counted(desk: Desk, video: VideoOptions, picture: Path) -> None:
    pictures = [{"id": str(picture)}, {"id": str(picture), "prompt": "own"}]
    batch = BatchAsked.model_validate({"count": 2, "prompts": "a\nb\nc", "pictures": pictures})
    view = draft_video(desk, DraftAsked(options=video.dump(), batch=batch), HERE)
    assert (view.jobs, view.total, view.problems) == (8, "8 jobs", ())
    gone = BatchAsked.model_validate({"pictures": [{"id": "upload:" + "0" * 32}]})
    view = draft_video(desk, DraftAsked(options=video.dump(), batch=gone), HERE)
    assert problems(view) == [("error.ref.gone", "batch.pictures")]
    assert view.plan is not None


def test_frames_have_a_draft_too(desk: Desk, picture: Path) -> None:
    options = FrameOptions.parse({"image": picture, "prompt": "p"}).dump()
    view = draft_frame(desk, DraftAsked(options=options), HERE)
    assert (view.problems, view.jobs) == ((), 1)
    assert view.plan is not None and "" in view.tokens


def test_a_draft_without_end_is_refused_and_long_texts_are_not_counted(
    desk: Desk, video: VideoOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each wrong value costs another plan, and counting tokens takes a second for each megabyte."""
    many: Any = {str(number): "wrong" for number in range(VALUES)}
    with pytest.raises(InputError, match=str(VALUES)):
        drafted(desk, video, keyframes__sections=many)
    counted: list[str] = []
    monkeypatch.setattr(drafts, "_reading", lambda meter, text: counted.append(text))
    long, short = "a" * (LONGEST + 1), "a" * LONGEST
    with pytest.raises(ValidationError):  # nothing was counted, so there is no reading
        drafted(desk, video, prompt=long, keyframes__prompts=dict.fromkeys(("0", "1", "2"), short))
    assert counted == [short] * 3


def test_a_picture_that_is_named_often_is_looked_for_once(
    desk: Desk, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Path] = []

    def look(key: str, given: Path, visitor: Visitor) -> Path:
        looked.append(given)
        return picture

    monkeypatch.setattr(desk.refs, "path", look)
    asked = BatchAsked.model_validate({"pictures": [{"id": "upload:0"}] * 50})
    assert len(batch_of(desk, asked, Visitor("en", False), VideoOptions).pictures) == 50
    assert len(looked) == 1


def test_each_piece_of_a_prompt_has_its_tokens(desk: Desk, video: VideoOptions) -> None:
    view = drafted(desk, video, prompt="the ball [1s: moves left] [3s: moves up and up and up]")
    assert isinstance(view.plan, PlanView)
    assert [piece.text for piece in view.plan.pieces] == ["moves left", "moves up and up and up"]
    plain = drafted(desk, video, prompt="the ball moves left")
    assert view.tokens["pieces.0"] == plain.tokens[""]
    assert view.tokens[""] == view.tokens["pieces.1"]  # the longest that is read


def test_a_prompt_that_cannot_be_read_leaves_the_rest(desk: Desk, video: VideoOptions) -> None:
    view = drafted(desk, video, prompt="the ball [1s moves left")
    assert problems(view) == [("error.prompt.pieces", "prompt")]
    assert view.plan is not None
    assert view.tokens[""].llama.used > 0


def test_wildcards_of_a_draft_are_an_example(desk: Desk, video: VideoOptions) -> None:
    seen = [drafted(desk, video, prompt="a {red|green} ball", seed=seed) for seed in (None, None, 1)]
    assert [any("example" in note for note in view.notes) for view in seen] == [True, True, False]
    prompts = [view.plan.sections[0].prompt for view in seen if isinstance(view.plan, PlanView)]
    assert prompts[0] == prompts[1]
    assert set(prompts) <= {"a red ball", "a green ball"}
    assert problems(drafted(desk, video, prompt="a __nobody__")) == [("error.wildcard.missing", "prompt")]
