"""The page for people from other programs says what is true here: its numbers are computed, its commands exist."""

import re
from fractions import Fraction
from pathlib import Path

import click
import pytest

from eichi.catalog import FRAMEPACK_SIZES
from eichi.cli import commands
from eichi.declare import walk
from eichi.options import FrameOptions, VideoOptions
from eichi.plan.oneframe import PROFILES
from eichi.plan.size import nearest
from eichi.plan.timeline import frame_count, latent_count, padding_latents, real_seconds, section_count

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "guide" / "coming-from.md").read_text(encoding="utf-8")
# The flags of musubi-tuner, which stand in the left column of its table.
THEIRS = {"--f1", "--latent_paddings", "--embedded_cfg_scale", "--guidance_scale", "--infer_steps"} | {
    "--one_frame_inference",
    "--control_image_path",
    "--control_image_mask_path",
}


def rows(columns: int) -> list[list[str]]:
    """The rows of the tables of numbers that have so many columns."""
    lines = (line.strip("|").split("|") for line in PAGE.splitlines() if line.startswith("|"))
    cells = [[cell.strip() for cell in line] for line in lines]
    return [row for row in cells if len(row) == columns and row[0].isdecimal()]


def rounded(seconds: int, frames: int) -> int:
    """Sections as FramePack and eichi count them, of so many frames; halves go to the even number."""
    return max(round(Fraction(30 * seconds, frames)), 1)


def length(sections: int) -> str:
    return f"{real_seconds(frame_count(latent_count(9, sections))):.2f}"


@pytest.mark.parametrize("row", rows(6), ids=lambda row: row[0])
def test_section_counts_by_both_rules(row: list[str]) -> None:
    seconds = int(row[0])
    ours, standard, forward = section_count(seconds, 9), rounded(seconds, 36), rounded(seconds, 33)
    asked = ["" if count == ours else length(count) for count in (standard, forward)]
    assert row[1:] == [str(ours), str(standard), asked[0], str(forward), asked[1]]
    for count, ask in zip((standard, forward), asked, strict=True):
        assert not ask or section_count(float(ask), 9) == count


@pytest.mark.parametrize("row", rows(4), ids=lambda row: row[0])
def test_sections_of_half_a_second(row: list[str]) -> None:
    seconds = int(row[0])
    assert row[1:] == [str(section_count(seconds, 5)), str(rounded(seconds, 18)), str(rounded(seconds, 15))]


def test_the_lengths_that_differ_are_in_the_table() -> None:
    differ = {seconds for seconds in range(1, 41) if section_count(seconds, 9) != rounded(seconds, 36)}
    assert differ == {9, 21, 33}
    assert differ <= {int(row[0]) for row in rows(6)}


def test_paddings_and_sizes() -> None:
    assert int(1 * 4.5) == 4
    assert padding_latents(2, 5, 1.0) == (5, 0)
    sizes = FRAMEPACK_SIZES[640]
    assert (nearest(sizes, 100, 100), nearest(sizes, 19, 20)) == ((640, 640), (640, 608))
    assert not {(960, 1080), (1080, 960)} & set(FRAMEPACK_SIZES[1080])


def test_flags_and_commands_are_there() -> None:
    known = {field.flag for kind in (VideoOptions, FrameOptions) for field in walk(kind)} | {"--set", "--from"}
    queue = commands.commands["jobs"]
    assert isinstance(queue, click.Group)
    known |= {name for one in queue.commands["add"].params for name in one.opts}
    assert set(re.findall(r"--[a-z][a-z_0-9-]+", PAGE)) - THEIRS <= known
    for words in re.findall(r"`eichi ([a-z]+)", PAGE):
        assert words in commands.commands
    keys = {field.key for kind in (VideoOptions, FrameOptions) for field in walk(kind)}
    assert set(re.findall(r"--set ([a-z._]+)=", PAGE)) <= keys
    assert all(profile in PAGE for profile in PROFILES)


def test_it_is_found() -> None:
    assert "docs/guide/coming-from.md" in (ROOT / "README.md").read_text(encoding="utf-8")
