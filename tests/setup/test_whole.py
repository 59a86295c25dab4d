"""Libraries that are whole, and such as have lost something, in folders of their own."""

import shutil
import sys
from pathlib import Path

import pytest

from eichi.setup.whole import gaps

Wanted = tuple[str, ...]


class Packages:
    """A folder of packages, found by Python."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has(self, name: str, *wanted: str, files: Wanted = ("__init__.py", "core.so", "deep/inner.py")) -> None:
        """A library that wants others."""
        about = self.folder / f"{name.replace('-', '_')}-1.0.dist-info"
        about.mkdir()
        lines = [f"Name: {name}", "Version: 1.0", *(f"Requires-Dist: {one}" for one in wanted)]
        (about / "METADATA").write_text("\n".join(lines) + "\n\nRequires-Dist: not-this\n")
        package = name.replace("-", "_")
        for file in files:
            path = self.folder / package / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        record = [f"{package}/{file},sha256=00,1" for file in files]
        unkept = ["../../bin/script,,", f"{package}/__pycache__/x.pyc,,", f"{about.name}/INSTALLER,,"]
        (about / "RECORD").write_text("\n".join(record + unkept))


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packages:
    found = Packages(tmp_path / "packages")
    found.folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(found.folder)])
    found.has("the-program", "Some.Library>=1", 'absent; sys_platform == "plan9"', 'more>1; extra == "more"')
    found.has("some-library", "other (>=2)", "plain")
    found.has("other", "some-library", 'plain; python_version < "4"')
    found.has("plain", 'kept; sys_platform == "plan9"')
    found.has("kept")
    return found


def test_what_is_whole_lacks_nothing(packages: Packages) -> None:
    assert gaps("the-program") == ()


@pytest.mark.parametrize("lost", ["plain", "plain/__init__.py", "plain/core.so", "plain-1.0.dist-info/METADATA"])
def test_what_is_lost_of_a_library_is_found(packages: Packages, lost: str) -> None:
    path = packages.folder / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert gaps("the-program") == ("plain",)


@pytest.mark.parametrize(("lost", "found"), [("plain", ("plain",)), ("kept", ()), ("the_program", ("the-program",))])
def test_a_library_without_a_trace(packages: Packages, lost: str, found: Wanted) -> None:
    """One that only some systems want is not missed."""
    shutil.rmtree(packages.folder / f"{lost}-1.0.dist-info")
    assert gaps("the-program") == found


def test_here_nothing_is_missing() -> None:
    assert gaps() == ()
