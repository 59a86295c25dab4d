"""One line on a class of options, with its words, and the option is everywhere; nowhere else is a list of them."""

import ast
import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from eichi.web.fieldset import FieldSet

from eichi.catalog import find
from eichi.declare import option, walk
from eichi.errors import OptionError
from eichi.flags import option_flags, read_request
from eichi.jobs.draft import pace_key
from eichi.options import FillOptions, FrameOptions, Options, VideoOptions
from eichi.plan.plan import make_plan
from eichi.reference import reference
from eichi.settings import Settings, load_settings
from eichi.web.fields import fields
from eichi.web.i18n import Words
from eichi.words import languages, table

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


@pytest.mark.parametrize("language", languages())
def test_it_is_on_the_page(language: str) -> None:
    view = fields(Sparkling)["sparkle"]
    assert (view.control, view.low, view.high, view.group, view.only) == ("slider", 1, 9, "motion", "forward")
    page = FieldSet(fields(Sparkling).values(), Words(language)).html.html_template
    assert f"Sparkle {language}" in page
    assert 'name="sparkle"' in page


def test_it_is_in_the_reference() -> None:
    expected = "| Sparkle en | `sparkle` | `--sparkle` | 1 to 9 % | `3` | F1 |  | time | How much it sparkles, en. |"
    assert expected in reference(Sparkling).splitlines()


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
    # A request of the page is made of controls and of what the timeline and the LoRA place hold.
    assert [place for place in lists() if not place.startswith("web/create.py")] == []
