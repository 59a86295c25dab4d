"""`eichi models` from end to end, and `--offline`: whatever happens, no connection is opened."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from eichi import catalog
from eichi.cli import main
from eichi.words import languages
from tests import trees
from tests.hub import Fault, Hub, serve
from tests.published import STANDARD, repositories

Run = Callable[..., tuple[int, list[str], str]]


@pytest.fixture
def eichi(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: object) -> tuple[int, list[str], str]:
        monkeypatch.setattr("sys.argv", ["eichi", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        assert isinstance(end.value.code, int)
        return end.value.code, out.splitlines(), err

    return run


def told(lines: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(lines[-1])
    return values


def test_list_is_what_models_alone_says(eichi: Run) -> None:
    assert eichi("models", "list") == eichi("models")
    listed, alone = told(eichi("models", "list", "--json")[1]), told(eichi("models", "--json")[1])
    assert listed | {"room": 0} == alone | {"room": 0}


def test_from_nothing_to_a_model_and_back(eichi: Run, hub: Hub, home: Path) -> None:
    code, lines, _ = eichi("models", "download", "framepack", "--json")
    assert code == 0
    first, *events = [json.loads(line) for line in lines[:-1]]
    assert {event["kind"] for event in events} == {"fetching"}
    assert (first["kind"], first["left"], first["fits"]) == ("order", events[-1]["size"], True)
    assert events[-1]["done"] == events[-1]["size"]
    folders = told(lines)["folders"]
    assert folders["transformer"] == str(home / "models" / STANDARD)
    assert told(eichi("models", "--json")[1])["models"][2]["present"]
    assert told(eichi("models", "path", "framepack", "--json")[1])["folders"] == folders
    assert eichi("models", "path", "framepack")[1][0].split() == ["transformer", folders["transformer"]]
    code, lines, _ = eichi("models", "verify", "framepack", "--json")
    assert (code, told(lines)["good"]) == (0, True)
    code, lines, _ = eichi("models", "remove", "framepack", "--json")
    assert (code, told(lines)["bytes"] > 0) == (0, True)
    assert not told(eichi("models", "--json")[1])["models"][2]["present"]


def test_in_words(eichi: Run, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    for language in languages():
        monkeypatch.setenv("EICHI_LANGUAGE", language)
        code, lines, shown = eichi("models", "download", "framepack")
        assert (code, len(lines)) == (0, 1)
        assert f"{STANDARD}/config.json" in shown
        assert eichi("models", "download", "framepack") == (0, lines, "")
        assert eichi("models", "verify", "framepack")[0] == 0
        assert eichi("models", "remove", "framepack")[0] == 0


def test_a_damaged_file_is_found_and_named(eichi: Run, hub: Hub, home: Path) -> None:
    eichi("models", "download", "framepack")
    file = home / "models" / STANDARD / "diffusion-1.safetensors"
    file.write_bytes(b"x")
    code, lines, shown = eichi("models", "verify", "framepack")
    assert code == 1
    assert [line for line in lines if line.split()[1] == "damaged"] == [line for line in lines if str(file) in line]
    assert "eichi models verify framepack --fix" in shown
    assert not told(eichi("models", "verify", "framepack", "--json")[1])["good"]
    hub.asked.clear()
    assert eichi("models", "verify", "framepack", "--fix")[0] == 0
    assert (hub.fetched(""), hub.fetched(file.name)) == ([""], [""])  # it alone
    assert told(eichi("models", "verify", "framepack", "--json")[1])["good"]


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [(401, 2, "HF_TOKEN"), (404, 2, "HF_ENDPOINT"), (429, 1, "Wait a while"), (503, 1, "again later")],
)
def test_a_refusal_of_the_hub_is_one_sentence(eichi: Run, hub: Hub, status: int, code: int, words: str) -> None:
    hub.faults[STANDARD] = [Fault(status)] * 9
    ended, lines, shown = eichi("models", "download", "framepack", "--json")
    assert ended == code
    assert told(lines).keys() == {"error", "message", "field", "values"}
    assert words in told(lines)["message"]
    assert len(shown.splitlines()) == 1


@pytest.mark.parametrize("command", ["download", "verify", "path", "remove"])
def test_an_unknown_model(eichi: Run, command: str) -> None:
    code, lines, shown = eichi("models", command, "wan")
    assert (code, lines) == (2, [])
    assert "framepack-f1" in shown


def test_the_offline_flag_asks_nobody(eichi: Run, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EICHI_OFFLINE", raising=False)
    code, _, shown = eichi("--offline", "models", "download", "framepack")
    assert (code, hub.asked) == (2, [])
    assert "Go online" in shown


# urllib3 tries at import whether a socket can be bound to this machine's own IPv6 address; nothing leaves by it.
FORBIDDEN = """
import sys
def watch(event, values):
    probe = event in ("socket.__new__", "socket.bind") and (event[7:] != "bind" or values[1] == ("::1", 0))
    if event.startswith("socket.") and event != "socket.gethostname" and not probe:
        raise SystemExit(f"a connection: {event} {values}")
