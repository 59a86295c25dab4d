"""What a LoRA file changes, by its header: matrices that FP8 stores, and everything else."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from eichi.errors import LoraError
from eichi.models.lorasize import Changes, changes


def pair(layer: str, rows: int, columns: int) -> dict[str, torch.Tensor]:
    return {
        f"{layer}.lora_up.weight": torch.zeros(rows, 1),
        f"{layer}.lora_down.weight": torch.zeros(1, columns),
    }


@pytest.mark.parametrize(
    ("layer", "inside"),
    [
        ("lora_unet_double_blocks_0_img_attn_qkv", True),
        ("lora_unet_double_blocks_0_img_mod_linear", False),
        ("lora_unet_single_blocks_3_linear1", True),
        ("lora_unet_single_blocks_3_modulation_linear", False),
        ("transformer.transformer_blocks.1.ff.net.2", True),
        ("transformer.transformer_blocks.1.norm1.linear", False),
        ("transformer.single_transformer_blocks.1.proj_out", True),
        ("transformer.context_embedder.token_refiner.refiner_blocks.0.attn.to_q", False),
        ("transformer.x_embedder.proj", False),
    ],
)
def test_matrices_of_the_blocks_are_told_from_the_rest(layer: str, inside: bool, tmp_path: Path) -> None:
    path = tmp_path / "lora.safetensors"
    save_file(pair(layer, 6, 4), path)
    assert changes(path) == (Changes(24, 0) if inside else Changes(0, 24))
    save_file(pair(layer, 6, 4) | {f"{layer}.diff_b": torch.zeros(6)}, path)  # another content, under the same name
    assert changes(path) == (Changes(24, 6) if inside else Changes(0, 30))


@pytest.mark.parametrize(("write", "error"), [(None, OSError), (b"PK\x03\x04", LoraError)])
def test_what_is_none_is_said(write: bytes | None, error: type[Exception], tmp_path: Path) -> None:
    path = tmp_path / "lora.safetensors"
    if write is not None:
        path.write_bytes(write)
    with pytest.raises(error):
        changes(path)
