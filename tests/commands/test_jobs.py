"""`eichi jobs`: each command does its thing, says so, and has one sentence for what cannot be done."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from eichi.cli import main
from eichi.commands.jobs import jobs as group
from eichi.jobs.repair import Repaired
from eichi.jobs.runner import new_runner
from eichi.jobs.store import Store
from eichi.jobs.view import Status
from eichi.options import VideoOptions
from eichi.settings import load_settings
from eichi.words import languages
from tests.jobs.damage import write
from tests.jobs.sections import leave

EICHI = [sys.executable, "-c", "from eichi.cli import main; main()"]
# A shell gives Ctrl-C to what runs in front; whatever runs behind, tests among it, ignores it and hands that on.
LISTEN = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
TERMINAL = [*EICHI[:2], LISTEN + EICHI[2]]
# Shows the help of every command that is named, and tells in JSON what each printed and what is loaded at the end.
HELP = """
import contextlib, io, json, sys
from eichi.cli import main
shown = []
for words in json.loads(sys.argv[1]):
    sys.argv[1:] = [*words, "--help"]
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
        main()
    shown.append(out.getvalue())
print(json.dumps([*shown, sorted({"torch", "sqlalchemy"} & set(sys.modules))]))
"""
SHORT = ("--seconds", "0.5", "--set", "section_size=0.5", "--steps", "2", "--seed", "3", "--prompt", "p")


@dataclass
class Result:
    """How a command ended, and what it wrote; `last` is the JSON of its last line."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> dict[str, Any]:
        values: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return values


Run = Callable[..., Result]


