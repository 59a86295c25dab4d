"""Latent files: what lies there, what is taken in, which tool takes what, how one is extended."""

import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from eichi.errors import EichiError, OptionError
from eichi.library.whereabouts import marks_of
from eichi.options import VideoOptions
from eichi.video.latentfile import Latents, save_latents
from eichi.web import toolruns
from eichi.web.app import make_app
from eichi.web.desk import Desk
from eichi.web.i18n import Words

WORDS = Words("en")


@pytest.fixture
def file(desk: Desk) -> Path:
    """Latents among the results, of a name that people chose."""
    path = desk.settings.outputs.absolute() / "<b>a.safetensors"
    path.parent.mkdir(parents=True)
    record = {"kind": "video", "model": "tiny", "request": {"prompt": "<i>x"}}
    save_latents(path, Latents(np.zeros((1, 16, 10, 6, 10), dtype=np.float32), 0), record)
    return path


def test_files_are_listed_with_what_is_in_them(desk: Desk, file: Path) -> None:
    (file.parent / "notes.txt").touch()
    (file.parent / "broken.safetensors").write_bytes(b"x")
    (file.parent / ".part.mp4").touch()
    if os.name != "nt":
        Path(os.fsdecode(os.fsencode(file.parent) + b"/\xe9.mp4")).touch()  # no page could say its name
    (one,) = desk.listed()
    assert one.report is not None
    assert (one.name, one.report.latents, one.report.frames, one.report.model) == (file.name, 10, 37, "tiny")


def test_a_tool_takes_the_files_that_it_needs(desk: Desk, file: Path) -> None:
    for tool, files in (("join", [file]), ("fill", [file]), ("trim", [file, file]), ("none", [file])):
        with pytest.raises(OptionError):
            desk.bench.start(tool, files, {}, "en")
    with pytest.raises(OptionError, match="length"):
        desk.bench.start("fill", [file, file], {"other": 1}, "en")


def test_a_tool_runs_in_a_process_and_says_what_went_wrong(desk: Desk, file: Path) -> None:
    done = desk.bench.start("trim", [file], {"end": 3}, "ru")
    failed = desk.bench.start("trim", [file], {"end": 30}, "ru")
    while desk.bench.runs[-1].status in ("waiting", "running"):
        failed_thread = desk.bench._thread
        if failed_thread is not None:
            failed_thread.join()
    assert (done.status, done.result.is_file(), done.fraction) == ("done", True, 1.0)
    assert failed.status == "failed"
    assert any("а" <= letter <= "я" for letter in failed.said)


# A tool in the middle of its work, with a folder of its own beside the result.
ENDLESS = """
import sys, threading
from pathlib import Path
result = Path(sys.argv[-2])
result.with_name(f".{result.stem}.segments").mkdir()
print("{}", flush=True)
threading.Event().wait()
"""


def test_a_tool_that_is_stopped_leaves_nothing(desk: Desk, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolruns, "RUN", ENDLESS)
    monkeypatch.setattr(toolruns.ToolRuns, "_hear", lambda self, run, said: self.stop(run.id))
    run = desk.bench.start("to-mp4", [file], {}, "en")
    thread = desk.bench._thread
    if thread is not None:
        thread.join()
    assert (run.status, list(file.parent.iterdir())) == ("stopped", [file])


@pytest.fixture
def client(desk: Desk) -> Iterator[TestClient]:
    with TestClient(make_app(desk), base_url="http://localhost") as client:
        yield client


def clip(desk: Desk, record: dict[str, Any] | None) -> str:
    """The id of latents of one second among the results."""
    path = desk.settings.outputs.absolute() / "clip.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_latents(path, Latents(np.zeros((1, 16, 10, 6, 10), dtype=np.float32), 0), record or {})
    return desk.refs.of(path).id


def test_latents_and_videos_are_listed_by_ids(client: TestClient, desk: Desk) -> None:
    id = clip(desk, {"kind": "video", "model": "tiny", "request": {"prompt": "x"}})
    write_video(desk.settings.outputs.absolute() / "a.MOV")
    files = {one["id"]: one for one in client.get("/api/v1/latents").json()["files"]}
    assert files[id]["report"]["latents"] == 10
    (other,) = files.keys() - {id}
    assert (files[other]["name"], files[other]["kind"], files[other]["report"]) == ("a.MOV", "video", None)


