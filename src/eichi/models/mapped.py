"""One tensor of a file as memory that the system reads when it is looked at, and gives up again when it needs the room.

The format's own library maps the whole file, for writing as well: Linux refuses that for a file larger than its RAM
(25 GB of bfloat16 on a machine with 24), and Windows counts all of it as used. Here it is the tensor alone, and to be
read only: what writes to it ends the program, so whoever changes a weight makes new memory.
"""

import mmap
import sys
import warnings
from math import prod
from pathlib import Path

import torch
from torch import Tensor


def map_tensor(path: Path, start: int, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """The tensor that begins at a byte of a file. Raises OSError, and ValueError where the file ends before it."""
    count = prod(shape)
    if not count:
        return torch.empty(shape, dtype=dtype)
    page = start - start % mmap.ALLOCATIONGRANULARITY
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), start - page + count * dtype.itemsize, access=mmap.ACCESS_READ, offset=page)
    if sys.platform != "win32":
        mapped.madvise(mmap.MADV_WILLNEED)  # from a disk that was not read yet, all of it at once
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that it cannot be written to
        return torch.frombuffer(mapped, dtype=dtype, count=count, offset=start - page).view(shape)
