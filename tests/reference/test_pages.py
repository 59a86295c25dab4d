"""The reference pages say what the program says, in every language, and the committed ones are today's."""

import re
from pathlib import Path

import pytest

from eichi.declare import walk
from eichi.documents import anchor
from eichi.options import FillOptions, FrameOptions, VideoOptions
from eichi.reference.marks import plain
from eichi.reference.pages import PAGES, page
from eichi.settings import Settings, variable
from eichi.words import languages, table

DOCS = Path(__file__).parents[2] / "docs"
KINDS = (VideoOptions, FrameOptions, FillOptions)


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
