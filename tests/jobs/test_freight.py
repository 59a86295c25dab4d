"""A job goes to another machine and comes home: here several homes of one, each with a name of its own."""

import hashlib
import json
import shutil
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from eichi.errors import InputError, StoreError
from eichi.events import Adjusted, Event, Finished, FrameFinished, SectionDone, Stopped, dump
from eichi.finish.folder import FinishFolder
from eichi.finish.plan import make_finish_plan
from eichi.jobs.freight import Freight, parts_of
from eichi.jobs.homecoming import Homecoming
from eichi.jobs.nodes import WorkerView
from eichi.jobs.places import FolderPlace, Place
from eichi.jobs.queue import Queue
from eichi.jobs.schema import Draft, Job
from eichi.jobs.segments import segments_of
from eichi.jobs.store import Store
from eichi.jobs.view import Figures, Status
from eichi.jobs.worker import Worker
from eichi.options import FinishOptions, FrameOptions, Queued, VideoOptions
from eichi.settings import Settings, load_settings
from eichi.video.jobfolder import JobFolder
from eichi.video.metadata import read_record
from tests.clips import Made, clip
from tests.pictures import save_small


@pytest.fixture
def settings(home: Path, tmp_path: Path) -> Settings:
    return load_settings().given(place=str(tmp_path / "place"), outputs=tmp_path / "out")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return FolderPlace(tmp_path / "place")


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with Store(settings.store) as store:
        yield store


@pytest.fixture
def at_home(settings: Settings, place: Place) -> Freight:
    return Freight(settings, place, "desk")


@pytest.fixture
def queue(store: Store, settings: Settings, at_home: Freight) -> Queue:
    return Queue(store, settings.model_folders, at_home)


@pytest.fixture
def video(tmp_path: Path) -> VideoOptions:
    folder = tmp_path / "mine"
    folder.mkdir()
    save_small(folder / "start.png")
    values: dict[str, Any] = {"image": folder / "start.png", "prompt": "p", "seed": 3, "seconds": 1}
    return VideoOptions.parse(values | {"section_size": 0.5, "sampling": {"steps": 2}})


def add(queue: Queue, settings: Settings, options: Queued) -> Job:
    return queue.add(queue.prepare([options], settings.outputs)[0])[0]


@pytest.fixture
def worker(store: Store, settings: Settings) -> Worker:
    """One for all machines: its model is loaded once."""
    return Worker(store, settings, threading.Event())


def work(worker: Worker, name: str, home: Path, leaves: bool = False) -> None:
    """Let it work on a machine of that name, with a home of its own; it `leaves` after its first section there."""
    worker.leaving.clear()
    worker.freight = Freight(worker.settings.given(home=home), worker.freight.place, name)
    send = worker.freight.send

    def sending(job: Job, prints: Mapping[str, str]) -> None:
        send(job, prints)
        worker.leaving.set()

    if leaves:
        worker.freight.send = sending  # type: ignore[method-assign]
    worker.work(drain=True)


