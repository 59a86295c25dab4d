"""Grids: axes as they are typed, requests in their order, and the axes seen again in the requests."""

import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eichi.errors import EichiError, OptionError
from eichi.events import Adjusted, Finished, dump
from eichi.jobs.batch import Batch, expand
from eichi.jobs.grid import Axis, crossed, make_axis, read_axis, shape_of
from eichi.jobs.gridsheet import batch_cells, write_grid
from eichi.jobs.queue import Queue
from eichi.jobs.view import Status
from eichi.options import FinishOptions, FrameOptions, Queued, VideoOptions
from eichi.video.letters import font_for
from eichi.video.reader import read_frames
from eichi.video.sheet import Layout, Sheet
from tests.clips import Made, grey

VIDEO = VideoOptions.parse({"start": "black", "prompt": "猫が走る", "seconds": 1, "seed": 3})


@pytest.mark.parametrize(
    ("text", "axis"),
    [
        ("sampling.steps=4, 8,12", Axis("sampling.steps", ("4", "8", "12"))),
        ("steps=1-9 [3]", Axis("sampling.steps", ("1", "5", "9"))),
        ("steps=1-10 [4]", Axis("sampling.steps", ("1", "4", "7", "10"))),
        ("steps=1-2 [3]", Axis("sampling.steps", ("1", "2"))),  # rounded, and each counts once
        ("--cfg=1-2 [3]", Axis("sampling.cfg", ("1", "1.5", "2"))),
        ("cfg=1.0-2.5 [4]", Axis("sampling.cfg", ("1", "1.5", "2", "2.5"))),
        ("seed=3-5", Axis("seed", ("3", "4", "5"))),
        ('prompt="a, b",c', Axis("prompt", ("a, b", "c"))),
        ("replace=猫,犬,鳥", Axis("replace", ("猫", "犬", "鳥"))),
        ("weights.fp8=off,row", Axis("weights.fp8", ("off", "row"))),
        ("finish.reverse=true,false", Axis("finish.reverse", ("true", "false"))),
        ("steps=4,8, 8", Axis("sampling.steps", ("4", "8"))),  # each counts once
        ("prompt=一、二\n三, 四\r\n五", Axis("prompt", ("一、二", "三", "四", "五"))),
        ("seed=4294967290-4294967292", Axis("seed", ("4294967290", "4294967291", "4294967292"))),
        ("steps=４、８，１２", Axis("sampling.steps", ("4", "8", "12"))),  # as other keyboards write it
        ("steps=１ー９［３］", Axis("sampling.steps", ("1", "5", "9"))),
        ("cfg=1,5; 2,5", Axis("sampling.cfg", ("1.5", "2.5"))),
        ("cfg=1,5–2,5 [3]", Axis("sampling.cfg", ("1.5", "2", "2.5"))),
        ("replace=猫、犬", Axis("replace", ("猫", "犬"))),
        ("replace=白い、丸い猫,犬", Axis("replace", ("白い、丸い猫", "犬"))),
        ('replace="a、b"，c', Axis("replace", ("a、b", "c"))),
    ],
)
def test_axes_as_they_are_typed(text: str, axis: Axis) -> None:
    assert read_axis(text, VideoOptions) == axis


@pytest.mark.parametrize(
    ("text", "id"),
    [
        ("steps", "error.grid.form"),
        (f"prompt={'x' * 140_000},b", "error.grid.form"),
        ("steps=4", "error.grid.few"),
        ("steps=4,4", "error.grid.few"),
        ("replace=cat", "error.grid.few"),
        ("weights.loras=a,b", "error.grid.axis"),
        ("nothing=1,2", "error.option.unknown"),
        ("seed=1-4000", "error.grid.many"),
        ("=1,2", "error.grid.form"),
        ("cfg=1,5, 2,5", "error.grid.comma"),
        ("cfg=1,500-2,500 [3]", "error.grid.comma"),
        (f"seed={'9' * 400}-1", "error.option.value"),
        (f"seconds={'9' * 308}-{'8' * 308} [3]", "error.option.value"),
    ],
)
def test_what_is_no_axis_is_said(text: str, id: str) -> None:
    with pytest.raises(OptionError) as caught:
        read_axis(text, VideoOptions)
    assert caught.value.id == id


