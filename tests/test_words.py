"""All languages say the same things, everything that is said exists, and nothing exists that is never said."""

import ast
import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from string import Formatter

import pytest

from eichi import words
from eichi.declare import walk
from eichi.options import FillOptions, FrameOptions, VideoOptions
from eichi.settings import Settings

SOURCE = Path(str(files("eichi")))
TEXTS = words.table(words.ENGLISH)
FIRST = {id.split(".")[0] for id in TEXTS} - {"option"}
LANGUAGES = words.languages()


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def trees() -> Iterator[ast.Module]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield ast.parse(path.read_text(encoding="utf-8"), str(path))


def used() -> tuple[set[str], set[str]]:
    """Ids that the source names, and patterns of those it puts together."""
    ids, patterns = set(), set()
    for node in (node for tree in trees() for node in ast.walk(tree)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if re.fullmatch(r"[a-z]+(\.[a-z0-9_]+)+", node.value) and node.value.split(".")[0] in FIRST:
                ids.add(node.value)
        elif isinstance(node, ast.JoinedStr):
            parts = [
                re.escape(str(part.value)) if isinstance(part, ast.Constant) else "[a-z0-9_.]+" for part in node.values
            ]
            if r"\." in parts[0] and parts[0].split(r"\.")[0] in FIRST:
                patterns.add("".join(parts))
    return ids, patterns


def calls() -> Iterator[tuple[str, set[str]]]:
    """Calls that name an id and give its values one by one."""
    for node in (node for tree in trees() for node in ast.walk(tree)):
        if not (isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant)):
            continue
        id, names = node.args[0].value, {word.arg for word in node.keywords}
        given = [*node.args[1:], *(word.value for word in node.keywords)]
        tables = [value for value in given if isinstance(value, ast.Dict)]
        names |= {key.value for table in tables for key in table.keys if isinstance(key, ast.Constant)}  # type: ignore[misc]
        if isinstance(id, str) and id in TEXTS and None not in names:
            yield id, {str(name) for name in names}


def test_english_comes_first() -> None:
    assert LANGUAGES == ("en", "ja", "ru", "zh-TW")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_every_text_with_its_placeholders(language: str) -> None:
    table = words.table(language)
    assert list(table) == list(TEXTS)
    assert {id: placeholders(text) for id, text in table.items()} == {id: placeholders(TEXTS[id]) for id in TEXTS}
    assert [id for id, text in table.items() if not text.strip()] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_id_is_written_twice(language: str) -> None:
    def unique(pairs: list[tuple[str, str]]) -> dict[str, str]:
        assert len({key for key, _ in pairs}) == len(pairs)
        return dict(pairs)

    json.loads((SOURCE / "locales" / f"{language}.json").read_text(encoding="utf-8"), object_pairs_hook=unique)


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_error_is_one_line_and_says_what_to_do(language: str) -> None:
    for id, text in words.table(language).items():
        if id.startswith("error."):
            assert "\n" not in text
            assert len(re.findall(r"。|\.(?=\s|$)|\{reason\} ", text)) >= 2, f"{id}: {text}"


def test_every_id_that_the_source_names_exists() -> None:
    ids, patterns = used()
    assert sorted(ids - TEXTS.keys()) == []
    assert [pattern for pattern in patterns if not any(re.fullmatch(pattern, id) for id in TEXTS)] == []


def test_no_text_is_unused() -> None:
    ids, patterns = used()
    rest = [id for id in TEXTS if id not in ids and not id.startswith("option.")]
    assert [id for id in rest if not any(re.fullmatch(pattern, id) for pattern in patterns)] == []


def test_options_have_exactly_their_words() -> None:
    fields = [field for kind in (VideoOptions, FrameOptions, FillOptions, Settings) for field in walk(kind)]
    for top, ids in (("option", {field.id for field in fields}), ("label", {field.label for field in fields})):
        assert {id for id in TEXTS if id.startswith(f"{top}.")} == ids


def test_calls_fill_every_placeholder() -> None:
    found = list(calls())
    assert len(found) > 40
    assert [(id, names) for id, names in found if names and not placeholders(TEXTS[id]) <= names] == []


def test_say_fills_placeholders_and_leaves_values_alone() -> None:
    assert words.say("cli.error", "ja", sentence="{x}").endswith("{x}")
    with pytest.raises(KeyError):
        words.say("no.such.id")
    with pytest.raises(FileNotFoundError):
        words.say("cli.error", "xx", sentence="")
