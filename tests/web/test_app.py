"""The server from outside: doors, languages, the HTTP interface, what is refused; and what it does not load."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from eichi.jobs.store import Store
from eichi.jobs.view import Action
from eichi.options import VideoOptions
from eichi.settings import Settings
from eichi.web.app import make_app
from eichi.web.desk import Desk
from eichi.web.pages import PLACES
from eichi.words import languages, table

FIRST = 400_000  # bytes of the first document with all that is in it


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    home = tmp_path_factory.mktemp("home")
    settings = Settings(home=home, outputs=home / "outputs")
    with Store(settings.store) as store:
        yield Desk(settings, store, lambda job: None)


@pytest.fixture(scope="module")
def client(served: Desk) -> Iterator[TestClient]:
    here = ("127.0.0.1", 5000)
    with TestClient(make_app(served), "http://localhost", follow_redirects=False, client=here) as client:
        yield client


@pytest.fixture(autouse=True)
def nothing_chosen(client: TestClient) -> None:
    """A page that was looked at leaves its language behind."""
    client.cookies.clear()


@pytest.fixture
def job(served: Desk, video: VideoOptions) -> int:
    return served.start([video])[0].id


def test_nothing_that_makes_videos_is_loaded() -> None:
    code = "import sys, eichi.web.app; print(sorted({'torch', 'diffusers', 'transformers'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_door_leads_to_the_visitors_language(client: TestClient) -> None:
    assert client.get("/", headers={"accept-language": "ru-RU,ru"}).headers["location"] == "/ru/create"
    client.get("/zh-TW/queue", headers={"accept-language": "ru"})
    assert client.get("/", headers={"accept-language": "ru"}).headers["location"] == "/zh-TW/create"
    for address in ("/ja", "/ja/"):
        assert client.get(address).headers["location"] == "/ja/create"


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("place", PLACES)
def test_a_page_tells_its_language_and_asks_for_nothing_elsewhere(
    client: TestClient, language: str, place: str
) -> None:
    page = client.get(f"/{language}/{place}")
    assert page.status_code == 200
    assert f'lang="{language}"' in page.text
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page.text)
    assert not re.findall(r"<[^>]+ style=|<script(?! type=\"(?:module|application/json)\")|<[^>]+ on[a-z]+=", page.text)
    for address in re.findall(r'(?:src|href)="(/static/[^"#]+)"', page.text):
        file = client.get(address)
        assert (address, file.status_code) == (address, 200)
        assert "immutable" in file.headers["cache-control"]
    assert len(page.content) < FIRST


@pytest.mark.parametrize("language", languages())
def test_all_of_the_documents_advice_is_where_videos_are_made(client: TestClient, language: str) -> None:
    page = unescape(client.get(f"/{language}/create").text)
    texts = {id: text.replace("`", "") for id, text in table(language).items() if id.startswith("advice.")}
    assert [id for id, text in texts.items() if f">{text}<" not in page] == []


def test_only_the_pages_own_files_are_served(client: TestClient, served: Desk) -> None:
    """Not what lies beside them, not the home, not a file by its path."""
    static = re.findall(r'"(/static/[0-9a-f]+)/icon.svg"', client.get("/en/create").text)[0]
    secret = served.settings.home / "secret.txt"
    secret.write_text("x")
    up = "..%2F" * 12
    for address in (f"{static}/..%2Fpages.py", f"{static}/{up}{secret}", f"{static}/{secret}", f"/static/{secret}"):
        assert client.get(address).status_code == 404
    for address in (f"/api/v1/refs/{secret}", f"/api/v1/pictures/{up}{secret}", f"/api/v1/files={secret}"):
        assert client.get(address).status_code == 404


def test_other_sites_and_other_names_are_refused(client: TestClient, job: int) -> None:
    answer = client.post(f"/api/v1/jobs/{job}/hold", headers={"origin": "http://evil.example", "accept-language": "ru"})
    assert answer.status_code == 403
    assert "отклонён" in answer.json()["message"]
    refused = client.get("/", headers={"host": "evil.example"})
    assert (refused.status_code, refused.json()["id"]) == (400, "error.api.host")
    assert client.post(f"/api/v1/jobs/{job}/hold", headers={"origin": "http://localhost"}).status_code == 200


def test_a_job_by_the_interface(client: TestClient, served: Desk, video: VideoOptions) -> None:
    made = client.post("/api/v1/jobs", json=video.dump())
    assert made.status_code == 201
    id = made.json()["id"]
    assert client.get(f"/api/v1/jobs/{id}").json()["request"]["prompt"] == video.prompt
    assert client.post(f"/api/v1/jobs/{id}/hold").json()["status"] == "held"
    assert client.post(f"/api/v1/jobs/{id}/resume").json()["status"] == "waiting"
    copy = client.post(f"/api/v1/jobs/{id}/clone").json()["id"]
    client.post(f"/api/v1/jobs/{copy}/up")
    waiting = [job.id for job in served.queue.waiting()]
    assert waiting.index(copy) < waiting.index(id)
    assert client.post(f"/api/v1/jobs/{id}/skip").json()["status"] == "stopped"
    events = client.get(f"/api/v1/jobs/{id}/events").text
    assert [line for line in events.splitlines() if line.startswith("id:")][:2] == ["id: 1", "id: 2"]
    assert client.delete(f"/api/v1/jobs/{id}").json() == {"removed": id, "files": []}
    assert client.get(f"/api/v1/jobs/{id}").status_code == 404


def told(text: str) -> list[tuple[int, str]]:
    """The numbers and states of a stream's events."""
    numbers = [int(line.removeprefix("id: ")) for line in text.splitlines() if line.startswith("id: ")]
    data = [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]
    assert [one["number"] for one in data] == numbers
    return [(one["number"], one["event"]["status"]) for one in data]


