"""A video of one's own continued in the page: dropped, followed by a new part, heard."""

from collections.abc import Iterator

import pytest

from tests.web.browser import Server

pytestmark = [pytest.mark.slow]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("continue")).running() as server:
        yield server
