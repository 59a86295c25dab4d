"""The reference page says what the declarations say, and the committed one is today's."""

from pathlib import Path

from eichi.declare import walk
from eichi.options import FillOptions, FrameOptions, VideoOptions
from eichi.reference import reference
from eichi.settings import Settings, variable

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "options.md"
KINDS = (VideoOptions, FrameOptions, FillOptions)


def test_the_committed_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(*KINDS), "run `make docs`"


def test_every_option_and_setting_is_on_it() -> None:
    page = reference(*KINDS)
    for kind in KINDS:
        assert all(f"`{field.key}`" in page for field in walk(kind))
        assert all(f"`{field.flag}`" in page for field in walk(kind) if field.flag)
    assert all(f"`{variable(field.key)}`" in page for field in walk(Settings))


def test_a_row_says_what_is_declared() -> None:
    (row,) = (line for line in reference(VideoOptions).splitlines() if "`sampling.image_strength`" in line)
    assert "| Image influence | `sampling.image_strength` | `--image-strength` | 100 to 102 % | `100` | F1 |" in row
    (row,) = (line for line in reference(VideoOptions).splitlines() if "| `weights.fp8_math` |" in line)
    assert "| `weights.fp8` is `off` | time |" in row
