"""No work is lost: whatever ends a job, going on gives the bytes of a job that nothing ended."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from eichi import make_plan
from eichi.catalog import ModelFolders
from eichi.errors import DiskError, InputError
from eichi.events import Adjusted, Event, Finished, FramesReady, LatentsReady, SectionDone, Step, Stopped
from eichi.models.kernels import Kernels
from eichi.models.load import Components
from eichi.options import VideoOptions
from eichi.pipeline.checkpoint import Checkpoint, sweep
from eichi.pipeline.generate import generate
from eichi.plan.plan import Plan
from eichi.settings import Runtime
from eichi.video.card import CARD, TWIN, write_card
from eichi.video.jobfolder import find, unfinished
from eichi.video.metadata import read_record
from eichi.video.reader import measure_video
from tests import small
from tests.machine import no_file_above

SECTIONS = 3


@pytest.fixture(scope="module", params=["framepack", "framepack-f1"])
def components(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Components:
    folder = small.build(tmp_path_factory.mktemp(request.param), request.param)
    return Components(small.entry(folder), Runtime(ModelFolders(folder), "cpu"))


@pytest.fixture(scope="module")
def plan(components: Components, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    picture = tmp_path_factory.mktemp("pictures") / "start.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (80, 64, 3), dtype=np.uint8)).save(picture)
    values: dict[str, Any] = {"image": picture, "prompt": "a {star}", "section_size": 0.5, "seconds": 2, "seed": 3}
    values |= {"sampling": {"steps": 3}, "output": {"latents": True}}
    made = make_plan(VideoOptions.parse(values), components.entry)
    assert len(made.sections) == SECTIONS
    return made


@pytest.fixture(scope="module")
def whole(plan: Plan, components: Components, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Digests of what an uninterrupted job leaves."""
    folder = tmp_path_factory.mktemp("whole")
    assert isinstance(list(generate(plan, folder, components))[-1], Finished)
    return digests(folder)


def digests(folder: Path) -> dict[str, str]:
    """Every visible file by its ending."""
    return {path.suffix: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("[!.]*")}


def elsewhere(plan: Plan, components: Components, folder: Path, **output: Any) -> Plan:
    """The same plan with a copy of its picture in another folder."""
    folder.mkdir()
    copy = shutil.copy(plan.images["image"], folder / "start.png")
    values = plan.options.dump() | {"image": copy}
    return make_plan(VideoOptions.parse(values | {"output": values["output"] | output}), components.entry)


def interrupt(plan: Plan, folder: Path, components: Components, kind: type[Event], count: int) -> Checkpoint:
    """Abandon a job at the count-th event of a kind, as a crash does."""
    events = generate(plan, folder, components)
    for event in events:
        count -= isinstance(event, kind)
        if not count:
            break
    events.close()  # type: ignore[attr-defined]
    return Checkpoint(find(None, folder))


def go_on(checkpoint: Checkpoint, components: Components) -> list[Event]:
    plan = checkpoint.plan(components.entry)
    return list(generate(plan, checkpoint.folder.parent, components, checkpoint=checkpoint))


@pytest.mark.parametrize(
    ("kind", "count", "left"),
    [
        (Step, 4, 2),
        (LatentsReady, 2, 1),
        (SectionDone, 2, 1),
        (FramesReady, 1, None),
        (Step, 9, 1),
        (SectionDone, 3, 0),
    ],
)
def test_interrupted_anywhere(
    plan: Plan,
    components: Components,
    whole: dict[str, str],
    tmp_path: Path,
    kind: type[Event],
    count: int,
    left: int | None,
) -> None:
    forward_start = kind is LatentsReady and components.entry.direction == "forward"  # the start image comes first
    checkpoint = interrupt(plan, tmp_path, components, kind, count + forward_start)
    assert not list(tmp_path.glob("[!.]*"))
    events = go_on(checkpoint, components)
    assert isinstance(events[-1], Finished)
    made = sum(isinstance(event, SectionDone) and event.computed > 0 for event in events)
    assert left is None or made == left
    assert digests(tmp_path) == whole
    assert not checkpoint.folder.exists()


def test_stopped_and_gone_on(plan: Plan, components: Components, whole: dict[str, str], tmp_path: Path) -> None:
    seen: list[Event] = []
    for event in generate(plan, tmp_path, components, stop=lambda: isinstance(seen[-1], FramesReady)):
        seen.append(event)
    last = seen[-1]
    assert isinstance(last, Stopped)
    assert last.video is not None
    go_on(Checkpoint(find(last.video, tmp_path)), components)
    assert digests(tmp_path) == whole


