"""What the documents say to programs in Python: the blocks run as they stand, the names and calls are today's."""

import inspect
import re
from pathlib import Path

import pytest

import eichi
from eichi.video.metadata import read_record
from tests.clips import Made

DOCS = Path(__file__).parents[2] / "docs" / "reference"
NAMED = "261130_042045_663"


def blocks(name: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", (DOCS / name).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture
def place(tmp_path: Path, picture: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    picture.rename(tmp_path / "cat.jpg")
    Made(count=6, size=(64, 48)).write(tmp_path / "holiday.mp4")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_blocks_run(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for block in blocks("python.md"):
        small = block.replace("seconds=1,", "seconds=0.5, section_size=0.5,")
        exec(re.sub(r"resolution=64, seed=(\w+)\)", r'resolution=64, seed=\1, sampling={"steps": 1})', small), {})
    videos, images = [*place.glob("outputs/*.mp4")], [*place.glob("outputs/*.png")]
    images = [path for path in images if read_record(path)["kind"] != "finish"]
    assert (len(videos), len(images)) == (3, 4)
    said = capsys.readouterr().out
    assert "100%" in said and "error.picture.missing" in said
    images[0].rename(place / "outputs" / f"{NAMED}.png")
    exec(blocks("formats.md")[0], {})
    assert read_record(place / "outputs" / f"{NAMED}.png")["request"]["prompt"] in capsys.readouterr().out


def test_everything_that_is_exported_is_named_as_it_is_called() -> None:
    text = (DOCS / "python.md").read_text(encoding="utf-8")
    for name in eichi.__all__:
        made = getattr(eichi, name)
        if inspect.isfunction(made):
            words = []
            for one in inspect.signature(made).parameters.values():
                default = "never" if inspect.isfunction(one.default) else repr(one.default)
                words.append(one.name if one.default is one.empty else f"{one.name}={default}")
            assert f"\n{name}({', '.join(words)})\n" in text
        else:
            assert re.search(rf"\b{name}\b", text)