def test_extending_by_any_number_of_seconds_is_a_job(
    client: TestClient, desk: Desk, picture: Path, video: VideoOptions
) -> None:
    given = desk.given.adopt(picture)
    asked = video.model_copy(update={"image": given, "seconds": 1.0})
    record = {"kind": "video", "model": "tiny", "request": asked.dump(), "files": marks_of(asked)}
    id = clip(desk, record)
    told = client.post("/api/v1/latents/extend", json={"file": id, "seconds": 2.4, "prompt": "on"}).json()
    assert (told["request"]["kept"]["latents"], told["notes"]) == (id, [])
    job = desk.store.job(told["id"])
    assert (job.request["seconds"], job.request["prompt"], job.request["image"]) == (2.4, "on", str(given))
    assert isinstance(job.options, VideoOptions)
    assert job.options.kept.latents == desk.refs.find(id)
    assert job.options.output.latents
    answer = client.post("/api/v1/latents/extend", json={"file": id, "seconds": 121})
    assert (answer.status_code, answer.json()["key"]) == (422, "seconds")


def test_latents_that_say_nothing_are_extended_by_the_draft(client: TestClient, desk: Desk, picture: Path) -> None:
    given = desk.given.picture(picture.name, BytesIO(picture.read_bytes()))
    draft = {"image": f"upload:{given.mark}", "prompt": "mine", "sampling": {"steps": 3}}
    told = client.post("/api/v1/latents/extend", json={"file": clip(desk, None), "seconds": 3, "options": draft}).json()
    request = desk.store.job(told["id"]).options
    assert isinstance(request, VideoOptions)
    assert (request.prompt, request.sampling.steps, request.image) == ("mine", 3, desk.given.find(given.mark))


def test_a_strangers_latents_name_no_picture_of_this_machine(
    client: TestClient, desk: Desk, picture: Path, video: VideoOptions
) -> None:
    desk.local = False
    record = {"kind": "video", "model": "tiny", "request": video.dump() | {"seconds": 1.0, "image": str(picture)}}
    with TestClient(make_app(desk, hosts=("*",)), base_url="http://eichi.example", client=("192.0.2.7", 1)) as stranger:
        answer = stranger.post("/api/v1/latents/extend", json={"file": clip(desk, record), "seconds": 2})
        assert (answer.status_code, answer.json()["id"]) == (422, "error.image.required")
        answer = stranger.post("/api/v1/tools/from-mp4", json={"files": [], "values": {"model": "/home/me"}})
        assert (answer.status_code, answer.json()["id"]) == (422, "error.api.model")


def write_video(path: Path) -> None:
    """Four grey frames."""
    with av.open(str(path), "w") as video:
        stream = video.add_stream("libx264", rate=30)
        stream.width, stream.height = 32, 32
        for _ in range(4):
            video.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((32, 32, 3), 99, dtype=np.uint8))))
        video.mux(stream.encode())


@pytest.mark.parametrize("name", ["GOPR0001.MP4", "a.MOV", "b.webm", "c.mkv", "n" * 300 + ".mp4"])
def test_videos_of_every_camera_are_taken(desk: Desk, tmp_path: Path, name: str) -> None:
    made = tmp_path / "made.mp4"
    write_video(made)
    path = desk.given.result(name, BytesIO(made.read_bytes()))
    assert path.suffix == Path(name).suffix.lower()
    assert desk.refs.of(path).kind == "video"
    assert [one.name for one in desk.listed()] == [path.name]


def test_a_hundred_megapixels_are_refused(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.new("1", (10_001, 10_000)).save(path)
    with pytest.raises(EichiError, match="100"):
        desk.start([VideoOptions(image=path)])


def test_known_tools_have_words() -> None:
    for tool in toolruns.TOOLS:
        assert WORDS(f"tool.{tool.replace('-', '_')}")
