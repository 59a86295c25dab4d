"""A safetensors file mapped to be read, once, whatever is read of it.

The library maps a file so that it could be written to, for each time that it is opened. For that Windows sets aside as
much of RAM and paging file as the file has bytes, each time ("the paging file is too small", error 1455), and Linux
refuses a file that is larger than all of RAM. What can only be read costs neither: the system drops pages as it needs
room and reads them again. The bytes are those of the file either way. Knows no network.
"""

import mmap
import warnings
from pathlib import Path

import torch
from torch import Tensor

from eichi.models.header import BITS, Header, HeaderError, read_header

# torch's names of the types in which numbers are kept in files.
TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64,
    "I32": torch.int32,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


class Mapped:
    """One file. Its tensors keep the mapping for as long as they are there."""

    def __init__(self, path: Path) -> None:
        """Raises OSError and HeaderError."""
        self.header: Header = read_header(path)
        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def read(self, name: str) -> Tensor:
        """A tensor in the type it is kept in; it is not to be written to, which would end the process.

        Raises HeaderError for a type that torch does not have.
        """
        entry = self.header.tensors[name]
        if entry.dtype not in TYPES:
            raise HeaderError(f"dtype: {name}, {entry.dtype}")
        dtype = TYPES[entry.dtype]
        if not entry.count:
            return torch.empty(entry.shape, dtype=dtype)
        size = BITS[entry.dtype] // 8
        if entry.first % size:  # a header of another length than the library's
            whole = bytearray(self._bytes[entry.first : entry.last])
            return torch.frombuffer(whole, dtype=dtype).reshape(entry.shape)
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # that it cannot be written to
            tensor = torch.frombuffer(self._bytes, dtype=dtype, count=entry.count, offset=entry.first)
        return tensor.reshape(entry.shape)
