"""One line on a class of options, with its words, and the option is everywhere; nowhere else is a list of them."""

import ast
import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

from eichi.catalog import find
from eichi.declare import option, walk
from eichi.errors import OptionError
from eichi.flags import option_flags, read_request
from eichi.jobs.draft import pace_key
from eichi.jobs.store import Store
from eichi.options import QUEUED, FillOptions, FrameOptions, Options, VideoOptions
from eichi.plan.plan import make_plan
from eichi.reference.declared import options_page
from eichi.settings import Settings, load_settings
from eichi.web.api.options import KINDS as ON_THE_PAGE
from eichi.web.app import make_app
from eichi.web.desk import Desk
from eichi.words import languages, say, table

SOURCE = Path(str(files("eichi")))
KINDS: tuple[type[Options], ...] = (VideoOptions, FrameOptions, FillOptions)
# What is no list of ours: the names that other programs have for options, and which one is advised on in a table.
FOREIGN = {"library/eichi19.py", "video/foreign/named.py", "library/advice.py"}


class Sparkling(VideoOptions):
    """A copy with one option more."""

    sparkle: int = option(3, "--sparkle", group="motion", only="forward", costs=("time",), unit="percent", ge=1, le=9)


@pytest.fixture(autouse=True)
def words(monkeypatch: pytest.MonkeyPatch) -> None:
    for language in languages():
        monkeypatch.setitem(table(language), "label.sparkle", f"Sparkle {language}")
        monkeypatch.setitem(table(language), "option.sparkle", f"How much it sparkles, {language}.")


def asked(*words: str) -> str:
    """What a command says whose flags are those of the class."""

    @click.command
    @option_flags(Sparkling)
    def command(assignments: tuple[str, ...], **flags: Any) -> None:
        click.echo(json.dumps(read_request(Sparkling, assignments, flags, load_settings()).dump()))

    return CliRunner().invoke(command, words, catch_exceptions=False).output


def test_it_is_a_flag() -> None:
    assert "--sparkle VALUE" in asked("--help")
    assert "How much it sparkles, en. [3]" in asked("--help")
    assert json.loads(asked("--sparkle", "5"))["sparkle"] == json.loads(asked("--set", "sparkle=5"))["sparkle"] == 5


def test_it_is_in_the_schema() -> None:
    said = Sparkling.model_json_schema()["properties"]["sparkle"]
    assert said == {
        "type": "integer",
        "default": 3,
        "minimum": 1,
        "maximum": 9,
        "title": "Sparkle en",
        "description": "How much it sparkles, en.",
        "label": "label.sparkle",
        "help": "option.sparkle",
        "flag": "--sparkle",
        "group": "motion",
        "only": "forward",
        "costs": ["time"],
        "unit": "percent",
    }


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, home: Path) -> Iterator[TestClient]:
    """A server for which the class is that of videos."""
    for place in ("pages", "drafts"):
        monkeypatch.setattr(f"eichi.web.{place}.VideoOptions", Sparkling)
    for kinds in (QUEUED, ON_THE_PAGE):
        monkeypatch.setitem(kinds, "video", Sparkling)
    settings = load_settings()
    with Store(settings.store) as store, TestClient(make_app(Desk(settings, store, print)), "http://localhost") as one:
        yield one


@pytest.mark.parametrize("language", languages())
def test_it_is_on_the_page(client: TestClient, language: str) -> None:
    page = client.get(f"/{language}/create").text
    group = re.findall(r'<details class="group" data-group="motion".*?</details>', page, re.DOTALL)[0]
    field = re.findall(r'<div class="field[^>]* data-key="sparkle".*?</p>', group, re.DOTALL)[0]
    assert 'data-only="forward"' in field
    assert re.search(r'<input type="range"[^>]* min="1" max="9" step="1(?:\.0)?">', field)
    assert re.search(r'<input type="text"[^>]* name="sparkle"[^>]* data-low="1" data-high="9"', field)
    for text in (f"Sparkle {language}", say("unit.percent", language), f"How much it sparkles, {language}."):
        assert f">{text}<" in field
    facts = json.loads(re.findall(r'<script type="application/json" id="facts">(.*?)</script>', page, re.DOTALL)[0])
    assert (facts["only"]["sparkle"], facts["defaults"]["sparkle"]) == ("forward", 3)


def test_it_is_described_over_http(client: TestClient) -> None:
    described = client.get("/api/v1/fields/video").json()["fields"]
    view = next(one for one in described if one["key"] == "sparkle")
    assert (view["control"], view["low"], view["high"]) == ("slider", 1, 9)
    assert (view["group"], view["only"], view["label"]) == ("motion", "forward", "label.sparkle")
    assert client.get("/api/v1/options").json()["video"]["properties"]["sparkle"]["flag"] == "--sparkle"


@pytest.mark.parametrize(
    ("options", "id"),
    [
        ({"model": "tiny-f1", "sparkle": 12}, "error.option.range"),
        ({"sparkle": 5}, "error.direction.reverse"),
    ],
)
def test_a_draft_is_planned_without_it_where_it_is_wrong(client: TestClient, options: dict[str, Any], id: str) -> None:
    drawn = client.post("/api/v1/drafts/video", json={"options": options}).json()
    assert ("sparkle", id) in [(problem["key"], problem["id"]) for problem in drawn["problems"]]
    assert drawn["plan"]["sections"]


@pytest.mark.parametrize("language", languages())
def test_it_is_in_the_reference(language: str) -> None:
    block = options_page(language, [Sparkling]).partition("(option-sparkle)=\n")[2].partition("\n(option-")[0]
    assert block.startswith(f"### Sparkle {language}\n\nHow much it sparkles, {language}.\n")
    values = say("reference.range", language, low=1, high=9)
    for fact in (f"{values} %\n", "`3`\n", f"{say('mode.forward')}\n", "`--sparkle VALUE`\n", "`sparkle`\n"):
        assert f"{say('reference.is', language)}{fact}" in block


def test_it_is_refused_for_the_other_model_and_changes_the_pace() -> None:
    given = Sparkling.parse({"image": "a.png", "seed": 1, "sparkle": 5})
    with pytest.raises(OptionError, match=r"sparkle is for F1 models"):
        make_plan(given, find("tiny"), (80, 48))
    assert "sparkle=5" in pace_key(make_plan(given, find("tiny-f1"), (80, 48))).split()


def listed(node: ast.AST, keys: set[str]) -> set[str]:
    """The option keys that a table, a list or a set names as they are."""
    parts = node.keys if isinstance(node, ast.Dict) else getattr(node, "elts", [])
    return {part.value for part in parts if isinstance(part, ast.Constant) and part.value in keys}


def lists() -> Iterator[str]:
    """Places in the source that name two options or more together, by their whole keys."""
    keys = {field.key for kind in KINDS for field in walk(kind) if "." in field.key}
    keys |= {field.key for field in walk(Settings) if "_" in field.key}
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if name not in FOREIGN else ():
            if len(listed(node, keys)) > 1:
                yield f"{name}:{getattr(node, 'lineno', 0)}"


def test_nothing_else_lists_options() -> None:
    assert [*lists()] == []
