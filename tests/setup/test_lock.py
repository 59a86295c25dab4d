"""The lock of the start scripts and the constraints of pip are one: the same versions, and nothing missing."""

import re
import tomllib
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from eichi.setup.steps import EXTRAS, room
from eichi.words import say

ROOT = Path(__file__).parents[2]
CARD = re.compile(r"torch|triton|nvidia|cuda")  # what a card decides on; named in the lock by none
LINE = re.compile(r"^([\w.-]+)==([^\s;]+)(?: ; ([^\\\n]+?))? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.M)


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def locked() -> dict[str, str]:
    return {canonicalize_name(name): version for name, version, _, _ in LINE.findall(text("install/lock.txt"))}


def pinned() -> dict[str, str]:
    lines = (line.partition(";")[0].strip() for line in text("constraints.txt").splitlines() if line[0] != "#")
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}


def test_each_line_has_a_version_and_hashes() -> None:
    rest = LINE.sub("", text("install/lock.txt"))
    assert [line for line in rest.splitlines() if not line.startswith("#")] == []
    rest = LINE.sub("", text("install/uv.txt"))
    assert [line for line in rest.splitlines() if not line.startswith("#")] == []


def test_the_versions_are_those_of_pip() -> None:
    wanted = locked()
    del wanted["httpx2-jsfetch"]  # for a browser's Python alone
    assert {name: pinned().get(name) for name in wanted} == wanted


def test_what_a_card_decides_on_is_pinned_but_not_locked() -> None:
    assert [name for name in locked() if CARD.match(name)] == []
    assert "torch" in pinned()


def test_all_that_the_program_needs_is_locked() -> None:
    project = tomllib.loads(text("pyproject.toml"))["project"]
    also = (line.partition("#")[0].strip() for line in text("install/also.in").splitlines())
    left = [*project["dependencies"], *(name for name in also if name)]
    seen: set[str] = set()
    while left:
        need = Requirement(left.pop())
        name = canonicalize_name(need.name)
        if name in seen or (
            need.marker and not any(need.marker.evaluate({"extra": one}) for one in ("", *need.extras))
        ):
            continue
        seen.add(name)
        if not CARD.match(name):
            assert name in locked(), name
        if name in ("editables", "hatchling", "pip", "torchvision"):  # not in the environment of the tests
            continue
        left += [one for one in requires(name) or [] if "extra ==" not in one]
    assert len(seen) > len(project["dependencies"])


def test_extras_are_pinned() -> None:
    extras = tomllib.loads(text("pyproject.toml"))["project"]["optional-dependencies"]
    wanted = {canonicalize_name(Requirement(need).name) for name in EXTRAS for need in extras[name]}
    assert wanted - pinned().keys() == {"sageattention"}  # of which the registry has the first version alone


def test_the_lock_names_the_version_of_the_program() -> None:
    version = tomllib.loads(text("pyproject.toml"))["project"]["version"]
    assert text("install/lock.txt").startswith(f"# framepack-eichi {version}: ")


def test_scripts_and_the_lock_are_for_one_python() -> None:
    (asked,) = re.findall(r'^# requires-python = "==(3\.\d+)\.\*"$', text("start.py"), re.M)
    assert f"--python-version {asked}" in text("Makefile")
    project = tomllib.loads(text("pyproject.toml"))
    assert project["tool"]["mypy"]["python_version"] == asked


def test_what_a_set_up_takes_is_the_same_everywhere() -> None:
    """The document says what the set-up asks of the disk."""
    least, card = room()["least"], room()["card"]
    assert f"at least {least} GiB free while it sets up, for an NVIDIA card about {card}" in text(
        "docs/guide/install.md"
    )
    assert f"at least {least}, for an NVIDIA card about {card}." in say("start.room", folder="x", free=1.0, **room())


def test_what_takes_minutes_is_not_silent() -> None:
    """Pip under `make`, uv in the image; that uv is fetched by pip in seconds."""
    pip = [line for line in text("Makefile").splitlines() if "-m pip install" in line]
    assert pip and not any("--quiet" in line for line in pip)
    image = text("Dockerfile").partition("FROM libraries AS program")[0]
    assert "uv pip install" in image and "pip install --quiet" not in image
