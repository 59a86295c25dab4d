"""A job's files are compared with their checksums: what is damaged is named and made again, to the same bytes."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eichi import make_plan
from eichi.catalog import ModelFolders
from eichi.errors import InputError
from eichi.events import Adjusted, Event, Finished, SectionDone
from eichi.models.load import Components
from eichi.options import VideoOptions
from eichi.pipeline.checkpoint import Checkpoint
from eichi.pipeline.generate import generate
from eichi.pipeline.originals import originals
from eichi.settings import Runtime
from eichi.video.card import CARD, CHECKSUM, FILES, TWIN, read_card, write_card
from eichi.video.jobfolder import find
from eichi.video.outputs import SECTIONS
from eichi.video.sectionfolder import section_file
from tests import small


@dataclass(frozen=True)
class Left:
    """What an interrupted job left, and the digest of the video that it would have made."""

    folder: Path
    components: Components
    video: str

    def copy(self, place: Path) -> Checkpoint:
        return Checkpoint(Path(shutil.copytree(self.folder, place / self.folder.name)))

    def mend(self, checkpoint: Checkpoint) -> list[Adjusted]:
        plan = checkpoint.plan(self.components.entry)
        return checkpoint.mend(plan, originals(plan))

    def go_on(self, checkpoint: Checkpoint) -> list[Event]:
        plan = checkpoint.plan(self.components.entry)
        return list(generate(plan, checkpoint.folder.parent, self.components, checkpoint=checkpoint))


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    """Three sections, of which the first was taken over; all but the last of the frames are there."""
    home = tmp_path_factory.mktemp("job")
    folder = small.build(home / "model")
    components = Components(small.entry(folder), Runtime(ModelFolders(folder), "cpu"))
    for number, name in enumerate(("start", "end")):
        pixels = np.random.default_rng(number).integers(0, 255, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(home / f"{name}.png")
    values = {"image": home / "start.png", "prompt": "a red star", "section_size": 0.5, "seconds": 2, "seed": 1}
    values |= {
        "sampling": {"steps": 1},
        "output": {"latents": True, "segments": True},
        "keyframes": {"final": home / "end.png"},
    }
    *_, before = generate(make_plan(VideoOptions.parse(values), components.entry), home, components)
    assert isinstance(before, Finished)
    kept = Path(before.video).with_suffix(".safetensors").rename(home / "kept.safetensors")
    plan = make_plan(VideoOptions.parse({**values, "kept": {"latents": kept, "sections": 1}}), components.entry)
    *_, whole = generate(plan, home / "whole", components)
    assert isinstance(whole, Finished)
    events, made = generate(plan, home / "cut", components), 0
    while made < 3:
        made += isinstance(next(events), SectionDone)
    events.close()  # type: ignore[attr-defined]
    return Left(Checkpoint(find(None, home / "cut")).folder, components, digest(Path(whole.video)))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def flip(path: Path) -> None:
    """One bit, about in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1 << 4
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


DAMAGES: tuple[Callable[[Path], None], ...] = (flip, cut, Path.unlink)


def test_every_damage_is_found_and_named(left: Left, tmp_path: Path) -> None:
    """Each file in turn, in each way; and once more there is nothing to find."""
    checkpoint = left.copy(tmp_path)
    there = [path for path in checkpoint.folder.rglob("*") if path.is_file() and path.name != "lock"]
    files = sorted(path.relative_to(checkpoint.folder).as_posix() for path in there)
    card = read_card(checkpoint.folder)[0]
    assert files == sorted([CARD, TWIN, *card[FILES]])
    assert {Path(name).suffix for name in files} == {".json", ".png", ".safetensors", ".mp4"}
    assert any(name.startswith(f"{SECTIONS}/") for name in files)
    for name in files:
        for damage in DAMAGES:
            damage(checkpoint.folder / name)
            (note,) = left.mend(checkpoint)
            if name.endswith(".json"):
                assert (note.id, note.values) == ("note.resume.card", {})
            elif name.endswith(".png"):
                assert (note.id, note.values) == ("note.resume.copy", {"path": f"{ORIGINALS[name]}.png"})
            elif name == section_file(0):
                assert (note.id, note.values) == ("note.resume.copy", {"path": "kept.safetensors"})
            elif name.endswith(".safetensors"):
                assert (note.id, note.values) == ("note.resume.section", {"number": int(name[8:12])})
                assert not (checkpoint.folder / name).exists()
            else:
                first, last = map(int, Path(name).stem.split("-"))
                assert (note.id, note.values) == ("note.resume.frames", {"first": first, "last": last})
                assert not (checkpoint.folder / name).exists()
            if not (checkpoint.folder / name).exists():
                shutil.copy(left.folder / name, checkpoint.folder / name)
                write_card(checkpoint.folder, card)
            assert left.mend(checkpoint) == []