def test_the_originals_may_go(plan: Plan, components: Components, whole: dict[str, str], tmp_path: Path) -> None:
    checkpoint = interrupt(plan, tmp_path, components, SectionDone, 1)
    start = plan.images["image"]
    aside = start.rename(start.with_name("aside.png"))
    try:
        go_on(checkpoint, components)
    finally:
        aside.rename(start)
    assert digests(tmp_path) == whole


def test_results_are_the_same_from_any_folder_and_name_none(
    plan: Plan, components: Components, whole: dict[str, str], tmp_path: Path
) -> None:
    """The job's own card knows where its files lie, and goes with the job."""
    other = elsewhere(plan, components, tmp_path / "secret")
    checkpoint = interrupt(other, tmp_path / "results", components, SectionDone, 1)
    card = checkpoint.card()
    assert card["request"]["image"] == str(tmp_path / "secret" / "start.png")
    assert card["record"]["request"]["image"] == "start.png"
    assert os.name == "nt" or checkpoint.folder.stat().st_mode & 0o077 == 0
    (tmp_path / "secret" / "start.png").unlink()
    go_on(checkpoint, components)
    assert digests(tmp_path / "results") == whole
    for path in (tmp_path / "results").iterdir():
        assert not any(name.encode() in path.read_bytes() for name in ("secret", tmp_path.name, components.entry.name))


def test_section_videos_of_a_job_that_went_on(plan: Plan, components: Components, tmp_path: Path) -> None:
    """One a section, the same bytes as without a break, all frames of the clip between them."""
    made = elsewhere(plan, components, tmp_path / "pictures", segments=True)
    list(generate(made, tmp_path / "whole", components))
    go_on(interrupt(made, tmp_path / "broken", components, SectionDone, 2), components)
    kept = [sorted((tmp_path / name).glob("*_section*.mp4")) for name in ("whole", "broken")]
    assert [len(files) for files in kept] == [SECTIONS, SECTIONS]
    contents = [[path.read_bytes() for path in files] for files in kept]
    assert contents[0] == contents[1]
    assert sum(measure_video(path).frames for path in kept[1]) == made.frames


def test_half_written_files_do_not_count(
    plan: Plan, components: Components, whole: dict[str, str], tmp_path: Path
) -> None:
    checkpoint = interrupt(plan, tmp_path, components, SectionDone, 2)
    (checkpoint.folder / "section-0001.safetensors").write_bytes(b"cut")
    (checkpoint.folder / "section-0002.safetensors.part").write_bytes(b"cut")
    (checkpoint.folder / "000000-000009.part").write_bytes(b"cut")
    go_on(checkpoint, components)
    assert digests(tmp_path) == whole


@pytest.mark.parametrize("card", [CARD, TWIN])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "nothing"])
def test_what_is_no_file_is_made_again(
    plan: Plan, components: Components, whole: dict[str, str], tmp_path: Path, kind: str, card: str
) -> None:
    """Nothing waits for it, and nothing is in its way."""
    if sys.platform == "win32":
        pytest.skip("there are no pipes in folders")
    checkpoint = interrupt(plan, tmp_path, components, FramesReady, 2)
    other = tmp_path / ".other"
    other.mkdir()
    (other / "mine").write_bytes(b"x")
    segment = next(path.name for path in checkpoint.folder.glob("*.mp4"))
    for name in (card, f".{card}.part", "lock", "image.png", "section-0000.safetensors", segment, "preview.png"):
        path = checkpoint.folder / name
        path.unlink(missing_ok=True)
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "folder":
            path.mkdir()
            (path / "link").symlink_to(other)
        else:
            path.symlink_to("/dev/zero" if kind == "device" else "nobody")
    (checkpoint.folder / "other").symlink_to(other)
    said = [event.id for event in go_on(checkpoint, components) if isinstance(event, Adjusted)]
    for note in ("note.resume.card", "note.resume.copy", "note.resume.section", "note.resume.frames"):
        assert note in said
    assert digests(tmp_path) == whole
    assert (other / "mine").read_bytes() == b"x"
    assert not checkpoint.folder.exists()


