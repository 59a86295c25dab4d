"""The reference pages say what the program says, in every language, and the committed ones are today's."""

import json
import re
from functools import cache
from pathlib import Path

import click
import pytest
from pydantic import TypeAdapter

from eichi.cli import commands
from eichi.declare import walk
from eichi.documents import anchor
from eichi.events import Message, dump, read_message
from eichi.options import FillOptions, FinishOptions, FrameOptions, VideoOptions
from eichi.reference.commands import target, walk_commands
from eichi.reference.marks import TITLES, plain
from eichi.reference.messages import TOPICS, filled
from eichi.reference.operations import operations, schema
from eichi.reference.pages import PAGES
from eichi.reference.pages import page as made
from eichi.settings import Settings, variable
from eichi.words import languages, table

DOCS = Path(__file__).parents[2] / "docs"
KINDS = (VideoOptions, FrameOptions, FinishOptions, FillOptions)
page = cache(made)


def targets(text: str) -> list[str]:
    return re.findall(r"^\(([^()]+)\)=$", text, re.MULTILINE)


@pytest.mark.parametrize("name", PAGES)
def test_the_committed_page_is_current(name: str) -> None:
    assert (DOCS / "reference" / f"{name}.md").read_text(encoding="utf-8") == page(name), "run `make docs`"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_the_same_targets_once_in_every_language(name: str) -> None:
    expected = targets(page(name))
    assert len({*expected}) == len(expected) > 0
    for language in languages():
        assert targets(page(name, language)) == expected


def test_every_option_and_setting_has_a_block() -> None:
    options, settings = page("options"), page("settings")
    fields = [field for kind in KINDS for field in walk(kind)]
    assert {anchor(field.id) for field in fields} == {*targets(options)}
    assert all(f"* **Key**: `{field.key}`" in options for field in fields)
    assert all(f"`{field.flag}" in options for field in fields if field.flag)
    assert {anchor(field.id) for field in walk(Settings)} == {*targets(settings)}
    assert all(f"* **Variable**: `{variable(field.key)}`" in settings for field in walk(Settings))


def test_a_block_says_what_is_declared() -> None:
    block = page("options").partition("(option-sampling-image-strength)=\n")[2].partition("\n(option")[0]
    assert "### Image influence\n\nHigher values keep closer to the start image" in block
    for line in (
        "Values**: 100 to 102 %",
        "Default**: `100`",
        "Model type**: F1",
        "For**: Video\n",
        "`--image-strength ",
    ):
        assert line in block
    block = page("options", "ja").partition("(option-weights-fp8-math)=\n")[2].partition("\n(option")[0]
    assert f"[{table('ja')['label.weights.fp8']}](#option-weights-fp8) が `off`（オフ）" in block


def test_every_command_and_flag_is_there() -> None:
    text = page("cli")
    for path, command in walk_commands(commands):
        block = text.partition(f"({target(path)})=\n")[2].partition("\n(command-")[0]
        assert block.startswith(("## ", "### ")) and f"`{path}`\n" in block
        flags = [flag for param in command.params if isinstance(param, click.Option) for flag in param.opts]
        assert [flag for flag in flags if not re.search(rf"^\* .*`{flag}[ `]", block, re.MULTILINE)] == []


def test_a_command_speaks_the_language() -> None:
    """No help is left in English, which would be one that is not found by its text."""
    english = {line for line in page("cli").splitlines() if " – " in line and "options.md" not in line}
    for language in languages()[1:]:
        assert english & {*page("cli", language).splitlines()} == set()


def test_every_message_is_there() -> None:
    ids = {id for id in table("en") if id.startswith(("error.", "note.", "flag.", "reason."))}
    assert {anchor(id) for id in ids} == {*targets(page("messages"))}
    assert all(f"`{id}`" in page("messages") for id in ids)


def test_a_message_has_words_for_what_fills_it() -> None:
    assert filled("error.option.value", "en") == "[option]: [value] cannot be used ([reason]). Enter another value."
    assert filled("reason.json_at", "en").endswith("line …, column …")
    assert filled("note.lora.used", "en").startswith("LoRA [file] (…): changes … weights at strength …")
    assert "\\[フラグ\\] で指定" in page("messages", "ja")


def test_every_event_is_there_with_its_fields() -> None:
    schemas = TypeAdapter(Message).json_schema(mode="serialization")["$defs"]
    kinds = [schema["properties"] for schema in schemas.values() if "kind" in schema.get("properties", {})]
    assert {fields["kind"]["const"].replace("_", "-") for fields in kinds} == {
        target.removeprefix("event-") for target in targets(page("events"))
    }
    for fields in kinds:
        block = page("events").partition(f"## `{fields['kind']['const']}`\n")[2].partition("\n(event-")[0]
        assert re.findall(r"^\* `(\w+)`", block, re.MULTILINE) == [name for name in fields if name != "kind"]
        example = json.loads(re.findall(r"```json\n(.*)\n```", block)[0])
        assert dump(read_message(example)) == example and example.keys() == fields.keys()


def test_every_operation_and_object_is_there() -> None:
    """A new operation needs its sentence, `reference.operation.NAME`, in four languages."""
    text, every = page("operations"), [*operations()]
    assert {id for id in table("en") if id.startswith("reference.operation.")} == {
        f"reference.operation.{operation['operationId']}" for _, _, operation in every
    }
    for method, path, operation in every:
        block = text.partition(f"(operation-{operation['operationId'].replace('_', '-')})=\n")[2].partition("\n(")[0]
        assert block.startswith(f"### `{method} {path}`\n")
        assert all(f"`{one['name']}`" in block for one in operation.get("parameters", ()))
    for name, told in schema()["components"]["schemas"].items():
        block = text.partition(f"(object-{name.lower()})=\n")[2].partition("\n(")[0]
        assert name.startswith("Body_") or all(f"* `{field}`" in block for field in told.get("properties", ()))


def test_families_of_topics_exist() -> None:
    families = {id.split(".")[1] for id in table("en") if id.startswith(("error.", "note.", "flag."))}
    named = [family for names, _ in TOPICS.values() for family in names]
    assert [family for family in named if family not in families] == []
    assert len({*named}) == len(named)


def test_signs_mean_nothing_but_code() -> None:
    assert plain("a *b* __c__ [2s: …] `x_*` <y>") == r"a \*b\* \_\_c\_\_ \[2s: …\] `x_*` \<y\>"


def test_every_link_leads_to_a_page_or_a_target() -> None:
    every = {target for name in PAGES for target in targets(page(name))}
    for name in PAGES:
        for text, link in re.findall(r"\[([^\]]*)\]\(([^)]+)\)", page(name)):
            assert text
            path, _, target = link.partition("#")
            assert not target or target in every
            assert path == "" or path.startswith("../guide/") or (DOCS / "reference" / path).exists()


def test_a_page_of_the_guide_is_called_by_its_title() -> None:
    there = {name: DOCS / "guide" / f"{name}.md" for name in TITLES}
    titles = {name: path.read_text(encoding="utf-8").partition("\n")[0] for name, path in there.items()}
    assert titles == {name: f"# {title}" for name, title in TITLES.items()}
