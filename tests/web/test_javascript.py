"""The page's own JavaScript and styles, read as text: small modules, types where one uses another, texts that exist,
and nothing that the policy of the page forbids.
"""

import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest

from eichi import words
from eichi.web.pages import PLACES, WEB

STATIC, TEMPLATES = WEB / "static", WEB / "templates"
MODULES = sorted(STATIC.glob("*.js"))
PAGES = sorted(TEMPLATES.glob("*.html"))
TEXTS = words.table(words.ENGLISH)
MOST = 350  # lines of a module
EXPORTED = re.compile(
    r"export (?:(?:async )?function (?P<function>\w+)\("
    r"|const (?P<const>\w+) = (?:async )?(?P<open>\()?"
    r"|class (?P<class>\w+))"
)
METHOD = re.compile(r"^  (?:static )?(?:async )?(?!if|for|while|switch|catch)(?P<method>[a-z]\w*)\(", re.MULTILINE)
ID = re.compile(r"""["']([a-z]+(?:\.[a-z0-9_]+)+)["']""")
BUILT = re.compile(r"`([a-z]+\.[a-z0-9_.]*)\$\{")
# What would read markup or scripts from a string.
FORBIDDEN = re.compile(
    r"\b(innerHTML|outerHTML|insertAdjacentHTML|createContextualFragment|srcdoc|eval\(|new Function\b"
    r"|document\.write|setAttribute\(\"(?:style|on\w+)\")"
)


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def without_remarks(code: str) -> str:
    return re.sub(r"/\*.*?\*/|^\s*//[^\n]*", "", code, flags=re.DOTALL | re.MULTILINE)


def inside(code: str, begin: int) -> str:
    """What stands between the bracket before `begin` and the one that closes it."""
    depth, quote = 1, ""
    for at in range(begin, len(code)):
        sign = code[at]
        if quote:
            quote = "" if sign == quote and code[at - 1] != "\\" else quote
        elif sign in "\"'`":
            quote = sign
        elif sign in "([{":
            depth += 1
        elif sign in ")]}":
            depth -= 1
            if not depth:
                return code[begin:at]
    raise AssertionError(code[begin : begin + 80])


def split(parts: str) -> list[str]:
    """The parts of a list, where the commas within brackets are none of its own."""
    found, depth = [""], 0
    for sign in parts:
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and not depth:
            found.append("")
        else:
            found[-1] += sign
    return [part.strip() for part in found if part.strip()]


def remark(code: str, at: int) -> str:
    """The block of JSDoc right above a place."""
    above = code[:at].rstrip()
    begin = above.rfind("/**")
    return above[begin:] if above.endswith("*/") and begin >= 0 else ""


def untyped(doc: str, parameters: list[str]) -> bool:
    """Whether a parameter has no type in a block of JSDoc; one that is taken apart may have any name there."""
    told = re.findall(r"@param \{[^\n]+?\} \[?(?:\.\.\.)?([\w.]+)", doc)
    names = [re.match(r"(?:\.\.\.)?(\w+)", one) for one in parameters]
    return any(name[1] not in told for name in names if name) or len(parameters) > len(
        [x for x in told if "." not in x]
    )


def exports(code: str) -> Iterator[tuple[str, str, list[str] | None]]:
    """What a module gives to others: name, its JSDoc, its parameters where it is a function."""
    for found in re.finditer(r"^export ", code, re.MULTILINE):
        match = EXPORTED.match(code, found.start())
        assert match, code[found.start() : found.start() + 80]
        name = match["function"] or match["const"] or match["class"]
        called = match["function"] or match["open"]
        yield name, remark(code, found.start()), split(inside(code, match.end())) if called else None
        if match["class"]:
            body = code[match.end() : code.index("\n}\n", match.end())]
            for method in METHOD.finditer(body):
                yield f"{name}.{method['method']}", remark(body, method.start()), split(inside(body, method.end()))


def first_argument(code: str, at: int) -> str:
    return next(iter(split(inside(code, at))), "")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_is_small(path: Path) -> None:
    assert len(text(path).splitlines()) <= MOST


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_says_what_it_is(path: Path) -> None:
    told = list(takewhile(lambda line: line.startswith("//"), text(path).splitlines()))
    assert len(" ".join(told)) > 40


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_what_others_use_has_types(path: Path) -> None:
    found = list(exports(text(path)))
    assert [name for name, doc, parameters in found if not doc and (parameters or "." not in name)] == []
    assert [name for name, doc, parameters in found if untyped(doc, parameters or [])] == []


@pytest.mark.parametrize("path", [*MODULES, *PAGES], ids=lambda path: path.name)
def test_nothing_reads_markup_or_scripts_from_strings(path: Path) -> None:
    assert FORBIDDEN.findall(without_remarks(text(path))) == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_template_has_no_script_and_no_style_of_its_own(path: Path) -> None:
    page = text(path)
    assert re.findall(r"<[^>]*\s(style|on[a-z]+)\s*=", page) == []
    assert re.findall(r"<style", page) == []
    scripts = re.findall(r"<script\b[^>]*>", page)
    assert [one for one in scripts if "src=" not in one and "application/json" not in one] == []
    assert re.findall(r"(?:src|href)=\"(?:https?:)?//", page) == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_what_a_module_says_exists(path: Path) -> None:
    code = text(path)
    said = [first_argument(code, match.end()) for match in re.finditer(r"\b(?:say|known)\(", code)]
    tops = {id.split(".")[0] for id in TEXTS}
    ids = {id for part in said for id in ID.findall(part) if id.split(".")[0] in tops}
    ids |= {id for id in re.findall(r"\b(?:word\w*|undo|text|title): \"([a-z]+\.[a-z0-9_.]+)\"", code)}
    assert sorted(ids - TEXTS.keys()) == []
    begins = {begin for part in said for begin in BUILT.findall(part)}
    assert [begin for begin in begins if not any(id.startswith(begin) for id in TEXTS)] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_what_a_template_says_exists(path: Path) -> None:
    page = text(path)
    ids = set(re.findall(r"data-word(?:-\w+)?=\"([a-z]+\.[a-z0-9_.]+)\"", page))
    ids |= set(re.findall(r"\bw\('([a-z]+\.[a-z0-9_.]+)'\)", page))
    assert sorted(ids - TEXTS.keys()) == []
    begins = set(re.findall(r"\bw\('([a-z]+\.[a-z0-9_.]*)' ?~", page))
    begins |= set(re.findall(r"data-word(?:-\w+)?=\"([a-z]+\.[a-z0-9_.]*)\{\{", page))
    assert [begin for begin in begins if not any(id.startswith(begin) for id in TEXTS)] == []


def test_no_file_of_the_page_is_left_over() -> None:
    pages, code = "".join(map(text, PAGES)), "".join(map(text, MODULES))
    listed = {name for names in re.findall(r"in \[([^\]]+)\] %\}", pages) for name in re.findall(r"'([\w-]+)'", names)}
    used = set(re.findall(r"[\w-]+\.(?:js|css|svg)", pages + code)) | {f"{place}.js" for place in PLACES}
    used |= {f"{name}.{kind}" for name in listed for kind in ("js", "css")}
    assert sorted({path.name for path in STATIC.iterdir()} - used) == []


def test_every_module_that_is_asked_for_exists() -> None:
    asked = {name for path in MODULES for name in re.findall(r"from \"\./([^\"]+)\"|import\(\"\./", text(path)) if name}
    asked |= {f"{place}.js" for place in PLACES}
    assert sorted(asked - {path.name for path in MODULES}) == []