def test_a_lock_that_is_a_link(plan: Plan, components: Components, whole: dict[str, str], tmp_path: Path) -> None:
    checkpoint = interrupt(plan, tmp_path, components, SectionDone, 1)
    lock, other = checkpoint.folder / "lock", tmp_path / ".other"
    other.write_bytes(b"x")
    lock.unlink(missing_ok=True)
    try:
        lock.symlink_to(other)
    except OSError:
        pytest.skip("no links can be made here")
    go_on(checkpoint, components)
    assert digests(tmp_path) == whole
    assert other.read_bytes() == b"x"


def test_what_is_no_card_is_named_and_can_be_discarded(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / ".job.parts")
    for name in (CARD, TWIN):
        (checkpoint.folder / name / "below").mkdir(parents=True)
    with pytest.raises(InputError, match=r"neither job\.json nor job-twin\.json"):
        checkpoint.plan()
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []
    for name in (CARD, TWIN):
        (checkpoint.folder / name / "below").mkdir(parents=True)
    checkpoint.discard()
    assert list(tmp_path.iterdir()) == []


def test_other_weights_are_refused(plan: Plan, components: Components, tmp_path: Path) -> None:
    checkpoint = interrupt(plan, tmp_path, components, SectionDone, 1)
    other = Components(components.entry, Runtime(ModelFolders(tmp_path), "cpu"))
    copy = shutil.copytree(components.folders["vae"], tmp_path / "vae")
    os.utime(copy / "config.json", (1, 1))
    other.folders["vae"] = Path(copy)
    with pytest.raises(InputError, match=r"weights\.vae \w+ → \w+"):
        go_on(checkpoint, other)
    assert checkpoint.begun


def test_other_options_and_versions_are_refused(plan: Plan, components: Components, tmp_path: Path) -> None:
    checkpoint = interrupt(plan, tmp_path, components, SectionDone, 1)
    card = checkpoint.card()
    card["versions"]["torch"] = "1.0"
    write_card(checkpoint.folder, card)
    with pytest.raises(InputError, match=r"versions\.torch 1\.0 → 2"):
        go_on(checkpoint, components)


def test_a_job_of_a_version_with_fewer_options_goes_on(plan: Plan, components: Components, tmp_path: Path) -> None:
    checkpoint = interrupt(plan, tmp_path, components, SectionDone, 1)
    card = checkpoint.card()
    for key in ("start", "source", "written"):
        del card["request"][key]
    del card["request"]["sampling"]["nag"]
    write_card(checkpoint.folder, card)
    assert isinstance(go_on(checkpoint, components)[-1], Finished)


@pytest.mark.parametrize(("key", "other"), [("device", "cuda"), ("vae_tile", 64)])
def test_other_machines_are_refused(
    plan: Plan, components: Components, tmp_path: Path, key: str, other: object
) -> None:
    checkpoint = interrupt(plan, tmp_path, components, SectionDone, 1)
    card = checkpoint.card()
    card["machine"][key] = other
    write_card(checkpoint.folder, card)
    with pytest.raises(InputError, match=rf"machine\.{key} {other} → "):
        go_on(checkpoint, components)


def test_going_on_takes_as_many_threads(plan: Plan, components: Components, tmp_path: Path) -> None:
    """Torch adds up in another order with each number of threads: the number is the job's, not that of the cores."""

    def threads(checkpoint: Checkpoint | None) -> Iterator[int]:
        for event in generate(plan, tmp_path, components, checkpoint=checkpoint):
            if isinstance(event, Step):
                yield torch.get_num_threads()

    here = torch.get_num_threads()
    try:
        torch.set_num_threads(here + 6)
        begun = threads(None)
        seen = {next(begun) for _ in range(4)}
        begun.close()  # type: ignore[attr-defined]
    finally:
        torch.set_num_threads(here)
    assert set(threads(Checkpoint(find(None, tmp_path)))) == seen != {here}
    assert torch.get_num_threads() == here


@pytest.mark.parametrize(("kind", "count"), [(Step, 1), (SectionDone, 1), (FramesReady, 2)])
def test_a_full_disk(
    plan: Plan, components: Components, whole: dict[str, str], tmp_path: Path, kind: type[Event], count: int
) -> None:
    """While latents, a segment or the result is written: one sentence, no half file, and nothing is lost."""
    events = generate(plan, tmp_path, components)
    for event in events:
        count -= isinstance(event, kind)
        if not count:
            break
    with no_file_above(1000), pytest.raises(DiskError, match=r"the file is too large.*eichi resume"):
        list(events)
    assert not list(tmp_path.glob("[!.]*"))
    assert not list(tmp_path.rglob("*.part"))
    checkpoint = Checkpoint(find(None, tmp_path))
    assert isinstance(go_on(checkpoint, components)[-1], Finished)
    assert digests(tmp_path) == whole
    assert not checkpoint.folder.exists()