@pytest.fixture
def eichi(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: object) -> Result:
        monkeypatch.setattr("sys.argv", ["eichi", "jobs", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        assert isinstance(end.value.code, int)
        return Result(end.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def two(eichi: Run, picture: Path) -> tuple[int, int]:
    """Two jobs that wait."""
    one, other = eichi("add", "--image", picture, *SHORT, "--count", 2, "--json").last["added"]
    return one, other


def order(eichi: Run) -> list[tuple[int, str]]:
    return [(job["id"], job["status"]) for job in eichi("list", "--json").last["jobs"]]


def test_help_of_every_command_without_torch_and_without_a_database() -> None:
    """In one process, which keeps what any of them loads."""
    commands = [[], ["jobs"], *(["jobs", name] for name in group.commands)]
    command = [sys.executable, "-c", HELP, json.dumps(commands)]
    *shown, loaded = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert [text for text in shown if not text.startswith("Usage:")] == []
    assert (len(shown), len(set(shown)), loaded) == (len(commands), len(commands), [])


def test_add_says_what_it_comes_to(eichi: Run, picture: Path) -> None:
    result = eichi("add", "--image", picture, *SHORT)
    assert result.code == 0
    assert "no forecast" in result.out
    assert "length is 0.7 s" in result.err
    with Store(load_settings().store) as store:
        job = store.claim(new_runner())
        assert job is not None
        store.end(job, Status.DONE, pace=100.0)
    planned = eichi("add", "--image", picture, *SHORT, "--count", 3, "--dry-run", "--json").last
    assert (planned["jobs"], planned["sections"], planned["seconds"], planned["added"]) == (3, 3, 300.0, [])
    assert [request["seed"] for request in planned["requests"]] == [3, 4, 5]
    assert "about 5 min 0 s" in eichi("add", "--image", picture, *SHORT, "--count", 3, "--dry-run").out


def test_a_batch_from_files(eichi: Run, picture: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("1.png", "2.png"):
        (folder / name).write_bytes(picture.read_bytes())
    (folder / "2.txt").write_text("own")
    (folder / "x.doc").touch()
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("\ufeffa\n# no\nb\n", encoding="utf-8")
    words = ("--image-folder", folder, "--prompt-list", prompts, "--dry-run", "--json")
    result = eichi("add", *SHORT, *words)
    made = [(Path(request["image"]).name, request["prompt"]) for request in result.last["requests"]]
    assert made == [("1.png", "a"), ("1.png", "b"), ("2.png", "own")]
    assert "x.doc" in result.err
    single = ("--frame", "--image", picture, "--reference-list", folder, "--each-target", "1", "--dry-run", "--json")
    found = eichi("add", *single).last["requests"]
    assert [request["references"][0]["image"] for request in found] == [str(folder / "1.png"), str(folder / "2.png")]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("add",), "start image"),
        (("add", "--frame", "--seconds", "1"), "no option “seconds”"),
        (("add", "--profile", "oichi"), "no option “profile”"),
        (("add", "--each-target", "1"), "single frames"),
        (("add", "--prompt-list", "nobody.txt"), "cannot be read"),
        (("show", "9"), "no job 9"),
        (("remove", "9"), "no job 9"),
        (("follow", "9"), "no job 9"),
        (("edit", "9", "--set", "seconds=1"), "no job 9"),
        (("move", "one"), "whole number"),
    ],
)
def test_what_is_wrong_is_one_sentence(eichi: Run, words: tuple[str, ...], sentence: str) -> None:
    result = eichi(*words, "--json")
    assert result.code == 2
    assert sentence in result.last["message"]


def test_a_store_that_is_none(eichi: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EICHI_STORE", "nonsense")
    result = eichi("list")
    assert result.code == 2
    assert "store" in result.err


def test_the_queue_is_ordered_and_changed(eichi: Run, two: tuple[int, int]) -> None:
    a, b = two
    assert eichi("move", b, "--to", 1, "--json").last["id"] == b
    assert order(eichi) == [(b, "waiting"), (a, "waiting")]
    assert eichi("move", a, "--priority", 1).code == 0
    assert order(eichi) == [(a, "waiting"), (b, "waiting")]
    assert eichi("edit", a, "--set", "sampling.steps=7", "--json").last["request"]["sampling"]["steps"] == 7
    assert eichi("edit", a, "--set", "seed=", "--json").last["request"]["seed"] is None
    assert eichi("edit", a, "--set", "seed=3", "--json").last["request"]["seed"] == 3
    assert eichi("edit", a, "--set", "sampling.steps.x=7").code == 2
    assert eichi("hold", a, "--json").last["status"] == "held"
    assert eichi("resume", a, "--json").last["status"] == "waiting"
    assert eichi("skip", a, "--json").last["status"] == "stopped"
    assert eichi("retry", a, "--json").last["status"] == "waiting"
    c = eichi("clone", b, "--json").last["id"]
    assert eichi("remove", b, "--files", "--json").last == {"removed": b, "files": []}
    assert order(eichi) == [(a, "waiting"), (c, "waiting")]
    shown = eichi("show", a, "--json").last
    said = [told["event"] for told in shown["events"]]
    states = ["waiting", "held", "waiting", "stopped", "waiting"]
    assert said == [{"kind": "changed", "status": status} for status in states]
    assert "request.seed = 3" in eichi("show", a).out
    assert eichi("stop", a, "--now").code == 2


def test_a_job_that_has_begun_is_changed_ahead_redone_and_branched_from(
    eichi: Run, picture: Path, tmp_path: Path
) -> None:
    values = {"image": str(picture), "prompt": "p", "seed": 1, "seconds": 4, "sampling": {"steps": 1}}
    assert eichi("add", "--image", picture, "--prompt", "p", "--seed", 1, "--seconds", 4, "--steps", 1).code == 0
    leave(tmp_path / ".a.parts", VideoOptions.parse(values), 2)
    with Store(load_settings().store) as store:
        write(store, 1, status=Status.HELD, checkpoint=str(tmp_path / ".a.parts"))
    edited = eichi("edit", 1, "--set", "prompt=q", "--set", "keyframes.prompts.2=r", "--json").last
    assert edited["request"]["keyframes"]["prompts"] == {"0": "p", "1": "p", "2": "r"}
    assert (edited["made"], edited["request"]["prompt"]) == (2, "q")
    for words, sentence in (
        (("edit", 1, "--set", "keyframes.prompts.1=x"), "--section-prompt 1: section 1 is finished"),
        (("edit", 1, "--set", "seconds=5"), "--seconds can no longer be changed"),
        (("redo", 1, 2), "Section 2 of job 1 is not finished yet"),
        (("branch", 1, "--keep", 3), "has 2 finished sections, so 3 cannot be kept"),
    ):
        refused = eichi(*words)
        assert (refused.code, refused.out) == (2, "")
        assert sentence in refused.err
    redone = eichi("redo", 1, 1, "--prompt", "s", "--seed", 7, "--json").last
    assert (redone["id"], redone["request"]["seed"], redone["plan"]["kept"]) == (2, 7, 1)
    assert redone["request"]["keyframes"]["prompts"] == {"0": "p", "1": "s", "2": "r"}
    branch = eichi("branch", 1, "--keep", 2, "--set", "prompt=t", "--set", "seconds=6", "--json").last
    assert (branch["id"], branch["plan"]["kept"], branch["plan"]["sections"]) == (3, 2, 5)
    assert branch["request"]["keyframes"]["prompts"] == {"0": "p", "1": "p", "2": "r"}


def test_the_whole_queue_is_held(eichi: Run, two: tuple[int, int]) -> None:
    assert eichi("hold", "--json").last == {"held": True}
    assert "paused" in eichi("list").err
    assert eichi("resume", "--json").last == {"held": False}
    assert eichi("stop", two[0], "--after-job").code == 0
    assert eichi("list", "--json").last["held"]


def test_following_replays_a_job_that_has_ended(eichi: Run, two: tuple[int, int]) -> None:
    eichi("skip", two[0])
    lines = [json.loads(line) for line in eichi("follow", two[0], "--json").out.splitlines()]
    assert [line["event"]["status"] for line in lines[:-1]] == ["waiting", "stopped"]
    assert lines[-1]["status"] == "stopped"
    assert "The job is now: stopped" in eichi("follow", two[0]).err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("request", "{"),
        ("plan", "[]"),
        ("result", "[" * 100_000),
        ("status", "dreaming"),
        ("created", "x"),
        ("said", "x"),
    ],
)
def test_a_damaged_row_is_shown_as_such_and_can_be_removed(
    eichi: Run, two: tuple[int, int], name: str, value: object
) -> None:
    bad, good = two
    with Store(load_settings().store) as store:
        write(store, bad, **{name: value})
    listed = eichi("list")
    sentence = f"The record of this job in the database is damaged ({name})."
    assert (listed.code, listed.out.count("damaged"), listed.err) == (0, 1, "")
    assert sentence in listed.out
    jobs = {job["id"]: job for job in eichi("list", "--json").last["jobs"]}
    assert [jobs[id]["damaged"] for id in two] == [[name], []]
    assert (jobs[bad]["actions"], jobs[bad]["error"]["id"]) == (["remove"], "error.job.damaged")
    assert jobs[good]["request"]["prompt"] == "p"
    shown = eichi("show", bad)
    assert shown.code == 0
    assert sentence in shown.out
    told = eichi("show", bad, "--json").last
    assert (told["damaged"], [one["event"]["kind"] for one in told["events"]]) == ([name], ["changed"])
    held = eichi("hold", bad, "--json")
    assert held.code == 2
    assert sentence in held.last["message"]
    assert eichi("remove", bad).code == 0
    assert order(eichi) == [(good, "waiting")]


