"""A tensor of a file without a copy, as the format's own library gives it, wherever it lies in the file."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from eichi.models.header import read_header
from eichi.models.mapped import map_tensor


def test_every_tensor_is_the_one_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    tensors = {
        "a": torch.randn(3, 5),
        "b": torch.randn(7).bfloat16(),
        "c": torch.randn(2, 2, 3).half(),
        "d": torch.zeros(0, 4),
        "e": torch.randn(9000, 3),  # over more than a page
        "f": torch.randn(5).to(torch.float8_e4m3fn),
    }
    save_file(tensors, path)
    for name, entry in read_header(path).tensors.items():
        found = map_tensor(path, entry.first, entry.shape, tensors[name].dtype)
        assert found.shape == tensors[name].shape
        assert torch.equal(found.float(), tensors[name].float())


def test_a_file_that_ends_too_soon_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "short"
    path.write_bytes(b"\0" * 10)
    with pytest.raises(ValueError):
        map_tensor(path, 4, (4,), torch.float32)


def test_a_file_may_be_larger_than_memory(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(2**42)  # a hole, which takes no room
    assert map_tensor(path, 2**41, (3,), torch.float32).tolist() == [0.0, 0.0, 0.0]
