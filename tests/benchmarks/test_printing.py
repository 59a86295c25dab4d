"""A table that cannot go on says so in a sentence."""

import errno
import os

import pytest

from benchmarks.printing import printing
from eichi.errors import DiskError


@pytest.mark.parametrize(
    "error",
    [
        DiskError("error.output.write", reason="No space left on device"),
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    ],
)
def test_a_full_disk(error: Exception) -> None:
    with pytest.raises(SystemExit, match=r"Error: .*No space left on device"), printing():
        raise error
