"""Who means harm: a script in whatever can be written, and somebody from elsewhere who wants what is not theirs.

Operations are found in the schema of the interface, so that one that comes later is attacked, too.
"""

import io
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from PIL import Image, PngImagePlugin
from safetensors.numpy import save_file

from eichi.declare import walk
from eichi.errors import InputError
from eichi.library.favourites import Favourites
from eichi.options import VideoOptions, place
from eichi.video.latentfile import Latents, save_latents
from eichi.web.app import make_app
from eichi.web.desk import Desk
from eichi.web.pages import PLACES
from eichi.web.results import mark_of
from eichi.words import languages

SCRIPT = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"
NAMED = {"model", "finish.upscale"}  # what these say has to be there
SECRET = "what-nobody-may-read"
# What a browser does not run, as long as it may not guess.
INERT = ("application/json", "text/plain", "text/event-stream", "application/octet-stream", "image/", "video/")
ENDLESS = ("/api/v1/events", "/api/v1/jobs/{id}/events")


@pytest.fixture
def far(desk: Desk) -> Iterator[TestClient]:
    """Somebody on another machine."""
    app = make_app(desk, hosts=("*",))
    with TestClient(app, "http://box.example", client=("203.0.113.9", 5000), follow_redirects=False) as client:
        yield client


def latents(path: Path, record: dict[str, Any]) -> bytes:
    save_latents(path, Latents(np.zeros((1, 16, 10, 6, 10), dtype=np.float32), 0), record)
    return path.read_bytes()


def picture_with(text: str) -> bytes:
    """A picture in whose texts something is written."""
    info, held = PngImagePlugin.PngInfo(), io.BytesIO()
    for key in ("parameters", "Comment", "eichi", "prompt", "workflow"):
        info.add_text(key, text)
    Image.new("RGB", (96, 64)).save(held, "PNG", pnginfo=info)
    return held.getvalue()


def answers(client: TestClient, jobs: list[int]) -> Iterator[tuple[str, Response]]:
    """What is answered wherever something can be had, for these jobs."""
    paths = client.get("/api/openapi.json").json()["paths"]
    for path, operations in paths.items():
        if "get" not in operations or path in ENDLESS:
            continue
        for job in jobs if "{id}" in path else [0]:
            filled = {"language": "en", "kind": "video", "place": "sampling", "n": "0", "number": "0", "id": str(job)}
            address = re.sub(r"\{\w+\}", lambda part: filled.get(part[0].strip("{}"), "x"), path)  # noqa: B023
            yield address, client.get(address)
    for language in languages():
        for name in PLACES:
            yield f"/{language}/{name}", client.get(f"/{language}/{name}")


def written(desk: Desk, client: TestClient, tmp_path: Path) -> list[int]:
    """Put a script wherever something can be written; the jobs that came of it."""
    name = f"{SCRIPT}.png"
    given = client.post("/api/v1/pictures", files={"file": (name, picture_with(SCRIPT), "text/html")}).json()
    values: dict[str, Any] = {"image": given["id"], "seconds": 1, "keyframes": {"prompts": {"0": SCRIPT}}}
    for field in walk(VideoOptions):
        if field.type is str and not field.choices and not field.repeatable and field.key not in NAMED:
            place(values, field.key, SCRIPT)
    job = client.post("/api/v1/jobs", json=values)
    assert job.status_code == 201, job.text
    record = {"kind": "video", "model": SCRIPT, "request": {"prompt": SCRIPT, "image": SCRIPT}}
    content = latents(tmp_path / "x.safetensors", record)
    client.post("/api/v1/files", files={"file": (f"{SCRIPT}.safetensors", content, "text/html")})
    held = tmp_path / "lora.safetensors"
    zeros = {f"transformer.transformer_blocks.0.attn.to_q.lora_{side}.weight": np.zeros((4, 4)) for side in "AB"}
    save_file(
        {key: value.astype(np.float32) for key, value in zeros.items()},
        held,
        {"ss_output_name": SCRIPT, SCRIPT: SCRIPT},
    )
    client.post("/api/v1/loras", files={"file": (f"{SCRIPT}.safetensors", held.read_bytes(), "text/html")})
    client.put(f"/api/v1/prompts/{quote(SCRIPT, '')}", json={"text": SCRIPT, "prompt": SCRIPT})
    client.put(f"/api/v1/favourites/{quote(SCRIPT, '')}?kind=video", json={"options": {"prompt": SCRIPT}})
    client.post("/api/v1/read", files={"file": (name, picture_with(SCRIPT), "text/html")})
    return [job.json()["id"]]