def test_a_damaged_store_is_repaired(eichi: Run, two: tuple[int, int], home: Path) -> None:
    file = home / "jobs.db"
    assert eichi("repair", "--json").last == {
        "file": str(file), "damage": [], "backup": None, "jobs": 2, "events": 2, "lost": [], "lost_events": 0,
        "unknown": False,
    }  # fmt: skip
    assert "is not damaged" in eichi("repair").out
    content = file.read_bytes()
    file.write_bytes(content[: len(content) * 3 // 4])
    broken = eichi("list", "--json")
    assert broken.code == 1
    assert broken.last["error"] == "error.store.damaged"
    assert "eichi jobs repair" in broken.last["message"]
    made = eichi("repair", "--json").last
    assert made["damage"]
    assert Path(made["backup"]).stat().st_size == len(content) * 3 // 4
    assert made["jobs"] + len(made["lost"]) <= 2
    assert len(order(eichi)) == made["jobs"]
    file.write_bytes(b"no database at all" * 99)
    rebuilt = eichi("repair")
    assert rebuilt.code == 0
    assert "was damaged and has been rebuilt. Jobs: 0" in rebuilt.out
    assert "its contents cannot be determined" in rebuilt.out
    assert order(eichi) == []


@pytest.mark.parametrize("language", languages())
def test_what_was_lost_is_named(eichi: Run, home: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    monkeypatch.setenv("EICHI_LANGUAGE", language)
    made = Repaired(home / "jobs.db", ("x",), home / "jobs.damaged.db", 7, 12, (3, 5), 4)
    monkeypatch.setattr("eichi.jobs.repair.repair", lambda url: made)
    lines = eichi("repair").out.splitlines()
    assert len(lines) == 3
    assert str(made.backup) in lines[0]
    assert "3, 5" in lines[1]
    assert "4" in lines[2]


def test_a_store_that_cannot_be_repaired_is_one_sentence(eichi: Run, home: Path) -> None:
    result = eichi("repair")
    assert (result.code, result.out) == (2, "")
    assert "There is no job database" in result.err
    assert not home.exists()


def test_run_is_left_by_control_c_and_goes_on(eichi: Run, picture: Path) -> None:
    """The worker gets the signal too, as in a terminal: it must not lose its job by it."""
    if sys.platform == "win32":
        pytest.skip("no groups of processes that get a signal")
    # So many steps that what follows the first section outlasts the news of it.
    words = ("--image", picture, *SHORT, "--seconds", 1.5, "--steps", 40, "--no-teacache")
    long = eichi("add", *words, "--json").last["added"][0]
    command = [*TERMINAL, "jobs", "run", "--json"]
    process = subprocess.Popen(command, stdout=-1, stderr=-1, text=True, start_new_session=True)
    assert process.stdout is not None and process.stderr is not None
    for line in process.stderr:
        if line.startswith("Section"):
            break
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate()
    assert process.returncode == 130
    assert json.loads(out.splitlines()[-1])["stopped"]
    shown = eichi("show", long, "--json").last
    assert (shown["status"], shown["begun"]) == ("waiting", True)
    done = subprocess.run([*EICHI, "jobs", "run", "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {"jobs": {str(long): "done"}, "stopped": False}
    assert "steps computed 0" in done.stderr
    result = eichi("show", long, "--json").last["result"]
    assert Path(result["video"]).is_file()
