"""Parts from their files: a transformer in one file is the one of the folder; parts come when asked for, and go."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from eichi.catalog import CARD, find
from eichi.errors import ModelError
from eichi.models.load import Components
from tests import small


def one_file(tmp_path: Path) -> Path:
    """The embedded transformer as a file of its own, with its card."""
    path = tmp_path / "one" / "transformer.safetensors"
    path.parent.mkdir()
    shutil.copy(str(find("tiny").root) + "/transformer/diffusion_pytorch_model.safetensors", path)
    (path.parent / CARD).write_text(json.dumps({"like": "tiny"}), encoding="utf-8")
    return path


def test_a_transformer_in_one_file_is_the_same(tmp_path: Path) -> None:
    single = Components(find(str(one_file(tmp_path))), tmp_path, "cpu")
    folder = Components(find("tiny"), tmp_path, "cpu")
    ours, theirs = single.transformer.state_dict(), folder.transformer.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert not single.transformer.training
    assert single.folders["vae"] == folder.folders["vae"]
    assert single.fingerprint["transformer"] != folder.fingerprint["transformer"]
    assert single.fingerprint["vae"] == folder.fingerprint["vae"]


@pytest.mark.parametrize("damage", ["cut", "other", "text"])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, damage: str) -> None:
    path = one_file(tmp_path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "other":
        shutil.copy(str(find("tiny").root) + "/vae/diffusion_pytorch_model.safetensors", path)
    else:
        path.write_text("<html>", encoding="utf-8")
    components = Components(find(str(path)), tmp_path, "cpu")
    with pytest.raises(ModelError, match="transformer"):
        _ = components.transformer


def test_parts_come_when_asked_for_and_go(tmp_path: Path) -> None:
    components = Components(small.entry(small.build(tmp_path / "model")), tmp_path, "cpu")
    first = components.text_encoder
    assert components.text_encoder is first
    components.release("text_encoder")
    assert components.text_encoder is not first