sys.addaudithook(watch)
from eichi.cli import main
words = sys.argv[1:]
for flag in ([], ["--offline"]):  # what the flag switches off stays off
    sys.argv[1:] = [*flag, *words]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
"""


@pytest.mark.slow
def test_a_local_model_opens_no_connection(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one process, once as it is and once offline."""
    monkeypatch.delenv("HF_HUB_OFFLINE")
    words = ["generate", "--image", str(picture), "--prompt", "a star", "--seconds", "1", "--steps", "1"]
    command = [sys.executable, "-c", FORBIDDEN, *words, "--model", "tiny", "--out", "out", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ends = [json.loads(line) for line in done.stdout.splitlines()]
    videos = [Path(end["video"]) for end in ends if "video" in end]
    assert len(videos) == 2 and all(video.is_file() for video in videos)


@pytest.mark.parametrize("language", languages())
def test_columns_stand_apart_in_every_language(eichi: Run, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    monkeypatch.setenv("EICHI_LANGUAGE", language)
    for words in (("models", "verify", "tiny"), ("models", "list")):
        rows = [line for line in eichi(*words)[1] if "  " in line]
        assert len(rows) > 3
        assert all(len(re.split(" {2,}", row)) == 3 for row in rows)
        assert len({cell_len(row) - cell_len(re.split(" {2,}", row)[2]) for row in rows}) == 1


def test_a_plan_fetches_nothing(eichi: Run, hub: Hub, home: Path) -> None:
    code, lines, shown = eichi("models", "download", "framepack", "--plan")
    assert (code, shown, hub.fetched("")) == (0, "", [])
    assert [line for line in lines if f"{STANDARD}/diffusion-1.safetensors" in line]
    said = "\n".join(lines)
    for words in (hub.address, str(home / "models"), "South Korea", "Llama 3", "Non-Commercial", "https://"):
        assert words in said
    assert told(eichi("models", "download", "framepack", "--plan", "--json")[1])["kind"] == "order"


def test_the_licences_are_said_before_anything_comes(eichi: Run, hub: Hub) -> None:
    shown = eichi("models", "download", "framepack")[2]
    assert 0 < shown.index("Tencent Hunyuan Community License") < shown.index(f"{STANDARD}/config.json")


def test_a_break_is_said(eichi: Run, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eichi.commands.models.sleep", lambda seconds: None)
    hub.faults["diffusion-1.safetensors"] = [Fault(503, headers={"Retry-After": "7"})]
    code, _, shown = eichi("models", "download", "framepack")
    assert code == 0
    assert "the server answered 503" in shown
    assert "7 s" in shown


def test_stopped_it_says_that_it_goes_on(eichi: Run, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("eichi.commands.models.sleep", stop)
    hub.faults["diffusion-1.safetensors"] = [Fault(cut=1000)]
    code, _, shown = eichi("models", "download", "framepack")
    assert code == 130
    assert "resumes" in shown
    assert "partly downloaded" in "\n".join(eichi("models")[1])


def test_from_a_folder(eichi: Run, hub: Hub, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    eichi("models", "download", "framepack")
    (home / "models").rename(tmp_path / "disk")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    code, lines, _ = eichi("models", "import", tmp_path / "disk", "framepack")
    assert (code, lines[-1]) == (0, "Model framepack is complete on this computer.")
    code, _, shown = eichi("models", "import", tmp_path / "disk", "framepack-f1")
    assert (code, "has nothing" in shown) == (2, True)


def test_a_mirror_and_a_token_of_the_settings(eichi: Run, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(repositories()) as mirror:
        monkeypatch.setenv("EICHI_MIRROR", mirror.address)
        monkeypatch.setenv("EICHI_TOKEN", "hf_mine")
        assert eichi("models", "download", "framepack")[0] == 0
        assert {headers.get("authorization") for _, headers in mirror.asked} == {"Bearer hf_mine"}
    assert hub.asked == []


@pytest.mark.parametrize("tokenizers", [True, False])
def test_the_files_of_comfyui_are_named(
    eichi: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokenizers: bool
) -> None:
    """Every part with what it is kept in and where it is; of tokenizers that are nowhere, what they weigh."""
    root = trees.checkpoint(tmp_path / "model")
    place = tmp_path / "ComfyUI"
    trees.split(root, place)
    trees.write(place / "models" / "unet" / "video.safetensors", trees.parts(root)["transformer"])
    if not tokenizers:
        shutil.rmtree(place / "comfy")
    made = {name: trees.known(root, name) for name in ("framepack", "framepack-f1")}
    plain = catalog._entries()
    monkeypatch.setattr(catalog, "_entries", lambda: plain | made)
    monkeypatch.setenv("EICHI_COMFY", str(place))
    listed = told(eichi("models", "--json")[1])
    view = next(one for one in listed["models"] if one["name"] == "framepack")
    parts = {part["part"]: part for part in view["parts"]}
    assert view["present"] == tokenizers
    assert parts["transformer"]["precision"] == "fp8"
    assert parts["text_encoder"]["precision"] == "fp8 scaled"
    assert parts["vae"]["place"] == str(place / "models" / "vae" / "hunyuan_video_vae_bf16.safetensors")
    (spare,) = listed["spare"]
    assert (spare["part"], spare["place"]) == ("transformer", str(place / "models" / "unet" / "video.safetensors"))
    _, lines, _ = eichi("models")
    assert any("bf16" in line and "hunyuan_video_vae_bf16" in line for line in lines)
    assert any("tokenizer" in line and "9.1 MB" in line for line in lines) != tokenizers
    assert any("video.safetensors" in line and "F1" in line for line in lines)


def test_files_and_folders_of_no_use_are_named(eichi: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, gone = tmp_path / "files", tmp_path / "gone"
    place.mkdir()
    empty = place / "FramePackI2V_HY.safetensors"
    empty.touch()
    monkeypatch.setenv("EICHI_COMFY", f"{place};{gone}")
    listed = told(eichi("models", "--json")[1])
    assert [(one["part"], one["place"], one["why"]) for one in listed["spare"]] == [
        ("transformer", str(empty), "the file is empty")
    ]
    assert listed["odd"] == [{"place": str(gone), "why": "it does not exist"}]
    said = "\n".join(eichi("models")[1])
    assert f"{empty}: the file is empty" in said
    assert f"{gone}: it does not exist" in said
    assert "EICHI_COMFY" in eichi("doctor")[2] + "\n".join(eichi("doctor")[1])


def test_the_files_of_comfyui_are_not_to_be_imported(
    eichi: Run, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = trees.checkpoint(tmp_path / "model")
    place = tmp_path / "ComfyUI"
    trees.split(root, place)
    made = catalog._entries() | {"framepack": trees.known(root)}
    monkeypatch.setattr(catalog, "_entries", lambda: made)
    code, _, shown = eichi("models", "import", place, "framepack")
    assert (code, "EICHI_COMFY" in shown) == (2, True)


def test_an_import_from_nowhere(eichi: Run, tmp_path: Path) -> None:
    code, _, shown = eichi("models", "import", tmp_path / "gone", "framepack")
    assert (code, "it does not exist" in shown, "BadParameter" in shown) == (2, True, False)


def test_a_plan_without_a_network(eichi: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in the package is told all the same; the variable that is to blame is named."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("EICHI_MIRROR", "http://127.0.0.1:9")
    code, lines, shown = eichi("models", "download", "framepack", "--plan")
    said = "\n".join(lines)
    assert (code, "South Korea" in said, "25.7 GB" in said) == (1, True, True)
    assert ("EICHI_MIRROR" in shown, "HF_ENDPOINT" in shown) == (True, False)
    assert "licences" in json.loads(eichi("models", "download", "framepack", "--plan", "--json")[1][0])