def test_a_script_is_nowhere_more_than_a_text(desk: Desk, far: TestClient, tmp_path: Path) -> None:
    jobs, met = written(desk, far, tmp_path), 0
    for address, answer in answers(far, jobs):
        kind = answer.headers["content-type"]
        assert answer.headers["x-content-type-options"] == "nosniff", address
        assert "script-src 'self'" in answer.headers["content-security-policy"], address
        assert "unsafe" not in answer.headers["content-security-policy"], address
        held = "alert(1)" in answer.text
        met += held
        if kind.startswith("text/html"):
            assert not held, address
        else:
            saved = answer.headers.get("content-disposition", "").startswith("attachment")
            assert saved or kind.startswith(INERT), (address, kind)
    assert met > 3


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.svg", b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'),
        ("x.html", b"<script>alert(1)</script>"),
        ("x.png", b"<html><script>alert(1)</script>"),
        ("x.mp4", b"<html><script>alert(1)</script>"),
        ("x.safetensors", b"<html><script>alert(1)</script>"),
        ("x.js", b"alert(1)"),
    ],
)
@pytest.mark.parametrize("address", ["pictures", "files", "loras", "read", "favourites"])
def test_what_would_run_is_not_taken(far: TestClient, desk: Desk, address: str, name: str, content: bytes) -> None:
    answer = far.post(f"/api/v1/{address}", files={"file": (name, content, "text/html")})
    assert answer.status_code == 422
    assert answer.json()["id"].startswith("error.")
    folders = (desk.uploads, desk.settings.outputs.absolute(), desk.settings.loras[0])
    assert [path for folder in folders if folder.is_dir() for path in folder.rglob("*") if path.is_file()] == []


def test_a_picture_that_is_a_page_too_is_a_picture(far: TestClient) -> None:
    """What is sent says its kind, which is never a page's, and is not guessed at."""
    held = io.BytesIO()
    Image.new("RGB", (8, 8)).save(held, "PNG")
    both = held.getvalue() + b"<html><script>alert(1)</script>"
    given = far.post("/api/v1/pictures", files={"file": ("x.html", both, "text/html")}).json()
    mark = given["id"].removeprefix("upload:")
    assert far.get(f"/api/v1/pictures/{mark}").headers["content-type"] == "image/png"
    assert b"alert" not in far.get(f"/api/v1/pictures/{mark}?size=256").content


@pytest.fixture
def secrets(desk: Desk, video: VideoOptions, picture: Path) -> list[Path]:
    """What lies on this machine and is nobody else's; and jobs of its owner, who names paths."""
    outputs = desk.settings.outputs.absolute()
    kept = [
        desk.settings.home / "access.json",
        desk.settings.logs / "worker-cpu.log",
        desk.settings.home.parent / "secret.txt",
        outputs / ".hidden.mp4",
        outputs / "notes.txt",
        outputs / "deep" / "a.mp4",
    ]
    for path in kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SECRET, encoding="utf-8")
    job = desk.start([video])[0]
    desk.queue.hold(job.id)
    Favourites(desk.settings.home, lambda _: None).save("mine", video)
    with pytest.raises(InputError):  # what the owner is told names the file
        desk.start([video.model_copy(update={"image": picture.parent / "gone.png"})])
    return kept


