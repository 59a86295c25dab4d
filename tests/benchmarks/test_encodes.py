"""A few encodes in every run of the suite; `make torture` does many."""

from pathlib import Path

from benchmarks.encodes import encodes


def test_one_clip_is_one_file(tmp_path: Path) -> None:
    told: list[str] = []
    assert encodes(6, 1, tmp_path, told.append) == 1
    assert told[0].startswith("6 encodes of one clip")
    assert not list(tmp_path.iterdir())
