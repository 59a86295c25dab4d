"""What is said goes out whatever the standard streams are: any coding, a full disk, a reader that has gone."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from eichi.catalog import ModelFolders
from eichi.errors import FolderError, OptionError
from eichi.jobs.draft import draft
from eichi.options import FrameOptions, VideoOptions
from eichi.words import languages, say

MAIN = "from eichi.cli import main; main()"
# Several commands in one process: to start one costs more than what it says.
EACH = """
import contextlib, json, os, sys
from eichi.cli import main
for language, *words in json.loads(sys.argv.pop()):
    os.environ["EICHI_LANGUAGE"] = language
    sys.argv[1:] = words
    with contextlib.suppress(SystemExit):
        main()
"""
# As the pipes of Windows are in Western Europe, Russia and Japan, and those of a bare system.
CODINGS = ("cp1252", "cp1251", "cp932", "ascii")
SAID = (["--help"], ["frame", "--help"], ["jobs", "list"], ["jobs", "list", "--json"], ["plan"], ["plan", "--json"])
# Without a coding for the names of files either.
BARE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def eichi(
    *words: str | bytes, code: str = MAIN, out: int = subprocess.PIPE, place: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    """A command in a process of its own, with variables of its own: its exit code and what it wrote."""
    command, variables = [sys.executable, "-c", code, *words], os.environ | (place or {})
    done = subprocess.run(command, env=variables, stdout=out, stderr=subprocess.PIPE, check=False)
    return done.returncode, (done.stdout or b"").decode("utf-8"), done.stderr.decode("utf-8")


@pytest.mark.parametrize("coding", CODINGS)
def test_everything_goes_out_in_utf8(coding: str, picture: Path) -> None:
    asked = [[language, *words] for language in languages() for words in SAID]
    asked.append(["ja", "plan", "--image", str(picture)])
    code, out, err = eichi(json.dumps(asked), code=EACH, place={"PYTHONIOENCODING": coding})
    assert (code, "Traceback" in err) == (0, False), err
    told = [json.loads(line).get("message") for line in out.splitlines() if line.startswith("{")]
    for language in languages():
        missing = say("cli.error.image.required", language, flag="--image")
        assert missing in told
        assert say("cli.error", language, sentence=missing) in err
    assert "セクション" in out


def test_words_in_utf8_are_read_on_a_bare_system() -> None:
    code, out, err = eichi("plan", "--json", "--prompt", "é".encode(), place=BARE)
    assert (code, json.loads(out)["error"]) == (2, "error.image.required"), err
    code, out, err = eichi("plan", "--json", "--prompt", b"caf\xe9", place=BARE)
    assert (code, json.loads(out)["error"]) == (2, "error.option.coding"), err


@pytest.mark.parametrize("half", ["\ud800", "caf\udce9"])
def test_half_a_character_is_refused(half: str) -> None:
    wrong: list[dict[str, Any]] = [
        {"prompt": half},
        {"image": half},
        {"keyframes": {"sections": {0: half}}},
        {"keyframes": {"prompts": {"0": half}}},
        {"weights": {"loras": [f"{half}:0.5"]}},
    ]
    for values in wrong:
        with pytest.raises(OptionError) as refused:
            VideoOptions.parse(values)
        assert refused.value.id == "error.option.coding"
    with pytest.raises(OptionError, match="There is no option"):
        VideoOptions.parse({half: 1})
    with pytest.raises(OptionError, match="not UTF-8 text"):
        FrameOptions.parse({"references": [{"image": "a.png", "mask": Path(half)}]})


def test_a_folder_that_no_job_can_name_is_refused(picture: Path) -> None:
    with pytest.raises(FolderError, match="not UTF-8 text"):
        draft(VideoOptions.parse({"image": picture}), Path("caf\udce9"), ModelFolders(picture.parent))
    assert list(picture.parent.iterdir()) == [picture]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a system without a full device")
@pytest.mark.parametrize("words", [("--help",), ("models", "list", "--json")], ids=" ".join)
def test_output_that_nothing_takes_is_an_error(words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        code, _, err = eichi(*words, out=full.fileno())
    sentence = say("error.output.write", reason="reason.os.full")
    assert (code, err) == (1, say("cli.error", sentence=sentence) + "\n")


def test_a_reader_that_has_gone_ends_it_quietly() -> None:
    read, write = os.pipe()
    os.close(read)
    assert eichi("--help", out=write) == (1, "", "")
    os.close(write)
