"""Jobs that are changed ahead and jobs that are built on others: the embedded model, a few steps."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eichi.declare import at
from eichi.errors import InputError, OptionError
from eichi.events import Adjusted, Finished, SectionDone, Step
from eichi.jobs.again import edited
from eichi.jobs.queue import Queue
from eichi.jobs.schema import Job
from eichi.jobs.view import Action, Status
from eichi.jobs.worker import Worker
from eichi.options import VideoOptions
from eichi.settings import load_settings
from eichi.video import sectionfolder
from eichi.video.jobfolder import JobFolder
from eichi.video.latentfile import load_latents
from eichi.video.metadata import read_record
from tests.clips import clip
from tests.jobs.sections import leave
from tests.jobs.test_worker import Asking, add, digest

SECTIONS = 3


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, gradient = tmp_path_factory.mktemp("pictures"), Image.linear_gradient("L").resize((96, 64))
    gradient.convert("RGB").save(folder / "start.png")
    gradient.rotate(180).convert("RGB").save(folder / "other.png")
    return [folder / "start.png", folder / "other.png"]


@pytest.fixture
def video(pictures: list[Path]) -> VideoOptions:
    values: dict[str, Any] = {"image": pictures[0], "prompt": "p", "seconds": 2, "section_size": 0.5}
    return VideoOptions.parse(values | {"sampling": {"steps": 1}})


@pytest.fixture(scope="module")
def kept() -> Iterator[list[Worker]]:
    """The worker of this module, once there is one: its model is loaded once."""
    yield []


@pytest.fixture
def store(home: Path) -> Iterator[Asking]:
    with Asking(load_settings().store) as store:
        yield store


@pytest.fixture
def queue(store: Asking) -> Queue:
    return Queue(store, load_settings().model_folders)


@pytest.fixture
def work(store: Asking, kept: list[Worker]) -> Callable[[], None]:
    """Run what waits."""
    settings = load_settings()
    if not kept:
        kept.append(Worker(store, settings, threading.Event()))
    kept[0].store, kept[0].settings, kept[0].leaving = store, settings, threading.Event()
    return lambda: kept[0].work(drain=True)


def notes(queue: Queue, id: int) -> list[tuple[str, Any]]:
    said = (entry.event for entry in queue.store.events(id))
    return [(one.id, one.values["number"]) for one in said if isinstance(one, Adjusted) and "ahead" in one.id]


def drawn(queue: Queue, id: int) -> int:
    """Sections that were drawn, not taken over."""
    said = (entry.event for entry in queue.store.events(id))
    return sum(isinstance(event, SectionDone) and event.computed > 0 for event in said)


def asked(job: Job, key: str) -> Any:
    """What a job asks for."""
    return at(job.request, key)


def kept_file(job: Job) -> Path:
    return Path(str(asked(job, "kept.latents")))


def seed_of(job: Job) -> int:
    assert isinstance(job.result, Finished), job.view().message
    return job.result.seed


def video_of(job: Job) -> Path:
    assert isinstance(job.result, Finished), job.view().message
    return Path(job.result.video)


def latents(job: Job) -> np.ndarray[Any, Any]:
    """What a finished job has made."""
    folder = JobFolder(Path(str(job.checkpoint))).source
    return folder.latents(folder.plan(), SECTIONS).values


def test_a_running_job_takes_a_change_when_its_section_is_finished(
    queue: Queue, store: Asking, work: Callable[[], None], video: VideoOptions
) -> None:
    """Its bytes are those of a job that was planned so, and its row says with what each section was made."""
    (id,) = add(queue, video.model_copy(update={"seed": 3}))

    def change(job: int) -> None:
        row = queue.edit(job, {"prompt": "q", "keyframes.prompts.2": "r"})
        assert (row.status, asked(row, "prompt")) == (Status.RUNNING, "q")

    store.ask(Step, 1, change)
    work()
    job = store.job(id)
    assert job.status == Status.DONE, job.view().message
    assert notes(queue, id) == [("note.ahead.taken", 1)]
    assert drawn(queue, id) == SECTIONS
    assert asked(job, "keyframes.prompts") == {"0": "p", "2": "r"}
    clone = queue.clone(id)
    work()
    assert digest(job) == digest(store.job(clone.id))
    assert read_record(video_of(job))["request"]["keyframes"]["prompts"] == {"0": "p", "2": "r"}
    assert [one.prompt for one in queue.sections(id)] == ["p", "q", "r"]


@pytest.mark.parametrize("how", [Queue.hold, Queue.stop])
def test_a_job_that_waits_with_work_on_disk_is_changed_ahead(
    queue: Queue, store: Asking, work: Callable[[], None], video: VideoOptions, pictures: list[Path], how: Any
) -> None:
    (id,) = add(queue, video)
    store.ask(SectionDone, 1, lambda job: how(queue, job))
    work()
    assert store.job(id).made == 1
    with pytest.raises(OptionError) as refused:
        queue.edit(id, {"keyframes.prompts.0": "other"})
    assert refused.value.values["key"] == "keyframes.prompts.0"
    assert refused.value.values["number"] == 0
    job = queue.ahead(id, queue.laid(id, {"keyframes": {"sections": {"2": str(pictures[1])}}}))
    assert asked(job, "keyframes.sections") == {"0": str(pictures[0]), "2": str(pictures[1])}
    assert [one.ahead for one in queue.sections(id)] == [False, True, True]
    queue.resume(id)
    work()
    job = store.job(id)
    assert notes(queue, id) == [("note.ahead.taken", 1)]
    again = add(queue, VideoOptions.parse(job.request | {"seed": seed_of(job)}))[0]
    work()
    assert digest(store.job(again)) == digest(job)


def test_a_change_that_comes_too_late_is_told_and_not_in_the_request(
    queue: Queue, store: Asking, work: Callable[[], None], video: VideoOptions
) -> None:
    (id,) = add(queue, video)

    def change(job: int) -> None:
        """As a change would be that was decided before section 1 was begun, and written when it is finished."""
        row = store.job(job)
        wished = edited(row.request, {"keyframes.prompts": {"1": "late", "2": "q"}})
        store.change(job, [Status.RUNNING], request=wished)

    store.ask(SectionDone, 2, change)
    work()
    assert notes(queue, id) == [("note.ahead.late", 1), ("note.ahead.taken", 2)]
    assert asked(store.job(id), "keyframes.prompts") == {"2": "q"}


def test_what_comes_after_the_last_section_was_begun_is_refused(
    queue: Queue, store: Asking, work: Callable[[], None], video: VideoOptions
) -> None:
    (id,) = add(queue, video)
    refused: list[str] = []

    def change(job: int) -> None:
        assert Action.AHEAD not in store.job(job).view().actions
        with pytest.raises(InputError) as error:
            queue.edit(job, {"prompt": "q"})
        refused.append(error.value.id)

    store.ask(Step, SECTIONS, change)
    work()
    assert refused == ["error.ahead.over"]
    with pytest.raises(InputError) as error:
        queue.ahead(id, queue.laid(id, {"prompt": "q"}))
    assert error.value.id == "error.job.state"


def test_a_section_of_a_finished_job_is_made_again(
    queue: Queue, store: Asking, work: Callable[[], None], video: VideoOptions, pictures: list[Path]
) -> None:
    """What was made before it is the same to the bit; the old job and its result stay."""
    (id,) = add(queue, video)
    work()
    old = store.job(id)
    before, files = latents(old), digest(old)
    same = queue.redo(id, 1, seed=seed_of(old))
    other = queue.redo(id, 1)
    words = queue.redo(id, 1, prompt="q")
    picture = queue.redo(id, 2, picture=pictures[1])
    assert (asked(other, "seed"), asked(words, "seed")) == (None, seed_of(old))
    assert asked(words, "keyframes.prompts") == {"1": "q"}
    assert asked(picture, "keyframes.sections") == {"1": str(pictures[0]), "2": str(pictures[1])}
    assert (words.plan.kept, picture.plan.kept) == (1, 2)
    work()
    window = before.shape[2] // SECTIONS
    for job, kept in ((same, 3), (other, 1), (words, 1), (picture, 2)):
        now = latents(store.job(job.id))
        assert np.array_equal(now[:, :, -kept * window :], before[:, :, -kept * window :])
        assert kept == 3 or not np.array_equal(now, before)
        assert drawn(queue, job.id) == (2 if kept == 3 else SECTIONS - kept)
    assert digest(store.job(id)) == files
    # What was joined for others goes when nobody names it.
    folder = kept_file(same).parent
    assert sorted(path.name for path in folder.glob("kept-*")) == ["kept-0001.safetensors", "kept-0002.safetensors"]
    queue.remove(id)
    assert not list(folder.glob("section-*"))
    for job in (same, other, words):
        queue.remove(job.id)
    assert [path.name for path in folder.iterdir()] == ["kept-0002.safetensors"]
    queue.remove(picture.id)
    assert not folder.exists()


def test_a_video_branches_off_while_it_is_made(queue: Queue, video: VideoOptions, tmp_path: Path) -> None:
    (id,) = add(queue, video)
    leave(tmp_path / ".x.parts", video.model_copy(update={"seed": 5}), 2)
    row = queue.store.claim("somebody")
    assert row is not None
    queue.store.record(row, checkpoint=str(tmp_path / ".x.parts"))
    assert Action.REDO in queue.store.job(id).view().actions
    job = queue.branch(id, 2, {"prompt": "q", "seconds": 3, "sampling": {"steps": 2}})
    assert (asked(job, "seed"), asked(job, "prompt"), asked(job, "sampling.steps")) == (5, "q", 2)
    assert (job.plan.sections, job.plan.kept) == (4, 2)
    assert asked(job, "keyframes.prompts") == {"0": "p", "1": "p"}
    kept = load_latents(kept_file(job))
    assert kept.first == 6
    assert [float(one) for one in kept.values[0, 0, :: kept.values.shape[2] // 2, 0, 0]] == [2.0, 1.0]
    refusals: list[tuple[int, dict[str, Any], str]] = [
        (3, {}, "error.redo.order"),
        (1, {"section_size": 1.0}, "error.ahead.branch"),
        (1, {"model": "tiny-f1"}, "error.ahead.branch"),
        (1, {"keyframes": {"prompts": {"0": "x"}}}, "error.ahead.made"),
    ]
    for order, values, error in refusals:
        with pytest.raises(InputError) as refused:
            queue.branch(id, order, values)
        assert refused.value.id == error
    assert queue.branch(id, 1, {"seconds": 0.1}).plan.sections == 1
    for number, error in ((2, "error.redo.unmade"), (7, "error.section.missing")):
        with pytest.raises(InputError) as refused:
            queue.redo(id, number)
        assert refused.value.id == error


def test_f1_goes_on_behind_what_is_kept(queue: Queue, video: VideoOptions, tmp_path: Path) -> None:
    video = video.model_copy(update={"model": "tiny-f1", "seed": 5})
    (id,) = add(queue, video)
    leave(tmp_path / ".x.parts", video, 2)
    row = queue.store.claim("somebody")
    assert row is not None
    queue.store.record(row, checkpoint=str(tmp_path / ".x.parts"))
    job = queue.redo(id, 1, prompt="q")
    kept = load_latents(kept_file(job))
    assert (kept.first, float(kept.values.max()), job.plan.kept) == (1, 1.0, 1)


def test_where_nothing_is_left_it_is_said(
    queue: Queue, store: Asking, work: Callable[[], None], video: VideoOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Finished jobs keep no more than there is room for; the latent file that was asked for serves, too."""
    monkeypatch.setattr(sectionfolder, "LIMIT", 0)
    output = video.output.model_copy(update={"latents": True})
    first, second = add(queue, video, video.model_copy(update={"output": output}))
    work()
    assert not list(Path("out").glob(f".*{sectionfolder.LEFT}"))
    assert (store.job(first).made, store.job(second).made) == (0, SECTIONS)
    assert Action.REDO not in store.job(first).view().actions
    with pytest.raises(InputError) as refused:
        queue.redo(first, 0)
    assert refused.value.id == "error.redo.nothing"
    job = queue.redo(second, 2)
    assert kept_file(job).name.startswith("kept-") is False
    assert job.plan.kept == 2
    work()
    assert store.job(job.id).status == Status.DONE


