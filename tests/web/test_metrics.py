"""What Prometheus reads: jobs by state, waiting times, seconds a step, workers; for whom the guard lets in."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families as parsed

from eichi.events import Finished, dump
from eichi.jobs.nodes import WorkerView
from eichi.jobs.runner import new_runner
from eichi.jobs.view import Problem, Status
from eichi.options import VideoOptions
from eichi.web.access import Access
from eichi.web.app import make_app
from eichi.web.desk import Desk


@pytest.fixture
def told(desk: Desk, video: VideoOptions) -> Desk:
    """A desk with a job that is done, one that runs, two that wait, and two workers."""
    for _ in desk.start([video] * 4)[:2]:
        runner = new_runner()
        row = desk.store.claim(runner)
        assert row is not None
        if row.id == 1:
            result = dump(Finished("x.mp4", "x.png", 7, 145, 4.83, 4))
            desk.store.end(row, Status.DONE, result=result, pace=10.0)
    desk.store.join(WorkerView(runner=runner, node="here", device="cuda:0", card="H", memory_gib=2.0, version="2"))
    away = WorkerView(runner="away/1/0/x", node="away", device="cpu", version="2")
    desk.store.join(away.model_copy(update={"waits": Problem(id="error.job.unknown", values={"job": 3})}))
    return desk


def test_the_figures_are_those_of_the_store(told: Desk) -> None:
    with TestClient(make_app(told), base_url="http://localhost") as client:
        answer = client.get("/metrics")
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in parsed(answer.text)
        for sample in family.samples
    }
    assert [found["eichi_jobs", state] for state in ("waiting", "running", "done", "failed")] == [2, 1, 1, 0]
    assert found["eichi_step_seconds", "tiny"] == 10.0 / 4
    assert found["eichi_waited_seconds", "1.0"] >= found["eichi_waited_seconds", "0.5"] >= 0
    assert found["eichi_worker_busy", "2", "H", "cuda:0", "here"] == 1
    assert found["eichi_worker_busy", "", "2", "away", "cpu"] == 0
    assert found["eichi_worker_memory_bytes", "2", "H", "cuda:0", "here"] == 2 * 2**30
    assert found["eichi_queue_held",] == 0
    assert found["eichi_memory_total_bytes",] > 0


def test_workers_are_told_with_what_they_wait_for(told: Desk) -> None:
    with TestClient(make_app(told), base_url="http://localhost") as client:
        away, here = client.get("/api/v1/workers", headers={"eichi-language": "ru"}).json()["workers"]
    assert (here["node"], here["job"], here["message"]) == ("here", 2, None)
    assert (away["job"], away["waits"]["id"]) == (None, "error.job.unknown")
    assert "3" in away["message"] and away["message"] != told.store.workers()[0].told().message


def test_jobs_are_whose_token_they_were_added_with_and_no_more_than_allowed(
    told: Desk, video: VideoOptions, picture: Path, tmp_path: Path
) -> None:
    access = Access(tmp_path)
    access.renew()
    told.queue.quota = 2
    token = access.give("studio")
    app = make_app(told, hosts=("page.example",), access=access)
    with TestClient(app, base_url="http://page.example", headers={"authorization": f"Bearer {token}"}) as client:
        with picture.open("rb") as file:
            image = client.post("/api/v1/pictures", files={"file": file}).json()["id"]
        given = video.dump() | {"image": image}
        answers = [client.post("/api/v1/jobs", json=given) for _ in range(3)]
        assert client.get("/metrics").status_code == 200
        assert client.get("/metrics", headers={"authorization": "Bearer x"}).status_code == 401
    assert [answer.status_code for answer in answers] == [201, 201, 422]
    assert [answer.json()["owner"] for answer in answers[:2]] == ["studio"] * 2
    assert answers[2].json()["id"] == "error.job.quota"
    assert len(told.start([video] * 3)) == 3  # who sits at the machine is not counted