def test_from_elsewhere_no_path_is_seen(desk: Desk, far: TestClient, secrets: list[Path]) -> None:
    jobs = [job.id for job in desk.store.jobs()]
    near = TestClient(far.app, "http://localhost", client=("127.0.0.1", 5000))
    for who, private in ((far, True), (near, False)):
        seen = [
            address
            for address, answer in answers(who, jobs)
            if str(desk.settings.home.parent) in answer.text or SECRET in answer.text
        ]
        assert (seen == []) == private, seen


def test_from_elsewhere_nothing_is_reached(desk: Desk, far: TestClient, secrets: list[Path]) -> None:
    paths = far.get("/api/openapi.json").json()["paths"]
    names = [
        form
        for path in (secrets[0], secrets[3])
        for form in (
            quote(str(path), ""),
            quote(f"../../{path.parent.name}/{path.name}", ""),
            f"%2e%2e%2f{path.name}",
            f"..\\{path.name}",
            f"result:{mark_of(path)}",
            f"lora:{mark_of(path)}",
            f"job:1/{quote(str(path), '')}",
            f"job:1%2f..%2f{path.name}",
            path.name,
        )
    ]
    for path, operations in paths.items():
        if "{" in path and "get" in operations and path not in ENDLESS:
            for name in names:
                answer = far.get(re.sub(r"\{[^}]*\}", name.replace("\\", "\\\\"), path))
                assert SECRET not in answer.text, (path, name)
                assert answer.status_code < 500, (path, name)


def test_from_elsewhere_no_body_names_a_path(desk: Desk, far: TestClient, secrets: list[Path]) -> None:
    """Every operation that takes an object is given paths wherever it takes a text."""
    schema = far.get("/api/openapi.json").json()
    models = schema["components"]["schemas"]

    def filled(part: dict[str, Any], path: str, depth: int = 0) -> Any:
        part = models[part["$ref"].rpartition("/")[2]] if "$ref" in part else part
        if "anyOf" in part:
            return filled(part["anyOf"][0], path, depth)
        if part.get("enum"):
            return part["enum"][0]
        if part.get("type") == "object" and depth < 6:
            inner = {key: filled(one, path, depth + 1) for key, one in part.get("properties", {}).items()}
            return inner or {"0": path}
        if part.get("type") == "array":
            return [filled(part["items"], path, depth + 1)]
        numbers = {"integer": part.get("minimum", 1), "number": part.get("minimum", 1.0), "boolean": False}
        return part.get("default") or numbers.get(part.get("type", ""), path)

    before = {path: path.read_bytes() for path in secrets}
    asked = 0
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content is None:
                continue
            for given in ("/etc/passwd", "/etc", "../home/access.json"):
                body = filled(content["schema"], given)
                answer = far.request(method, re.sub(r"\{[^}]*\}", "1", path), json=body)
                asked += 1
                assert answer.status_code < 500, (path, answer.text)
                assert SECRET not in answer.text, path
                assert "root:" not in answer.text, path
                assert str(desk.settings.home.parent) not in answer.text, (path, answer.text)
    assert asked > 20
    assert {path: path.read_bytes() for path in secrets} == before
    assert not (desk.settings.home / "settings.json").exists()


def test_the_server_fetches_nothing_that_somebody_names(desk: Desk) -> None:
    """Also for who sits here: a name of something in the network is no file, and nobody is asked for it."""
    with TestClient(make_app(desk), "http://localhost") as client, socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/a.png"
        for path in ("plan", "jobs", "drafts/video", "archive"):
            answer = client.post(f"/api/v1/{path}", json={"image": url, "options": {"image": url}})
            assert answer.status_code in (200, 422), path
        for path in ("pictures", "files", "loras", "read"):
            assert client.post(f"/api/v1/{path}", files={"file": (url, url.encode())}).status_code == 422
        for path in (f"refs/{quote(url, safe='')}", f"pictures/{quote(url, safe='')}"):
            assert client.get(f"/api/v1/{path}").status_code in (404, 422)
        with pytest.raises(BlockingIOError):
            listener.accept()