ORIGINALS = {"image.png": "start", "final.png": "end"}


@pytest.mark.parametrize(
    ("names", "damage", "drawn"),
    [
        ([section_file(1)], flip, 1),
        (["*.mp4"], cut, 0),
        (["image.png", CARD], Path.unlink, 0),
        ([section_file(0), section_file(1), section_file(2), "final.png", TWIN], flip, 2),
    ],
)
def test_the_bytes_are_those_of_a_whole_run(
    left: Left, tmp_path: Path, names: list[str], damage: Callable[[Path], None], drawn: int
) -> None:
    checkpoint = left.copy(tmp_path)
    for name in names:
        damage(next(checkpoint.folder.glob(name)))
    events = left.go_on(checkpoint)
    assert sum(isinstance(event, Adjusted) and event.id.startswith("note.resume") for event in events) == len(names)
    assert sum(isinstance(event, SectionDone) and event.computed > 0 for event in events) == drawn
    assert isinstance(events[-1], Finished)
    assert digest(Path(events[-1].video)) == left.video


def test_a_section_that_comes_out_otherwise_takes_what_follows_with_it(left: Left, tmp_path: Path) -> None:
    """As on a machine that does not repeat itself; here the lost section was another one."""
    checkpoint = left.copy(tmp_path)
    card = read_card(checkpoint.folder)[0]
    write_card(checkpoint.folder, card | {FILES: card[FILES] | {section_file(1): "0" * 32}})
    events = left.go_on(checkpoint)
    said = [event.id for event in events if isinstance(event, Adjusted) and event.id.startswith("note.resume")]
    assert said == ["note.resume.section", "note.resume.otherwise"]
    assert [event.computed > 0 for event in events if isinstance(event, SectionDone)] == [False, True, True]
    assert isinstance(events[-1], Finished)
    assert digest(Path(events[-1].video)) == left.video


@pytest.mark.parametrize("name", ["image.png", section_file(0)])
def test_an_original_that_is_another_one_is_refused(left: Left, tmp_path: Path, name: str) -> None:
    """Nothing is put away then, so that it can be brought back."""
    checkpoint = left.copy(tmp_path)
    original = originals(checkpoint.plan(left.components.entry))[name].path
    there = {path.name for path in checkpoint.folder.iterdir()}
    flip(checkpoint.folder / name)
    aside = original.rename(original.with_name("aside"))
    try:
        with pytest.raises(InputError, match="has changed since"):
            left.go_on(checkpoint)
    finally:
        aside.rename(original)
    assert {path.name for path in checkpoint.folder.iterdir()} == there
    assert digest(Path(str(getattr(left.go_on(checkpoint)[-1], "video", "")))) == left.video


def test_a_job_of_the_version_before_goes_on(left: Left, tmp_path: Path) -> None:
    """It has one card and no checksums; a section that cannot be read is drawn again."""
    checkpoint = left.copy(tmp_path)
    card = {key: value for key, value in read_card(checkpoint.folder)[0].items() if key not in (FILES, CHECKSUM)}
    (checkpoint.folder / CARD).write_text(json.dumps(card), encoding="utf-8")
    (checkpoint.folder / TWIN).unlink()
    (checkpoint.folder / section_file(1)).write_bytes(b"cut")
    for segment in checkpoint.folder.glob("*.mp4"):
        segment.write_bytes(b"cut")
    events = left.go_on(checkpoint)
    said = [event for event in events if isinstance(event, Adjusted) and event.id.startswith("note.resume")]
    assert said == [Adjusted("note.resume.section", {"number": 1})]
    assert isinstance(events[-1], Finished)
    assert digest(Path(events[-1].video)) == left.video


def test_what_was_never_finished_does_not_count(left: Left, tmp_path: Path) -> None:
    """A file in its place that the card does not know: the process died between the two."""
    checkpoint = left.copy(tmp_path)
    card = read_card(checkpoint.folder)[0]
    segment = next(name for name in card[FILES] if name.endswith(".mp4"))
    gone = (section_file(2), segment)
    write_card(checkpoint.folder, card | {FILES: {n: c for n, c in card[FILES].items() if n not in gone}})
    (checkpoint.folder / segment).write_bytes(b"of another seed")
    events = left.go_on(checkpoint)
    assert not any(isinstance(event, Adjusted) and event.id.startswith("note.resume") for event in events)
    assert isinstance(events[-1], Finished)
    assert digest(Path(events[-1].video)) == left.video