def results(folder: Path) -> dict[str, str]:
    """What there is of results, by their endings."""
    found = sorted(path for path in folder.iterdir() if path.is_file())
    return {path.name[17:]: hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def test_a_job_goes_on_elsewhere_from_its_last_section_and_comes_home(
    worker: Worker, queue: Queue, settings: Settings, at_home: Freight, video: VideoOptions, tmp_path: Path
) -> None:
    store = queue.store
    undisturbed = add(queue, settings, video)
    work(worker, "desk", tmp_path / "home")
    expected = results(settings.outputs)
    assert len(expected) == 2
    assert FolderPlace(tmp_path / "place").keys("parts/") == []
    queue.remove(undisturbed.id, files=True)

    job = add(queue, settings, video)
    assert (job.node, list(job.inputs or {})) == ("desk", [str(video.image)])
    work(worker, "near", tmp_path / "near", leaves=True)
    row = store.job(job.id)
    assert (row.status, str(Path(str(row.checkpoint)).parent)) == (Status.WAITING, str(settings.outputs))
    assert list((tmp_path / "near" / "away").iterdir()) == []

    at_home.mirror(row)  # its page shows what is made, and the newest look at what is being made
    assert (store.job(job.id).made, store.job(job.id).begun) == (1, True)
    assert JobFolder(Path(str(row.checkpoint))).preview.read_bytes()[1:4] == b"PNG"

    shutil.rmtree(video.image.parent)  # type: ignore[union-attr]  # nobody needs the original any more
    work(worker, "far", tmp_path / "far")
    row = store.job(job.id)
    assert (row.status, row.view().message) == (Status.DONE, None)
    done = [entry.event for entry in store.events(job.id) if isinstance(entry.event, SectionDone)]
    assert [event.computed > 0 for event in done] == [True, False, True, True][: len(done)]
    assert isinstance(row.result, Finished)
    assert Path(row.result.video).parent == settings.outputs
    assert Homecoming(store, at_home).look() == [job.id]
    assert results(settings.outputs) == expected
    assert Path(row.result.video).is_file()
    assert store.job(job.id).made == row.plan.sections  # others can be built on it
    assert [
        path
        for path in (tmp_path / "place").rglob("*")
        if path.is_file() and path.parent.name not in ("inputs", "spare")
    ] == []
    assert Homecoming(store, at_home).look() == []


def test_a_chain_is_finished_elsewhere_and_comes_home(
    worker: Worker, queue: Queue, settings: Settings, at_home: Freight, place: Place, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    options = FinishOptions.parse(
        {"video": Made(count=8).write(tmp_path / "mine" / "in.mp4"), "finish": {"grain": 0.2}}
    )
    undisturbed = add(queue, settings, options)
    work(worker, "desk", tmp_path / "home")
    expected = results(settings.outputs)
    queue.remove(undisturbed.id, files=True)

    job = add(queue, settings, options)
    assert list(job.inputs or {}) == [str(options.video)]
    shutil.rmtree(options.video.parent)
    work(worker, "near", tmp_path / "near")
    row = queue.store.job(job.id)
    assert (row.status, row.request["video"]) == (Status.DONE, str(options.video))
    assert isinstance(row.result, Finished) and Path(row.result.video).parent == settings.outputs
    assert Homecoming(queue.store, at_home).look() == [job.id]
    assert results(settings.outputs) == expected and set(expected) == {".mp4", ".png"}
    assert read_record(Path(row.result.poster))["request"]["video"] == "in.mp4"
    assert list((tmp_path / "near" / "away").iterdir()) == []
    assert queue.store.inputs_needed() == set()  # nobody holds the video any more
    assert [key for start in ("parts/", "results/", "done/") for key in place.keys(start)] == []


def test_a_chain_goes_on_elsewhere_from_its_last_segment(
    worker: Worker,
    queue: Queue,
    settings: Settings,
    at_home: Freight,
    place: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the video is the same, and nothing of a chain that was another."""
    monkeypatch.setattr("eichi.finish.plan.PART", 8)
    video = Made(count=30).write(tmp_path / "in.mp4")
    options = FinishOptions.parse({"video": video, "finish": {"grain": 0.2, "format": "webm"}})
    whole = add(queue, settings, options)
    work(worker, "desk", tmp_path / "home")
    expected = results(settings.outputs)
    queue.remove(whole.id, files=True)
    assert place.keys("parts/") == []

    job, record = add(queue, settings, options), queue.store.record

    def leaving(job: Job, event: Event | None = None, **values: Any) -> Job:
        if isinstance(event, SectionDone) and event.order == 1:
            worker.leaving.set()
        return record(job, event, **values)

    queue.store.record = leaving  # type: ignore[method-assign]
    work(worker, "near", tmp_path / "near")
    queue.store.record = record  # type: ignore[method-assign]
    start = f"parts/{job.id}-{round(job.created * 1000)}/"
    made = ["000000-000007.mkv", "000008-000015.mkv", "chain.json"]
    assert place.keys(start) == [f"{start}{name}" for name in made]
    assert list((tmp_path / "near" / "away").iterdir()) == []
    (tmp_path / "spoilt").write_bytes(b"no video")
    place.put(f"{start}{made[0]}", tmp_path / "spoilt")  # is made again
    work(worker, "far", tmp_path / "far")
    done = [entry.event for entry in queue.store.events(job.id) if isinstance(entry.event, SectionDone)]
    assert [event.computed for event in done] == [8, 8, 8, 0, 8, 6]
    assert Homecoming(queue.store, at_home).look() == [job.id]
    assert results(settings.outputs) == expected and place.keys("parts/") == []


def test_a_list_of_segments_that_is_not_ours_brings_nothing(
    queue: Queue, settings: Settings, at_home: Freight, place: Place, tmp_path: Path
) -> None:
    options = FinishOptions.parse({"video": Made(count=8).write(tmp_path / "in.mp4")})
    job = add(queue, settings, options)
    plan, folder = make_finish_plan(options, settings.model_folders), FinishFolder(tmp_path / ".in.parts", ".mp4")
    segments = segments_of(at_home, job)
    assert segments is not None
    files = {"000000-000007.mp4": "0"}
    mark = segments._made_from(plan)
    for told in (
        {"made_from": "another", "files": files},
        {"made_from": mark, "files": {**files, "../000000-000007.mp4": "0"}},
        {"made_from": mark, "files": {**files, "job.json": "0"}},
        [files],
        5,
    ):
        (tmp_path / "list").write_text(json.dumps(told))
        place.put(f"{parts_of(job)}chain.json", tmp_path / "list")
        assert segments._listed(plan) == {}
    (tmp_path / "list").write_text(json.dumps({"made_from": mark, "files": files}))
    place.put(f"{parts_of(job)}chain.json", tmp_path / "list")
    place.put(f"{parts_of(job)}000000-000007.mp4", tmp_path / "list")
    segments.fetch(plan, folder)  # of another checksum
    assert [*folder.folder.iterdir()] == []


def test_a_chain_behind_a_video_comes_home_with_it(
    worker: Worker, queue: Queue, settings: Settings, at_home: Freight, video: VideoOptions, tmp_path: Path
) -> None:
    """The chain may be run by another machine than the video, and before the home has fetched that."""
    asked = VideoOptions.parse({**video.dump(), "finish": {"scale": 0.5, "format": "gif"}})
    first = add(queue, settings, asked)
    run = worker.run

    def once(job: Job) -> None:
        run(job)
        worker.leaving.set()

    worker.run = once  # type: ignore[method-assign]
    work(worker, "near", tmp_path / "near")
    worker.run = run  # type: ignore[method-assign]
    work(worker, "far", tmp_path / "far")
    rows = sorted(queue.store.jobs(list(Status)), key=lambda job: job.id)
    assert [(row.kind, row.status, row.node) for row in rows] == [
        ("video", Status.DONE, "desk"),
        ("finish", Status.DONE, "desk"),
    ]
    assert sorted(Homecoming(queue.store, at_home).look()) == [first.id, rows[1].id]
    made, finished = (row.result for row in rows)
    assert isinstance(made, Finished) and isinstance(finished, Finished)
    assert rows[1].request["video"] == made.video and Path(made.video).is_file()
    told = read_record(Path(finished.video))
    assert told["request"]["video"] == Path(made.video).name and told["sources"][0]["kind"] == "video"
    assert Path(finished.video).parent == settings.outputs and Path(finished.poster).is_file()


def test_a_job_whose_results_are_at_the_place_is_not_made_again(
    worker: Worker, queue: Queue, settings: Settings, video: VideoOptions, tmp_path: Path
) -> None:
    """Its worker died between bringing them and saying so."""
    job = add(queue, settings, video)
    end = queue.store.end

    def dies(job: Job, status: Status, *rest: Any, **values: Any) -> Job:
        raise KeyboardInterrupt

    queue.store.end = dies  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        work(worker, "near", tmp_path / "near")
    queue.store.end = end  # type: ignore[method-assign]
    queue.store.end(queue.store.job(job.id), Status.WAITING)
    work(worker, "far", tmp_path / "far")
    row = queue.store.job(job.id)
    said = [entry.event for entry in queue.store.events(job.id)]
    assert row.status == Status.DONE
    assert [event.id for event in said if isinstance(event, Adjusted)][-1] == "note.resume.finished"
    assert len([event for event in said if isinstance(event, SectionDone)]) == row.plan.sections


@pytest.mark.parametrize("there", [True, False])
def test_inputs_go_by_their_content_those_of_a_folder_together(
    queue: Queue, settings: Settings, place: Place, video: VideoOptions, tmp_path: Path, there: bool
) -> None:
    """What lies beside a LoRA counts, too, and the video that is continued with its sound."""
    folder = tmp_path / "loras" / "one"
    folder.mkdir(parents=True)
    lora, config = folder / "adapter_model.safetensors", folder / "adapter_config.json"
    lora.write_bytes(b"lora")
    config.write_text("{}")
    (around := tmp_path / "around").mkdir()
    source = {"before": clip(around / "in.mp4", 3), "sound": around / "song.wav"}
    source["sound"].write_bytes(b"sound")
    options = VideoOptions.parse({**video.dump(), "weights": {"loras": [str(lora)]}, "source": source})
    draft = Draft("video", options.dump(), Figures(model="tiny", width=64, height=64, sections=1, kept=0), "", "out")
    (job,) = queue.add([draft])
    elsewhere = Freight(settings.given(home=tmp_path / "far"), place, "far")
    if not there:
        for key in place.keys("inputs/"):
            place.remove(key)
        with pytest.raises(InputError, match="computers exchange files"):
            elsewhere.fetch(job, {}, {})
        return
    elsewhere.fetch(job, {}, {})
    asked = elsewhere.here(job).options
    assert isinstance(asked, VideoOptions)
    (one,) = asked.weights.loras
    assert one.file.is_relative_to(tmp_path / "far")
    assert (one.file.read_bytes(), one.file.with_name(config.name).read_text()) == (b"lora", "{}")
    assert asked.image is not None
    assert (asked.image.name, asked.image.parent != one.file.parent) == ("start.png", True)
    assert asked.source.before is not None and asked.source.sound is not None
    assert asked.source.before.read_bytes() == source["before"].read_bytes()
    assert asked.source.sound.parent == asked.source.before.parent != source["before"].parent
    assert elsewhere.options(job, asked) == options  # what the row says of it is the home's


def test_a_result_whose_name_is_another_s_gets_one_of_its_own(
    worker: Worker, queue: Queue, settings: Settings, at_home: Freight, video: VideoOptions, tmp_path: Path
) -> None:
    frame = FrameOptions.parse({"image": video.image, "seed": 1, "sampling": {"steps": 1}})
    job = add(queue, settings, frame)
    work(worker, "near", tmp_path / "near")
    made = queue.store.job(job.id).result
    assert isinstance(made, FrameFinished)
    settings.outputs.mkdir(exist_ok=True)
    Path(made.image).write_bytes(b"mine")
    assert Homecoming(queue.store, at_home).look() == [job.id]
    come = queue.store.job(job.id).result
    assert isinstance(come, FrameFinished)
    assert Path(made.image).read_bytes() == b"mine"
    assert Path(come.image).name == f"{Path(made.image).stem}_{job.id}.png"
    assert Path(come.image).read_bytes()[1:4] == b"PNG"


def test_a_job_that_was_made_otherwise_is_left_to_who_can_go_on_with_it(
    worker: Worker, queue: Queue, settings: Settings, video: VideoOptions, tmp_path: Path
) -> None:
    job = add(queue, settings, video)
    work(worker, "near", tmp_path / "near", leaves=True)
    # It joins later than this one, whose word on versions and weights counts.
    other = WorkerView(runner="elsewhere/1/1/a", node="near", device="cpu", models={"tiny": "x"}, since=4e9)
    queue.store.join(other)
    worker.settings = settings.given(vae_tile=96)
    worker._drop()
    work(worker, "far", tmp_path / "far")
    row = queue.store.job(job.id)
    last = [entry.event for entry in queue.store.events(job.id) if isinstance(entry.event, Adjusted)][-1]
    assert (row.status, row.attempts) == (Status.WAITING, 0)
    assert (last.id, "vae_tile 256 → 96" in str(last.values["what"])) == ("note.job.returned", True)
    queue.store.leave(other.runner)  # there is nobody left to wait for
    worker._returned.clear()
    work(worker, "far", tmp_path / "far")
    assert queue.store.job(job.id).status == Status.FAILED


def test_what_a_dead_worker_left_of_others_jobs_goes(
    queue: Queue, settings: Settings, place: Place, video: VideoOptions, tmp_path: Path
) -> None:
    running, over = add(queue, settings, video), add(queue, settings, video)
    here = Freight(settings.given(home=tmp_path / "far"), place, "far")
    for job in (running, over):
        here.fetch(job, {}, {})
    (tmp_path / "far" / "away" / "999-1").mkdir()
    queue.remove(over.id)
    here.tidy(queue.store)
    assert [path.name.partition("-")[0] for path in (tmp_path / "far" / "away").iterdir()] == [str(running.id)]


def test_what_a_dead_worker_left_of_a_finished_job_in_the_place_goes(
    queue: Queue, settings: Settings, at_home: Freight, place: Place, video: VideoOptions, tmp_path: Path
) -> None:
    waiting, done = add(queue, settings, video), add(queue, settings, video)
    (tmp_path / "section").write_text("latents")
    for job in (waiting, done):
        place.put(f"parts/{job.id}-{round(job.created * 1000)}/section", tmp_path / "section")
    queue.store.change(done.id, (Status.WAITING,), status=Status.DONE)
    at_home.tidy(queue.store)
    assert [key.split("/")[1].partition("-")[0] for key in place.keys("parts/")] == [str(waiting.id)]


def test_results_that_cannot_be_fetched_keep_no_others_away(
    queue: Queue, settings: Settings, at_home: Freight, place: Place, video: VideoOptions, tmp_path: Path
) -> None:
    spoilt, whole = add(queue, settings, video), add(queue, settings, video)
    there, away = tmp_path / "there", Freight(settings.given(home=tmp_path / "far"), place, "far")
    there.mkdir()
    for job in (spoilt, whole):
        (there / f"{job.id}.mp4").write_text("video")
        event = Finished(str(there / f"{job.id}.mp4"), str(there / f"{job.id}.png"), 1, 37, 1.2, 2)
        away.deliver(job, event)
        queue.store.change(job.id, (Status.WAITING,), status=Status.DONE, result=dump(event))
    for key in place.keys("results/"):
        if f"/{spoilt.id}-" in key:
            place.remove(key)
    with pytest.raises(StoreError):
        Homecoming(queue.store, at_home).look()
    assert at_home.arrived() == [spoilt.id]


@pytest.mark.parametrize("name", ["../../x", "/x", "a/../../x", "..", "", "c:x", "a\\..\\x", 5, None])
def test_a_list_that_is_not_ours_leads_nowhere_and_keeps_no_others_away(
    queue: Queue, settings: Settings, at_home: Freight, place: Place, video: VideoOptions, tmp_path: Path, name: object
) -> None:
    """Whoever can write to the place names files of a job as they like, or writes what is no list."""
    spoilt, whole = add(queue, settings, video), add(queue, settings, video)
    stopped, file = Stopped(None, 1, 0, 0), tmp_path / "list"
    told = {"files": {name: "0"}, "event": dump(stopped)} if isinstance(name, str) else name
    key = f"{spoilt.id}-{round(spoilt.created * 1000)}"
    place_of = hashlib.sha256(b"desk").hexdigest()[:16]
    file.write_text(json.dumps(told))
    for strange in (f"done/{place_of}/{key}", f"done/{place_of}/{'9' * 40}", f"done/{place_of}/readme", "parts/x/y"):
        place.put(strange, file)
    place.put(f"results/{place_of}/{key}/x", file)
    away = Freight(settings.given(home=tmp_path / "far"), place, "far")
    away.deliver(whole, stopped)  # it has no files
    for job in (spoilt, whole):
        queue.store.change(job.id, (Status.WAITING,), status=Status.STOPPED, result=dump(stopped))
    before = set(tmp_path.rglob("*"))
    with pytest.raises(StoreError):
        Homecoming(queue.store, at_home).look()
    assert [path for path in set(tmp_path.rglob("*")) - before if path.is_file() and path.suffix != ".lock"] == []
    assert at_home.arrived() == [spoilt.id]
    assert away.delivered(spoilt) is None
    at_home.tidy(queue.store)


def test_a_card_at_the_place_names_no_files_but_the_job_s(
    worker: Worker, queue: Queue, settings: Settings, at_home: Freight, video: VideoOptions, tmp_path: Path
) -> None:
    """A file of the worker's own in a request of another would come out as a picture."""
    job = add(queue, settings, video)
    work(worker, "near", tmp_path / "near", leaves=True)
    row = queue.store.job(job.id)
    card = at_home._card(row)
    assert card is not None
    for spoilt in (
        {"request": card["request"] | {"image": "/etc/motd"}},
        {"files": {**card["files"], "../section-9.safetensors": "0"}},
        {"files": {**card["files"], "x/y.png": "0"}},
        {"weights": 5},
    ):
        at_home._put_card(row, card | spoilt)
        assert at_home._card(row) is None


def test_what_no_job_needs_goes_after_a_day(
    queue: Queue, settings: Settings, at_home: Freight, place: Place, video: VideoOptions, tmp_path: Path
) -> None:
    store, day = queue.store, 90_000.0
    image = at_home.inputs(video)[str(video.image)]
    one = add(queue, settings, video)

    def shed(after: float = 0.0) -> tuple[list[str], list[str]]:
        store.now, now = lambda: now() + after, store.now  # type: ignore[method-assign]
        at_home.shed(store)
        store.now = now  # type: ignore[method-assign]
        return place.keys("inputs/"), place.keys("spare/")

    kept = [f"inputs/{image}"]
    assert shed(day) == (kept, [])
    store.change(one.id, (Status.WAITING,), status=Status.STOPPED)  # may be resumed
    assert shed(day) == (kept, [])
    queue.remove(one.id)
    assert (shed(), shed(day / 2)) == ((kept, [f"spare/{image}"]),) * 2
    two = add(queue, settings, video)  # is as good as new
    assert (place.keys("spare/"), shed(day)) == ([], (kept, []))
    store.change(two.id, (Status.WAITING,), status=Status.DONE)
    assert (shed(), shed(2 * day)) == ((kept, [f"spare/{image}"]), ([], []))


def test_what_is_removed_while_its_job_is_added_is_brought_again(
    queue: Queue, settings: Settings, place: Place, video: VideoOptions
) -> None:
    """Somebody has found that nobody needs the file, at the moment at which somebody does."""
    store = queue.store
    adding, before = store.add, set(place.keys("inputs/"))

    def removing(*given: Any, **named: Any) -> list[Job]:
        for key in place.keys("inputs/"):
            place.remove(key)
        return adding(*given, **named)

    store.add = removing  # type: ignore[method-assign]
    job = add(queue, settings, video)
    assert {f"inputs/{content}" for content in (job.inputs or {}).values()} == set(place.keys("inputs/")) - before