def test_replace_is_the_first_of_what_may_be_an_axis() -> None:
    with pytest.raises(OptionError) as caught:
        read_axis("шаги=4,8", VideoOptions)
    known = str(caught.value.values["known"]).split(", ")
    assert known[0] == "replace" and {"steps", "prompt", "fit"} <= {*known} and "sampling.steps" not in known


def test_a_row_of_seeds_and_an_axis_of_seeds_are_not_both() -> None:
    with pytest.raises(OptionError) as caught:
        expand(VIDEO, Batch(count=2, axes=(make_axis("seed", "1,2", VideoOptions),)))
    assert caught.value.id == "error.grid.seeds"


def test_requests_of_a_grid_have_x_turning_fastest() -> None:
    axes = (make_axis("steps", "2,4", VideoOptions), make_axis("replace", "猫,犬", VideoOptions))
    made = crossed(VIDEO.model_copy(update={"seed": None}), axes)
    assert [(one.sampling.steps, one.prompt) for one in made] == [
        (2, "猫が走る"),
        (4, "猫が走る"),
        (2, "犬が走る"),
        (4, "犬が走る"),
    ]
    assert len({one.seed for one in made}) == 1 and made[0].seed is not None
    swept = crossed(VIDEO, (make_axis("seed", "1-3", VideoOptions),))
    assert [one.seed for one in swept] == [1, 2, 3]
    frames = expand(FrameOptions.parse({"seed": 1}), Batch(axes=(make_axis("target", "1,5", FrameOptions),)))
    assert [one.target for one in frames if isinstance(one, FrameOptions)] == [1, 5]


@pytest.mark.parametrize(
    ("axes", "id"),
    [
        ((Axis("replace", ("dog", "cat")),), "error.grid.replace"),
        ((Axis("seed", ("1", "2")), Axis("seed", ("3", "4"))), "error.grid.twice"),
        ((Axis("seed", ("1",) * 40), Axis("sampling.steps", ("1",) * 40)), "error.grid.many"),
        (tuple(Axis(key, ("1", "2")) for key in ("seed", "seconds", "steps", "cfg")), "error.grid.axes"),
        ((Axis("sampling.steps", ("1", "900")),), "error.option.range"),
        ((Axis("replace", ("が", "x" * 19_998)),), "error.option.value"),
    ],
)
def test_grids_that_cannot_be_are_refused(axes: tuple[Axis, ...], id: str) -> None:
    with pytest.raises(OptionError) as caught:
        crossed(VIDEO, axes)
    assert caught.value.id == id


def test_a_prompt_that_would_be_too_long_is_never_made() -> None:
    """20,000 signs times 20,000 would hold everybody else up."""
    long = VIDEO.model_copy(update={"prompt": "a" * 20_000})
    tracemalloc.start()
    with pytest.raises(OptionError) as caught:
        crossed(long, (Axis("replace", ("a", "b" * 19_000)),))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert caught.value.values["reason"] == "reason.long" and most < 20_000_000


def test_the_axes_are_seen_again_in_the_requests() -> None:
    axes = (make_axis("steps", "2,4,6", VideoOptions), make_axis("guidance", "3,10", VideoOptions))
    shape = shape_of(crossed(VIDEO, axes), "ja")
    assert shape.x == tuple(f"ステップ数: {steps}" for steps in (2, 4, 6)) and not shape.single
    assert [text.rpartition(" ")[2] for text in shape.y] == ["3", "10"] and shape.z == ("",)
    deep = crossed(VIDEO, (*axes, make_axis("replace", "猫,犬", VideoOptions)))
    assert shape_of(deep).z == ("猫が走る", "犬が走る") and shape_of(deep).columns == 3
    odd = [*crossed(VIDEO, axes)[:5], VIDEO.model_copy(update={"prompt": "x"})]  # no grid: a label for each
    assert shape_of(odd).single and len(shape_of(odd).x) == 6 and shape_of(odd).columns == 3


CUBE = (
    make_axis("replace", "猫,犬,鳥", VideoOptions),
    make_axis("steps", "2,3", VideoOptions),
    make_axis("loop", "off,final", VideoOptions),
)


