"""Which tests look at a source file, and running them on a copy of the working tree in which a file may be another.

The copy's tests run in children of a process that has loaded the libraries: importing them takes longer than most
tests. What our own modules were in that process is forgotten first.
"""

import ast
import gc
import json
import multiprocessing
import os
import shutil
import signal
import sys
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

LIBRARIES = (
    "_hypothesis_pytestplugin",
    "anyio.pytest_plugin",
    "eichi.pipeline.generate",
    "eichi.web.app",
    "mutmut.mutation.file_mutation",
    "schemathesis.pytest.plugin",
    "tests.small",
    "xdist.plugin",
)
OURS = ("eichi", "tests", "benchmarks", "training")
MEMORY, LARGEST = 4 * 2**30, 2**28  # bytes that tests may take, and write into one file
PATIENCE = 600.0  # seconds until tests that wait for something count as endless


@dataclass(frozen=True)
class Outcome:
    """How tests ended: whether they did, those that failed, and the seconds that the processor worked for them."""

    ended: bool
    failed: tuple[str, ...]
    seconds: float


class Index:
    """Which test files look at a source file."""

    def __init__(self, root: Path) -> None:
        self.sources = {_module(path, root / "src"): path for path in sorted((root / "src").rglob("*.py"))}
        self.root = root
        self.imported = {path: _imports(path, self.sources) for path in self.sources.values()}
        self.tests = {path: _imports(path, self.sources) for path in sorted((root / "tests").rglob("test_*.py"))}

    def mirror(self, path: str) -> list[str]:
        """The test file of the same name, where there is one."""
        inner = Path(path).relative_to("src/eichi")
        found = Path("tests") / inner.with_name(f"test_{inner.name}")
        return [found.as_posix()] if (self.root / found).is_file() else []

    def neighbours(self, path: str) -> list[str]:
        """Those that import a source file, and the mirrors of the sources that import it; or all of its folder."""
        module = _module(self.root / path, self.root / "src")
        direct = {str(test.relative_to(self.root).as_posix()) for test, names in self.tests.items() if module in names}
        users = [user for user, names in self.imported.items() if module in names]
        mirrors = {test for user in users for test in self.mirror(user.relative_to(self.root).as_posix())}
        found = sorted((direct | mirrors) - set(self.mirror(path)))
        return found if found or self.mirror(path) else self._folder(path)

    def _folder(self, path: str) -> list[str]:
        inner = Path(path).relative_to("src/eichi").parent
        while not (self.root / "tests" / inner).is_dir():
            inner = inner.parent
        found = sorted((self.root / "tests" / inner).glob("test_*.py"))
        return [test.relative_to(self.root).as_posix() for test in found]


def _module(path: Path, top: Path) -> str:
    parts = path.relative_to(top).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(path: Path, known: dict[str, Path]) -> set[str]:
    """The modules among the known ones that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names & known.keys()


class Tree:
    """A copy of the working tree in which tests run, with these modules loaded before."""

    def __init__(self, root: Path, folder: Path, libraries: Sequence[str] = LIBRARIES) -> None:
        self.folder = folder
        self.libraries = libraries
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(root, folder, ignore=shutil.ignore_patterns(".*", "__pycache__", "build", "outputs"))

    @contextmanager
    def holding(self, path: str, code: str) -> Iterator[None]:
        """Another text in one of the files. Its time is put back, so that what is compiled stays valid."""
        file, stat = self.folder / path, (self.folder / path).stat()
        original = file.read_bytes()
        file.write_text(code, encoding="utf-8")
        try:
            yield
        finally:
            file.write_bytes(original)
            os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    def run(self, tests: str, limit: float | None = None, without: Collection[str] = ()) -> Outcome:
        """Run the tests of a file, `without` some; with a limit, until one fails or the processor worked so long."""
        if sys.platform == "win32":
            raise NotImplementedError("forks")
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__, *self.libraries])
        result = self.folder / "outcome.json"
        result.unlink(missing_ok=True)
        child = context.Process(target=_test, args=(str(self.folder), tests, result.name, limit, tuple(without)))
        child.start()
        assert child.pid is not None
        child.join(None if limit is None else PATIENCE)
        with suppress(ProcessLookupError):  # whatever the tests have left running, too
            os.killpg(child.pid, signal.SIGKILL)
        child.join()
        shutil.rmtree(self.folder / "tmp", ignore_errors=True)
        if not result.exists():
            return Outcome(False, (tests,), 0.0)
        told = json.loads(result.read_text(encoding="utf-8"))
        return Outcome(True, tuple(told["failed"]), told["seconds"])


class _Watcher:
    """Remembers the tests that failed."""

    def __init__(self) -> None:
        self.failed: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and report.nodeid not in self.failed:
            self.failed.append(report.nodeid)


def _test(folder: str, tests: str, result: str, limit: float | None, without: tuple[str, ...]) -> None:
    """In the child: run tests on the tree's sources, not on those that were loaded with the libraries."""
    if sys.platform == "win32":
        raise NotImplementedError("forks")
    import resource

    os.setsid()
    threading.Thread(target=_orphaned, daemon=True).start()
    gc.freeze()  # pytest collects again and again, and the libraries are many objects
    for what, most in ((resource.RLIMIT_DATA, MEMORY), (resource.RLIMIT_FSIZE, LARGEST), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(what, (most, most))
    before = _worked()
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_CPU, (int(before + limit) + 1,) * 2)
    sys.dont_write_bytecode = limit is not None  # a change may be as long as another, and as old
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
    os.chdir(folder)
    os.environ |= {"PYTHONPATH": f"{folder}/src", "HOME": f"{folder}/tmp", "PYTHONDONTWRITEBYTECODE": "1"}
    sys.path[:0] = [f"{folder}/src", folder]
    told = os.open("output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(told, 1)
    os.dup2(told, 2)
    watcher = _Watcher()
    loaded = "ignore::pytest.PytestAssertRewriteWarning"  # of libraries, whose own assertions are nobody's concern
    words = ["-W", loaded, "-n0", "--tb=short", "-p", "no:cacheprovider", f"--basetemp={folder}/tmp", tests]
    words += [*(["-x"] if limit is not None else []), *(f"--deselect={test}" for test in without)]
    code: int = pytest.ExitCode.INTERNAL_ERROR
    try:
        code = pytest.main(words, plugins=[watcher])
    finally:
        failed = watcher.failed or ([tests] if code not in (0, pytest.ExitCode.NO_TESTS_COLLECTED) else [])
        outcome = {"failed": failed, "seconds": _worked() - before}
        Path(folder, result).write_text(json.dumps(outcome), encoding="utf-8")
        os._exit(0)  # a thread that a change left behind must not keep it


def _orphaned() -> None:
    """End with who asked for the tests, and with all that they have started."""
    asking = multiprocessing.parent_process()
    assert asking is not None
    asking.join()
    if sys.platform != "win32":
        os.kill(0, signal.SIGKILL)


def _worked() -> float:
    """Seconds that the processor worked for this process and for those that it has waited for."""
    return sum(os.times()[:4])
