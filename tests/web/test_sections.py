"""Sections over HTTP: one once more, a branch, other prompts and pictures ahead; files by ids."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from eichi.jobs.runner import new_runner
from eichi.jobs.view import Status
from eichi.options import VideoOptions
from eichi.web.app import make_app
from eichi.web.desk import Desk
from tests.jobs.damage import write
from tests.jobs.sections import leave


@pytest.fixture
def far(desk: Desk) -> Iterator[TestClient]:
    """Somebody who does not sit at the machine."""
    app = make_app(desk, hosts=("*",))
    with TestClient(app, base_url="http://elsewhere", client=("10.0.0.7", 1)) as client:
        yield client


@pytest.fixture
def job(desk: Desk, picture: Path) -> int:
    """A job that runs, with one of its three sections made."""
    values = {"image": picture, "prompt": "p", "seed": 1, "seconds": 4, "sampling": {"steps": 1}}
    options = VideoOptions.parse(values)
    id = desk.start([options])[0].id
    folder = desk.settings.outputs.absolute() / ".a.parts"
    leave(folder, options, 1)
    write(desk.store, id, status=Status.RUNNING, runner=new_runner(), checkpoint=str(folder))
    return id


def give(client: TestClient, picture: Path) -> str:
    with picture.open("rb") as file:
        return str(client.post("/api/v1/pictures", files={"file": file}).json()["id"])


def test_sections_say_what_can_be_done_with_them(far: TestClient, job: int) -> None:
    view = far.get(f"/api/v1/jobs/{job}").json()
    assert (view["made"], {"ahead", "redo"} <= set(view["actions"])) == (1, True)
    told = far.get(f"/api/v1/jobs/{job}/sections").json()["sections"]
    assert [(one["number"], one["made"], one["redo"], one["ahead"]) for one in told] == [
        (0, True, True, False),
        (1, False, False, False),
        (2, False, False, True),
    ]


def test_what_is_not_made_yet_is_changed(far: TestClient, job: int, picture: Path) -> None:
    id = give(far, picture)
    options: dict[str, Any] = {"prompt": "q", "keyframes": {"sections": {"2": id}}}
    answer = far.put(f"/api/v1/jobs/{job}/ahead", json={"options": options})
    assert answer.status_code == 200, answer.text
    request = answer.json()["request"]
    assert (request["prompt"], request["keyframes"]["prompts"]) == ("q", {"0": "p", "1": "p"})
    assert request["keyframes"]["sections"]["2"] == id
    assert request["seconds"] == 4  # what is left out stays
    refused = far.put(f"/api/v1/jobs/{job}/ahead", json={"options": {"keyframes": {"prompts": {"1": "x"}}}})
    assert (refused.status_code, refused.json()["id"]) == (422, "error.ahead.made")
    refused = far.put(f"/api/v1/jobs/{job}/ahead", json={"options": {"seconds": 5}})
    assert (refused.status_code, refused.json()["id"]) == (422, "error.ahead.settled")


def test_a_section_once_more_and_a_branch(far: TestClient, job: int, picture: Path) -> None:
    again = far.post(f"/api/v1/jobs/{job}/sections/0/redo", json={"prompt": "q"})
    assert again.status_code == 201, again.text
    assert again.json()["request"]["keyframes"]["prompts"] == {"0": "q"}
    branch = far.post(f"/api/v1/jobs/{job}/branch", json={"order": 1, "options": {"prompt": "q", "seconds": 6}})
    assert branch.status_code == 201, branch.text
    request = branch.json()["request"]
    assert (branch.json()["plan"]["kept"], request["seconds"], request["seed"]) == (1, 6, 1)
    assert request["keyframes"]["prompts"] == {"0": "p"}
    # What it keeps has an id, so that its request can be given again.
    assert request["kept"]["latents"].startswith("result:")
    plan = far.post("/api/v1/plan", json=request | {"image": give(far, picture)})
    assert plan.json()["kept"] == 1, plan.text
    refused = far.post(f"/api/v1/jobs/{job}/sections/2/redo", json={})
    assert (refused.status_code, refused.json()["id"]) == (422, "error.redo.unmade")


def test_a_path_is_not_for_who_sits_elsewhere(far: TestClient, job: int, picture: Path) -> None:
    for answer in (
        far.post(f"/api/v1/jobs/{job}/sections/0/redo", json={"image": str(picture)}),
        far.post(f"/api/v1/jobs/{job}/branch", json={"order": 0, "options": {"image": str(picture)}}),
        far.put(f"/api/v1/jobs/{job}/ahead", json={"options": {"keyframes": {"sections": {"2": str(picture)}}}}),
    ):
        assert (answer.status_code, answer.json()["id"]) == (422, "error.api.path")
