"""A command of the program run and watched from outside: when it said what, and how much memory it had meanwhile.

Memory is asked of the system ten times a second, over the process and all that it started. Private pages count (the
kernel's RssAnon and RssShmem); pages of mapped files (RssFile) are told beside them, since the system takes them back
when it needs them. A limit is a control group of the kernel, of the first version where it may be made, else by
systemd-run, which knows the second.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

POLL = 0.1
GIB = 2**30
GROUPS = Path("/sys/fs/cgroup/memory")
PRIVATE, MAPPED = ("RssAnon", "RssShmem"), ("RssFile",)


@dataclass
class Seen:
    """What was seen of a run: lines of its output with seconds since its start, and peaks in bytes."""

    lines: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    private: int = 0
    mapped: int = 0
    seconds: float = 0.0
    code: int | None = None
    errors: str = ""

    def when(self, kind: str, last: bool = False) -> float | None:
        """When the first or the last event of a kind came."""
        found = [at for at, told in self.lines if told.get("kind") == kind]
        return found[-1 if last else 0] if found else None

    def note(self, id: str) -> Mapping[str, Any]:
        """What filled a sentence; nothing where it was not said."""
        return next((told["values"] for _, told in self.lines if told.get("id") == id), {})


class Run:
    """A command while it runs."""

    def __init__(self, command: Sequence[str], variables: Mapping[str, str], limit_gib: float | None = None) -> None:
        """Starts it, with at most so much memory."""
        self.seen = Seen()
        self._start = time.monotonic()
        self._limited = _limited(limit_gib)
        prefix = self._limited.__enter__()
        self.process = subprocess.Popen(
            [*prefix, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env={**os.environ, **variables},
        )
        self._threads = [threading.Thread(target=work) for work in (self._listen, self._complain, self._measure)]
        for thread in self._threads:
            thread.start()

    def wait(self, until: str | None = None) -> Seen:
        """Wait for its end; with `until` it is killed as soon as it says an event of that kind."""
        while self.process.poll() is None:
            if until is not None and self.seen.when(until) is not None:
                for process in (*psutil.Process(self.process.pid).children(recursive=True), self.process):
                    with suppress(psutil.NoSuchProcess, ProcessLookupError):
                        process.kill()
            time.sleep(POLL)
        for thread in self._threads:
            thread.join()
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None, "asked for above"
            pipe.close()
        self.seen.code, self.seen.seconds = self.process.returncode, time.monotonic() - self._start
        self._limited.__exit__(None, None, None)
        return self.seen

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            at = time.monotonic() - self._start
            with suppress(ValueError):
                self.seen.lines.append((at, json.loads(line)))
            sys.stderr.write(f"{at:8.1f} {line}")

    def _complain(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.seen.errors = (self.seen.errors + line)[-4000:]

    def _measure(self) -> None:
        while self.process.poll() is None:
            private, mapped = memory_of(self.process.pid)
            self.seen.private, self.seen.mapped = max(self.seen.private, private), max(self.seen.mapped, mapped)
            time.sleep(POLL)


def memory_of(number: int) -> tuple[int, int]:
    """Bytes of private pages and of mapped files, of a process and all that it started."""
    private = mapped = 0
    with suppress(psutil.NoSuchProcess):
        whole = psutil.Process(number)
        for process in (whole, *whole.children(recursive=True)):
            with suppress(OSError):
                status = dict(
                    line.split(":", 1) for line in Path(f"/proc/{process.pid}/status").read_text("ascii").splitlines()
                )
                private += sum(int(status[name].split()[0]) * 1024 for name in PRIVATE if name in status)
                mapped += sum(int(status[name].split()[0]) * 1024 for name in MAPPED if name in status)
    return private, mapped


@contextmanager
def _limited(gib: float | None) -> Iterator[list[str]]:
    """What is put before a command so that it and its file cache have at most so much memory."""
    if gib is None:
        yield []
        return
    group = _group()
    if group is None:
        yield ["systemd-run", "--scope", "--quiet", "-p", f"MemoryMax={int(gib * GIB)}", "-p", "MemorySwapMax=0", "--"]
        return
    (group / "memory.limit_in_bytes").write_text(str(int(gib * GIB)), "ascii")
    try:
        yield ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(group)]
    finally:
        time.sleep(1.0)  # until the kernel has taken the last process out
        with suppress(OSError):
            group.rmdir()


def _group() -> Path | None:
    """A control group of the first version below our own; None where there may be none."""
    with suppress(OSError, StopIteration):
        rows = (line.split(":", 2) for line in Path("/proc/self/cgroup").read_text("ascii").splitlines())
        mine = next(path for _, kinds, path in rows if "memory" in kinds.split(","))
        group = GROUPS / mine.lstrip("/") / f"rehearsal-{os.getpid()}"
        group.mkdir(exist_ok=True)
        return group
    return None


def can_limit() -> bool:
    """Whether memory can be limited here."""
    group = _group()
    if group is None:
        return sys.platform == "linux" and shutil.which("systemd-run") is not None and os.geteuid() == 0
    group.rmdir()
    return True


def forget(paths: Sequence[Path]) -> None:
    """Ask the system to take files out of its cache, so that reading them takes what it takes the first time."""
    for path in paths:
        if sys.platform == "linux" and path.is_file():
            number = os.open(path, os.O_RDONLY)
            os.fdatasync(number)
            os.posix_fadvise(number, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(number)