@pytest.mark.parametrize("gone", [(6,), (0,), (1,), (0, 1), (1, 4, 11)])
def test_a_job_that_was_deleted_leaves_its_cell_empty(gone: tuple[int, ...]) -> None:
    requests = crossed(VIDEO, CUBE)
    whole = shape_of(requests)
    left = [number for number in range(len(requests)) if number not in gone]
    shape = shape_of([requests[number] for number in left])
    assert (shape.x, shape.y, shape.z) == (whole.x, whole.y, whole.z) and whole.cells == tuple(range(12))
    assert [cell if cell is None else left[cell] for cell in shape.cells] == [
        None if number in gone else number for number in whole.cells
    ]


def test_jobs_in_no_grid_have_labels_that_differ() -> None:
    listed = shape_of(expand(VIDEO, Batch(count=2, axes=CUBE)))
    assert listed.single and len(set(listed.x)) == 24 and listed.x[0].startswith("猫が走る, Steps: 2")
    long = ["a" * 30, "b" * 90 + " one", "b" * 90 + " two"]  # what differs is past what is seen
    labels = shape_of([VIDEO.model_copy(update={"prompt": prompt}) for prompt in long]).x
    assert labels == ("a" * 30, "…one", "…two")
    assert shape_of([VIDEO, VIDEO]).x == ("1.", "2.")


@pytest.mark.parametrize(
    ("prompts", "labels"),
    [
        (("the small red cat, runs home", "the small red cats, runs home"), ("…cat…", "…cats…")),
        (("白い部屋の中で大きな猫がゆっくり走る", "白い部屋の中で大きな犬がゆっくり走る"), ("…猫…", "…犬…")),
        (("a cat", "a dog"), ("a cat", "a dog")),
    ],
)
def test_long_prompts_are_told_apart_by_what_differs(prompts: tuple[str, str], labels: tuple[str, str]) -> None:
    assert shape_of([VIDEO.model_copy(update={"prompt": prompt}) for prompt in prompts]).x == labels


def results(queue: Queue, folder: Path, requests: Sequence[Queued]) -> str:
    """A batch whose jobs are done, each with a clip of its own grey; its name."""
    drafts, _ = queue.prepare(requests, folder)
    jobs = queue.add(drafts)
    for number, job in enumerate(jobs):
        clip = Made(count=4 + 2 * number, size=(48, 32), first=10 * number, options={"crf": "1"})
        path = clip.write(folder / f"{number}.mp4")
        made = Finished(str(path), "p.png", 1, 4, 0.1, 1)
        queue.store.change(job.id, [Status.WAITING], status=Status.DONE, result=dump(made))
    assert jobs[0].batch is not None
    return jobs[0].batch


def test_one_labelled_picture_and_one_labelled_video(queue: Queue, tmp_path: Path) -> None:
    axes = (make_axis("steps", "2,4", VideoOptions), make_axis("replace", "猫,犬", VideoOptions))
    batch = results(queue, tmp_path, crossed(VIDEO, axes))
    files = [made for made in write_grid(queue.store, batch, tmp_path / "out", "ja") if isinstance(made, Path)]
    assert [path.name for path in files] == [f"grid_{batch}.png", f"grid_{batch}.mp4"]
    with Image.open(files[0]) as picture:
        assert "犬が走る" in picture.info["comment"]
        pixels = np.asarray(picture.convert("RGB"))
    frames = [frame.pixels for frame in read_frames(files[1])]
    assert len(frames) == 10 and frames[0].shape == pixels.shape  # as long as the longest
    shown = frames[0][..., 0].astype(int)
    assert all((abs(shown - grey(10 * number)) < 8).sum() > 1000 for number in range(4))
    dark = np.all(pixels < 90, axis=-1)
    assert np.any(dark[:20, 60:])  # letters along the top
    with pytest.raises(EichiError) as caught:
        [*write_grid(queue.store, "nothing", tmp_path, "en")]
    assert caught.value.id == "error.grid.unknown"


