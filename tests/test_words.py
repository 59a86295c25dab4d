"""All languages say the same things, everything that is said exists, and nothing exists that is never said."""

import ast
import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from eichi import words
from eichi.declare import walk
from eichi.options import FillOptions, FinishOptions, FrameOptions, VideoOptions
from eichi.settings import Settings

SOURCE = Path(str(files("eichi")))
TEXTS = words.table(words.ENGLISH)
FIRST = {id.split(".")[0] for id in TEXTS} - {"option"}
LANGUAGES = words.languages()
# What looks like an id: a question to nvidia-smi, the key of a field of the page, that of an option.
FOREIGN = {"memory.free", "page.", "finish.upscale"}


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None and not name.startswith("@")}


def trees() -> Iterator[ast.Module]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield ast.parse(path.read_text(encoding="utf-8"), str(path))


def used() -> tuple[set[str], set[str]]:
    """Ids that the source, the pages or other texts name, and patterns of those that are put together."""
    ids, patterns = set(), set()
    drawn = (*(SOURCE / "web").rglob("*"), *(SOURCE.parents[1] / "docs" / "_theme").rglob("*"))
    for path in (path for path in sorted(drawn) if path.suffix in (".html", ".js")):
        text = path.read_text(encoding="utf-8")
        ids |= set(re.findall(r"""["'`]([a-z]+(?:\.[a-z0-9_]+)+)["'`]""", text)) & TEXTS.keys()
        built = rf"[\"'`]((?:{'|'.join(FIRST)})\.[a-z0-9_.]*)(?:\$\{{|\{{\{{|[\"'] *[+~])"
        patterns |= {f"{begin}[a-z0-9_.]+" for begin in re.findall(built, text) if begin not in FOREIGN}
    for text in TEXTS.values():
        patterns |= {f"{begin}[a-z0-9_]+" for begin in re.findall(rf":([a-z.]+){words.SAID}\}}", text)}
    for node in (node for tree in trees() for node in ast.walk(tree)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if (
                node.value not in FOREIGN
                and re.fullmatch(r"[a-z]+(\.[a-z0-9_]+)+", node.value)
                and node.value.split(".")[0] in FIRST
            ):
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
    assert ("en", *sorted(LANGUAGES[1:])) == LANGUAGES
    assert {"ja", "ru", "zh-TW"} <= set(LANGUAGES)


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
    patterns.add("option.+")
    patterns |= {f"cli.{pattern}" for pattern in patterns} | {f"cli.{re.escape(id)}" for id in ids}
    known = re.compile("|".join(sorted(patterns)))  # more patterns than the library keeps compiled
    assert [id for id in TEXTS if id not in ids and not known.fullmatch(id)] == []


def test_options_have_exactly_their_words() -> None:
    fields = [
        field for kind in (VideoOptions, FrameOptions, FillOptions, FinishOptions, Settings) for field in walk(kind)
    ]
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


def test_an_id_in_a_placeholder_is_said() -> None:
    def full(language: str, reason: str) -> str:
        return words.say("error.output.write", language, reason=reason)

    assert "(the disk is full)" in full("en", "reason.os.full")
    assert "（ディスクに空きがありません）" in full("ja", "reason.os.full")
    assert "(of another version, 3)" in full("en", "of another version, 3")
    values = {"job": 1, "status": "done", "wanted": "held, waiting"}
    assert "一時停止中、待機中" in words.say("error.job.state", "ja", **values)


def test_one_and_many_and_the_section_without_a_number() -> None:
    values: dict[str, Any] = {"model": "m", "frames": 1, "seconds": 1.5, "width": 8, "height": 8}
    assert words.say("plan.summary", **values, sections=1) == "m: 1 section, 1 frame, 1.50 s, 8x8"
    assert words.say("plan.summary", "ru", **values, sections=2) == "m: секций: 2, кадров: 1, 1,50 с, 8x8"
    black: dict[str, Any] = {"frames": 2, "count": 9}
    assert words.say("flag.black", number=-1, **black).startswith("Warning: the connecting section is black")
    assert "в секции 3 чёрных" in words.say("flag.black", "ru", number=3, **black)


def test_figures_have_the_sign_of_the_language_and_no_more_than_they_need() -> None:
    said = {code: words.say("note.seconds", code, real=2.43, asked=2.0) for code in ("en", "ja", "ru")}
    assert "2.43 s instead of 2 s" in said["en"]
    assert "2.43" in said["ja"]
    assert "2,43 с вместо 2 с" in said["ru"]


@pytest.mark.parametrize(
    ("size", "english", "russian"),
    [
        (0, "0 B", "0 Б"),
        (4_100_000, "4.1 MB", "4,1 МБ"),
        (350 * 10**6, "350 MB", "350 МБ"),
        (999_600_000, "1 GB", "1 ГБ"),
        (12 * 10**12, "12000 GB", "12000 ГБ"),
    ],
)
def test_small_amounts_are_not_zero_of_a_large_unit(size: int, english: str, russian: str) -> None:
    assert words.say("models.removed", count=1, freed=size) == f"Files removed: 1, {english} freed."
    assert russian in words.say("models.removed", "ru", count=1, freed=size)


@pytest.mark.parametrize(
    ("code", "language"),
    [
        ("zh-tw", "zh-TW"),
        ("ZH_TW.UTF-8", "zh-TW"),
        ("zh-Hant", "zh-TW"),
        ("zh", "zh-TW"),
        ("ja_JP.UTF-8", "ja"),
        ("ru_RU", "ru"),
        (" EN ", "en"),
        ("en-GB", "en"),
        ("", None),
        ("C", None),
        ("klingon", None),
        ("r", None),
    ],
)
def test_a_language_is_known_in_whatever_way_it_is_written(code: str, language: str | None) -> None:
    assert words.language_of(code) == language
