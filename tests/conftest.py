"""What every test stands on: a home and a working folder of its own, nothing from the developer's machine."""

import os
from pathlib import Path

# One thread each: tests run side by side, and on small weights threads wait for each other more than they work.
os.environ["OMP_NUM_THREADS"] = "1"

import pytest
from hypothesis import settings
from PIL import Image

# Deadlines would time the machine, a database would write beside the tests.
settings.register_profile("eichi", deadline=None, database=None, derandomize=True, max_examples=50)
settings.load_profile("eichi")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules with slow tests first, the journeys before all, so that none is left alone at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, item.path.parent.name != "web"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """EICHI_HOME and the hub's cache below `tmp_path`, which is also the working folder; no other variable of ours."""
    for name in list(os.environ):
        if name.startswith(("EICHI_", "HF_")):
            monkeypatch.delenv(name)
    home, hub = tmp_path / "home", tmp_path / "hub"
    monkeypatch.setenv("EICHI_HOME", str(home))
    monkeypatch.setenv("HF_HOME", str(hub))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    # The hub library read its variables when it was first imported.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(hub / "hub"))
    monkeypatch.chdir(tmp_path)
    return home


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A small picture, wider than high."""
    path = tmp_path / "picture.png"
    Image.linear_gradient("L").resize((96, 64)).convert("RGB").save(path)
    return path
