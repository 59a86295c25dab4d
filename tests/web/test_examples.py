"""Every line of the examples for programs, run against a real server with a worker and a token."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from eichi.jobs.executors.local import LocalExecutor
from eichi.jobs.schema import Job
from eichi.jobs.store import Store
from eichi.jobs.view import Status
from eichi.settings import load_settings
from eichi.video.reader import measure_video
from eichi.web.access import Access
from eichi.web.desk import Desk
from tests.web.serving import serving

pytestmark = pytest.mark.slow

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "http.md"


def blocks(language: str) -> list[str]:
    """The examples of a language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desk, dict[str, str]]]:
    """A desk whose jobs are run, and where a program finds it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EICHI_HOME", str(tmp_path_factory.mktemp("served")))
        settings = load_settings()
    access = Access(settings.home)
    _, token = access.renew()
    with Store(settings.store) as store:
        executor = LocalExecutor(store, settings)
        desk = Desk(settings, store, executor.submit)
        try:
            with serving(desk, access) as address:
                yield desk, {"EICHI": f"{address}/api/v1", "TOKEN": token}
        finally:
            executor.close()


def run(words: list[str], place: dict[str, str], folder: Path) -> str:
    """What a program says that ends well."""
    done = subprocess.run(
        words, env=os.environ | place, cwd=folder, capture_output=True, encoding="utf-8", timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def made(desk: Desk, before: Sequence[Job]) -> list[Job]:
    """The jobs that were not there before."""
    known = {job.id for job in before}
    return [job for job in desk.store.jobs() if job.id not in known]


def test_examples_with_curl(served: tuple[Desk, dict[str, str]], picture: Path, tmp_path: Path) -> None:
    if sys.platform == "win32" or not (shutil.which("curl") and shutil.which("bash")):
        pytest.skip("there is no curl here, or no shell for it")
    desk, place = served
    folder = tmp_path / "work"
    folder.mkdir()
    shutil.copyfile(picture, folder / "picture.png")
    before = desk.store.jobs()
    said = run(["bash", "-euc", "\n".join(blocks("bash"))], place, folder)
    assert "section_done" in said
    (job,) = made(desk, before)  # the same key made no second one, and those of the batch are cleared
    assert job.status is Status.DONE
    (video,) = folder.glob("*.mp4")
    assert measure_video(video).width > 0


def test_examples_in_python(served: tuple[Desk, dict[str, str]], picture: Path, tmp_path: Path) -> None:
    desk, place = served
    assert picture == tmp_path / "picture.png"
    (program,) = blocks("python")
    before = desk.store.jobs()
    said = run([sys.executable, "-c", program], place, tmp_path)
    (job,) = made(desk, before)
    assert job.status is Status.DONE
    assert "section_done" in said
    assert "a red ball None []" in said
    assert "422 seconds " in said
    assert list(tmp_path.glob("*.mp4"))


def test_a_program_without_the_token_is_told_so(served: tuple[Desk, dict[str, str]], tmp_path: Path) -> None:
    _, place = served
    (program,) = blocks("python")
    (tmp_path / "picture.png").touch()
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | place | {"TOKEN": "wrong"},
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 1
    assert "token" in done.stderr


def test_without_a_token_no_header_is_sent_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKEN", raising=False)
    (program,) = blocks("python")
    made: dict[str, Any] = {}
    exec(program[: program.index("def asked")], made)  # what makes the client
    assert "authorization" not in made["eichi"].headers
    assert "${TOKEN:+" in blocks("bash")[0]
