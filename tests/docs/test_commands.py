"""Every command in the documents is one that the program takes; those that need the embedded model alone are run.

A command that is wrong is found by the parsers themselves: flags, values, names of commands, targets of `make`,
variables, services of the containers, modules and paths of tests.
"""

import re
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import click
import pytest
import yaml
from click.exceptions import Exit
from PIL import Image

from eichi.cli import commands as cli
from eichi.declare import walk
from eichi.flags import SWEEP, read_request
from eichi.options import FrameOptions, VideoOptions
from eichi.settings import Settings, load_settings, variable
from tests.clips import clip
from tests.docs.blocks import OPEN, ROOT, Line, commands
from tests.pictures import save_small
from tests.program import Run

LINES = list(commands())
NAMED = sorted({line.block.page for line in LINES})
SETTINGS = {variable(field.key) for field in walk(Settings)}
# Variables of others, and of what only the scripts or the containers read.
FOREIGN = {"UV_FIND_LINKS", "UV_NO_INDEX", "HF_ENDPOINT", "HF_TOKEN", "HTTPS_PROXY", "TZ", "REQUIRE_BROWSER"}
SCRIPTS = {"EICHI_TORCH_INDEX", "EICHI_TORCH", "EICHI_HOME"}
# What belongs to the system or to somebody else.
SYSTEM = {"cd", "cp", "curl", "docker", "export", "ffmpeg", "git", "loginctl", "pip", "python3.11", "ray", "rm"}
SYSTEM |= {"systemctl"}
# What developers have beside the program.
TOOLS = {"coverage", "lint-imports", "mypy", "oxlint", "pre-commit", "pytest", "ruff"}
TARGETS = set(re.findall(r"^([a-z][\w-]*)(?=[ \w-]*:)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
SERVICES = set(yaml.safe_load((ROOT / "compose.yml").read_text(encoding="utf-8"))["services"])
# Commands that draw nothing, and so run as they stand, by their first words.
QUICK = ("plan", "memory", "lora list", "lora inspect", "jobs list", "workers")
DRAWS = ("generate", "frame", "extend")
LONG = 3.0  # seconds of a video
# What a name of a file ends with.
FILE = re.compile(r"[\w./~-]+\.(?:jpg|png|mp4|m4a|txt|safetensors)")


def parsed(words: list[str], command: click.Command = cli, parent: click.Context | None = None) -> list[click.Context]:
    """A command line as the program's own parsers take it: a context for each command. Raises ClickException."""
    context = command.make_context(words[0], words[1:], parent)
    if not isinstance(command, click.Group) or not (rest := [*context._protected_args, *context.args]):
        return [context]
    name, inner, further = command.resolve_command(context, rest)
    assert inner is not None
    return [context, *parsed([str(name), *further], inner, context)]


def program(line: Line, words: list[str]) -> None:
    """A call of the program: what its parsers and the request behind them say."""
    try:
        contexts = parsed(["eichi", *words])
    except Exit:  # of --help
        return
    except click.ClickException as error:
        pytest.fail(f"{line}: {error.format_message()}")
    given = contexts[-1].params
    if "assignments" not in given:
        return
    kind = FrameOptions if "denoise" in given and ("seconds" not in given or given.get("frame")) else VideoOptions
    known = {field.key.replace(".", "__") for field in walk(kind)} | set(SWEEP)
    flags = {name: value for name, value in given.items() if name in known}
    read_request(kind, given["assignments"], flags, load_settings())  # raises our own errors


def script(line: Line, words: list[str]) -> None:
    """A start script hands on to the page what it is given."""
    program(line, ["ui", *words])


def target(line: Line, words: list[str]) -> None:
    assert set(words) <= TARGETS, line


def python(line: Line, words: list[str]) -> None:
    """A module that there is, and tests that there are."""
    if words[0] != "-m":
        return
    assert find_spec(words[1]) is not None, line
    for word in words[2:]:
        if word.startswith(("tests", "src")):
            assert (ROOT / word).exists(), line


def containers(line: Line, words: list[str]) -> None:
    """Services by their names; within one, the program's own words."""
    if words[0] != "compose":
        return
    values = {word for word in words[1:] if word in SERVICES}
    assert values or words[1] in ("down", "ps", "pull", "config"), line
    if words[1] in ("exec", "run"):
        rest = words[words.index(next(iter(values))) + 1 :]
        program(line, rest[1:] if rest[0] == "eichi" else rest)


CHECKS: dict[str, Callable[[Line, list[str]], None]] = {
    "eichi": program,
    "start.sh": script,
    "start.bat": script,
    "make": target,
    "python": python,
    "docker": containers,
}


@pytest.mark.parametrize("page", NAMED, ids=[str(page.relative_to(ROOT)) for page in NAMED])
def test_every_command_is_one(page: Path) -> None:
    for line in (line for line in LINES if line.block.page == page):
        assert line.variables.keys() <= SETTINGS | FOREIGN | SCRIPTS, line
        if not line.words:
            continue
        name = re.split(r"[/\\]", line.words[0])[-1]
        assert name in CHECKS or name in SYSTEM | TOOLS, line
        if name in CHECKS:
            CHECKS[name](line, line.words[1:])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the documents speak of."""
    made = tmp_path_factory.mktemp("documents")
    demo = made / "src" / "eichi" / "demo"
    shutil.copytree(ROOT / "src" / "eichi" / "demo", demo)
    for name in ("cat.jpg", "end.jpg", "sitting.jpg", "dress.png"):
        save_small(made / name)
    for name in ("style.safetensors", "face.safetensors"):
        shutil.copyfile(demo / "blueprint.safetensors", made / name)
    for name in ("holiday.mp4", "evening.mp4"):
        clip(made / name)
    Image.linear_gradient("L").save(made / "mask.png")
    return made


def value(line: Line, flag: str) -> str:
    """What stands behind a flag."""
    return line.words[line.words.index(flag) + 1]


def there(line: Line, folder: Path) -> bool:
    """Whether every file that a command names is in the folder, so that the embedded model can run it."""
    return OPEN not in line.text and all((folder / name).exists() for name in FILE.findall(" ".join(line.words)))


def test_what_draws_nothing_runs(folder: Path, eichi: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    ran = 0
    for line in (line for line in LINES if line.words[0] == "eichi" and there(line, folder)):
        if " ".join(line.words[1:3]).startswith(QUICK) or ("--plan" in line.words and line.words[1] in DRAWS):
            result = eichi(*line.words[1:])
            assert result.code == 0, f"{line}: {result.err}"
            ran += 1
    assert ran > 10


def test_what_draws_runs(folder: Path, eichi: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one step each: of commands with the same flags the first, and none that makes a long video."""
    monkeypatch.chdir(folder)
    seen = set[str]()
    for line in (line for line in LINES if line.words[0] == "eichi" and line.words[1] in DRAWS and there(line, folder)):
        flags = {f"{line.words[1]} {word}" for word in line.words if word.startswith("--")}
        long = line.words[1] != "frame" and ("--seconds" not in line.words or float(value(line, "--seconds")) > LONG)
        if not long and not flags <= seen and not {"--plan", "--gpus", "--sweep-target"} & set(line.words):
            seen |= flags
            result = eichi(*line.words[1:], "--steps", "1")
            assert result.code == 0, f"{line}: {result.err}"
    assert len(seen) > 10