@pytest.mark.parametrize("ending", [".gif", ".webp"])
def test_what_moves_is_played_and_its_last_frame_is_shown(queue: Queue, tmp_path: Path, ending: str) -> None:
    batch = results(queue, tmp_path, crossed(VIDEO, (make_axis("steps", "2,4", VideoOptions),)))
    stills = [Image.new("RGB", (48, 32), (shade,) * 3) for shade in (20, 100, 180)]
    stills[0].save(tmp_path / f"moves{ending}", save_all=True, append_images=stills[1:], duration=100, lossless=True)
    for job in queue.store.jobs([Status.DONE], batch):
        made = Finished(str(tmp_path / f"moves{ending}"), "p.png", 1, 4, 0.1, 1)
        queue.store.change(job.id, [Status.DONE], result=dump(made))
    picture, video = (one for one in write_grid(queue.store, batch, tmp_path / "out", "en") if isinstance(one, Path))
    frames = [frame.pixels for frame in read_frames(video)]
    with Image.open(picture) as image:
        shown = [np.asarray(image.convert("RGB")), frames[0], frames[-1]]
    for pixels, shade in zip(shown, (180, 20, 180), strict=True):
        assert (abs(pixels[..., 0].astype(int) - shade) < 8).sum() > 2000


def test_a_label_that_is_longer_than_its_cell_takes_several_lines() -> None:
    texts = tuple(f"a label that is quite long, as some are, {number}" for number in range(2))
    sheet = Sheet(texts, ("",), ("",), (None, None), 2, True)
    layout = Layout(sheet, (160, 90))
    first, second = (label.lines for label in layout.across)
    assert len(first) > 1 and " ".join(first) == texts[0] and first != second
    assert layout.size[1] >= layout.cell[1] + len(first) * layout.line


def test_a_grid_that_is_not_done_shows_what_is(queue: Queue, tmp_path: Path) -> None:
    batch = results(queue, tmp_path, crossed(VIDEO, (make_axis("steps", "1-7", VideoOptions),)))
    (tmp_path / "3.mp4").unlink()
    assert len([*write_grid(queue.store, batch, tmp_path / "out", "en")]) == 2
    for path in tmp_path.glob("*.mp4"):
        path.unlink()
    with pytest.raises(EichiError) as caught:
        [*write_grid(queue.store, batch, tmp_path / "out", "en")]
    assert caught.value.id == "error.grid.nothing"


@pytest.mark.parametrize(("ending", "shown"), [(".mp4", ".mp4"), (".zip", ".png")])
def test_videos_that_are_to_be_finished_are_shown_finished(
    queue: Queue, tmp_path: Path, ending: str, shown: str
) -> None:
    batch = results(queue, tmp_path, crossed(VIDEO, (make_axis("finish.grain", "0.1,0.2", VideoOptions),)))
    assert [cell.file for cell in batch_cells(queue.store, batch)] == [None, None]
    (draft,), _ = queue.prepare([FinishOptions.parse({"video": tmp_path / "1.mp4"})], tmp_path)
    (chain,) = queue.store.add([draft], 0, batch)
    for name in ("fine.mp4", "fine.zip", "fine.png"):
        (tmp_path / name).touch()
    made = Finished(str(tmp_path / f"fine{ending}"), str(tmp_path / "fine.png"), 1, 4, 0.1, 1)
    queue.store.change(chain.id, [Status.WAITING], status=Status.DONE, result=dump(made))
    assert [cell.file for cell in batch_cells(queue.store, batch)] == [None, tmp_path / f"fine{shown}"]


def test_a_batch_too_large_to_be_played_is_a_picture(
    queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eichi.jobs.gridsheet.PLAYED", 2)
    batch = results(queue, tmp_path, crossed(VIDEO, (make_axis("steps", "1-3", VideoOptions),)))
    (tmp_path / "file").touch()
    with pytest.raises(EichiError) as caught:
        [*write_grid(queue.store, batch, tmp_path / "file", "en")]
    assert caught.value.id == "error.folder.write"
    *_, picture, word = write_grid(queue.store, batch, tmp_path / "out", "en")
    assert isinstance(picture, Path) and word == Adjusted("note.grid.played", {"count": 3, "limit": 2})
    assert [path.name for path in (tmp_path / "out").iterdir()] == [picture.name]


def test_letters_that_are_missing_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: Any) -> tuple[Path, ...]:
        return ()

    monkeypatch.setattr("eichi.video.letters._paths", nothing)
    assert font_for("Steps: 4", 14)[1] and not font_for("ステップ数", 14)[1]
