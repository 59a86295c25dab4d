"""Jobs over HTTP: started once, found, moved, changed, removed and had back, their pictures."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from eichi.events import Changed, Finished, FrameFinished, dump
from eichi.jobs.store import Store
from eichi.jobs.view import Status
from eichi.options import FrameOptions, VideoOptions
from eichi.video.reader import count_frames, read_frame, read_frames
from eichi.video.writer import Writer
from eichi.web.app import make_app
from eichi.web.desk import BIN, Desk
from eichi.web.visitor import Visitor
from tests.web.conftest import running

HERE = Visitor("en", local=True)


@pytest.fixture
def client(desk: Desk) -> Iterator[TestClient]:
    desk.local = True
    with TestClient(make_app(desk), base_url="http://localhost") as client:
        yield client


def done(desk: Desk, video: VideoOptions, folder: Path) -> tuple[int, Path]:
    """A job that has ended, with its video."""
    job = desk.start([video])[0]
    row = running(desk, job)
    folder.mkdir(exist_ok=True)
    path = folder / "clip.mp4"
    clip(path)
    (folder / ".clip.parts").mkdir()
    desk.store.record(row, checkpoint=str(folder / ".clip.parts"))
    result = Finished(str(path), str(path.with_suffix(".png")), 7, 40, 1.3, 4)
    desk.store.end(row, Status.DONE, result=dump(result))
    return job.id, path


def clip(path: Path) -> None:
    """Forty frames, each a grey of its own."""
    frames = np.stack([np.full((48, 80, 3), 6 * number, np.uint8) for number in range(40)])
    folder = path.parent / ".parts"
    folder.mkdir()
    with Writer(path, 80, 48, 16, folder) as writer:
        writer.add(0, frames)
        writer.publish({})


def ids(answer: Any) -> list[int]:
    return [row["id"] for row in answer.json()["rows"]]


def test_a_double_click_makes_one_job(client: TestClient, desk: Desk, video: VideoOptions) -> None:
    def press(key: str) -> int:
        answer = client.post("/api/v1/jobs", json=video.dump(), headers={"Idempotency-Key": key})
        assert answer.status_code == 201
        id: int = answer.json()["id"]
        return id

    assert press("a") == press("a") != press("b")
    assert len(desk.store.jobs()) == 2
    client.post("/api/v1/jobs", json=video.dump())
    client.post("/api/v1/jobs", json=video.dump())
    assert len(desk.store.jobs()) == 4
    bad = client.post("/api/v1/jobs", json={}, headers={"Idempotency-Key": "c"})
    assert (bad.status_code, bad.json()["key"]) == (422, "image")
    assert press("c")  # what was refused made nothing


def test_a_start_is_remembered_after_a_restart_and_for_its_own_address(
    client: TestClient, desk: Desk, video: VideoOptions
) -> None:
    """Whoever sends the same once more, since the server was killed before it could answer, makes no second job."""
    said = {"Idempotency-Key": "a"}
    first = client.post("/api/v1/jobs", json=video.dump(), headers=said).json()["id"]
    with Store(desk.settings.store) as store:
        other = Desk(desk.settings, store, lambda job: None, local=True)
        anew = TestClient(make_app(other), base_url="http://localhost")
        assert anew.post("/api/v1/jobs", json=video.dump(), headers=said).json()["id"] == first
        assert len(store.jobs()) == 1
    asked = {"kind": "video", "options": video.dump(), "batch": {"count": 2}}
    assert len(client.post("/api/v1/jobs/batch", json=asked, headers=said).json()["jobs"]) == 2
    client.delete(f"/api/v1/jobs/{first}")
    gone = client.post("/api/v1/jobs", json=video.dump(), headers=said)
    assert (gone.status_code, gone.json()["id"]) == (404, "error.job.unknown")


def test_a_batch_is_one_start(client: TestClient, desk: Desk, video: VideoOptions, picture: Path) -> None:
    batch = {"count": 2, "prompts": "one\ntwo", "pictures": [{"id": str(picture)}, {"id": str(picture), "prompt": "p"}]}
    asked = {"kind": "video", "options": video.dump(), "batch": batch}
    answer = client.post("/api/v1/jobs/batch", json=asked, headers={"Idempotency-Key": "a"})
    jobs = answer.json()["jobs"]
    assert len(jobs) == 6
    assert client.post("/api/v1/jobs/batch", json=asked, headers={"Idempotency-Key": "a"}).json()["jobs"] == jobs
    rows = [desk.store.job(id) for id in jobs]
    assert [row.request["prompt"] for row in rows] == ["one", "one", "two", "two", "p", "p"]
    assert [row.request["seed"] for row in rows[:2]] == [7, 8]
    many = client.post("/api/v1/jobs/batch", json={**asked, "batch": {"count": 5000}})
    assert (many.status_code, many.json()["id"]) == (422, "error.batch.jobs")
    frame = {"kind": "frame", "options": {"image": str(picture)}, "batch": {"count": 1}}
    (id,) = client.post("/api/v1/jobs/batch", json=frame).json()["jobs"]
    assert desk.store.job(id).kind == FrameOptions.kind


def test_jobs_are_found(client: TestClient, desk: Desk, video: VideoOptions) -> None:
    texts = ("Красный шар", "赤いボール", "a red ball")
    one, two, three = (
        desk.start([video.model_copy(update={"prompt": text, "seconds": float(place)})])[0].id
        for place, text in enumerate(texts, start=1)
    )
    get = client.get
    assert ids(get("/api/v1/jobs?search=КРАСНЫЙ")) == [one]
    assert ids(get("/api/v1/jobs?search=ボール")) == [two]
    assert ids(get("/api/v1/jobs?search=ball%20red")) == [three]
    assert ids(get(f"/api/v1/jobs?search=%23{two}")) == ids(get(f"/api/v1/jobs?id={two}")) == [two]
    desk.queue.skip(two)
    desk.store.change(two, [Status.STOPPED], ended=1e9)
    desk.queue.skip(one)
    desk.store.change(one, [Status.STOPPED], ended=2e9)
    assert ids(get("/api/v1/jobs?ended=true&sort=newest&status=&kind=")) == [one, two]
    assert ids(get("/api/v1/jobs?ended=true&sort=oldest")) == [two, one]
    assert ids(get("/api/v1/jobs?ended=true&sort=longest")) == [two, one]
    assert ids(get("/api/v1/jobs?status=waiting")) == [three]
    assert ids(get("/api/v1/jobs?kind=frame")) == []
    assert ids(get("/api/v1/jobs?ended=true&before=1500000000")) == [two]
    page = get("/api/v1/jobs?ended=true&sort=newest&limit=1&offset=1").json()
    assert ids(get("/api/v1/jobs?ended=true&sort=newest&limit=1&offset=1")) == [two]
    assert ([row["id"] for row in page["rows"]], [job["id"] for job in page["jobs"]], page["total"]) == (
        [two],
        [two],
        2,
    )
    assert get("/api/v1/jobs?sort=oddest").status_code == 422


def test_jobs_are_found_by_what_their_sections_say(client: TestClient, desk: Desk, video: VideoOptions) -> None:
    keys = video.keyframes.model_copy(update={"prompts": {0: "She waves", 2: "Закат"}})
    one, _ = desk.start([video.model_copy(update={"prompt": "a ball", "keyframes": keys}), video])
    for words in ("WAVES", "закат", "ball%20waves", "sunset"):
        found = ids(client.get(f"/api/v1/jobs?search={words}"))
        assert found == ([] if words == "sunset" else [one.id])
    for damaged in ({"prompts": ["waves"]}, "waves", None):  # as a row may be
        desk.store.change(one.id, [Status.WAITING], request={**one.request, "keyframes": damaged})
        assert ids(client.get("/api/v1/jobs?search=waves")) == []


def test_a_job_is_moved_changed_removed_and_had_back(client: TestClient, desk: Desk, video: VideoOptions) -> None:
    one, two = (job.id for job in desk.start([video, video]))
    assert client.put(f"/api/v1/jobs/{two}/place", json={"to": 1}).status_code == 200
    assert [job.id for job in desk.queue.waiting()] == [two, one]
    changed = client.put(f"/api/v1/jobs/{two}", json=video.dump() | {"prompt": "new"})
    assert changed.json()["request"]["prompt"] == "new"
    assert client.put(f"/api/v1/jobs/{two}", json={"prompt": "new"}).json()["key"] == "image"
    assert client.delete(f"/api/v1/jobs/{two}").json() == {"removed": two, "files": []}
    assert client.get(f"/api/v1/jobs/{two}").status_code == 404
    assert client.post(f"/api/v1/jobs/{two}/restore").json()["id"] == two
    assert [job.id for job in desk.queue.waiting()] == [two, one]
    assert client.post("/api/v1/queue/clear").json() == {"jobs": [two, one]}
    assert desk.queue.waiting() == []
    for id in (one, two):
        assert client.post(f"/api/v1/jobs/{id}/restore").status_code == 200
    assert [job.id for job in desk.queue.waiting()] == [two, one]


def test_the_bin_is_emptied_after_an_hour(desk: Desk, video: VideoOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr("time.time", lambda: clock[0])
    one, two = (job.id for job in desk.start([video, video]))
    desk.queue.bin(one)
    clock[0] += BIN - 1
    desk.queue.bin(two)
    desk.empty_bin()
    assert desk.store.restore(one).id == one
    desk.queue.bin(one)
    clock[0] += 2
    desk.empty_bin()
    assert len(desk.store.binned()) == 2
    clock[0] += BIN
    desk.empty_bin()
    assert desk.store.binned() == []


def test_pictures_of_a_result(client: TestClient, desk: Desk, video: VideoOptions, tmp_path: Path) -> None:
    id, path = done(desk, video, tmp_path / "made")
    base = f"/api/v1/jobs/{id}"
    last = client.get(f"{base}/thumb.webp?at=last&v=1")
    assert (last.headers["content-type"], "immutable" in last.headers["cache-control"]) == ("image/webp", True)
    assert abs(np.asarray(Image.open(BytesIO(last.content))).mean() - 6 * 39) < 4
    assert client.get(f"{base}/thumb.webp?at=first").status_code == 200
    for number in (0, 17, 39):
        shown = Image.open(BytesIO(client.get(f"{base}/frames/{number}.png").content))
        assert (np.asarray(shown) == read_frame(path, number)).all()
    assert client.get(f"{base}/frames/40.png").json()["id"] == "error.video.frame"
    given = client.post(f"{base}/frames/39").json()
    assert (given["name"], given["width"], given["height"]) == ("clip_39.png", 80, 48)
    assert client.post(f"{base}/frames/39").json()["id"] == given["id"]
    row = client.get(f"/api/v1/jobs?id={id}").json()["rows"][0]
    for name in ("image", "thumb", "video"):
        assert client.get(row[name]).status_code == 200
    part = client.get(row["video"], headers={"Range": "bytes=0-9"})
    assert (part.status_code, len(part.content)) == (206, 10)
    kept = client.get(f"{row['video']}?download=true")
    assert kept.headers["content-disposition"].startswith("attachment")


def test_a_job_without_a_result_has_no_frames(client: TestClient, desk: Desk, video: VideoOptions) -> None:
    id = desk.start([video])[0].id
    assert client.get(f"/api/v1/jobs/{id}/frames/0.png").status_code == 404
    assert client.get(f"/api/v1/jobs/{id}/thumb.webp?at=last").status_code == 404
    row = client.get(f"/api/v1/jobs?id={id}").json()["rows"][0]
    assert [row[name] for name in ("thumb", "video", "so_far", "preview")] == [None] * 4


def so_far(desk: Desk) -> str | None:
    desk.live.look()
    (row,) = desk.live.everything(HERE).jobs or ()
    return row.so_far


def test_what_is_finished_is_offered_once_it_is_there(desk: Desk, video: VideoOptions, tmp_path: Path) -> None:
    row = running(desk, desk.start([video])[0])
    folder = tmp_path / ".x.parts"
    folder.mkdir()
    desk.store.record(row, checkpoint=str(folder))
    assert so_far(desk) is None
    (folder / "000000-000037.mp4").touch()
    desk.store.record(row, Changed("running"))
    assert so_far(desk) == f"/api/v1/jobs/{row.id}/so-far.mp4?v=1"


def test_a_single_image_is_its_own_frame(client: TestClient, desk: Desk, picture: Path) -> None:
    job = desk.start([FrameOptions.parse({"image": picture})])[0]
    row = running(desk, job)
    desk.store.end(row, Status.DONE, result=dump(FrameFinished(str(picture), 1, {"target": [1]})))
    row = client.get(f"/api/v1/jobs?id={job.id}").json()["rows"][0]
    assert row["video"].endswith(picture.name)
    for address in (row["thumb"], f"/api/v1/jobs/{job.id}/frames/0.png"):
        assert client.get(address).status_code == 200


def test_every_frame_is_found_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    clip(path)
    frames = [frame.pixels for frame in read_frames(path)]
    assert count_frames(path) == len(frames) == 40
    assert [(read_frame(path, number) == frame).all() for number, frame in enumerate(frames)] == [True] * 40


def test_the_folder_of_a_job_is_opened_for_who_sits_here(
    desk: Desk, video: VideoOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def launch(path: str, wait: bool) -> int:
        opened.append(path)
        return 0

    monkeypatch.setattr("click.launch", launch)
    id = desk.start([video])[0].id
    for local, status in ((True, 200), (False, 422)):
        desk.local = local
        with TestClient(make_app(desk), base_url="http://localhost") as client:
            assert client.post(f"/api/v1/jobs/{id}/folder").status_code == status
    assert opened == [str(desk.settings.outputs.absolute())]


def test_a_result_that_was_deleted_by_hand_is_said_to_be_gone(
    client: TestClient, desk: Desk, video: VideoOptions, tmp_path: Path
) -> None:
    id, path = done(desk, video, tmp_path / "results")
    path.unlink()
    for place in ("thumb.webp", "frames/1.png"):
        answer = client.get(f"/api/v1/jobs/{id}/{place}")
        assert (answer.status_code, answer.json()["id"]) == (404, "error.file.missing")
        assert path.name in answer.json()["message"]


def test_what_goes_with_a_job_in_the_bin_is_no_result_and_goes_with_the_bin(desk: Desk, video: VideoOptions) -> None:
    id, path = done(desk, video, desk.settings.outputs.absolute())
    assert [one.path for one in desk.listed()] == [path]
    desk.queue.bin(id, files=True)
    assert desk.listed() == []
    desk.store.restore(id)
    assert [one.path for one in desk.listed()] == [path]
    desk.queue.bin(id, files=True)
    desk.queue.purge(float("inf"))
    assert not path.exists()
