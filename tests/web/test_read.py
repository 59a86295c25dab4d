"""What people drop on the page gives what it has, keeps what it does not say, and says what was lost."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import httpx2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image, PngImagePlugin
from safetensors.numpy import save_file

from eichi.events import Finished
from eichi.finish.plan import make_finish_plan
from eichi.finish.run import finish
from eichi.library.archive import write_archive
from eichi.library.favourites import Favourites
from eichi.library.loras import lora
from eichi.library.whereabouts import marks_of
from eichi.options import FinishOptions, FrameOptions, VideoOptions
from eichi.prepare import make_plan
from eichi.settings import load_settings
from eichi.video.latentfile import Latents, save_latents
from eichi.video.metadata import record, save_png
from eichi.web.app import make_app
from eichi.web.desk import Desk
from tests.web.conftest import running

EMPTY = np.zeros((8, 8, 3), dtype=np.uint8)
FOREIGN = "a cat\nNegative prompt: fog\nSteps: 31, Sampler: Euler a, CFG scale: 3.5, Seed: 42, Size: 80x48"


@pytest.fixture
def client(desk: Desk) -> Iterator[TestClient]:
    """Somebody at the machine."""
    desk.local = True
    with TestClient(make_app(desk), base_url="http://localhost") as client:
        yield client


@pytest.fixture
def stranger(desk: Desk) -> Iterator[TestClient]:
    """Somebody elsewhere."""
    desk.local = False
    with TestClient(make_app(desk, hosts=("*",)), base_url="http://eichi.example", client=("192.0.2.7", 1)) as client:
        yield client


def read(client: TestClient, path: Path, draft: Any = None, **asked: str) -> httpx2.Response:
    files = {"file": (path.name, path.read_bytes())}
    return client.post("/api/v1/read", params=asked, files=files, data={"options": json.dumps(draft or {})})


def weights(path: Path, rank: int = 1) -> Path:
    """A LoRA file of one layer."""
    name = "transformer.transformer_blocks.0.attn.to_q"
    pair = {f"{name}.lora_A.weight": np.ones((rank, 128)), f"{name}.lora_B.weight": np.ones((128, rank))}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: values.astype(np.float32) for name, values in pair.items()}, path)
    return path


def png(path: Path, **texts: str) -> Path:
    info = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        info.add_text(key, text)
    Image.new("RGB", (8, 6), "red").save(path, pnginfo=info)
    return path


def made_from(asked: VideoOptions, folder: Path) -> Path:
    """A result of a request, elsewhere than its pictures."""
    folder.mkdir(exist_ok=True)
    path = folder / "result.png"
    save_png(
        path,
        np.zeros((8, 8, 3), dtype=np.uint8),
        record(make_plan(asked, load_settings().model_folders), marks_of(asked)),
    )
    return path


def test_a_plain_picture_is_a_picture(client: TestClient, tmp_path: Path) -> None:
    told = read(client, png(tmp_path / "GOPR0001.PNG")).json()
    assert (told["kind"], told["options"], told["notes"]) == ("picture", None, [])
    assert told["picture"]["id"].startswith("upload:")
    assert (told["picture"]["width"], told["picture"]["height"]) == (8, 6)
    assert client.get(f"/api/v1/pictures/{told['picture']['id'].removeprefix('upload:')}").status_code == 200


def test_a_picture_of_another_program_keeps_the_rest_of_the_draft(client: TestClient, tmp_path: Path) -> None:
    draft = {"image": "upload:" + "0" * 32, "seconds": 12.0, "sampling": {"steps": 9, "guidance": 7.0}}
    told = read(client, png(tmp_path / "a.png", parameters=FOREIGN), draft).json()
    assert told["kind"] == "settings"
    assert told["picture"]["width"] == 8
    options = told["options"]
    assert (options["image"], options["seconds"], options["sampling"]["guidance"]) == (draft["image"], 12.0, 7.0)
    assert (options["prompt"], options["negative"], options["seed"]) == ("a cat", "fog", 42)
    assert (options["sampling"]["steps"], options["sampling"]["cfg"]) == (31, 3.5)
    assert len(told["notes"]) == 1  # on real guidance


def test_a_result_of_ours_gives_its_whole_request_with_ids(
    client: TestClient, desk: Desk, video: VideoOptions, picture: Path, tmp_path: Path
) -> None:
    with picture.open("rb") as file:
        given = desk.given.picture(picture.name, file)
    told = read(client, made_from(video, tmp_path / "away"), {"seconds": 30}).json()
    assert (told["kind"], told["notes"]) == ("settings", [])
    assert told["options"] == {**video.dump(), "image": f"upload:{given.mark}", "resolution": 64}


@pytest.mark.parametrize("form", ["mp4", "gif", "webp"])
def test_a_finished_video_gives_the_request_of_the_one_it_was_made_from(
    client: TestClient, tmp_path: Path, form: str
) -> None:
    settings = load_settings()
    asked = VideoOptions.parse({"start": "noise", "prompt": "a cat", "seed": 5, "model": "tiny"})
    told = record(make_plan(asked, settings.model_folders))
    save_png(source := tmp_path / "made.png", np.zeros((48, 64, 3), dtype=np.uint8), told)
    options = FinishOptions.parse({"video": source, "finish": {"format": form}})
    *_, last = finish(make_finish_plan(options, settings.model_folders), tmp_path / "out", settings.runtime)
    assert isinstance(last, Finished)
    found = read(client, Path(last.video)).json()
    assert (found["kind"], found["options"]["prompt"], found["options"]["seed"]) == ("settings", "a cat", 5)
    assert (found["picture"] is None) == (form == "mp4")


@pytest.mark.parametrize("form", ["gif", "webp"])
def test_a_finished_picture_of_somebodys_own_video_is_a_picture_and_its_chain_is_had(
    client: TestClient, tmp_path: Path, form: str
) -> None:
    settings = load_settings()
    Image.new("RGB", (64, 48), "red").save(source := tmp_path / "own.gif")
    options = FinishOptions.parse({"video": source, "finish": {"format": form, "grain": 0.3}})
    *_, last = finish(make_finish_plan(options, settings.model_folders), tmp_path / "out", settings.runtime)
    assert isinstance(last, Finished)
    made = Path(last.video)
    found = read(client, made).json()
    assert (found["kind"], found["options"], found["notes"]) == ("picture", None, [])
    for path, chain in ((made, options.finish.model_dump(mode="json")), (source, None)):
        given = client.post("/api/v1/files", files={"file": (path.name, path.read_bytes())}).json()["id"]
        told = client.get("/api/v1/finish/settings", params={"video": given}).json()
        assert told == {"finish": chain, "notes": [], "note_ids": []}


def test_a_picture_that_is_gone_is_said(stranger: TestClient, video: VideoOptions, tmp_path: Path) -> None:
    told = read(stranger, made_from(video, tmp_path / "away")).json()
    assert told["options"]["image"] is None
    (note,) = told["notes"]
    assert video.image is not None
    assert video.image.name in note
    assert str(tmp_path) not in note


def test_options_of_another_kind_are_said_and_the_picture_kept(
    client: TestClient, video: VideoOptions, tmp_path: Path
) -> None:
    told = read(client, made_from(video, tmp_path / "away"), kind="frame").json()
    assert (told["kind"], told["options"]) == ("picture", None)
    assert len(told["notes"]) == 1
    assert str(tmp_path) not in told["notes"][0]


def test_a_damaged_record_is_said_and_the_picture_kept(client: TestClient, tmp_path: Path) -> None:
    told = read(client, png(tmp_path / "a.png", eichi="{")).json()
    assert told["kind"] == "picture"
    assert told["notes"][0].startswith("a.png ")


def test_an_archive_lies_over_the_draft(client: TestClient, desk: Desk, tmp_path: Path, picture: Path) -> None:
    weights(desk.settings.loras[0] / "style.safetensors")
    asked = VideoOptions.parse(
        {"image": picture, "seconds": 2, "keyframes": {"sections": {"1": picture}, "prompts": {"1": "turns"}}}
    )
    path = tmp_path / "sections.zip"
    write_archive(path, asked, [lora("style.safetensors", 0.5), lora("gone.safetensors", 0.5)])
    told = read(client, path, {"sampling": {"steps": 9}, "seconds": 7}).json()
    assert told["kind"] == "archive"
    options = told["options"]
    assert (options["seconds"], options["sampling"]["steps"], options["keyframes"]["prompts"]) == (2, 9, {"1": "turns"})
    assert options["image"].startswith("upload:")
    assert options["keyframes"]["sections"] == {"1": options["image"]}  # one content, one picture
    (kept,) = options["weights"]["loras"]
    assert (kept["file"].split(":")[0], kept["strength"]) == ("lora", 0.5)
    assert any("gone.safetensors" in note for note in told["notes"])


def test_a_strangers_draft_reaches_no_file_by_an_archive(
    stranger: TestClient, tmp_path: Path, picture: Path, desk: Desk
) -> None:
    path = tmp_path / "sections.zip"
    write_archive(path, VideoOptions(image=picture))
    with ZipFile(path) as archive:
        card = archive.read("sections/sections.yaml")
    with ZipFile(path, "w") as archive:
        archive.writestr("sections.yaml", card)
    told = read(stranger, path, {"image": str(picture)}).json()
    assert told["options"]["image"] is None
    assert picture.name in told["notes"][0]
    assert not any(desk.uploads.iterdir())


def test_an_archive_is_nothing_for_a_single_frame(client: TestClient, tmp_path: Path, picture: Path) -> None:
    write_archive(tmp_path / "sections.zip", VideoOptions(image=picture))
    answer = read(client, tmp_path / "sections.zip", kind="frame")
    assert (answer.status_code, answer.json()["id"]) == (422, "error.archive.frame")
    assert "“Create”" in answer.json()["message"]


def test_favourites_are_taken_in(client: TestClient, desk: Desk, tmp_path: Path, video: VideoOptions) -> None:
    theirs = Favourites(tmp_path / "theirs", lambda note: None)
    theirs.save("evening", video)
    theirs.export(tmp_path / "f.json")
    Favourites(desk.settings.home, lambda note: None).save("evening", VideoOptions())
    told = read(client, tmp_path / "f.json").json()
    assert (told["kind"], told["names"]) == ("favourites", ["evening (2)"])
    assert len(told["notes"]) == 1


def test_latents_are_put_among_the_results(client: TestClient, desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "clip.safetensors"
    save_latents(path, Latents(np.zeros((1, 16, 9, 6, 10), dtype=np.float32), 0), {})
    told = read(client, path).json()
    assert (told["kind"], told["options"], told["ref"]["name"]) == ("latents", None, "clip.safetensors")
    assert told["ref"]["id"].startswith("result:")
    assert (desk.settings.outputs / "clip.safetensors").is_file()


def test_a_lora_is_put_into_its_folder_once(client: TestClient, desk: Desk, tmp_path: Path) -> None:
    path = weights(tmp_path / "style.safetensors")
    first, again = read(client, path).json(), read(client, path).json()
    assert (first["kind"], first["ref"]) == ("lora", again["ref"])
    assert first["ref"]["id"].startswith("lora:")
    weights(path, 2)
    assert read(client, path).json()["id"] == "error.upload.exists"


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("a.txt", b"hello", "error.upload.kind"),
        ("a.zip", b"PK\3\4 hello", "error.archive.damaged"),
        ("a.json", b"{}", "error.favourite.file"),
        ("a.png", b"hello", "error.picture.unknown"),
        ("a.mp4", b"hello", "error.file.record"),
        ("a.safetensors", b"hello", "error.lora.damaged"),
        ("n" * 300 + ".png", b"", "error.picture.unknown"),
        ("..", b"x", "error.upload.kind"),
    ],
)
def test_what_is_nothing_is_one_sentence(
    client: TestClient, tmp_path: Path, name: str, content: bytes, error: str
) -> None:
    answer = client.post("/api/v1/read", files={"file": (name, content)})
    assert (answer.status_code, answer.json()["id"]) == (422, error)
    assert "eichi-read" not in json.dumps(answer.json())


def test_a_draft_that_is_none_is_refused(client: TestClient) -> None:
    for draft in ("[", "[]"):
        answer = client.post("/api/v1/read", files={"file": ("a.png", b"")}, data={"options": draft})
        assert answer.json()["id"] == "error.api.body"


def test_a_draft_as_an_archive_and_back(client: TestClient, desk: Desk, picture: Path, tmp_path: Path) -> None:
    with picture.open("rb") as file:
        id = f"upload:{desk.given.picture(picture.name, file).mark}"
    draft = {"image": id, "prompt": "mine", "seconds": 3, "keyframes": {"sections": {"0": id}}}
    answer = client.post("/api/v1/archive", json=draft)
    assert answer.headers["content-type"] == "application/zip"
    assert "attachment" in answer.headers["content-disposition"]
    (tmp_path / "mine.zip").write_bytes(answer.content)
    options = read(client, tmp_path / "mine.zip").json()["options"]
    assert (options["image"], options["keyframes"]["sections"]) == (id, {"0": id})
    assert (options["prompt"], options["seconds"]) == ("mine", 3)
    gone = client.post("/api/v1/archive", json={"image": "upload:" + "0" * 32})
    assert (gone.status_code, gone.json()["key"]) == (422, "image")


def test_a_random_seed_stays_random(client: TestClient, desk: Desk, video: VideoOptions) -> None:
    open_seed, fixed = (desk.start([video.model_copy(update={"seed": seed})])[0].id for seed in (None, 5))

    def seed(id: int, asked: str = "") -> Any:
        return client.get(f"/api/v1/jobs/{id}/options{asked}").json()["options"]["seed"]

    assert (seed(open_seed), seed(fixed), seed(fixed, "?seed=new"), seed(fixed, "?seed=same")) == (None, 5, None, 5)
    told = client.get(f"/api/v1/jobs/{open_seed}/options?seed=same").json()
    assert (told["options"]["seed"], len(told["notes"])) == (None, 1)
    job = desk.store.job(open_seed)
    running(desk, job)
    assert seed(open_seed) is None
    assert seed(open_seed, "?seed=same") == 7


def test_another_seed_draws_the_prompts_once_more(client: TestClient, desk: Desk, video: VideoOptions) -> None:
    written = video.model_copy(update={"prompt": "a {red|green} ball", "negative": "{fog|rain}"})
    keys = video.keyframes.model_copy(update={"prompts": {0: "it {rolls|jumps}", 1: "it stops"}})
    job = desk.start([written.model_copy(update={"keyframes": keys})])[0]
    drawn: Any = job.request
    assert "{" not in drawn["prompt"] + drawn["negative"] + drawn["keyframes"]["prompts"]["0"]

    def texts(seed: str) -> Any:
        options = client.get(f"/api/v1/jobs/{job.id}/options?seed={seed}").json()["options"]
        said = options["prompt"], options["negative"], options["keyframes"]["prompts"]
        return *said, {name: text for name, text in options["written"].items() if text}

    before = "a {red|green} ball", "{fog|rain}", {"0": "it {rolls|jumps}", "1": "it stops"}
    assert texts("new") == (*before, {})
    same = {"prompt": before[0], "negative": before[1], "sections": {"0": before[2]["0"]}}
    kept = drawn["prompt"], drawn["negative"], drawn["keyframes"]["prompts"], same
    assert texts("same") == texts("asked") == kept


def test_lost_pictures_of_a_job_are_said(client: TestClient, desk: Desk, video: VideoOptions, picture: Path) -> None:
    frame = FrameOptions.parse(
        {"image": picture, "prompt": "x", "references": [{"image": picture, "index": 2}, {"image": picture}]}
    )
    job = desk.start([frame])[0]
    told = client.get(f"/api/v1/jobs/{job.id}/options").json()
    assert told["notes"] == []
    assert [one["image"] for one in told["options"]["references"]] == [told["options"]["image"]] * 2
    picture.unlink()
    told = client.get(f"/api/v1/jobs/{job.id}/options").json()
    assert (told["options"]["image"], told["options"]["references"]) == (None, [])
    assert len(told["notes"]) == 1
    assert picture.name in told["notes"][0]