def test_a_stream_goes_on_where_it_was_cut_off(client: TestClient, served: Desk, job: int) -> None:
    for _ in range(2):
        served.queue.hold(job)
        served.queue.resume(job)
    served.queue.skip(job)
    states = ["waiting", "held", "waiting", "held", "waiting", "stopped"]
    whole = list(enumerate(states, start=1))
    address = f"/api/v1/jobs/{job}/events"
    assert told(client.get(address).text) == whole
    assert told(client.get(f"{address}?after=2").text) == whole[2:]
    for header, query in ((4, ""), (4, "?after=2"), (2, "?after=4")):
        assert told(client.get(f"{address}{query}", headers={"Last-Event-ID": str(header)}).text) == whole[4:]
    assert told(client.get(address, headers={"Last-Event-ID": "6"}).text) == []
    wrong = client.get(address, headers={"Last-Event-ID": "x", "accept-language": "ru"})
    assert (wrong.status_code, wrong.json()["key"]) == (422, "last-event-id")


def test_every_operation_has_a_named_question_and_answer(client: TestClient) -> None:
    schema = client.get("/api/openapi.json").json()
    paths = schema["paths"]
    assert [name for name in schema["components"]["schemas"] if "-" in name] == []  # a model is one, there and back
    operations = {operation["operationId"]: operation for path in paths.values() for operation in path.values()}
    assert len(operations) == sum(map(len, paths.values())) > 25
    for name, operation in operations.items():
        for status in ("404", "422"):
            answer = operation["responses"][status]["content"]
            assert answer == {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorView"}}}, name
        schemas = [part["schema"] for part in operation.get("requestBody", {}).get("content", {}).values()]
        good = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
        schemas += [part["schema"] for kind, part in good.get("content", {}).items() if kind == "application/json"]
        assert all("$ref" in schema for schema in schemas), name


def test_the_events_of_a_stream_have_a_schema(client: TestClient) -> None:
    schema = client.get("/api/openapi.json").json()
    answer = schema["paths"]["/api/v1/jobs/{id}/events"]["get"]["responses"]["200"]["content"]["text/event-stream"]
    assert answer["itemSchema"]["properties"]["data"]["contentSchema"] == {"$ref": "#/components/schemas/Told"}
    event = schema["components"]["schemas"]["Told"]["properties"]["event"]
    assert event["discriminator"]["propertyName"] == "kind"
    assert set(event["discriminator"]["mapping"]) >= {"changed", "started", "section_done", "frames_ready", "finished"}


def test_the_plan_and_the_options(client: TestClient, video: VideoOptions) -> None:
    assert len(client.post("/api/v1/plan", json=video.dump()).json()["sections"]) == 4
    assert client.get("/api/v1/options").json()["video"]["properties"]["seconds"]["maximum"] == 120


@pytest.mark.parametrize(
    ("method", "address", "status", "word"),
    [
        ("POST", "/api/v1/jobs", 422, "start image"),
        ("GET", "/api/v1/jobs/999", 404, "999"),
        ("GET", "/api/v1/jobs/{job}/files/..%2F..%2Fjobs.db", 404, ""),
        ("GET", "/api/v1/jobs/{job}/files/jobs.db", 404, "jobs.db"),
        ("GET", "/api/v1/jobs/{job}/so-far.mp4", 404, "finished"),
        ("POST", "/api/v1/jobs/{job}/explode", 422, "explode"),
        ("POST", "/api/v1/queue/explode", 422, "explode"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    client: TestClient, job: int, method: str, address: str, status: int, word: str
) -> None:
    answer = client.request(method, address.format(job=job), json={} if method == "POST" else None)
    assert answer.status_code == status
    assert word in answer.json().get("message", "")


def test_the_log_is_text(client: TestClient, served: Desk) -> None:
    served.settings.logs.mkdir(parents=True, exist_ok=True)
    (served.settings.logs / "worker-cpu.log").write_text("<b>what happened</b>\n", encoding="utf-8")
    answer = client.get("/api/v1/log")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "<b>what happened</b>" in answer.text


@pytest.mark.parametrize(
    ("method", "address", "body", "status", "id"),
    [
        ("GET", f"/api/v1/refs/{'a' * 5000}", None, 404, "error.ref.gone"),
        ("GET", "/api/v1/refs/result:../content", None, 404, "error.ref.gone"),
        ("GET", "/api/v1/pictures/%00", None, 404, "error.ref.gone"),
        ("GET", f"/api/v1/pictures/{'a' * 5000}", None, 404, "error.ref.gone"),
        ("POST", "/api/v1/tools/join", '{"files": ["' + "a" * 5000 + '"]}', 404, "error.ref.gone"),
        ("GET", "/api/v1/nope", None, 404, "error.api.address"),
        ("PUT", "/api/v1/jobs", "{}", 405, "error.api.address"),
        ("POST", "/api/v1/plan", "{", 422, "error.api.body"),
        ("POST", "/api/v1/plan", "[" * 100_000, 400, "error.api.body"),
        ("POST", "/api/v1/plan", '{"sampling": {"image_strength": 1' + "0" * 400 + "}}", 422, "error.option.value"),
        ("POST", "/api/v1/plan", '{"sampling": {"image_strength": true}}', 422, "error.option.value"),
        (
            "PUT",
            "/api/v1/lora-presets/1",
            '{"loras": [{"id": "' + "x" * 300 + '", "strength": 1}]}',
            404,
            "error.ref.gone",
        ),
        ("DELETE", "/api/v1/tools/99", None, 404, "error.tool.unknown"),
        ("POST", "/api/v1/queue/stop", None, 422, "error.option.value"),
    ],
)
def test_whatever_is_asked_the_answer_is_ours(
    client: TestClient, method: str, address: str, body: str | None, status: int, id: str
) -> None:
    headers = {"content-type": "application/json", "accept-language": "ru"}
    answer = client.request(method, address, content=body, headers=headers)
    assert (answer.status_code, answer.json()["id"]) == (status, id)
    assert re.search("[а-я]", answer.json()["message"])


def test_a_word_that_is_none_is_told_what_there_is(client: TestClient, job: int) -> None:
    """What a job is changed or removed by is another address."""
    said = client.post(f"/api/v1/jobs/{job}/bogus").json()["values"]["choices"]
    offered = [word.strip("'") for word in said.split(", ")]
    assert set(offered) == set(Action) - {Action.AHEAD, Action.EDIT, Action.REDO, Action.REMOVE}
    for word in (Action.EDIT, Action.REMOVE):
        assert client.post(f"/api/v1/jobs/{job}/{word}").status_code == 422


@pytest.mark.parametrize("name", ["x" * 300, "CON", "a\0b", "...", "aux", "%00", "猫" * 200, "."])
@pytest.mark.parametrize(("address", "ending"), [("pictures", ".png"), ("files", ".mp4"), ("loras", ".safetensors")])
def test_a_file_of_any_name_is_taken_or_refused(
    client: TestClient, picture: Path, name: str, address: str, ending: str
) -> None:
    content = picture.read_bytes() if address == "pictures" else b"none"
    answer = client.post(f"/api/v1/{address}", files={"file": (f"{name}{ending}", content)})
    assert answer.status_code == (201 if address == "pictures" else 422)
    if address != "pictures":
        assert answer.json()["id"].startswith("error.")
    else:
        mark = answer.json()["id"].removeprefix("upload:")
        assert client.get(f"/api/v1/pictures/{mark}").content == content