@pytest.fixture
def disk() -> Iterator[Path]:
    """A disk of its own that has little room."""
    folder = Path(tempfile.mkdtemp())
    words = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(words, capture_output=True, check=False).returncode:
        folder.rmdir()
        pytest.skip("a file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
    folder.rmdir()


def test_a_disk_that_is_really_full(plan: Plan, components: Components, whole: dict[str, str], disk: Path) -> None:
    with pytest.raises(DiskError, match="the disk is full"):
        list(generate(plan, disk, components))
    checkpoint = Checkpoint(find(None, disk))
    subprocess.run(["mount", "-o", "remount,size=16m", str(disk)], check=True)
    go_on(checkpoint, components)
    assert digests(disk) == whole


def test_a_job_belongs_to_one_process(plan: Plan, components: Components, tmp_path: Path) -> None:
    checkpoint = interrupt(plan, tmp_path, components, SectionDone, 1)
    with checkpoint.held(), pytest.raises(InputError, match="Another process"):
        go_on(checkpoint, components)
    assert checkpoint.begun


def test_what_dead_jobs_leave_is_swept(plan: Plan, components: Components, tmp_path: Path) -> None:
    begun = interrupt(plan, tmp_path, components, SectionDone, 1)
    dead, held = Checkpoint(tmp_path / ".dead.parts"), Checkpoint(tmp_path / ".held.parts")
    for left in (dead, held):
        left.folder.mkdir()
        shutil.copy(begun.folder / "job.json", left.folder)
        (left.folder / "000000-000009.mp4").write_bytes(b"x" * 100)
    with held.held():
        sweep(tmp_path)
        assert sorted(tmp_path.iterdir()) == sorted([begun.folder, held.folder])
    assert sorted(tmp_path.iterdir()) == [begun.folder]


def test_a_job_that_dies_while_it_is_discarded_is_swept(plan: Plan, components: Components, tmp_path: Path) -> None:
    """The card goes first; sections may still be there."""
    left = Checkpoint(tmp_path / ".a.parts")
    with left.held():
        left.begin(plan, components, {})
        left.keep(0, np.zeros((1, 16, 9, 8, 8), dtype=np.float32))
    assert left.folder.is_dir()
    for name in (CARD, TWIN):
        (left.folder / name).unlink()
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_newest_is_found_and_others_by_name(plan: Plan, components: Components, tmp_path: Path) -> None:
    one = interrupt(plan, tmp_path, components, SectionDone, 1)
    two = interrupt(plan, tmp_path, components, SectionDone, 1)
    os.utime(one.folder / "job.json", (1, 1))
    assert [*map(Checkpoint, unfinished(tmp_path))] == [two, one]
    assert Checkpoint(find(None, tmp_path)) == two
    for name in (one.result.stem, str(one.result), one.folder.name):
        assert Checkpoint(find(name, tmp_path)) == one
    with pytest.raises(InputError, match="no unfinished job nobody"):
        Checkpoint(find("nobody", tmp_path))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"request": 3}'])
def test_a_damaged_card_is_named(tmp_path: Path, text: str) -> None:
    checkpoint = Checkpoint(tmp_path / ".job.parts")
    checkpoint.folder.mkdir()
    (checkpoint.folder / "job.json").write_text(text)
    with pytest.raises(InputError, match=r"neither job\.json nor job-twin\.json.*can be read"):
        checkpoint.plan()


def test_results_name_the_kernels_of_a_card(
    plan: Plan, components: Components, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that goes on by another says so, and names both."""
    told = {"attention": "flash 2.8"}
    monkeypatch.setattr(Kernels, "record", property(lambda _: dict(told)))
    checkpoint = interrupt(plan, tmp_path, components, SectionDone, 1)
    told["attention"] = "native"
    *events, last = go_on(checkpoint, components)
    assert Adjusted("note.resume.attention", {"before": "flash 2.8", "now": "native"}) in events
    assert isinstance(last, Finished)
    assert read_record(Path(last.video))["attention"] == "flash 2.8, native"