def test_a_damaged_section_is_not_built_on(queue: Queue, video: VideoOptions, tmp_path: Path) -> None:
    (id,) = add(queue, video)
    leave(tmp_path / ".x.parts", video, 2)
    row = queue.store.claim("somebody")
    assert row is not None
    queue.store.record(row, checkpoint=str(tmp_path / ".x.parts"))
    path = tmp_path / ".x.parts" / sectionfolder.section_file(0)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError) as refused:
        queue.redo(id, 1)
    assert refused.value.id == "error.latents.damaged"


def test_a_continuation_is_built_on_whatever_becomes_of_its_video(
    queue: Queue, video: VideoOptions, tmp_path: Path
) -> None:
    """The copy of the job serves, as long as anybody needs it, while the job is there and when it is finished."""
    given = clip(tmp_path / "in.mp4", 9)
    whole = given.read_bytes()
    video = VideoOptions.parse({**video.dump(), "image": None, "seed": 5, "source": {"before": given}})
    (id,) = add(queue, video)
    leave(tmp_path / ".x.parts", video, 2)
    row = queue.store.claim("somebody")
    assert row is not None
    queue.store.record(row, checkpoint=str(tmp_path / ".x.parts"))
    assert asked(queue.redo(id, 1), "source.before") == str(given)
    given.unlink()
    one = queue.branch(id, 1, {"prompt": "q"})
    lent = Path(asked(one, "source.before"))
    assert lent.read_bytes() == whole
    JobFolder(tmp_path / ".x.parts").retire()
    other = queue.redo(id, 1)
    assert Path(asked(other, "source.before")) == lent
    given.write_bytes(b"another")
    assert Path(asked(queue.branch(id, 2, {}), "source.before")) == lent
    for copy in lent.parent.glob("source-before*"):
        copy.write_bytes(b"damaged")  # and its other name with it
    with pytest.raises(InputError) as refused:
        queue.redo(id, 1)
    assert refused.value.id == "error.resume.original"
    assert lent.is_file()
    for job in queue.store.jobs():
        if job.id != id:
            queue.remove(job.id)
    assert not lent.exists()
