"""A job runs from the files that people have, whatever program they came with, and asks nothing of anybody."""

from pathlib import Path

import pytest

from eichi.catalog import ModelFolders
from eichi.events import Finished
from eichi.models.load import Components
from eichi.options import VideoOptions
from eichi.pipeline.generate import generate
from eichi.prepare import check_run, make_plan
from eichi.settings import Runtime
from tests import trees


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trees.checkpoint(tmp_path_factory.mktemp("model"))


@pytest.mark.parametrize("tree", trees.TREES)
def test_a_job_runs_from_each_tree(root: Path, tmp_path: Path, picture: Path, tree: str) -> None:
    """On the loaders of the program; a file in eight bits is said."""
    entry, place = trees.known(root), tmp_path / "ComfyUI"
    trees.TREES[tree](root, place)
    models = ModelFolders(tmp_path / "models", (place,))
    values = {"model": entry.name, "image": picture, "prompt": "a red star", "seconds": 1, "seed": 5}
    plan = make_plan(VideoOptions.parse(values | {"sampling": {"steps": 1}}), models, entry)
    check_run(plan, tmp_path / "out", models)
    assert ("note.fp8.file" in {note.id for note in plan.notes}) == (tree == "split")
    events = list(generate(plan, tmp_path / "out", Components(entry, Runtime(models, "cpu"))))
    assert isinstance(events[-1], Finished)
    assert list((tmp_path / "out").rglob("*.mp4"))
