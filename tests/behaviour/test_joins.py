"""A clip in steady motion that is continued goes on without a jump: a small version of measured/joins.md."""

from itertools import islice
from pathlib import Path
from statistics import median

import pytest

from benchmarks.joins import Joiner, Joint, crossings

pytestmark = pytest.mark.slow


def joints(model: str, folder: Path, *ways: bool) -> list[list[Joint]]:
    """The joins of a few clips, encoded as we do or in chunks."""
    joiner, cases = Joiner(model, folder), [*islice(crossings(), 2)]
    return [[joiner.joint(one, said=True, chunks=way, sampling={"steps": 3}) for one in cases] for way in ways]


def test_f1_goes_on_over_the_join_as_the_clip_went(tmp_path: Path) -> None:
    (found,) = joints("tiny-f1", tmp_path, False)
    assert median(one.step for one in found) <= 1.5, found
    assert median(one.way for one in found) >= 0.5, found


def test_the_standard_model_too_and_chunks_of_sixteen_frames_begin_again_before_the_end(tmp_path: Path) -> None:
    ours, theirs = joints("tiny", tmp_path, False, True)
    assert median(one.step for one in ours) <= 1.5, ours
    assert median(one.way for one in ours) >= 0.5, ours
    assert median(one.step for one in theirs) > 1.5, "three frames are made twice, which is what this has to see"
