"""What the page is measured with: the server of a checkout as a user starts it, and a wire that counts what goes by.

The wire stands between a browser and a server and passes on every byte, so that what a worker of the page asks for is
counted, too, which a page's own list of its requests leaves out.
"""

import asyncio
import http.client
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

COMMAND = "from eichi.cli import main; main()"
ASKED = re.compile(rb"^(?:GET|HEAD|POST|PUT|DELETE|OPTIONS) \S+ HTTP/1\.[01]\r$", re.MULTILINE)
PATIENCE = 300  # seconds for a server to answer
CHUNK = 2**16
# A page with 1,000 jobs to come and nobody who works on them.
FILL = """
import sys
from eichi.jobs.queue import Queue
from eichi.jobs.store import Store
from eichi.options import VideoOptions
from eichi.settings import load_settings

settings = load_settings()
with Store(settings.store) as store:
    store.hold(True)
    options = VideoOptions.parse({"image": sys.argv[1], "prompt": sys.argv[2], "seconds": 5})
    drafts, _ = Queue(store, settings.model_folders).prepare([options], settings.outputs)
    store.add(drafts * int(sys.argv[3]))
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number: int = listener.getsockname()[1]
        return number


@dataclass(frozen=True)
class Program:
    """A server that runs: seconds until its first answer, and what it is."""

    started: float
    port: int
    process: psutil.Process

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def worked(self) -> float:
        """The seconds that the processor has worked for it."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    @property
    def megabytes(self) -> float:
        """The memory that it has, in MB."""
        return float(self.process.memory_info().rss) / 1e6


def run(source: Path, home: Path, *words: str) -> subprocess.Popen[bytes]:
    """Python with a checkout's package, on a machine of its own."""
    home.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"PYTHONPATH": str(source), "EICHI_HOME": str(home / "home")}
    return subprocess.Popen(
        [sys.executable, *words], cwd=home, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def fill(source: Path, home: Path, picture: Path, prompt: str, count: int) -> None:
    """Put jobs into the queue of a machine, which is held."""
    with run(source, home, "-c", FILL, str(picture), prompt, str(count)) as process:
        if process.wait() != 0:
            raise SystemExit(f"{source}: no jobs could be added.")


@contextmanager
def serving(source: Path, home: Path, path: str) -> Iterator[Program]:
    """A server for as long as it is needed; it has started when it answers for a page."""
    port, begin = free_port(), time.perf_counter()
    with run(source, home, "-c", COMMAND, "ui", "--port", str(port)) as process:
        try:
            while not answers(port, path):
                if process.poll() is not None or time.perf_counter() - begin > PATIENCE:
                    raise SystemExit(f"{source}: the server does not start.")
                time.sleep(0.005)
            yield Program(time.perf_counter() - begin, port, psutil.Process(process.pid))
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()


def answers(port: int, path: str) -> bool:
    """Whether a page is served."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def first_message(port: int, path: str) -> tuple[float, int]:
    """Seconds until the first event of a stream is there, and its bytes."""
    connection, begin = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE), time.perf_counter()
    try:
        connection.request("GET", path)
        answer, size = connection.getresponse(), 0
        while (line := answer.readline()).strip() or not size:
            size += len(line)
        return time.perf_counter() - begin, size
    finally:
        connection.close()


class Wire:
    """Passes on what a browser and a server say to each other, and counts requests and the bytes that are answered."""

    def __init__(self, port: int) -> None:
        self.requests = self.bytes = 0
        self.changed = time.perf_counter()
        self.port = free_port()
        self._to = port
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> "Wire":
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._leave(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _listen(self) -> None:
        await asyncio.start_server(self._connect, "127.0.0.1", self.port)

    async def _leave(self) -> None:
        for writer in tuple(self._writers):
            writer.close()
        while self._writers:
            await asyncio.sleep(0.01)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, to_them = await asyncio.open_connection("127.0.0.1", self._to)
        await asyncio.gather(self._pass(reader, to_them, True), self._pass(theirs, writer, False))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: bool) -> None:
        self._writers.add(writer)
        with suppress(ConnectionError):
            while chunk := await reader.read(CHUNK):
                self.changed = time.perf_counter()
                if asked:
                    self.requests += len(ASKED.findall(chunk))
                else:
                    self.bytes += len(chunk)
                writer.write(chunk)
                await writer.drain()
        writer.close()
        self._writers.discard(writer)
