"""A real server in a thread, for as long as it is needed."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from eichi.web.access import Access
from eichi.web.app import make_app
from eichi.web.desk import Desk


@contextmanager
def serving(desk: Desk, access: Access | None = None) -> Iterator[str]:
    """The address of a server for as long as it is needed."""
    config = uvicorn.Config(make_app(desk, access=access), log_config=None, timeout_graceful_shutdown=1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
