"""What is mapped to be read is what the library reads, and a file is mapped once."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from eichi.models.header import HeaderError
from eichi.models.mapped import TYPES, Mapped


def test_every_type_and_shape_is_the_library_s(tmp_path: Path) -> None:
    path, kinds = tmp_path / "a.safetensors", list(TYPES.values())
    made = {str(kind): torch.arange(12).reshape(3, 4).to(kind) for kind in kinds}
    made |= {"scalar": torch.tensor(2.5), "none": torch.empty(0, 3), "odd": torch.tensor([7], dtype=torch.uint8)}
    save_file(made, path)
    mapped, library = Mapped(path), load_file(path)
    assert mapped.header.tensors.keys() == library.keys()
    for name, theirs in library.items():
        ours = mapped.read(name)
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
        assert torch.equal(ours.reshape(-1).view(torch.uint8), theirs.reshape(-1).view(torch.uint8))
        assert ours.untyped_storage().nbytes() == ours.nbytes  # of its own, and not the file's


def test_a_tensor_keeps_the_mapping(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.arange(1000.0)}, path)
    tensor = Mapped(path).read("a")
    path.unlink()  # on Linux, where what is mapped lives on without its name
    assert torch.equal(tensor, torch.arange(1000.0))


def test_numbers_that_lie_askew_are_copied(tmp_path: Path) -> None:
    header = b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    header += b" " * (1 if len(header) % 2 == 0 else 2)
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + torch.tensor([1.5, -2.0]).numpy().tobytes())
    assert Mapped(path).read("a").tolist() == [1.5, -2.0]


def test_a_type_that_torch_does_not_have_is_refused(tmp_path: Path) -> None:
    header = b'{"a":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}}'
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0")
    with pytest.raises(HeaderError) as refusal:
        Mapped(path).read("a")
    assert "F4" in str(refusal.value.reason)
